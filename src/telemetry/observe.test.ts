import { describe, expect, it } from "vitest";
import { createMemoryCache } from "../cache/memory.ts";
import type { Database } from "../database/database.ts";
import { silentLogger, type Logger } from "./logger.ts";
import { storageUnavailable } from "../database/unavailable.ts";
import { createMetrics } from "./metrics.ts";
import { observeCache } from "../cache/observe-cache.ts";
import { observeDatabase } from "../database/observe-database.ts";

describe("observeDatabase", () => {
  it("times statements and transactions by their outcome, and changes nothing else", async () => {
    const metrics = createMetrics();
    const fault = new Error("syntax");
    const database: Database = {
      kind: "embedded",
      query: (sql) =>
        sql === "bad" ? Promise.reject(fault) : Promise.resolve({ rows: [], rowCount: 7 }),
      execute: async () => {},
      executeAlone: async () => {},
      transaction: (work) => work({ ...database, ask() {}, commit() {} }),
      ping: async () => {},
      describe: () => ({ driver: "x" }),
      close: async () => {},
    };
    const observed = observeDatabase(database, metrics, silentLogger);
    expect((await observed.query("good")).rowCount).toBe(7);
    await expect(observed.query("bad")).rejects.toBe(fault);
    expect(await observed.transaction(async (tx) => (await tx.query("inside")).rowCount)).toBe(7);
    expect(observed.describe()).toEqual({ driver: "x" });
    const text = await metrics.registry.metrics();
    const count = (labels: string) =>
      new RegExp(`chat_database_query_duration_seconds_count{${labels}} (\\d+)`).exec(text)?.[1];
    expect(count('kind="query",outcome="ok"')).toBe("1");
    expect(count('kind="query",outcome="error"')).toBe("1");
    expect(count('kind="transaction",outcome="ok"')).toBe("1");
  });
});

describe("a database that refuses writes", () => {
  it("is away until it takes one, whatever it answers to questions", async () => {
    const lines: string[] = [];
    const tell = (_fields: object, message: string) => void lines.push(message);
    const logger: Logger = { ...silentLogger, info: tell, warn: tell };
    let isFull = true;
    const write = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!isFull) return work();
      throw storageUnavailable(Object.assign(new Error("no space left"), { code: "53100" }));
    };
    const database: Database = {
      kind: "postgres",
      query: async () => ({ rows: [], rowCount: 0 }),
      execute: async () => {},
      executeAlone: async () => {},
      transaction: (work) => write(() => work({ ...database, ask() {}, commit() {} })),
      ping: async () => {},
      describe: () => ({ driver: "x" }),
      close: async () => {},
    };
    const observed = observeDatabase(database, createMetrics(), logger);
    await observed.ping();
    await expect(observed.transaction(async () => 1)).rejects.toMatchObject({
      type: "storage_unavailable",
    });
    await observed.query("SELECT 1");
    await expect(observed.ping()).rejects.toMatchObject({ type: "storage_unavailable" });
    isFull = false;
    await observed.ping();
    await expect
      .poll(() => lines, { timeout: 30_000 })
      .toEqual(["database is away: no space left (53100); trying again", "database is back"]);
  });
});

describe("observeCache", () => {
  it("counts hits and misses", async () => {
    const metrics = createMetrics();
    const cache = observeCache(createMemoryCache({}), metrics);
    const miss = await cache.read("k");
    if (miss.hit) throw new Error("it was empty");
    expect(await cache.fill("k", miss.fillToken, "v", 1_000)).toBe(true);
    expect(await cache.fill("k", miss.fillToken, "w", 1_000)).toBe(false);
    expect(await cache.read("k")).toEqual({ hit: true, value: "v" });
    await cache.set("k", "x", 1_000);
    expect(await cache.delete("k")).toBe(true);
    const text = await metrics.registry.metrics();
    for (const labels of [
      'operation="read",outcome="miss"',
      'operation="read",outcome="hit"',
      'operation="fill",outcome="stored"',
      'operation="fill",outcome="refused"',
      'operation="set",outcome="ok"',
      'operation="delete",outcome="ok"',
    ]) {
      expect(text).toContain(`chat_cache_operation_duration_seconds_count{${labels}} 1`);
    }
  });
});
