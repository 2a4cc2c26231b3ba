import { afterEach, describe, expect, test, vi } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { createReplyReaders } from "./follow-reply.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import { createReplyFeeds } from "./reply-feeds.ts";
import { textEvent } from "../log/reply-log.contract.ts";
import type { LoggedEvent, ReplyLog } from "../log/reply-log.ts";
import { noExtras } from "../extras.ts";
import type { ReplyState } from "../reply.ts";

const running: ReplyState = {
  replyId: "reply",
  sessionId: "session",
  userId: "ann",
  agentId: "general-chat",
  status: "streaming",
  attempt: 1,
  eventSeq: 0,
  content: "",
  reasoning: "",
  extras: null,
  finishReason: null,
  usage: null,
  context: null,
  outputFormat: null,
  error: null,
  requirements: null,
  durationMs: null,
  timeToFirstTokenMs: null,
  userMessageId: "question",
  userMessage: "hello",
  turn: null,
  backendState: null,
  createdAt: new Date(),
  cancelReason: null,
};
const complete: ReplyState = { ...running, status: "complete", eventSeq: 4, content: "text 1" };
const end: LoggedEvent = { seq: 4, type: "conversation_complete", json: "{}" };

/** A reply of another node; `onFind` is what happens while this node asks for its row. */
function remoteReply(
  onFind: (log: ReplyLog, calls: number) => Promise<ReplyState | null>,
  heartbeatMs = 5_000,
) {
  const log = createMemoryReplyLog({
    maxReplyBytes: 64 * 1024,
    maxTotalBytes: 64 * 1024,
    retentionMs: 60_000,
  });
  const feeds = createReplyFeeds({ log, heartbeatMs, sweepMs: 10, logger: silentLogger });
  let calls = 0;
  const { follow } = createReplyReaders({
    feeds,
    log,
    store: { find: () => onFind(log, (calls += 1)) },
    runnerOf: () => undefined,
    heartbeatMs,
  });
  return {
    async seen(after: number) {
      return (await this.events(after)).map(({ seq, type }) => `${seq} ${type}`);
    },
    async events(after: number) {
      const seen: LoggedEvent[] = [];
      for await (const page of follow("reply", after, new AbortController().signal)) {
        seen.push(...(page ?? []));
      }
      feeds.close();
      await log.close();
      return seen;
    },
  };
}

test("a reply that is made while its row is asked for is seen as it was written", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 1) return complete;
    await log.append("reply", 1, [textEvent(1), textEvent(2), textEvent(3), end]);
    return running;
  });
  expect(await reply.seen(0)).toEqual([
    "1 assistant_chunk",
    "2 assistant_chunk",
    "3 assistant_chunk",
    "4 conversation_complete",
  ]);
});

test("the end of a reply is no part of the snapshot that stands for its lost events", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 1) return complete;
    // Its first event is lost.
    await log.append("reply", 1, [textEvent(2), textEvent(3), end]);
    return { ...running, eventSeq: 1, content: "text 1" };
  });
  expect(await reply.seen(0)).toEqual(["3 snapshot", "4 conversation_complete"]);
});

test.each<{
  readonly of: string;
  readonly state: ReplyState | null;
  readonly after: number;
  readonly seen: string[];
}>([
  { of: "that is gone", state: null, after: 0, seen: [] },
  {
    of: "that has ended",
    state: complete,
    after: 0,
    seen: ["3 snapshot", "4 conversation_complete"],
  },
  { of: "seen but for its end", state: complete, after: 3, seen: ["4 conversation_complete"] },
  { of: "seen to its end", state: complete, after: 4, seen: [] },
  {
    of: "that was told further than it has come, by an owner that had lost it",
    state: complete,
    after: 5,
    seen: ["3 snapshot", "4 conversation_complete"],
  },
  {
    of: "that waits for a person",
    state: { ...complete, status: "paused", requirements: [] },
    after: 0,
    seen: ["3 snapshot", "4 paused"],
  },
])(
  "whoever follows a reply $of, which the log has forgotten, sees it from its row",
  async ({ state, after, seen }) => {
    const reply = remoteReply(() => Promise.resolve(state));
    expect(await reply.seen(after)).toEqual(seen);
  },
);

test("what stands for lost events has the sources of the reply", async () => {
  const sources = [{ title: "a" }];
  const reply = remoteReply(() => Promise.resolve({ ...complete, extras: { sources } }));
  const [snapshot] = await reply.events(0);
  expect(JSON.parse(snapshot?.json ?? "")).toMatchObject({ type: "snapshot", sources });
});

test("what stands for lost events is told once, and what follows it is told behind it", async () => {
  const lost = { ...running, eventSeq: 2, content: "text 1" };
  const reply = remoteReply((_, calls) => Promise.resolve(calls === 1 ? lost : complete));
  expect(await reply.seen(0)).toEqual(["2 snapshot", "3 snapshot", "4 conversation_complete"]);
});

test("who has all there is of a reply that is made elsewhere is told nothing again", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 3) return complete;
    if (calls === 1) await log.append("reply", 1, [textEvent(1), textEvent(2), textEvent(3)]);
    if (calls === 3) await log.append("reply", 1, [end]);
    return running;
  }, 20);
  expect(await reply.seen(3)).toEqual(["4 conversation_complete"]);
});

