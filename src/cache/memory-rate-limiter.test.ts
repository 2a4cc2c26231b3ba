import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createMemoryRateLimiter } from "./memory-rate-limiter.ts";
import { rateLimiterContract, type RateLimiterSubject } from "./rate-limiter.contract.ts";
import type { Rate, RateLimiter } from "./rate-limiter.ts";

function subject(
  wrap: (limiter: RateLimiter) => RateLimiter = (limiter) => limiter,
): RateLimiterSubject {
  let nowMs = 5_000;
  return {
    limiter: wrap(createMemoryRateLimiter({ now: () => nowMs })),
    async elapse(milliseconds) {
      nowMs += milliseconds;
    },
  };
}

test.each(rateLimiterContract)("contract: $name", async ({ run }) => run(subject()));

test("the contract refuses a limiter that counts in one bucket, and one that never refuses", async () => {
  const failing = async (wrap: (limiter: RateLimiter) => RateLimiter) => {
    const outcomes = await Promise.allSettled(
      rateLimiterContract.map(({ run }) => run(subject(wrap))),
    );
    return rateLimiterContract
      .filter((_, index) => outcomes[index]?.status === "rejected")
      .map(({ name }) => name);
  };
  const oneBucket = await failing((limiter) => ({
    take: (_key, rate, count) => limiter.take("", rate, count),
  }));
  expect(oneBucket).toEqual(["keys do not touch each other"]);
  const oneByOne = await failing((limiter) => ({ take: (key, rate) => limiter.take(key, rate) }));
  expect(oneByOne).toContain(
    "several are taken together or not at all; more than the burst are all of it",
  );
  let calls = 0;
  const lenient = await failing((limiter) => ({
    take: (key, rate) => limiter.take(`${key} ${Math.floor(calls++ / 2)}`, rate),
  }));
  expect(lenient).toContain("of many at once only the burst is allowed");
});

/**
 * The same promise in another form, exact in BigInt: a bucket that leaks one cell in every interval and holds
 * `burst` cells. Times are whole microseconds.
 */
function leakyBucket({ limit, periodMs, burst = limit }: Rate) {
  const cell = BigInt(Math.ceil((periodMs * 1000) / limit));
  const capacity = cell * BigInt(burst);
  let level = 0n;
  let lastUs = 0n;
  return (nowUs: bigint) => {
    level -= nowUs - lastUs;
    if (level < 0n) level = 0n;
    lastUs = nowUs;
    const waitUs = level + cell - capacity;
    if (waitUs > 0n) {
      return { allowed: false, retryAfterMs: Number((waitUs + 999n) / 1000n), remaining: 0 };
    }
    level += cell;
    return { allowed: true, retryAfterMs: 0, remaining: Number((capacity - level) / cell) };
  };
}

const rates = fc.record({
  limit: fc.integer({ min: 1, max: 1_000 }),
  periodMs: fc.oneof(
    fc.integer({ min: 1, max: 3_600_000 }),
    fc.double({ min: 0.5, max: 5_000, noNaN: true }),
  ),
  burst: fc.integer({ min: 1, max: 50 }),
});

test("decides exactly as a leaky bucket, for any rate and any times", async () => {
  await fc.assert(
    fc.asyncProperty(
      rates,
      fc.array(fc.nat({ max: 20_000_000 }), { minLength: 1, maxLength: 120 }),
      async (rate, gapsUs) => {
        let nowUs = 1_000_000;
        const limiter = createMemoryRateLimiter({ now: () => nowUs / 1000 });
        const model = leakyBucket(rate);
        for (const gapUs of gapsUs) {
          // Gaps of about an interval are where decisions turn.
          nowUs += gapUs % Math.max(2, Math.ceil((rate.periodMs * 2_000) / rate.limit));
          const exactUs = Math.floor((nowUs / 1000) * 1000);
          expect(await limiter.take("key", rate)).toEqual(model(BigInt(exactUs)));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("never more than burst + w / interval in any window, and Retry-After is exact", async () => {
  await fc.assert(
    fc.asyncProperty(
      rates,
      fc.array(fc.nat({ max: 500 }), { maxLength: 80 }),
      async (rate, gaps) => {
        let nowMs = 0;
        const limiter = createMemoryRateLimiter({ now: () => nowMs });
        const allowedAt: number[] = [];
        for (const gap of gaps) {
          nowMs += gap;
          const decision = await limiter.take("key", rate);
          if (decision.allowed) {
            allowedAt.push(nowMs);
            continue;
          }
          const probe = nowMs;
          nowMs = probe + decision.retryAfterMs - 1;
          expect((await limiter.take("key", rate)).allowed).toBe(false);
          nowMs = probe + decision.retryAfterMs;
          expect((await limiter.take("key", rate)).allowed).toBe(true);
          allowedAt.push(nowMs);
        }
        for (const [first, from] of allowedAt.entries()) {
          for (let last = first; last < allowedAt.length; last++) {
            const window = (allowedAt[last] ?? from) - from;
            const bound = rate.burst + Math.floor((window * rate.limit) / rate.periodMs + 1e-9);
            expect(last - first + 1).toBeLessThanOrEqual(bound);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("keys that have run out are forgotten, and there are never more than the bound", async () => {
  let nowMs = 0;
  const limiter = createMemoryRateLimiter({ now: () => nowMs, maxKeys: 100 });
  const rate = { limit: 1, periodMs: 1_000 };
  for (let index = 0; index < 1_000; index++) await limiter.take(`key ${index}`, rate);
  expect(limiter.size()).toBe(100);
  expect((await limiter.take("key 999", rate)).allowed).toBe(false);
  nowMs = 5_000;
  for (let index = 0; index < 100; index++) await limiter.take("one", rate);
  expect(limiter.size()).toBe(1);
});
