import { expect, test } from "vitest";
import { createMemoryCache } from "./memory.ts";
import { createReadThrough } from "./read-through.ts";

function numbers(cache = createMemoryCache()) {
  const reader = createReadThrough<number>({
    cache,
    encode: String,
    decode: (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
  });
  return { cache, reader };
}

test("loads once, then reads", async () => {
  const { reader } = numbers();
  let loads = 0;
  const load = async () => ({ value: ++loads, ttlMs: 60_000 });
  expect(await reader.get("key", load)).toBe(1);
  expect(await reader.get("key", load)).toBe(1);
});

test("a hundred callers at once load once, a fault reaches all and is not kept", async () => {
  const { reader } = numbers();
  let loads = 0;
  const failing = Promise.allSettled(
    Array.from({ length: 100 }, () =>
      reader.get("key", async () => {
        loads++;
        throw new Error("down");
      }),
    ),
  );
  expect((await failing).every(({ status }) => status === "rejected")).toBe(true);
  expect(loads).toBe(1);
  expect(await reader.get("key", async () => ({ value: 7, ttlMs: 60_000 }))).toBe(7);
});

test("a caller after a delete never gets what was loaded before it", async () => {
  const { cache, reader } = numbers();
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const slow = reader.get("key", async () => {
    begun.resolve();
    await gate.promise;
    return { value: 1, ttlMs: 60_000 };
  });
  await begun.promise;
  await cache.delete("key");
  expect(await reader.get("key", async () => ({ value: 2, ttlMs: 60_000 }))).toBe(2);
  gate.resolve();
  expect(await slow).toBe(1);
  expect(await cache.read("key")).toEqual({ hit: true, value: "2" });
});

test("a text from another version is loaded anew and replaced", async () => {
  const { cache, reader } = numbers();
  await cache.set("key", "{not a number}", 60_000);
  expect(await reader.get("key", async () => ({ value: 3, ttlMs: 60_000 }))).toBe(3);
  expect(await cache.read("key")).toEqual({ hit: true, value: "3" });
});

test("a ttl of zero is not kept", async () => {
  const { reader } = numbers();
  await reader.get("key", async () => ({ value: 1, ttlMs: 0 }));
  expect(await reader.get("key", async () => ({ value: 2, ttlMs: 0 }))).toBe(2);
});
