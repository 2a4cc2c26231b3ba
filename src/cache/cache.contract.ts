import assert from "node:assert/strict";
import { fillWindowMs, type Cache } from "./cache.ts";

/** A cache under test and the passing of its time. */
export interface CacheSubject {
  readonly cache: Cache;
  /** Lets this much of the cache's time pass. */
  elapse(milliseconds: number): Promise<void>;
}

export interface CacheCase {
  readonly name: string;
  readonly run: (subject: CacheSubject) => Promise<void>;
}

async function missToken(cache: Cache, key: string): Promise<string> {
  const read = await cache.read(key);
  assert.equal(read.hit, false);
  return read.hit ? "" : read.fillToken;
}

async function valueOf(cache: Cache, key: string): Promise<string | null> {
  const read = await cache.read(key);
  return read.hit ? read.value : null;
}

/** What every cache does; each case gets an empty one. */
export const cacheContract: readonly CacheCase[] = [
  {
    name: "a value that was set is read until its ttl is over",
    async run({ cache, elapse }) {
      await cache.set("key", "value", 500);
      assert.equal(await valueOf(cache, "key"), "value");
      await elapse(501);
      assert.equal(await valueOf(cache, "key"), null);
    },
  },
  {
    name: "keys and values are kept as they are",
    async run({ cache }) {
      const odd = ["", " ", "a:b{c}*?", "会话 🙂", "\u0000\n", "x".repeat(10_000)];
      for (const text of odd) await cache.set(`key ${text}`, text, 60_000);
      for (const text of odd) assert.equal(await valueOf(cache, `key ${text}`), text);
    },
  },
  {
    name: "what was loaded after a miss is stored with its token",
    async run({ cache, elapse }) {
      const token = await missToken(cache, "key");
      assert.equal(await cache.fill("key", token, "loaded", 500), true);
      assert.equal(await valueOf(cache, "key"), "loaded");
      await elapse(501);
      assert.equal(await valueOf(cache, "key"), null);
    },
  },
  {
    name: "a slow reader cannot put back what was deleted meanwhile",
    async run({ cache }) {
      const token = await missToken(cache, "key");
      assert.equal(await cache.delete("key"), true);
      assert.equal(await cache.fill("key", token, "stale", 60_000), false);
      assert.equal(await valueOf(cache, "key"), null);
    },
  },
  {
    name: "nor after somebody else has missed since the delete",
    async run({ cache }) {
      const before = await missToken(cache, "key");
      await cache.delete("key");
      const after = await missToken(cache, "key");
      assert.notEqual(after, before);
      assert.equal(await cache.fill("key", before, "stale", 60_000), false);
      assert.equal(await cache.fill("key", after, "fresh", 60_000), true);
      assert.equal(await valueOf(cache, "key"), "fresh");
    },
  },
  {
    name: "nor over a value that was set meanwhile",
    async run({ cache }) {
      const token = await missToken(cache, "key");
      await cache.set("key", "written", 60_000);
      assert.equal(await cache.fill("key", token, "stale", 60_000), false);
      assert.equal(await valueOf(cache, "key"), "written");
    },
  },
  {
    name: "readers that miss at the same time share a token, and the first to fill wins",
    async run({ cache }) {
      const one = await missToken(cache, "key");
      const two = await missToken(cache, "key");
      assert.equal(two, one);
      assert.equal(await cache.fill("key", one, "first", 60_000), true);
      assert.equal(await cache.fill("key", two, "second", 60_000), false);
      assert.equal(await valueOf(cache, "key"), "first");
    },
  },
  {
    name: "a token is worthless for another key, and an invented one everywhere",
    async run({ cache }) {
      const token = await missToken(cache, "one");
      await missToken(cache, "two");
      assert.equal(await cache.fill("two", token, "value", 60_000), false);
      assert.equal(await cache.fill("one", "", "value", 60_000), false);
      assert.equal(await cache.fill("three", "invented", "value", 60_000), false);
      assert.equal(await valueOf(cache, "three"), null);
    },
  },
  {
    name: "a token is worthless when its window is over",
    async run({ cache, elapse }) {
      const token = await missToken(cache, "key");
      await elapse(fillWindowMs + 1);
      assert.equal(await cache.fill("key", token, "late", 60_000), false);
    },
  },
  {
    name: "a value that looks like a token is a value",
    async run({ cache }) {
      const token = await missToken(cache, "other");
      await cache.set("key", token, 60_000);
      assert.equal(await valueOf(cache, "key"), token);
      assert.equal(await cache.fill("key", token, "value", 60_000), false);
    },
  },
  {
    name: "delete removes, also what is not there, and nothing else",
    async run({ cache }) {
      await cache.set("key", "value", 60_000);
      await cache.set("other", "value", 60_000);
      assert.equal(await cache.delete("key"), true);
      assert.equal(await cache.delete("key"), true);
      assert.equal(await valueOf(cache, "key"), null);
      assert.equal(await valueOf(cache, "other"), "value");
    },
  },
  {
    name: "a ttl of zero or less stores nothing, and set then deletes",
    async run({ cache }) {
      await cache.set("key", "value", 60_000);
      await cache.set("key", "newer", 0);
      assert.equal(await valueOf(cache, "key"), null);
      const token = await missToken(cache, "filled");
      assert.equal(await cache.fill("filled", token, "value", -1), false);
      assert.equal(await valueOf(cache, "filled"), null);
    },
  },
  {
    name: "a fraction of a millisecond is rounded up",
    async run({ cache }) {
      await cache.set("key", "value", 59_999.25);
      assert.equal(await valueOf(cache, "key"), "value");
    },
  },
];