test("who is further than a reply that is being made is told its end all the same", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls === 1) await log.append("reply", 1, [textEvent(1), textEvent(2)]);
    return calls > 3 ? complete : running;
  }, 20);
  expect(await reply.seen(5_000)).toEqual(["3 snapshot", "4 conversation_complete"]);
});

test("a pause that is over is no end", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 1) return complete;
    await log.append("reply", 1, [textEvent(1), { seq: 2, type: "paused", json: "{}" }]);
    await log.append("reply", 2, [textEvent(3), end]);
    return running;
  });
  expect(await reply.seen(0)).toEqual([
    "1 assistant_chunk",
    "2 paused",
    "3 assistant_chunk",
    "4 conversation_complete",
  ]);
});

test("after the end of a reply nobody is asked for more", async () => {
  let asked = 0;
  const reply = remoteReply(async (log, calls) => {
    asked = calls;
    await log.append("reply", 1, [textEvent(1), textEvent(2), textEvent(3), end]);
    return running;
  });
  expect(await reply.seen(0)).toHaveLength(4);
  expect(asked).toBe(1);
});

test("a reply whose session was deleted, and whose node died before it could say so, is seen to end", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 1) return null;
    await log.append("reply", 1, [textEvent(1), textEvent(2)]);
    return running;
  }, 50);
  expect(await reply.seen(0)).toEqual(["1 assistant_chunk", "2 assistant_chunk", "3 cancelled"]);
});

test("of a reply that is gone, what its node has told is shown", async () => {
  const reply = remoteReply(async (log, calls) => {
    if (calls > 1) {
      await log.append("reply", 1, [{ ...end, seq: 3, type: "cancelled" }]);
      return null;
    }
    await log.append("reply", 1, [textEvent(1), textEvent(2)]);
    return running;
  }, 50);
  expect(await reply.seen(0)).toEqual(["1 assistant_chunk", "2 assistant_chunk", "3 cancelled"]);
});

describe("a reader", () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  /** A reply that is made here, unless `isRemote`. */
  const stage = (isRemote = false) => {
    const log = createMemoryReplyLog({
      maxReplyBytes: 64 * 1024,
      maxTotalBytes: 64 * 1024,
      retentionMs: 60_000,
    });
    const feeds = createReplyFeeds({
      log,
      heartbeatMs: 60_000,
      sweepMs: 60_000,
      logger: silentLogger,
    });
    if (!isRemote) feeds.own("reply", 1, 0);
    const asked = { rows: 0 };
    const { open } = createReplyReaders({
      feeds,
      log,
      store: {
        find() {
          asked.rows += 1;
          return Promise.resolve(running);
        },
      },
      runnerOf: () =>
        isRemote
          ? undefined
          : { snapshot: () => ({ content: "", reasoning: "", extras: noExtras, eventSeq: 0 }) },
      heartbeatMs: 60_000,
    });
    const woken = { times: 0 };
    const pages = (after: number) =>
      open(
        "reply",
        after,
      )({
        wake() {
          woken.times += 1;
        },
      });
    return { log, feeds, asked, woken, pages };
  };

  test("of a reply that is made here is woken by each event, and has it at once", () => {
    const { feeds, woken, pages, asked } = stage();
    const reader = pages(0);
    expect(reader.next()).toBe("later");
    for (let seq = 1; seq <= 3; seq += 1) {
      feeds.publish("reply", [textEvent(seq)]);
      expect(woken.times).toBe(seq);
      expect(reader.next()).toMatchObject([{ seq }]);
      expect(reader.next()).toBe("later");
    }
    feeds.publish("reply", [end]);
    expect(reader.next()).toEqual([end]);
    expect(reader.next()).toBe("over");
    expect(asked.rows).toBe(0);
  });

  test("that has gone is woken no more, and has nothing more", () => {
    const { feeds, woken, pages } = stage();
    const reader = pages(0);
    expect(reader.next()).toBe("later");
    reader.close();
    feeds.publish("reply", [textEvent(1)]);
    expect(woken.times).toBe(0);
    expect(reader.next()).toBe("over");
    expect(feeds.stats().followers).toBe(0);
  });

  test("whose events are nowhere asks the row once in a moment, all at the same time, and is cut in the end", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
    const { log, asked, woken, pages } = stage(true);
    // Its first event is lost.
    await log.append("reply", 1, [textEvent(2)]);
    const [first, second] = [pages(0), pages(0)];
    // What the log has is not known here yet.
    for (const reader of [first, second]) expect(await reader.next()).toBe("later");
    await log.append("reply", 1, [textEvent(3)]);
    await vi.waitFor(() => {
      expect(woken.times).toBe(2);
    });
    for (let pause = 1; pause <= 60; pause += 1) {
      for (const reader of [first, second]) {
        expect(await reader.next()).toBe("later");
        const { rows } = asked;
        expect(reader.next()).toBe("later");
        expect(asked.rows).toBe(rows);
      }
      await vi.advanceTimersByTimeAsync(999);
      expect(woken.times).toBe(2 * pause);
      await vi.advanceTimersByTimeAsync(1);
      expect(woken.times).toBe(2 * pause + 2);
    }
    await expect(first.next()).rejects.toThrow("the events after the cursor are lost");
    second.close();
  });
});
