import { expect, test } from "vitest";
import type { ClaimedReply, ReplyProgress } from "../reply.ts";
import { CheckpointPump } from "./checkpoint-pump.ts";
import type { Kept } from "./checkpoints.ts";

const leaseRenewalMs = 5_000;

/** A pump whose time, beats and store the test moves by hand. */
function stage(claimed: Partial<ReplyProgress> = {}) {
  let nowMs = 1_000;
  let timers: { atMs: number; work: () => void }[] = [];
  const beats = new Set<() => void>();
  const writes: {
    changes: Partial<ReplyProgress> | null;
    end: (how: Kept | null | Error) => void;
  }[] = [];
  const kept: (Kept | null)[] = [];
  const faults: unknown[] = [];
  let progress: ReplyProgress = {
    content: "",
    reasoning: "",
    eventSeq: 1,
    toolCalls: [],
    media: [],
    extras: {},
    backendState: null,
    ...claimed,
  };
  const pump = new CheckpointPump({
    reply: { replyId: "r" } as ClaimedReply,
    checkpoints: {
      onBeat(listener) {
        beats.add(listener);
        return () => beats.delete(listener);
      },
      store: (_reply, changes) =>
        new Promise((resolve, reject) => {
          const end = (how: Kept | null | Error) =>
            how instanceof Error ? reject(how) : resolve(how);
          writes.push({ changes, end });
        }),
    },
    leaseRenewalMs,
    progress: () => progress,
    onKept: (each) => kept.push(each),
    onFault: (error) => faults.push(error),
    clock: {
      now: () => nowMs,
      after(ms, work) {
        const timer = { atMs: nowMs + ms, work };
        timers.push(timer);
        return { cancel: () => (timers = timers.filter((each) => each !== timer)) };
      },
    },
  });
  pump.start();
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  /** Something happens to the reply. */
  const become = (change: Partial<ReplyProgress>, isWorth = false) => {
    progress = { ...progress, eventSeq: progress.eventSeq + 1, ...change };
    pump.grew(progress.content.length + progress.reasoning.length, progress.eventSeq, isWorth);
  };
  return {
    pump,
    writes,
    kept,
    faults,
    beats,
    timers: () => timers.length,
    become,
    say: (text: string) => become({ content: progress.content + text }),
    async beat() {
      for (const each of beats) each();
      await settled();
    },
    pass(ms: number) {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { work } of due) work();
    },
    /** The newest write ends. */
    async stored(how: Kept | null | Error = { cancelReason: null }) {
      writes.at(-1)?.end(how);
      await settled();
    },
    newest: () => writes.at(-1)?.changes,
  };
}

test("the first text is stored 250 ms later, whatever the beat does", async () => {
  const { pass, say, beat, writes } = stage();
  await beat();
  say("one ");
  pass(100);
  await beat();
  say("two");
  pass(149);
  expect(writes).toEqual([]);
  pass(1);
  expect(writes).toHaveLength(1);
  expect(writes[0]?.changes).toMatchObject({ content: "one two", eventSeq: 3 });
});

test("a reply that ends before has no checkpoint", async () => {
  const { pump, pass, say, beat, writes, timers } = stage();
  say("short");
  pass(249);
  await pump.idle();
  expect(timers()).toBe(0);
  say("x".repeat(10_000));
  pump.request();
  pass(1_000);
  await beat();
  expect(writes).toEqual([]);
});

test("while its end is being stored it keeps its lease, and then nothing", async () => {
  const { pump, pass, say, beat, beats, newest, writes, stored } = stage();
  say("some text");
  await pump.idle();
  pass(leaseRenewalMs);
  await beat();
  expect(newest()).toBeNull();
  await stored();
  pump.stop();
  expect(beats.size).toBe(0);
  expect(writes).toHaveLength(1);
});

test("one that is stopped without an end leaves no timer, and stores nothing that still comes", () => {
  const { pump, say, timers, beats, writes } = stage();
  say("x");
  pump.stop();
  expect([timers(), beats.size]).toEqual([0, 0]);
  say("y".repeat(10_000));
  expect(writes).toEqual([]);
});

test("reasoning is text that somebody sees", () => {
  const { pass, become, writes } = stage();
  become({ reasoning: "hm" });
  pass(250);
  expect(writes).toHaveLength(1);
});

test("then the beat stores what has changed, and nothing when nothing has", async () => {
  const { pass, say, beat, become, stored, writes, newest } = stage();
  say("one");
  pass(250);
  await stored();
  await beat();
  expect(writes).toHaveLength(1);
  say(" two");
  await beat();
  expect(newest()).toEqual({ content: "one two", eventSeq: 3 });
  await stored();
  const calls = [{ tool_call_id: "t", name: "n", status: "started", agent_id: "a" }] as const;
  become({ toolCalls: calls });
  await beat();
  expect(newest()).toEqual({ toolCalls: calls, eventSeq: 4 });
  await stored();
  become({ media: [{ url: "u" }] });
  await beat();
  expect(newest()).toEqual({ media: [{ url: "u" }], eventSeq: 5 });
  await stored();
  become({ backendState: { run: 1 }, eventSeq: 5 });
  await beat();
  expect(newest()).toEqual({ backendState: { run: 1 } });
  await stored();
  become({ reasoning: "hm" });
  await beat();
  expect(newest()).toEqual({ reasoning: "hm", eventSeq: 6 });
});

