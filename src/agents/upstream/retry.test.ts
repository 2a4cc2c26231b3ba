import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseRetryAfter, retryDelayMs, sleep } from "./retry.ts";

test("waits between 0.25 and 2 s, at most as long as the number of the retry allows", () => {
  fc.assert(
    fc.property(fc.nat(20), fc.double({ min: 0, max: 0.999, noNaN: true }), (retry, random) => {
      const delay = retryDelayMs(retry, undefined, () => random);
      expect(delay).toBeGreaterThanOrEqual(250);
      expect(delay).toBeLessThanOrEqual(Math.min(2_000, 500 * 2 ** retry));
    }),
  );
});

test("honours Retry-After up to 30 s and does not wait for more", () => {
  expect(retryDelayMs(0, 7, () => 0)).toBe(7_000);
  expect(retryDelayMs(0, 0, () => 0)).toBe(250);
  expect(retryDelayMs(0, 30, () => 0)).toBe(30_000);
  expect(retryDelayMs(0, 31, () => 0)).toBeNull();
});

test("Retry-After is seconds or a date", () => {
  const now = Date.UTC(2026, 10, 22, 10, 0, 0);
  expect(parseRetryAfter("5", now)).toBe(5);
  expect(parseRetryAfter("Sun, 22 Nov 2026 10:00:07 GMT", now)).toBe(7);
  expect(parseRetryAfter("Sun, 22 Nov 2026 09:00:00 GMT", now)).toBe(0);
  expect(parseRetryAfter(["3", "4"], now)).toBe(3);
  expect(parseRetryAfter("soon", now)).toBeUndefined();
  expect(parseRetryAfter(undefined, now)).toBeUndefined();
});

test("a wait ends with the signal", async () => {
  const stop = new AbortController();
  const waiting = sleep(60_000, stop.signal);
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(sleep(60_000, stop.signal)).rejects.toThrow("enough");
});
