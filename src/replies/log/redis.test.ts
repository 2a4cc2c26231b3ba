import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { createRedisClient } from "../../redis/create-redis-client.ts";
import {
  RedisUnavailable,
  type RedisArgument,
  type RedisClient,
} from "../../redis/redis-client.ts";
import { redisTarget } from "../../redis/redis-target.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { startRedis, startRedisCluster } from "../../../test/support/redis.ts";
import { startTcpProxy } from "../../../test/support/tcp-proxy.ts";
import { contractLimits, replyLogContract, textEvent } from "./reply-log.contract.ts";
import { createRedisReplyLog, type RedisReplyLog } from "./redis.ts";

const redis = await startRedis({ own: true });
const cluster = await startRedisCluster();
const cleanUp: (() => Promise<void> | void)[] = [];
let count = 0;

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
afterAll(async () => {
  await redis?.stop();
  await cluster?.stop();
});

/** A node of its own: a connection and a log. Nodes with the same prefix share their replies. */
async function node(
  url: string,
  keyPrefix: string,
  commandTimeoutMs = 500,
): Promise<RedisReplyLog> {
  const client = createRedisClient({
    target: redisTarget({ url, password: null, sentinelName: null }),
    commandTimeoutMs,
    logger: silentLogger,
  });
  const ready = Promise.withResolvers<void>();
  client.onReady(ready.resolve);
  await ready.promise;
  const log = createRedisReplyLog({
    client,
    keyPrefix,
    ...contractLimits,
    logger: silentLogger,
  });
  cleanUp.push(async () => {
    await log.close();
    await client.close();
  });
  return log;
}

const freshPrefix = () => `test${(count += 1)}:`;

async function outliveRetention(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, contractLimits.retentionMs + 100));
}

