import { expect, test } from "vitest";
import { createTurnstile } from "./turnstile.ts";

const live = new AbortController().signal;

test("one owner's work runs in order, one at a time, and holds up nobody else", async () => {
  const turnstile = createTurnstile(2, () => new Error("too many"));
  const told: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turnstile("a", live, async () => {
    told.push("a1");
    await gate.promise;
    told.push("a1 done");
  });
  const second = turnstile("a", live, async () => void told.push("a2"));
  const third = turnstile("a", live, async () => void told.push("a3"));
  await expect(turnstile("a", live, async () => 1)).rejects.toThrow("too many");
  await turnstile("b", live, async () => void told.push("b"));
  expect(told).toEqual(["a1", "b"]);
  gate.resolve();
  await Promise.all([first, second, third]);
  expect(told).toEqual(["a1", "b", "a1 done", "a2", "a3"]);
});

test("a failure and an abort let the next one in", async () => {
  const turnstile = createTurnstile(2, () => new Error("too many"));
  const stop = new AbortController();
  const failed = turnstile("a", live, () => Promise.reject(new Error("broken")));
  const aborted = turnstile("a", stop.signal, async () => 1);
  const next = turnstile("a", live, async () => 2);
  stop.abort(new Error("enough"));
  await expect(failed).rejects.toThrow("broken");
  await expect(aborted).rejects.toThrow("enough");
  expect(await next).toBe(2);
});
