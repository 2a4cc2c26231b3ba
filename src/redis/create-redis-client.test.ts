import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startRedis, type TestRedis } from "../../test/support/redis.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { createRedisClient } from "./create-redis-client.ts";
import { redisTarget } from "./redis-target.ts";
import { RedisUnavailable } from "./redis-client.ts";
import { redisScript } from "./redis-script.ts";

let redis: TestRedis | null;
beforeAll(async () => {
  redis = await startRedis({ own: true });
});
afterAll(() => redis?.stop());

async function connected(url: string) {
  const told: string[] = [];
  const tell = (_fields: object, message: string) => void told.push(message);
  const logger: Logger = { ...silentLogger, info: tell, warn: tell, error: tell };
  const target = redisTarget({ url, password: null, sentinelName: null });
  const client = createRedisClient({ target, commandTimeoutMs: 500, logger });
  await vi.waitFor(() => expect(client.isReady()).toBe(true), 5_000);
  return { client, told };
}

describe("a Redis client", () => {
  it("says once that it writes to a replica, and when that is over", async ({ skip }) => {
    if (redis === null) return skip();
    const { client, told } = await connected(redis.url);
    const write = redisScript("return redis.call('SET', KEYS[1], '1')");
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    const connections = async () =>
      Number(
        /total_connections_received:(\d+)/.exec((await redis?.command("INFO", "stats")) ?? "")?.[1],
      );
    const before = await connections();
    for (let number = 0; number < 100; number += 1) {
      const writing =
        number % 2 === 0 ? client.send("SET", "chat:a", "1") : client.run(write, ["chat:a"], []);
      await expect(writing).rejects.toBeInstanceOf(RedisUnavailable);
    }
    await vi.waitFor(() => expect(client.isReady()).toBe(true), 5_000);
    expect((await connections()) - before).toBeLessThan(8);
    await redis.command("REPLICAOF", "NO", "ONE");
    await vi.waitFor(() => client.send("SET", "chat:a", "1"), 5_000);
    await expect
      .poll(() => told)
      .toEqual([
        "connected to Redis",
        "redis is away: it is a read-only replica; trying again",
        "redis is back",
      ]);
    await client.close();
  });

  it("works for a user without INFO, and without a word past the logger", async ({ skip }) => {
    if (redis === null) return skip();
    const spy = vi.spyOn(console, "warn");
    await redis.command(
      "ACL",
      "SETUSER",
      "plain",
      "on",
      ">pw",
      "~chat:*",
      "&*",
      "+@all",
      "-@dangerous",
    );
    const { client, told } = await connected(redis.url.replace("//", "//plain:pw@"));
    expect(await client.describe()).toEqual({ kind: "single", version: "unknown" });
    await client.close();
    expect(told).toEqual(["connected to Redis"]);
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  });

  it("says once that its user may not use channels", async ({ skip }) => {
    if (redis === null) return skip();
    await redis.command("ACL", "SETUSER", "mute", "on", ">pw", "~chat:*", "resetchannels", "+@all");
    const { client, told } = await connected(redis.url.replace("//", "//mute:pw@"));
    for (let number = 0; number < 5; number += 1) client.publish("chat:a", "1");
    await vi.waitFor(() => expect(told).toHaveLength(2));
    await client.send("SET", "chat:b", "1");
    expect(told[1]).toContain("may not use its channels");
    await client.close();
  });
});