test("the first write of an attempt says everything: the row may have less than was claimed", async () => {
  const { become, beat, stored, newest, writes } = stage({
    content: "from the log's tail",
    eventSeq: 9,
  });
  await beat();
  expect(writes).toEqual([]);
  become({ media: [{ url: "u" }] }, true);
  expect(newest()).toMatchObject({ content: "from the log's tail", eventSeq: 10 });
  await stored();
  become({ media: [{ url: "u" }, { url: "v" }] }, true);
  expect(newest()).not.toHaveProperty("content");
});

test("a long reply writes a small multiple of its length, at any speed", async () => {
  for (const piece of [10, 100, 5_000]) {
    const { become, stored, writes } = stage();
    for (let length = piece; length < 1024 * 1024; length += piece) {
      const before = writes.length;
      // As the writer merges them.
      become({ content: "x".repeat(length), eventSeq: Math.ceil(length / 2_048) });
      if (writes.length > before) await stored();
    }
    const written = writes.reduce((sum, { changes }) => sum + (changes?.content?.length ?? 0), 0);
    expect(written).toBeLessThan(3 * 1024 * 1024);
    // And what a crash costs is bounded too.
    const lengths = writes.map(({ changes }) => changes?.content?.length ?? 0);
    for (const [index, length] of lengths.entries()) {
      const before = lengths[index - 1] ?? 0;
      expect(length - before).toBeLessThanOrEqual(Math.max(4_096, length / 2) + piece);
    }
  }
});

test.each([
  { length: 16_384, isStored: true },
  { length: 16_385, isStored: false },
])(
  "an event that is worth it is stored at once with $length characters: $isStored",
  async ({ length, isStored }) => {
    const { say, become, stored, writes, pass } = stage();
    say("x".repeat(length - 10));
    await stored();
    say("y".repeat(10));
    become({ backendState: {} }, true);
    expect(writes.length === 2).toBe(isStored);
    pass(250);
    expect(writes).toHaveLength(2);
    await stored();
    // Without new text it costs nothing.
    become({ backendState: {} }, true);
    expect(writes).toHaveLength(3);
  },
);

test("500 events are stored, so that a take-over leaps over all that may be lost", async () => {
  const { become, stored, writes, newest } = stage();
  for (let count = 0; count < 499; count += 1) become({});
  expect(writes).toEqual([]);
  become({});
  expect(newest()).toMatchObject({ eventSeq: 501 });
  await stored();
  for (let count = 0; count < 499; count += 1) become({});
  expect(writes).toHaveLength(1);
  become({});
  expect(writes).toHaveLength(2);
});

test("one write at a time: the next has what came meanwhile", async () => {
  const { say, pump, stored, writes, newest } = stage();
  say("x".repeat(4_096));
  say("y".repeat(5_000));
  pump.request();
  expect(writes).toHaveLength(1);
  await stored();
  expect(writes).toHaveLength(2);
  expect(newest()?.content).toHaveLength(9_096);
  await stored();
  expect(writes).toHaveLength(2);
});

test("the end waits for the write that is under way, and for no other", async () => {
  const { say, pump, stored, writes } = stage();
  say("x".repeat(4_096));
  say("y".repeat(5_000));
  let isIdle = false;
  const idle = pump.idle().then(() => (isIdle = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isIdle).toBe(false);
  await stored();
  await idle;
  expect(writes).toHaveLength(1);
});

test("the lease is renewed when it is time, and by every write", async () => {
  const { say, beat, pass, stored, writes, newest } = stage();
  pass(leaseRenewalMs - 1);
  await beat();
  expect(writes).toEqual([]);
  pass(1);
  await beat();
  expect(newest()).toBeNull();
  await stored();
  pass(leaseRenewalMs - 1);
  say("x".repeat(4_096));
  await stored();
  pass(leaseRenewalMs - 1);
  await beat();
  expect(writes).toHaveLength(2);
  pass(1);
  await beat();
  expect(newest()).toBeNull();
});

test("what could not be stored is stored at the next beat, not at the next token", async () => {
  const { say, beat, stored, writes, newest, faults, pass } = stage();
  say("x".repeat(4_096));
  await stored(new Error("away"));
  expect(faults).toEqual([new Error("away")]);
  for (let count = 0; count < 100; count += 1) say("y");
  expect(writes).toHaveLength(1);
  pass(250);
  await stored(new Error("away"));
  await beat();
  expect(writes).toHaveLength(3);
  expect(newest()?.content).toHaveLength(4_196);
  await stored(new Error("away"));
  // A lease that could not be renewed is tried again at once.
  pass(leaseRenewalMs);
  await beat();
  await stored();
  pass(leaseRenewalMs);
  await beat();
  await stored(new Error("away"));
  await beat();
  expect(newest()).toBeNull();
  expect(writes).toHaveLength(6);
});

test("what the row says is passed on; a fenced attempt has stored nothing", async () => {
  const { say, beat, stored, kept, newest } = stage();
  say("x".repeat(4_096));
  await stored({ cancelReason: "cancelled" });
  await beat();
  say("y".repeat(5_000));
  await stored(null);
  await beat();
  expect(newest()?.content).toHaveLength(9_096);
  expect(kept).toEqual([{ cancelReason: "cancelled" }, null]);
});
