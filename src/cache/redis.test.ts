import { afterAll, describe, expect, test } from "vitest";
import { createRedisClient } from "../redis/create-redis-client.ts";
import { RedisUnavailable, type RedisClient } from "../redis/redis-client.ts";
import { redisTarget } from "../redis/redis-target.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { startRedis } from "../../test/support/redis.ts";
import { cacheContract } from "./cache.contract.ts";
import { fillWindowMs } from "./cache.ts";
import { createMemoryRateLimiter } from "./memory-rate-limiter.ts";
import { rateLimiterContract } from "./rate-limiter.contract.ts";
import { createRedisCache } from "./redis.ts";
import { createRedisRateLimiter } from "./redis-rate-limiter.ts";

const redis = await startRedis({ own: true });
const clients: RedisClient[] = [];
let count = 0;

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await redis?.stop();
});

async function connect(): Promise<RedisClient> {
  const client = createRedisClient({
    target: redisTarget({ url: redis?.url ?? "", password: null, sentinelName: null }),
    commandTimeoutMs: 300,
    logger: silentLogger,
  });
  clients.push(client);
  await readiness(client);
  return client;
}

function readiness(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    const stop = client.onReady(() => {
      stop();
      resolve();
    });
  });
}

const freshPrefix = () => `test${(count += 1)}:`;

/** Real time, but for the long window of a fill: its end is what Redis does to the key. */
function elapse(prefix: string) {
  return async (milliseconds: number) => {
    if (milliseconds > fillWindowMs) {
      const keys = await redis?.command(
        "EVAL",
        "return table.concat(redis.call('KEYS', '*'), ' ')",
        "0",
      );
      for (const key of keys?.split(" ") ?? []) {
        if (!key.startsWith(prefix)) continue;
        expect(Number(await redis?.command("PTTL", key))).toBeLessThanOrEqual(fillWindowMs);
        await redis?.command("DEL", key);
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, milliseconds + 5));
  };
}

describe.skipIf(redis === null)("on Redis", () => {
  test.each(cacheContract)("cache contract: $name", async ({ run }) => {
    const keyPrefix = freshPrefix();
    const cache = createRedisCache({ client: await connect(), keyPrefix, logger: silentLogger });
    await run({ cache, elapse: elapse(keyPrefix) });
  });

  test.each(rateLimiterContract)("limiter contract: $name", async ({ run }) => {
    const keyPrefix = freshPrefix();
    const fallback = { take: () => Promise.reject(new Error("the fallback was asked")) };
    const limiter = createRedisRateLimiter({ client: await connect(), keyPrefix, fallback });
    await run({ limiter, elapse: elapse(keyPrefix) });
  });

  test("nodes share values, tokens and limits", async () => {
    const keyPrefix = freshPrefix();
    const [one, two] = [await connect(), await connect()];
    const caches = [one, two].map((client) =>
      createRedisCache({ client, keyPrefix, logger: silentLogger }),
    );
    const [here, there] = caches as [(typeof caches)[0], (typeof caches)[0]];
    const missed = await here.read("key");
    expect(await there.read("key")).toEqual(missed);
    await there.delete("key");
    expect(missed.hit || (await here.fill("key", missed.fillToken, "stale", 60_000))).toBe(false);

    const fallback = createMemoryRateLimiter();
    const limiters = [one, two].map((client) =>
      createRedisRateLimiter({ client, keyPrefix, fallback }),
    );
    const decisions = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (limiters[index % 2] as (typeof limiters)[0]).take("user", {
          limit: 10,
          periodMs: 60_000,
        }),
      ),
    );
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10);
    expect(fallback.size()).toBe(0);
  });

  test("without Redis reads miss, limits are each node's own, and nothing waits", async () => {
    const keyPrefix = freshPrefix();
    const client = await connect();
    const cache = createRedisCache({ client, keyPrefix, logger: silentLogger });
    const limiter = createRedisRateLimiter({
      client,
      keyPrefix,
      fallback: createMemoryRateLimiter(),
    });
    await cache.set("kept", "value", 60_000);
    const other = createRedisCache({ client: await connect(), keyPrefix, logger: silentLogger });
    await redis?.kill();
    expect((await cache.read("kept")).hit).toBe(false);
    expect(await cache.fill("key", "token", "value", 60_000)).toBe(false);
    expect(await cache.delete("kept")).toBe(false);
    const rate = { limit: 2, periodMs: 60_000 };
    const taken = [1, 2, 3].map(() => limiter.take("user", rate));
    expect((await Promise.all(taken)).map(({ allowed }) => allowed)).toEqual([true, true, false]);
    const back = readiness(client);
    await redis?.start();
    await back;
    expect((await other.read("kept")).hit).toBe(false);
  });

  test("a value whose deletion did not get through is deleted when Redis is back", async () => {
    const keyPrefix = freshPrefix();
    const client = await connect();
    const cache = createRedisCache({ client, keyPrefix, logger: silentLogger });
    await cache.set("key", "old", 60_000);
    redis?.freeze();
    expect(await cache.delete("key")).toBe(false);
    expect((await cache.read("key")).hit).toBe(false);
    redis?.thaw();
    // What is read of other keys shows that Redis is back; the value has waited long enough then.
    await cache.set("witness", "value", 60_000);
    while (!(await cache.read("witness")).hit) await cache.set("witness", "value", 60_000);
    const other = createRedisCache({ client: await connect(), keyPrefix, logger: silentLogger });
    while ((await other.read("key")).hit) await cache.read("witness");
    const missed = await cache.read("key");
    expect(missed.hit || (await cache.fill("key", missed.fillToken, "new", 60_000))).toBe(true);
    expect(await other.read("key")).toEqual({ hit: true, value: "new" });
  });
});

test("a value whose deletion is still under way is neither read nor filled here", async () => {
  let isDeleting = false;
  const held = new Map([["cache:key", "vold"]]);
  const ready: (() => void)[] = [];
  // Redis that answers everything but the deletion, as a fail-over in between may look.
  const client = {
    async send(command: string, key: string) {
      if (command === "DEL" && !isDeleting) throw new RedisUnavailable("away");
      held.delete(key);
    },
    async run(_: unknown, [key = ""]: string[], [token, ...fill]: string[]) {
      if (fill.length === 1) return held.get(key) ?? `l${token}`;
      held.set(key, `v${fill[0]}`);
      return 1;
    },
    onReady(listener: () => void) {
      ready.push(listener);
      return () => {};
    },
  } as unknown as RedisClient;
  const cache = createRedisCache({ client, keyPrefix: "", logger: silentLogger });
  expect(await cache.read("key")).toEqual({ hit: true, value: "old" });
  expect(await cache.delete("key")).toBe(false);
  expect((await cache.read("key")).hit).toBe(false);
  expect(await cache.fill("key", "token", "new", 60_000)).toBe(false);
  isDeleting = true;
  for (const listener of ready) listener();
  await expect.poll(() => held.has("cache:key")).toBe(false);
  expect(await cache.fill("key", "token", "new", 60_000)).toBe(true);
  expect(await cache.read("key")).toEqual({ hit: true, value: "new" });
});
