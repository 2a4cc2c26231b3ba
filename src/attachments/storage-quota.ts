import type { Database, Queryable } from "../database/database.ts";
import { Problem } from "../problems/problem.ts";

/** How much of files and sound is kept for a user, in all sessions together. */
export interface StorageQuota {
  /**
   * After something was stored in a session as part of `tx`: raises `storage_quota_exceeded` where its owner has no room
   * for it. Of many at the same moment no one too many gets through. Costs the same whatever the owner has.
   */
  check(tx: Queryable, sessionId: string): Promise<void>;
}

/** `maxBytes` 0: no limit, and no query. */
export function createStorageQuota(maxBytes: number): StorageQuota {
  return {
    async check(tx, sessionId) {
      if (maxBytes === 0) return;
      const { rows } = await tx.query<{ used: number }>(
        "SELECT settle_stored_bytes(user_id)::float8 AS used FROM sessions WHERE session_id = $1",
        [sessionId],
      );
      const used = rows[0]?.used ?? 0;
      if (used > maxBytes) throw new Problem("storage_quota_exceeded", { maxBytes });
    },
  };
}

const settledAtOnce = 100;

/** Makes one row of each user's whom nobody has asked about for a while; of those who have nothing left, none. */
export async function settleStoredBytes(database: Database): Promise<void> {
  for (;;) {
    const { rows } = await database.query<{ userId: string }>(
      `SELECT DISTINCT user_id AS "userId" FROM stored_bytes WHERE NOT is_whole LIMIT $1`,
      [settledAtOnce],
    );
    // Each by itself: nobody who sends a file waits for the others.
    for (const { userId } of rows) {
      await database.query("SELECT settle_stored_bytes($1)", [userId]);
    }
    if (rows.length < settledAtOnce) return;
  }
}
