/** `limit` per `periodMs` in the long run, with up to `burst` at once. */
export interface Rate {
  /** 1 or more. */
  readonly limit: number;
  readonly periodMs: number;
  /** How many may come at once after a pause; 1 or more, default `limit`. */
  readonly burst?: number;
}

export interface RateDecision {
  readonly allowed: boolean;
  /** When refused: after this many milliseconds one more is allowed (if nobody else takes it). 0 when allowed. */
  readonly retryAfterMs: number;
  /** How many more would be allowed right now. */
  readonly remaining: number;
}

/**
 * Counts what may happen how often, per key (GCRA, `gcra.ts`): in any window of length w at most
 * `burst + w / (periodMs / limit)` are allowed, however they are spread. A refused one costs nothing.
 *
 * One number per key is all the state there is, so one atomic script on one key serves all nodes. It never fails
 * its caller: a limiter that cannot reach its store goes on with figures of this process alone.
 */
export interface RateLimiter {
  /**
   * Takes `count` (default 1) at once if they are allowed, or none of them. Atomic. More than the burst count as the
   * burst: they have to wait until nothing is taken. Raises RangeError for a rate that is none.
   */
  take(key: string, rate: Rate, count?: number): Promise<RateDecision>;
}
