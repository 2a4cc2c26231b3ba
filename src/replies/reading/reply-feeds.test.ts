import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import { createReplyFeeds, type FeedItem, type ReplyFeeds } from "./reply-feeds.ts";
import { textEvent } from "../log/reply-log.contract.ts";

/** What it is handed, as those see it who wait for each item. */
function followed(feeds: ReplyFeeds, after: number) {
  const woken = { times: 0 };
  let wake = (): void => undefined;
  const follower = feeds.follow("reply", after, {
    wake() {
      woken.times += 1;
      wake();
    },
  });
  return {
    follower,
    woken,
    async next(): Promise<FeedItem> {
      for (;;) {
        const heard = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const item = await follower.next();
        if (item !== "later") return item;
        await heard;
      }
    },
    close: () => follower.close(),
  };
}

test("who follows a silent reply that is made here hears nothing of it, until it is not made here any more", async () => {
  const log = createMemoryReplyLog({
    maxReplyBytes: 1024,
    maxTotalBytes: 1024,
    retentionMs: 60_000,
  });
  const feeds = createReplyFeeds({ log, heartbeatMs: 20, sweepMs: 10, logger: silentLogger });
  await log.append("reply", 1, [textEvent(1)]);
  feeds.own("reply", 1, 1);
  const reader = followed(feeds, 1);
  const next = reader.next();
  await delay(100);
  expect(reader.woken.times).toBe(0);
  feeds.disown("reply", 1);
  expect(await next).toBe("idle");
  feeds.close();
  await log.close();
});

test("who follows a silent reply of another node hears so, however often the log is looked at, or he himself looks", async () => {
  const log = createMemoryReplyLog({
    maxReplyBytes: 64 * 1024,
    maxTotalBytes: 64 * 1024,
    retentionMs: 60_000,
  });
  const feeds = createReplyFeeds({ log, heartbeatMs: 150, sweepMs: 10, logger: silentLogger });
  await log.append("reply", 1, [textEvent(1)]);
  const reader = followed(feeds, 0);
  expect(await reader.next()).toHaveLength(1);
  expect(await reader.next()).toBe("idle");
  const next = reader.next();
  const impatient = setInterval(() => void reader.follower.next(), 10);
  await expect.poll(() => reader.woken.times).toBe(2);
  clearInterval(impatient);
  reader.close();
  await delay(300);
  expect(reader.woken.times).toBe(2);
  void next;
  feeds.close();
  await log.close();
});

