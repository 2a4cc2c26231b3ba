import type { Queryable } from "../database/database.ts";
import { Problem } from "../problems/problem.ts";

/** How much of files and sound is kept for a user, in all sessions together. */
export interface StorageQuota {
  /**
   * After something was stored in a session as part of `tx`: raises `storage_quota_exceeded` where its owner has no room
   * for it. Of many at the same moment no one too many gets through.
   */
  check(tx: Queryable, sessionId: string): Promise<void>;
}

const quotaLock = 4_812_003;

/** `maxBytes` 0: no limit, and no query. */
export function createStorageQuota(maxBytes: number): StorageQuota {
  return {
    async check(tx, sessionId) {
      if (maxBytes === 0) return;
      await tx.query(
        "SELECT pg_advisory_xact_lock($1, hashtext(user_id)) FROM sessions WHERE session_id = $2",
        [quotaLock, sessionId],
      );
      const { rows } = await tx.query<{ used: number }>(
        `SELECT coalesce(sum(f.size), 0)::float8 AS used FROM sessions s, LATERAL (
           SELECT size FROM attachments WHERE session_id = s.session_id
           UNION ALL
           SELECT octet_length(bytes) FROM audio WHERE session_id = s.session_id) AS f
         WHERE s.user_id = (SELECT user_id FROM sessions WHERE session_id = $1)`,
        [sessionId],
      );
      const used = rows[0]?.used ?? 0;
      if (used > maxBytes) throw new Problem("storage_quota_exceeded", { maxBytes });
    },
  };
}
