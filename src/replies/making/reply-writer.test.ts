import { expect, test } from "vitest";
import type { LoggedEvent, ReplyLog } from "../log/reply-log.ts";
import type { ReplyEvent } from "../reply-event.ts";
import type { ReplyFeeds } from "../reading/reply-feeds.ts";
import type { Flushable } from "./flush-beat.ts";
import { ReplyWriter } from "./reply-writer.ts";

/**
 * A writer whose beat and log the test moves by hand; `holds`: the log takes nothing until it is told; `isAtOnce`: it has
 * taken everything when it returns.
 */
function stage({ holds = false, isAtOnce = false, last = 0 } = {}) {
  const waiting = new Set<Flushable>();
  const appended: LoggedEvent[][] = [];
  const published: LoggedEvent[] = [];
  const lost: unknown[] = [];
  let held: { resolve(): void; reject(error: unknown): void } | null = null;
  const writer = new ReplyWriter({
    replyId: "r",
    sessionId: "s",
    epoch: 7,
    last,
    log: {
      append: (replyId: string, epoch: number, events: LoggedEvent[]) => {
        expect([replyId, epoch]).toEqual(["r", 7]);
        appended.push([...events]);
        if (isAtOnce) return undefined;
        if (!holds) return Promise.resolve();
        return new Promise<void>((resolve, reject) => (held = { resolve, reject }));
      },
    } as Partial<ReplyLog> as ReplyLog,
    feeds: {
      publish: (_replyId: string, events: readonly LoggedEvent[]) => published.push(...events),
    } as Partial<ReplyFeeds> as ReplyFeeds,
    beat: { wait: (each) => waiting.add(each), forget: (each) => waiting.delete(each) },
    onLost: (error) => lost.push(error),
  });
  const told = () =>
    appended.flat().map(({ seq, type, json }) => {
      const event = JSON.parse(json) as ReplyEvent & { chunk?: string };
      expect(event).toMatchObject({ type, session_id: "s", message_id: "r" });
      expect(Number.isNaN(Date.parse(event.timestamp))).toBe(false);
      return [seq, type, event.chunk ?? null];
    });
  return {
    writer,
    waiting,
    appended,
    published,
    lost,
    told,
    say: (chunk: string, agent = "a") =>
      writer.emit({ type: "assistant_chunk", chunk, finished: false, agent_id: agent }),
    think: (chunk: string) => writer.emit({ type: "reasoning_chunk", chunk, agent_id: "a" }),
    release: async (error?: unknown) => {
      if (error === undefined) held?.resolve();
      else held?.reject(error);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test("the first text of a kind is told at once, what follows is merged until the beat", () => {
  const { say, think, told, waiting, writer } = stage();
  say("one ");
  expect(told()).toEqual([[1, "assistant_chunk", "one "]]);
  say("two ");
  say("three");
  expect(told()).toHaveLength(1);
  expect(writer.last).toBe(1);
  expect([...waiting]).toEqual([writer]);
  writer.flush();
  expect(waiting.size).toBe(0);
  think("hm");
  say("four");
  expect(writer.last).toBe(4);
});

test("events stand behind the text before them, texts of different kinds and agents apart", async () => {
  const { say, think, told, writer } = stage({ last: 10 });
  say("one");
  say("two");
  think("hm");
  think("so");
  say("three");
  say("and");
  say("four", "b");
  writer.emit({ type: "snapshot", content: "x" });
  await writer.flushed();
  expect(told()).toEqual([
    [11, "assistant_chunk", "one"],
    [12, "assistant_chunk", "two"],
    [13, "reasoning_chunk", "hm"],
    [14, "reasoning_chunk", "so"],
    [15, "assistant_chunk", "three"],
    [16, "assistant_chunk", "and"],
    [17, "assistant_chunk", "four"],
    [18, "snapshot", null],
  ]);
});

test("what the log has at once is shown at once", () => {
  const { say, think, published, writer } = stage({ isAtOnce: true });
  say("one");
  expect(published).toHaveLength(1);
  think("hm");
  say("two");
  writer.flush();
  expect(published.map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("2 KiB do not wait for the beat", () => {
  const { say, writer } = stage();
  say("x");
  say("x".repeat(2_046));
  say("y");
  expect(writer.last).toBe(1);
  say("z");
  expect(writer.last).toBe(2);
});

test("text is not due before the window after the event before it", () => {
  const { say, writer } = stage();
  const before = performance.now();
  say("one");
  say("two");
  expect(writer.dueMs).toBeGreaterThanOrEqual(before + 20);
});

test.each([
  {
    before: ["one"],
    told: [
      [1, "one", false],
      [2, "", true],
    ],
  },
  {
    before: ["one", "two"],
    told: [
      [1, "one", false],
      [2, "two", true],
    ],
  },
  { before: [], told: [[1, "", true]] },
])("the last text event has what is pending: $before", async ({ before, told }) => {
  const { say, writer, appended } = stage();
  for (const text of before) say(text);
  writer.finishText("a");
  await writer.flushed();
  const events = appended.flat().map(({ seq, json }) => {
    const { chunk, finished } = JSON.parse(json) as { chunk: string; finished: boolean };
    return [seq, chunk, finished];
  });
  expect(events).toEqual(told);
});

test("reasoning is no part of the last text event", async () => {
  const { think, told, writer } = stage();
  think("a");
  think("b");
  writer.finishText("a");
  await writer.flushed();
  expect(told()).toEqual([
    [1, "reasoning_chunk", "a"],
    [2, "reasoning_chunk", "b"],
    [3, "assistant_chunk", ""],
  ]);
});

test("one batch at a time, and shown only when the log has it", async () => {
  const { say, writer, appended, published, release } = stage({ holds: true });
  say("one");
  writer.emit({ type: "snapshot", content: "1" });
  writer.emit({ type: "snapshot", content: "2" });
  say("three");
  expect(appended.map((batch) => batch.length)).toEqual([1]);
  expect(published).toEqual([]);
  expect(writer.backlog).toBeGreaterThan(5);
  let isFlushed = false;
  const flushed = writer.flushed().then(() => (isFlushed = true));
  await release();
  expect(appended.map((batch) => batch.length)).toEqual([1, 3]);
  expect(published.map(({ seq }) => seq)).toEqual([1]);
  expect([isFlushed, writer.backlog]).toEqual([false, 0]);
  await release();
  await flushed;
  expect(published.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test("what waits for its event counts as backlog", () => {
  const { say, writer } = stage({ holds: true });
  say("one");
  const before = writer.backlog;
  say("12345");
  expect(writer.backlog).toBe(before + 5);
});

test("a log that refuses ends it, once: nothing more is appended or shown", async () => {
  const { say, writer, lost, appended, published, release } = stage({ holds: true });
  say("one");
  writer.emit({ type: "snapshot", content: "x" });
  await release(new Error("fenced"));
  expect(lost).toEqual([new Error("fenced")]);
  writer.emit({ type: "snapshot", content: "y" });
  await writer.flushed();
  expect([appended.length, published.length]).toEqual([1, 0]);
  expect(lost).toHaveLength(1);
});
