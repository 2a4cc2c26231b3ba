import { afterEach, describe, expect, test } from "vitest";
import { logTail, lostEvents, withLogTail, withoutLog } from "./log-tail.ts";
import { createMemoryReplyLog } from "./memory.ts";
import type { LoggedEvent } from "./reply-log.ts";

const log = createMemoryReplyLog({
  maxReplyBytes: 1024 * 1024,
  maxTotalBytes: 1024 * 1024,
  retentionMs: 60_000,
});
afterEach(() => log.drop("reply"));

const event = (
  seq: number,
  fields: { readonly type: string; readonly [member: string]: unknown },
) => ({ seq, type: fields.type, json: JSON.stringify(fields) }) as LoggedEvent;
const word = (seq: number) => event(seq, { type: "assistant_chunk", chunk: `${seq} ` });
const thought = (seq: number) => event(seq, { type: "reasoning_chunk", chunk: `${seq}? ` });
const stored = {
  replyId: "reply",
  recoveries: 1,
  eventSeq: 3,
  content: "2 3 ",
  reasoning: "1? ",
  extras: { sources: [{ title: "a" }] },
};
const after = (seq: number) => ({ eventSeq: seq + lostEvents });

describe("a reply as far as it really came", () => {
  test.each<[string, LoggedEvent[], object]>([
    ["the log has nothing", [], after(3)],
    ["the log has less than the row", [word(2)], after(3)],
    ["the log has as much", [word(2), word(3)], after(3)],
    ["the log has more", [word(2), word(3), word(4)], { content: "2 3 4 ", ...after(4) }],
    ["the log has only what is new", [word(4), word(5)], { content: "2 3 4 5 ", ...after(5) }],
    [
      "with thoughts",
      [word(4), thought(5)],
      { content: "2 3 4 ", reasoning: "1? 5? ", ...after(5) },
    ],
    [
      "its text was replaced",
      [event(4, { type: "snapshot", content: "new " }), word(5)],
      { content: "new 5 ", ...after(5) },
    ],
    [
      "its text was taken back",
      [event(4, { type: "replaced", content: "new " }), word(5)],
      { content: "new 5 ", ...after(5) },
    ],
    [
      "with sources",
      [event(4, { type: "sources", sources: [{ title: "a" }, { title: "b" }] }), word(5)],
      { content: "2 3 5 ", extras: { sources: [{ title: "a" }, { title: "b" }] }, ...after(5) },
    ],
    [
      "with suggestions",
      [event(4, { type: "suggestions", suggestions: ["And then?"] })],
      { extras: { sources: [{ title: "a" }], suggestions: ["And then?"] }, ...after(4) },
    ],
    [
      "with tasks and events of the author",
      [
        event(4, {
          type: "tasks",
          tasks: [{ id: "1", title: "t", status: "pending" }],
          agent_id: "a",
        }),
        event(5, { type: "agent_custom", name: "n", data: { x: 1 }, agent_id: "a" }),
        event(6, { type: "agent_custom", name: "n", data: { x: 1 }, agent_id: "a" }),
      ],
      {
        extras: {
          sources: [{ title: "a" }],
          tasks: [{ id: "1", title: "t", status: "pending" }],
          customEvents: [{ name: "n", data: { x: 1 }, agent_id: "a" }],
        },
        ...after(6),
      },
    ],
    ["the next event is missing", [word(5), word(6)], after(6)],
    ["one further on is missing", [word(4), word(6), word(7)], { content: "2 3 4 ", ...after(7) }],
  ])("%s", async (_name, events, expected) => {
    if (events.length > 0) await log.append("reply", 1, events);
    expect(await withLogTail(log, stored, false)).toEqual({ ...stored, ...expected });
  });

  test("goes on further ahead each time that nothing of it was stored", async () => {
    await log.append("reply", 1, [word(4)]);
    const numbers = [1, 2, 3].map((recoveries) => ({ ...stored, recoveries }));
    const found = await Promise.all(numbers.map((reply) => withLogTail(log, reply, true)));
    expect(found.map(({ eventSeq }) => eventSeq)).toEqual([1, 2, 3].map((n) => 4 + n * lostEvents));
    expect(withoutLog({ ...stored, recoveries: 2 }).eventSeq).toBe(3 + 2 * lostEvents);
  });

  test("goes on ahead also when it was not taken over yet, and past what came between two looks", async () => {
    expect(withoutLog({ ...stored, recoveries: 0 }).eventSeq).toBe(3 + lostEvents);
    await log.append("reply", 1, [word(4), word(5)]);
    const late = { ...log, stat: async () => ({ first: 4, last: 4, epoch: 1 }) };
    expect(await withLogTail(late, stored, false)).toMatchObject(after(5));
  });

  test("leaves thoughts to a run that will repeat them", async () => {
    await log.append("reply", 1, [word(4), thought(5)]);
    const reply = await withLogTail(log, stored, true);
    expect(reply).toEqual({ ...stored, content: "2 3 4 ", ...after(5) });
  });
});

test("for a reader it ends before the first event that is missing", async () => {
  await log.append("reply", 1, [word(4), word(6)]);
  expect(await logTail(log, stored)).toMatchObject({ content: "2 3 4 ", eventSeq: 4, last: 6 });
});
