import { expect, test, vi } from "vitest";
import { createFakeNetwork } from "../../test/support/fake-wire.ts";
import { createMemoryRateLimiter } from "./memory-rate-limiter.ts";
import { rateLimiterContract } from "./rate-limiter.contract.ts";
import { createToldRateLimiter } from "./told-rate-limiter.ts";

const rate = { limit: 10, periodMs: 60_000 };

function nodes(count: number) {
  const network = createFakeNetwork();
  let nowMs = 1_000_000;
  const limiters = Array.from({ length: count }, (_, index) =>
    createToldRateLimiter({
      name: "all",
      local: createMemoryRateLimiter({ now: () => nowMs }),
      wire: network.join(String(index)),
      beatMs: 5,
    }),
  );
  return { limiters, sent: network.sent, pass: (timeMs: number) => void (nowMs += timeMs) };
}

test.each(rateLimiterContract)("contract: $name", async ({ run }) => {
  const { limiters, pass } = nodes(1);
  const [limiter] = limiters as [(typeof limiters)[0]];
  await run({
    limiter,
    async elapse(milliseconds) {
      pass(milliseconds);
    },
  });
});

test("what one node lets through counts on the others, a moment later", async () => {
  const { limiters, sent } = nodes(3);
  const [a, b, c] = limiters as [(typeof limiters)[0], (typeof limiters)[0], (typeof limiters)[0]];
  for (let taken = 0; taken < 6; taken += 1) await a.take("key", rate);
  await b.take("key", rate, 3);
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  await vi.waitFor(async () => expect((await c.take("key", rate, 2)).allowed).toBe(false));
  expect((await c.take("other", rate, 10)).allowed).toBe(true);
  expect((await c.take("key", rate)).remaining).toBe(0);
  expect((await c.take("key", rate)).allowed).toBe(false);
});

test("what came to several nodes at once is owed: in the long run no more gets through", async () => {
  const { limiters, pass } = nodes(2);
  let allowed = 0;
  // Each minute everybody tries on both nodes as often as he likes, before they have told each other.
  for (let minute = 0; minute < 30; minute += 1) {
    for (const limiter of limiters) {
      while ((await limiter.take("key", rate)).allowed) allowed += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    // What was told on the way to here arrives first, however late it was.
    await new Promise(setImmediate);
    pass(60_000);
  }
  expect(allowed).toBeLessThanOrEqual(10 * 30 + 10);
  expect(allowed).toBeGreaterThanOrEqual(10 * 29);
});

test("a refused one costs nothing elsewhere, and alone nobody is told", async () => {
  const { limiters, sent } = nodes(1);
  const [limiter] = limiters as [(typeof limiters)[0]];
  for (let taken = 0; taken < 20; taken += 1) await limiter.take("key", rate);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(sent).toEqual([]);
});
