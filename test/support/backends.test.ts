import { afterAll, afterEach, describe, expect, test } from "vitest";
import { missingBackend } from "./backends.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis, startRedisCluster } from "./redis.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

const before = process.env["REQUIRE_BACKENDS"];

afterEach(() => {
  if (before === undefined) delete process.env["REQUIRE_BACKENDS"];
  else process.env["REQUIRE_BACKENDS"] = before;
});

test("a backend that is required and missing fails, any other is skipped", () => {
  process.env["REQUIRE_BACKENDS"] = "postgres, redis";
  expect(() => missingBackend("redis", "install it")).toThrow(/redis is required/);
  expect(missingBackend("pgbouncer", "install it")).toBeNull();
});

describe("servers", async () => {
  const postgres = await startPostgres({ own: true });
  const redis = await startRedis({ own: true });
  afterAll(async () => {
    await postgres?.stop();
    await redis?.stop();
  });

  test.skipIf(postgres === null)("PostgreSQL keeps what is committed over a crash", async () => {
    if (postgres === null) return;
    const url = await postgres.freshDatabase();
    await postgres.query("CREATE TABLE kept AS SELECT 1 AS one", [], url);
    await postgres.restart("immediate");
    expect(await postgres.query("SELECT one FROM kept", [], url)).toEqual([{ one: 1 }]);
  });

  test.skipIf(redis === null)(
    "Redis forgets everything, and a proxy can take it away",
    async () => {
      if (redis === null) return;
      await redis.command("CONFIG", "RESETSTAT");
      await redis.command("SET", "key", "value");
      expect(await redis.command("GET", "key")).toBe("value");
      expect(await redis.calls("get")).toBe(1);
      const proxy = await startTcpProxy(redis.port);
      proxy.set({ kind: "refuse" });
      await redis.restart();
      expect(await redis.command("GET", "key")).toBe("");
      await proxy.close();
      await redis.stop();
    },
  );

  test.skipIf(redis === null)(
    "a cluster of six fails over",
    async () => {
      const cluster = await startRedisCluster();
      if (cluster === null) return;
      await cluster.failOver("key");
      await cluster.stop();
    },
    60_000,
  );
});
