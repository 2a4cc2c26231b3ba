import { afterEach, describe, expect, test } from "vitest";
import { logTail, lostEvents, withLogTail } from "./log-tail.ts";
import { createMemoryReplyLog } from "./memory.ts";
import type { LoggedEvent } from "./reply-log.ts";

const log = createMemoryReplyLog({
  maxReplyBytes: 1024 * 1024,
  maxTotalBytes: 1024 * 1024,
  retentionMs: 60_000,
});
afterEach(() => log.drop("reply"));

const event = (seq: number, fields: { readonly type: string; readonly [member: string]: string }) =>
  ({ seq, type: fields.type, json: JSON.stringify(fields) }) as LoggedEvent;
const word = (seq: number) => event(seq, { type: "assistant_chunk", chunk: `${seq} ` });
const thought = (seq: number) => event(seq, { type: "reasoning_chunk", chunk: `${seq}? ` });
const stored = { replyId: "reply", eventSeq: 3, content: "2 3 ", reasoning: "1? " };

describe("a reply as far as it really came", () => {
  test.each<[string, LoggedEvent[], object]>([
    ["the log has nothing", [], { eventSeq: 3 + lostEvents }],
    ["the log has less than the row", [word(2)], { eventSeq: 3 + lostEvents }],
    ["the log has as much", [word(2), word(3)], {}],
    ["the log has more", [word(2), word(3), word(4)], { content: "2 3 4 ", eventSeq: 4 }],
    ["the log has only what is new", [word(4), word(5)], { content: "2 3 4 5 ", eventSeq: 5 }],
    [
      "with thoughts",
      [word(4), thought(5)],
      { content: "2 3 4 ", reasoning: "1? 5? ", eventSeq: 5 },
    ],
    [
      "its text was replaced",
      [event(4, { type: "snapshot", content: "new " }), word(5)],
      { content: "new 5 ", eventSeq: 5 },
    ],
    ["the next event is missing", [word(5), word(6)], { eventSeq: 6 + lostEvents }],
    [
      "one further on is missing",
      [word(4), word(6), word(7)],
      { content: "2 3 4 ", eventSeq: 7 + lostEvents },
    ],
  ])("%s", async (_name, events, expected) => {
    if (events.length > 0) await log.append("reply", 1, events);
    expect(await withLogTail(log, stored, false)).toEqual({ ...stored, ...expected });
  });

  test("leaves thoughts to a run that will repeat them", async () => {
    await log.append("reply", 1, [word(4), thought(5)]);
    const reply = await withLogTail(log, stored, true);
    expect(reply).toEqual({ ...stored, content: "2 3 4 ", eventSeq: 5 });
  });
});

test("for a reader it ends before the first event that is missing", async () => {
  await log.append("reply", 1, [word(4), word(6)]);
  expect(await logTail(log, stored)).toMatchObject({ content: "2 3 4 ", eventSeq: 4, last: 6 });
});
