import type { Rate, RateDecision } from "./rate-limiter.ts";

/**
 * The generic cell rate algorithm in whole microseconds, as every limiter computes it (Redis in Lua, whose numbers
 * are doubles too: an epoch in microseconds is far below 2^53). The state of a key is its theoretical arrival
 * time: when all that was taken so far would have come if it had come evenly.
 */
export interface Cells {
  /** Microseconds between two at the even rate, rounded up so that the limit is never exceeded. */
  readonly intervalUs: number;
  /** How far the theoretical arrival time may run ahead of now. */
  readonly toleranceUs: number;
  /** What is to be taken. */
  readonly costUs: number;
}

/** Raises RangeError for anything that is no rate, or no number of what it counts. */
export function cellsOf({ limit, periodMs, burst = limit }: Rate, count = 1): Cells {
  const valid =
    Number.isInteger(limit) &&
    Number.isInteger(burst) &&
    Number.isInteger(count) &&
    count >= 1 &&
    limit >= 1 &&
    burst >= 1 &&
    Number.isFinite(periodMs) &&
    periodMs > 0;
  const intervalUs = Math.ceil((periodMs * 1000) / limit);
  const toleranceUs = intervalUs * burst;
  if (!valid || toleranceUs > Number.MAX_SAFE_INTEGER / 4) {
    throw new RangeError(`not a rate: ${count} of ${limit} per ${periodMs} ms, burst ${burst}`);
  }
  return { intervalUs, toleranceUs, costUs: intervalUs * Math.min(count, burst) };
}

/** The decision, and the key's new state (unchanged when refused). `arrivalUs` is undefined for an unknown key. */
export function decide(
  { intervalUs, toleranceUs, costUs }: Cells,
  arrivalUs: number | undefined,
  nowUs: number,
): { decision: RateDecision; arrivalUs: number } {
  const current = Math.max(arrivalUs ?? nowUs, nowUs);
  const next = current + costUs;
  const waitUs = next - toleranceUs - nowUs;
  if (waitUs > 0) {
    return {
      decision: { allowed: false, retryAfterMs: Math.ceil(waitUs / 1000), remaining: 0 },
      arrivalUs: current,
    };
  }
  const remaining = Math.floor((toleranceUs - (next - nowUs)) / intervalUs);
  return { decision: { allowed: true, retryAfterMs: 0, remaining }, arrivalUs: next };
}