/** Asks again until it holds; the test's own time-out is the limit. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.skipIf(redis === null)("one server", () => {
  const url = redis?.url ?? "";

  test.each(replyLogContract)("contract: $name", async ({ run }) => {
    const prefix = freshPrefix();
    await run({ log: await node(url, prefix), peer: await node(url, prefix), outliveRetention });
  });

  test("a page ends before an event that Redis has lost", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    await log.append(
      "reply",
      1,
      [1, 2, 3, 4].map((seq) => textEvent(seq)),
    );
    await redis?.command("XDEL", `${prefix}{reply}:ev`, "1-3");
    const peer = await node(url, prefix);
    const numbers = async (after: number) =>
      (await peer.read("reply", after, 10, 10_000)).events.map(({ seq }) => seq);
    expect(await numbers(0)).toEqual([1, 2]);
    expect(await numbers(2)).toEqual([4]);
  });

  test("a reply that Redis has lost in the middle is written again under the same numbers", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    const peer = await node(url, prefix);
    log.own("reply");
    await log.append(
      "reply",
      3,
      [1, 2, 3].map((seq) => textEvent(seq)),
    );
    for (const loss of [["FLUSHALL"], ["DEL", `${prefix}{reply}:ev`], ["FLUSHALL"]]) {
      await redis?.command(...loss);
      const next = ((await log.stat("reply"))?.last ?? 0) + 1;
      await log.append("reply", 3, [textEvent(next)]);
      const { events } = await peer.read("reply", 0, 200, 1024 * 1024);
      expect(events).toEqual(Array.from({ length: next }, (_, index) => textEvent(index + 1)));
      const entries = await redis?.command("XINFO", "STREAM", `${prefix}{reply}:ev`);
      expect(entries).toBeDefined();
    }
    expect(log.isDegraded()).toBe(false);
  });

  test("a new owner shows what it has where Redis has lost what was before it", async () => {
    const prefix = freshPrefix();
    const [log, peer] = [await node(url, prefix), await node(url, prefix)];
    await peer.append("reply", 1, [textEvent(1), textEvent(2)]);
    log.own("reply");
    await log.append("reply", 2, [textEvent(3)]);
    expect(await log.stat("reply")).toEqual({ first: 1, last: 3, epoch: 2 });
    await redis?.command("DEL", `${prefix}{reply}:ev`);
    expect(await log.read("reply", 0, 10, 1_000)).toEqual({ events: [textEvent(3)], first: 3 });
    expect(await log.stat("reply")).toEqual({ first: 3, last: 3, epoch: 2 });
  });

  test("while Redis is dead events are taken and read here, and are in Redis when it is back", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    const peer = await node(url, prefix);
    log.own("reply");
    await log.append("reply", 1, [textEvent(1)]);
    await redis?.kill();
    for (let seq = 2; seq <= 50; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect(log.isDegraded()).toBe(true);
    expect((await log.read("reply", 0, 200, 1024 * 1024)).events).toHaveLength(50);
    expect(await peer.read("reply", 0, 200, 1024)).toEqual({ events: [], first: null });
    await redis?.start();
    await eventually(async () => (await peer.stat("reply"))?.last === 50);
    expect((await peer.read("reply", 0, 200, 1024 * 1024)).events).toHaveLength(50);
    expect(log.isDegraded()).toBe(false);
  });

  test("a frozen Redis holds nobody up, and what was sent into it is not doubled", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    const peer = await node(url, prefix);
    log.own("reply");
    await log.append("reply", 1, [textEvent(1)]);
    redis?.freeze();
    for (let seq = 2; seq <= 30; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect((await log.read("reply", 0, 200, 1024 * 1024)).events).toHaveLength(30);
    redis?.thaw();
    await eventually(async () => (await peer.stat("reply"))?.last === 30);
    const { events } = await peer.read("reply", 0, 200, 1024 * 1024);
    expect(events.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
    expect(await redis?.command("XLEN", `${prefix}{reply}:ev`)).toBe("30");
  });

  test("a connection that answers nothing is given up and made anew", async () => {
    const proxy = await startTcpProxy(redis?.port ?? 0);
    cleanUp.push(() => proxy.close());
    const prefix = freshPrefix();
    const log = await node(`redis://127.0.0.1:${proxy.port}`, prefix, 200);
    log.own("reply");
    await log.append("reply", 1, [textEvent(1)]);
    proxy.set({ kind: "black_hole" });
    await log.append("reply", 1, [textEvent(2)]);
    expect(log.isDegraded()).toBe(true);
    const before = proxy.connections;
    await eventually(async () => proxy.connections > before);
    proxy.set({ kind: "pass" });
    await eventually(async () => !log.isDegraded());
    const peer = await node(url, prefix);
    expect((await peer.stat("reply"))?.last).toBe(2);
  });

  test("a full Redis is an outage, not a fault, and leaves no hole", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    const peer = await node(url, prefix);
    log.own("reply");
    await log.append("reply", 1, [textEvent(1)]);
    await redis?.command("CONFIG", "SET", "maxmemory", "1");
    for (let seq = 2; seq <= 10; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect(log.isDegraded()).toBe(true);
    await redis?.command("CONFIG", "SET", "maxmemory", "0");
    await eventually(async () => (await peer.stat("reply"))?.last === 10);
    expect((await peer.read("reply", 0, 200, 1024 * 1024)).events).toHaveLength(10);
  });

  test("a fenced writer that was cut off learns it with its next event", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    const peer = await node(url, prefix);
    log.own("reply");
    await log.append("reply", 1, [textEvent(1)]);
    await peer.append("reply", 2, [textEvent(2, "new owner")]);
    await expect(log.append("reply", 1, [textEvent(2, "zombie")])).rejects.toThrow(/taken over/);
    expect((await peer.read("reply", 1, 10, 1024)).events).toEqual([textEvent(2, "new owner")]);
  });

  test("a stream lives for ten minutes while the reply runs, and is not renewed with every event", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    log.own("reply");
    await redis?.command("CONFIG", "RESETSTAT");
    for (let seq = 1; seq <= 30; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect(await redis?.calls("pexpire")).toBe(1);
    expect(await redis?.calls("xadd")).toBe(30);
    for (const read of ["xread", "xrange", "xrevrange"]) expect(await redis?.calls(read)).toBe(0);
    const ttlMs = Number(await redis?.command("PTTL", `${prefix}{reply}:ev`));
    expect(ttlMs).toBeGreaterThan(500_000);
    await log.append("reply", 1, [{ seq: 31, type: "error", json: '{"type":"error"}' }]);
    const endedTtlMs = Number(await redis?.command("PTTL", `${prefix}{reply}:ev`));
    expect(endedTtlMs).toBeLessThanOrEqual(contractLimits.retentionMs);
  });

  test("a Redis that is not there at all fails nothing", async () => {
    const client = createRedisClient({
      target: redisTarget({ url: "redis://127.0.0.1:1", password: null, sentinelName: null }),
      commandTimeoutMs: 200,
      logger: silentLogger,
    });
    const log = createRedisReplyLog({
      client,
      keyPrefix: "x:",
      ...contractLimits,
      maxTotalBytes: 64 * 1024,
      logger: silentLogger,
    });
    log.own("reply");
    const ring = Promise.withResolvers<void>();
    log.onBell("reply", ring.resolve);
    for (let seq = 1; seq <= 5; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    await ring.promise;
    expect((await log.read("reply", 3, 10, 1024)).events).toEqual([textEvent(4), textEvent(5)]);
    const signals: string[] = [];
    log.onSignal((replyId) => signals.push(replyId));
    await log.signal("reply");
    expect(signals).toEqual(["reply"]);
    await log.drop("reply");
    await log.close();
    await client.close();
  });

  test("memory for replies that wait for Redis is bounded", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix);
    await log.append("first", 1, [textEvent(1)]);
    await redis?.kill();
    for (let index = 0; index < 120; index += 1) {
      await log.append(`reply ${index}`, 1, [textEvent(1, "x".repeat(12_000))]);
    }
    const kept = async () => {
      const states = await Promise.all(
        Array.from({ length: 120 }, (_, index) => log.stat(`reply ${index}`)),
      );
      return states.filter((state) => state !== null).length;
    };
    const most = contractLimits.maxTotalBytes / 12_000;
    expect(await kept()).toBeLessThanOrEqual(most);
    expect(await kept()).toBeGreaterThan(most * 0.7);
    await redis?.start();
  });
});

describe("a Redis that is slow", () => {
  /** A log whose Redis takes what it is sent, or fails, when it is told to; `isPrompt`: it takes everything at once. */
  const stage = (isPrompt: boolean) => {
    vi.useFakeTimers();
    cleanUp.push(() => void vi.useRealTimers());
    const sent: { readonly names: unknown[]; take(): void; fail(): void }[] = [];
    const ready: (() => void)[] = [];
    const client: Partial<RedisClient> = {
      sendAll: (commands: RedisArgument[][]) =>
        new Promise((resolve, reject) => {
          const answers = commands.map(([name, , ...rest]) => (name === "XADD" ? String(rest) : 1));
          if (isPrompt) return resolve(answers);
          sent.push({
            names: commands.map(([name]) => name),
            take: () => resolve(answers),
            fail: () => reject(new RedisUnavailable("away")),
          });
        }),
      publish() {},
      isServing: () => true,
      subscribe: () => () => {},
      onReady: (listener) => {
        ready.push(listener);
        return () => {};
      },
    };
    const log = createRedisReplyLog({
      client: client as RedisClient,
      keyPrefix: "",
      ...contractLimits,
      logger: silentLogger,
    });
    cleanUp.push(() => log.close());
    return { log, sent, ready: () => ready.forEach((listener) => listener()) };
  };

  test("holds up an event for a quarter of a second, those after it not at all", async () => {
    const { log, sent } = stage(false);
    let isShown = false;
    const shown = Promise.resolve(log.append("reply", 1, [textEvent(1)])).then(
      () => (isShown = true),
    );
    await vi.advanceTimersByTimeAsync(249);
    expect(isShown).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await shown;
    expect(log.isDegraded()).toBe(true);
    for (let seq = 2; seq <= 100; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect(vi.getTimerCount()).toBe(0);
    sent[0]?.take();
    await vi.advanceTimersByTimeAsync(0);
    expect(log.isDegraded()).toBe(false);
  });

  test("is tried at once when it is back, for every reply", async () => {
    const { log, sent, ready } = stage(false);
    for (const replyId of ["one", "other"]) {
      const shown = log.append(replyId, 1, [textEvent(1)]);
      await vi.advanceTimersByTimeAsync(250);
      await shown;
    }
    for (const { fail } of sent.splice(0)) fail();
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([]);
    ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toHaveLength(2);
  });

  test("has what a reply that is over had not yet given it; until then it is here", async () => {
    const { log, sent } = stage(false);
    log.own("reply");
    const shown = log.append("reply", 1, [textEvent(1)]);
    await vi.advanceTimersByTimeAsync(250);
    await shown;
    log.release("reply");
    expect(await log.read("reply", 0, 10, 1_000)).toEqual({ events: [textEvent(1)], first: 1 });
    expect(sent.map(({ names }) => names)).toEqual([["XADD", "PEXPIRE"]]);
    sent[0]?.take();
    await vi.advanceTimersByTimeAsync(0);
    void log.read("reply", 0, 10, 1_000).catch(() => undefined);
    expect(sent[1]?.names).toEqual(["XRANGE", "XREVRANGE"]);
  });

  test("is no longer waited for once it has taken the event", async () => {
    const { log } = stage(true);
    for (let seq = 1; seq <= 10; seq += 1) await log.append("reply", 1, [textEvent(seq)]);
    expect(log.isDegraded()).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe.skipIf(cluster === null)("Redis Cluster", () => {
  const url = cluster?.url ?? "";

  test.each(replyLogContract)("contract: $name", async ({ run }) => {
    const prefix = freshPrefix();
    await run({
      log: await node(url, prefix, 1_000),
      peer: await node(url, prefix, 1_000),
      outliveRetention,
    });
  });

  test("a fail-over leaves no hole and doubles nothing", async () => {
    const prefix = freshPrefix();
    const log = await node(url, prefix, 1_000);
    const peer = await node(url, prefix, 1_000);
    log.own("reply");
    let seq = 0;
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) {
        seq += 1;
        await log.append("reply", 1, [textEvent(seq)]);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    await cluster?.failOver(`${prefix}{reply}:ev`);
    over.abort();
    await writing;
    // A batch of which a part was refused leaves a hole until the stream has been made anew.
    await eventually(async () => {
      const kept = await peer.stat("reply");
      if (kept === null) return false;
      const seen: number[] = [];
      while (seen.at(-1) !== kept.last) {
        const { events } = await peer.read("reply", seen.at(-1) ?? 0, 200, 1024 * 1024);
        if (events.length === 0) break;
        seen.push(...events.map((event) => event.seq));
      }
      return kept.last === seq && seen.every((each, index) => each === kept.first + index);
    });
  }, 60_000);
});
