import assert from "node:assert/strict";
import type { RateLimiter } from "./rate-limiter.ts";

/** A limiter under test and the passing of its time. */
export interface RateLimiterSubject {
  readonly limiter: RateLimiter;
  /** Lets at least this much of the limiter's time pass, and less than 100 ms more. */
  elapse(milliseconds: number): Promise<void>;
}

export interface RateLimiterCase {
  readonly name: string;
  readonly run: (subject: RateLimiterSubject) => Promise<void>;
}

/** Ten in 4 s, so that 100 ms more or less decide nothing: one every 400 ms. */
const rate = { limit: 10, periodMs: 4_000, burst: 3 };

async function takeAll(limiter: RateLimiter, key: string): Promise<number> {
  let taken = 0;
  while (taken < 100 && (await limiter.take(key, rate)).allowed) taken++;
  return taken;
}

/** What every limiter does; each case gets one that has seen nothing. */
export const rateLimiterContract: readonly RateLimiterCase[] = [
  {
    name: "a burst is allowed, then it says when the next one is",
    async run({ limiter, elapse }) {
      assert.equal((await limiter.take("key", rate)).remaining, 2);
      assert.equal((await limiter.take("key", rate)).remaining, 1);
      assert.deepEqual(await limiter.take("key", rate), {
        allowed: true,
        retryAfterMs: 0,
        remaining: 0,
      });
      const refused = await limiter.take("key", rate);
      assert.equal(refused.allowed, false);
      assert.equal(refused.remaining, 0);
      assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 400);
      await elapse(refused.retryAfterMs);
      assert.equal((await limiter.take("key", rate)).allowed, true);
      assert.equal((await limiter.take("key", rate)).allowed, false);
    },
  },
  {
    name: "refused ones cost nothing",
    async run({ limiter, elapse }) {
      await takeAll(limiter, "key");
      for (let index = 0; index < 50; index++) await limiter.take("key", rate);
      await elapse(400);
      assert.equal((await limiter.take("key", rate)).allowed, true);
    },
  },
  {
    name: "after a pause the burst is whole again, and not larger",
    async run({ limiter, elapse }) {
      await takeAll(limiter, "key");
      await elapse(4_000);
      assert.equal(await takeAll(limiter, "key"), 3);
    },
  },
  {
    name: "keys do not touch each other",
    async run({ limiter }) {
      await takeAll(limiter, "one");
      assert.equal(await takeAll(limiter, "two"), 3);
      assert.equal((await limiter.take("one", rate)).allowed, false);
    },
  },
  {
    name: "the burst is the limit where it is not given",
    async run({ limiter }) {
      const decision = await limiter.take("key", { limit: 5, periodMs: 60_000 });
      assert.equal(decision.remaining, 4);
    },
  },
  {
    name: "of many at once only the burst is allowed",
    async run({ limiter }) {
      const decisions = await Promise.all(
        Array.from({ length: 40 }, () => limiter.take("key", rate)),
      );
      assert.equal(decisions.filter(({ allowed }) => allowed).length, 3);
    },
  },
  {
    name: "several are taken together or not at all; more than the burst are all of it",
    async run({ limiter, elapse }) {
      assert.equal((await limiter.take("key", rate, 2)).remaining, 1);
      const refused = await limiter.take("key", rate, 2);
      assert.equal(refused.allowed, false);
      assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 400);
      assert.equal((await limiter.take("key", rate)).allowed, true);
      assert.equal((await limiter.take("key", rate, 100)).allowed, false);
      await elapse(1_200);
      assert.equal((await limiter.take("key", rate, 100)).allowed, true);
      assert.equal((await limiter.take("key", rate)).allowed, false);
    },
  },
  {
    name: "what is no rate is refused",
    async run({ limiter }) {
      for (const wrong of [
        { limit: 0, periodMs: 1_000 },
        { limit: 1.5, periodMs: 1_000 },
        { limit: 1, periodMs: 0 },
        { limit: 1, periodMs: Number.NaN },
        { limit: 1, periodMs: 1_000, burst: 0 },
        { limit: 1, periodMs: Number.MAX_SAFE_INTEGER },
      ]) {
        await assert.rejects(limiter.take("key", wrong), RangeError);
      }
      for (const count of [0, -1, 1.5]) {
        await assert.rejects(limiter.take("key", rate, count), RangeError);
      }
    },
  },
];
