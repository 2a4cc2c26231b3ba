import { expect, test } from "vitest";
import { cacheContract, type CacheSubject } from "./cache.contract.ts";
import type { Cache } from "./cache.ts";
import { createMemoryCache } from "./memory.ts";

function subject(wrap: (cache: Cache) => Cache = (cache) => cache): CacheSubject {
  let nowMs = 1_000;
  return {
    cache: wrap(createMemoryCache({ now: () => nowMs })),
    async elapse(milliseconds) {
      nowMs += milliseconds;
    },
  };
}

test.each(cacheContract)("contract: $name", async ({ run }) => run(subject()));

async function casesFailing(wrap: (cache: Cache) => Cache): Promise<string[]> {
  const failing: string[] = [];
  for (const { name, run } of cacheContract) {
    try {
      await run(subject(wrap));
    } catch {
      failing.push(name);
    }
  }
  return failing;
}

test("the contract refuses a cache whose fill believes every token", async () => {
  const failing = await casesFailing((cache) => ({
    ...cache,
    async fill(key, _token, value, ttlMs) {
      await cache.set(key, value, ttlMs);
      return true;
    },
  }));
  expect(failing).toContain("a slow reader cannot put back what was deleted meanwhile");
  expect(failing).toContain("nor over a value that was set meanwhile");
});

test("the contract refuses a cache that forgets its ttl or never deletes", async () => {
  const forgetful = await casesFailing((cache) => ({
    ...cache,
    set: (key, value, ttlMs) => cache.set(key, value, ttlMs * 1_000),
  }));
  expect(forgetful).toContain("a value that was set is read until its ttl is over");
  const sticky = await casesFailing((cache) => ({ ...cache, delete: async () => true }));
  expect(sticky).toContain("delete removes, also what is not there, and nothing else");
});

test("memory stays below its bound and the least recently used go first", async () => {
  const cache = createMemoryCache({ maxBytes: 64 * 1024 });
  await cache.set("kept in use", "value", 60_000);
  for (let index = 0; index < 5_000; index++) {
    await cache.set(`key ${index}`, "x".repeat(index % 1_000), 60_000);
    await cache.read("kept in use");
    expect(cache.size().bytes).toBeLessThanOrEqual(64 * 1024);
  }
  expect(await cache.read("kept in use")).toEqual({ hit: true, value: "value" });
  expect((await cache.read("key 0")).hit).toBe(false);
  expect((await cache.read("key 4999")).hit).toBe(true);
});

test("a flood of misses is bounded too", async () => {
  const cache = createMemoryCache({ maxBytes: 64 * 1024 });
  for (let index = 0; index < 5_000; index++) await cache.read(`missing ${index}`);
  expect(cache.size().bytes).toBeLessThanOrEqual(64 * 1024);
  expect(cache.size().entries).toBeGreaterThan(10);
});

test("a value too large for it is not stored, the older one is gone, and others stay", async () => {
  const cache = createMemoryCache({ maxBytes: 64 * 1024 });
  await cache.set("other", "value", 60_000);
  await cache.set("key", "small", 60_000);
  await cache.set("key", "x".repeat(10_000), 60_000);
  expect((await cache.read("key")).hit).toBe(false);
  expect((await cache.read("other")).hit).toBe(true);
});

test("bytes held go back to zero with the entries", async () => {
  let nowMs = 0;
  const cache = createMemoryCache({ now: () => nowMs });
  for (let index = 0; index < 100; index++) await cache.set(`key ${index}`, "value", 1_000);
  for (let index = 0; index < 50; index++) await cache.delete(`key ${index}`);
  nowMs = 2_000;
  for (let index = 50; index < 100; index++) {
    await cache.read(`key ${index}`);
    await cache.delete(`key ${index}`);
  }
  expect(cache.size()).toEqual({ entries: 0, bytes: 0 });
});
