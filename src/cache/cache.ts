/** How long after a miss its token can still fill the key. A slower reader answers its caller and stores nothing. */
export const fillWindowMs = 10_000;

/** What a read found: the value, or the right to fill the key with what the reader is about to load. */
export type CacheRead =
  | { readonly hit: true; readonly value: string }
  | { readonly hit: false; readonly fillToken: string };

/**
 * Short-lived copies of what can always be asked for again. Keys are plain strings without the deployment's
 * prefix; values are text (callers encode). Any entry may disappear at any time.
 *
 * A cache never fails its caller: one that cannot be reached answers every read with a miss and stores nothing.
 * It owns no connection; who made it closes what it shares.
 *
 * Stale fills are impossible by a lease in the key itself: a miss leaves a token there (shared by all who miss
 * meanwhile), `fill` stores only where that token still is, and `set` and `delete` remove it. One key and one
 * atomic script suffice, also in a cluster.
 */
export interface Cache {
  /** The value, or a miss with the token for `fill`. Counts as use. */
  read(key: string): Promise<CacheRead>;
  /**
   * Stores what was loaded after a miss, for `ttlMs` (rounded up to whole milliseconds; 0 or less stores nothing).
   * False, and nothing is stored, when the key was set, deleted or evicted since the miss or `fillWindowMs` is over.
   */
  fill(key: string, fillToken: string, value: string, ttlMs: number): Promise<boolean>;
  /** Stores unconditionally and makes tokens handed out before worthless. `ttlMs` of 0 or less deletes. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Removes the value and makes tokens handed out before worthless. Call it after the commit that made the value
   * wrong. False when the cache could not be told: the value may then live until its ttl.
   */
  delete(key: string): Promise<boolean>;
}
