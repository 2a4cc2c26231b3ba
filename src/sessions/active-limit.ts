import type { Queryable } from "../database/database.ts";
import { Problem } from "../problems/problem.ts";
import type { SessionStore } from "./session-store.ts";

/** How many active sessions a user may have. */
export interface ActiveLimit {
  /**
   * Raises `rate_limited` when the user may have no further one. Otherwise there is room for one until the end of `tx`,
   * which makes it: of many at the same moment no one too many gets through.
   */
  check(tx: Queryable, userId: string): Promise<void>;
}

/** `maxActive` 0: no limit, and no query. */
export function createActiveLimit(
  store: Pick<SessionStore, "countActive">,
  maxActive: number,
): ActiveLimit {
  return {
    async check(tx, userId) {
      if (maxActive === 0) return;
      if ((await store.countActive(tx, userId, maxActive)) < maxActive) return;
      throw new Problem("rate_limited", { seconds: 60 }, { retryAfterSeconds: 60 });
    },
  };
}
