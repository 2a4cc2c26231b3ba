import type { Queryable } from "../database/database.ts";

/** How many sessions there are with a status and an agent: exact, and as dear as what has come and gone since a node has settled it. */
export async function countSessions(
  database: Queryable,
): Promise<{ status: string; agentId: string; sessions: number }[]> {
  const { rows } = await database.query<{ status: string; agentId: string; sessions: number }>(
    `SELECT status, agent_id AS "agentId", sum(sessions)::int AS sessions
     FROM session_counts GROUP BY status, agent_id HAVING sum(sessions) <> 0`,
  );
  return rows;
}

const settledAtOnce = 10_000;

/**
 * Makes one row of what has been noted for each status and agent; what others note or settle meanwhile is left to them, and
 * whoever counts sees the same before and after.
 */
export async function settleSessionCounts(database: Queryable): Promise<void> {
  // Not those that this makes itself.
  const { rows } = await database.query<{ last: string | null }>(
    "SELECT max(count_id)::text AS last FROM session_counts",
  );
  const last = rows[0]?.last ?? null;
  if (last === null) return;
  for (;;) {
    const settled = await database.query<{ rows: number }>(
      `WITH noted AS (
         DELETE FROM session_counts WHERE count_id = ANY (ARRAY(
           SELECT count_id FROM session_counts WHERE count_id <= $1
           ORDER BY count_id LIMIT ${settledAtOnce} FOR UPDATE SKIP LOCKED))
         RETURNING status, agent_id, sessions),
       settled AS (
         INSERT INTO session_counts (status, agent_id, sessions)
         SELECT status, agent_id, sum(sessions) FROM noted
         GROUP BY status, agent_id HAVING sum(sessions) <> 0)
       SELECT count(*)::int AS rows FROM noted`,
      [last],
    );
    if ((settled.rows[0]?.rows ?? 0) < settledAtOnce) return;
  }
}