describe("a follower", () => {
  /** Feeds over a log that says what it was asked for; nothing is swept, bells alone count. */
  const stage = (options: { readonly ringEvents?: number; readonly heartbeatMs?: number } = {}) => {
    const log = createMemoryReplyLog({
      maxReplyBytes: 1024 * 1024,
      maxTotalBytes: 1024 * 1024,
      retentionMs: 60_000,
    });
    const reads: number[] = [];
    const feeds = createReplyFeeds({
      log: {
        ...log,
        read(replyId, after, ...bounds) {
          reads.push(after);
          return log.read(replyId, after, ...bounds);
        },
      },
      heartbeatMs: options.heartbeatMs ?? 60_000,
      sweepMs: 60_000,
      ...(options.ringEvents !== undefined && { ringEvents: options.ringEvents }),
      logger: silentLogger,
    });
    afterThis.push(async () => {
      feeds.close();
      await log.close();
    });
    const follow = (after: number) => followed(feeds, after);
    return { log, feeds, reads, follow };
  };
  const afterThis: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of afterThis.splice(0)) await end();
  });
  const texts = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => textEvent(from + index));
  const seqs = (item: FeedItem) => (typeof item === "string" ? item : item.map(({ seq }) => seq));

  test("of a reply made here is handed what is published, and the log is not asked", async () => {
    const { feeds, reads, follow } = stage();
    feeds.own("reply", 1, 0);
    const follower = follow(0);
    feeds.publish("reply", texts(1, 2));
    feeds.publish("reply", texts(2, 3));
    expect(seqs(await follower.next())).toEqual([1, 2, 3]);
    feeds.publish("reply", texts(4, 4));
    expect(seqs(await follower.next())).toEqual([4]);
    expect(reads).toEqual([]);
  });

  test("that has fallen behind what is kept here reads on from the log, without a gap", async () => {
    const { log, feeds, follow } = stage({ ringEvents: 4 });
    feeds.own("reply", 1, 0);
    for (let seq = 1; seq <= 10; seq += 1) {
      await log.append("reply", 1, texts(seq, seq));
      feeds.publish("reply", texts(seq, seq));
    }
    for (const after of [0, 1, 4, 5, 6, 7, 8, 9]) {
      expect(seqs(await follow(after).next())).toEqual(
        Array.from({ length: 10 - after }, (_, index) => after + 1 + index),
      );
    }
  });

  test("is told of a gap where events in the middle are to be had nowhere", async () => {
    const { feeds, follow } = stage();
    feeds.own("reply", 1, 0);
    const follower = follow(0);
    feeds.publish("reply", texts(1, 1));
    expect(seqs(await follower.next())).toEqual([1]);
    feeds.publish("reply", texts(5, 6));
    expect(await follower.next()).toBe("behind");
    // Who has come past it goes on.
    expect(seqs(await follow(4).next())).toEqual([5, 6]);
  });

  test("that lacks one event alone is told so too", async () => {
    const { log, feeds, follow } = stage();
    feeds.own("reply", 1, 2);
    feeds.publish("reply", texts(3, 4));
    expect(await follow(1).next()).toBe("behind");
    await log.append("reply", 1, texts(3, 4));
    expect(await follow(1).next()).toBe("behind");
    expect(seqs(await follow(2).next())).toEqual([3, 4]);
  });

  test("is told of the gap too where the next attempt is made on the same node and has leapt", async () => {
    const { log, feeds, follow } = stage();
    feeds.own("reply", 1, 0);
    const follower = follow(0);
    feeds.publish("reply", texts(1, 1));
    expect(seqs(await follower.next())).toEqual([1]);
    feeds.own("reply", 2, 1_025);
    const next = follower.next();
    await log.append("reply", 2, texts(1_026, 1_026));
    feeds.publish("reply", texts(1_026, 1_026));
    expect(await next).toBe("behind");
    expect(seqs(await follow(1_025).next())).toEqual([1_026]);
  });

  test("of the next attempt on the same node does not hear that the one before is over", async () => {
    const { log, feeds, reads, follow } = stage();
    feeds.own("reply", 1, 0);
    feeds.own("reply", 2, 0);
    const follower = follow(0);
    feeds.disown("reply", 1);
    await log.append("reply", 2, texts(1, 1));
    feeds.publish("reply", texts(1, 1));
    expect(seqs(await follower.next())).toEqual([1]);
    expect(reads).toEqual([]);
  });

  test("of a reply made elsewhere hears its bell", async () => {
    const { log, follow } = stage();
    await log.append("reply", 1, texts(1, 1));
    const follower = follow(0);
    expect(seqs(await follower.next())).toEqual([1]);
    const next = follower.next();
    await log.append("reply", 1, texts(2, 3));
    expect(seqs(await next)).toEqual([2, 3]);
  });

  test("of a reply that the log has forgotten is sent to its row", async () => {
    const { log, feeds, follow } = stage();
    await log.append("reply", 1, texts(1, 1));
    const follower = follow(0);
    await follower.next();
    await log.drop("reply");
    const next = follower.next();
    // Whoever appends to another reply rings no bell here: this one is rung by hand.
    await log.append("reply", 1, []);
    expect(await next).toBe("absent");
    expect(feeds.stats()).toEqual({ feeds: 1, followers: 1 });
  });

  test("costs nothing any more when it has gone, once the reply is not made here", async () => {
    const { feeds, follow } = stage();
    feeds.own("reply", 1, 0);
    const [first, second] = [follow(0), follow(0)];
    feeds.disown("reply", 1);
    first.close();
    expect(feeds.stats()).toEqual({ feeds: 1, followers: 1 });
    second.close();
    expect(feeds.stats()).toEqual({ feeds: 0, followers: 0 });
  });

  test("of a reply made here is not disturbed by its own bells", async () => {
    const { log, feeds, reads, follow } = stage();
    feeds.own("reply", 1, 0);
    const follower = follow(0);
    await log.append("reply", 1, texts(1, 1));
    feeds.publish("reply", texts(1, 1));
    expect(seqs(await follower.next())).toEqual([1]);
    expect(reads).toEqual([]);
  });

  test("goes on where the reply goes on elsewhere", async () => {
    const { log, feeds, follow } = stage();
    feeds.own("reply", 1, 0);
    const follower = follow(0);
    await log.append("reply", 1, texts(1, 1));
    feeds.publish("reply", texts(1, 1));
    expect(seqs(await follower.next())).toEqual([1]);
    feeds.disown("reply", 1);
    const next = follower.next();
    await log.append("reply", 2, texts(2, 2));
    expect(seqs(await next)).toEqual([2]);
  });
});
