import { afterEach, expect, test, vi } from "vitest";
import { createStamp } from "./stamp.ts";

afterEach(() => void vi.useRealTimers());

test("an event has its ids and the time at which it is told, whichever way the clock goes", () => {
  vi.useFakeTimers();
  const stamp = createStamp("s", "r");
  const at = (time: string) => {
    vi.setSystemTime(time);
    return JSON.parse(stamp(1, "reasoning_chunk", { chunk: "a", agent_id: "b" }).json) as object;
  };
  const times = [
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:00:00.001Z",
    "2025-12-31T23:59:59.999Z",
  ];
  for (const timestamp of times) {
    expect(at(timestamp)).toEqual({
      type: "reasoning_chunk",
      session_id: "s",
      message_id: "r",
      timestamp,
      chunk: "a",
      agent_id: "b",
    });
  }
});
