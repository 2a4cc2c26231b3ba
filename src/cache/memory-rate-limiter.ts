import { cellsOf, decide } from "./gcra.ts";
import type { RateLimiter } from "./rate-limiter.ts";

interface MemoryRateLimiterOptions {
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  /** When more keys than this are at work at once, those used least recently are forgotten. */
  readonly maxKeys?: number;
}

export interface MemoryRateLimiter extends RateLimiter {
  /** What was let through elsewhere: as if it had been here. */
  charge(key: string, costUs: number): void;
  /** Keys held, for metrics and tests. */
  size(): number;
}

/** The limiter of a single process. */
export function createMemoryRateLimiter({
  now = () => performance.now(),
  maxKeys = 100_000,
}: MemoryRateLimiterOptions = {}): MemoryRateLimiter {
  // In order of last use. An arrival time that has passed says the same as no entry.
  const arrivals = new Map<string, number>();

  /** Two looked at for each one added: whatever has run out is gone soon, at no cost worth measuring. */
  function forget(nowUs: number): void {
    let looks = 2;
    for (const [key, arrivalUs] of arrivals) {
      const full = arrivals.size > maxKeys;
      if (!full && (looks === 0 || arrivalUs > nowUs)) return;
      looks = Math.max(0, looks - 1);
      arrivals.delete(key);
    }
  }

  return {
    async take(key, rate, count) {
      const cells = cellsOf(rate, count);
      const nowUs = Math.floor(now() * 1000);
      const { decision, arrivalUs } = decide(cells, arrivals.get(key), nowUs);
      arrivals.delete(key);
      if (arrivalUs > nowUs) arrivals.set(key, arrivalUs);
      forget(nowUs);
      return decision;
    },
    charge(key, costUs) {
      const nowUs = Math.floor(now() * 1000);
      const arrivalUs = Math.max(arrivals.get(key) ?? nowUs, nowUs) + costUs;
      arrivals.delete(key);
      arrivals.set(key, arrivalUs);
      forget(nowUs);
    },
    size: () => arrivals.size,
  };
}
