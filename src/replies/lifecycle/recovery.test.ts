import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { startRecovery } from "./recovery.ts";
import type { Recovered } from "./replies.ts";

const reapMs = 10_000;
const leaseMs = 30_000;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** When it looks, while the database is away at some of the looks. */
function watch(isAway: (look: number) => boolean, isMore: (look: number) => boolean = () => false) {
  const looks: { readonly atMs: number; readonly everything: boolean }[] = [];
  const began = performance.now();
  const recovery = startRecovery({
    replies: {
      async recover(everything) {
        looks.push({ atMs: Math.round(performance.now() - began), everything });
        if (isAway(looks.length)) throw new Error("away");
        return { recovered: 1, isMore: isMore(looks.length) };
      },
    },
    reapMs,
    leaseMs,
    logger: silentLogger,
  });
  return { looks, recovery, times: () => looks.map(({ atMs }) => atMs) };
}

test("it looks again and again, and never for what living nodes make", async () => {
  const { looks, recovery, times } = watch(() => false);
  await vi.advanceTimersByTimeAsync(35_000);
  expect(times()).toEqual([10_000, 20_000, 30_000]);
  expect(looks.some(({ everything }) => everything)).toBe(false);
  recovery.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks).toHaveLength(3);
});

test("what a dead node has left is taken over at once, however much it is", async () => {
  const { looks, recovery, times } = watch(
    () => false,
    (look) => look < 4,
  );
  await vi.advanceTimersByTimeAsync(20_000);
  expect(times()).toEqual([10_000, 10_000, 10_000, 10_000, 20_000]);
  recovery.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks).toHaveLength(5);
});

test("after an outage of the database owners get the time to renew their leases first", async () => {
  const { recovery, times } = watch((look) => look === 2);
  await vi.advanceTimersByTimeAsync(70_000);
  // Away at 20 s: whoever lives renews within a third of the lease, which may take as long again.
  expect(times()).toEqual([10_000, 20_000, 50_000, 60_000, 70_000]);
  recovery.stop();
});

test("a look that is under way while it is stopped is the last one", async () => {
  const look = Promise.withResolvers<Recovered>();
  let looks = 0;
  const recovery = startRecovery({
    replies: {
      recover() {
        looks += 1;
        return look.promise;
      },
    },
    reapMs,
    leaseMs,
    logger: silentLogger,
  });
  await vi.advanceTimersByTimeAsync(reapMs);
  recovery.stop();
  look.resolve({ recovered: 20, isMore: true });
  await vi.advanceTimersByTimeAsync(10 * reapMs);
  expect(looks).toBe(1);
});
