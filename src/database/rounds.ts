import type { Queryable } from "./database.ts";

/**
 * Whether this node does the round of this name now: true for one node every `everyMs`, however many ask. A node that
 * dies in the middle of it leaves the rest to the next round.
 */
export async function claimRound(
  database: Queryable,
  name: string,
  everyMs: number,
): Promise<boolean> {
  const { rowCount } = await database.query(
    `INSERT INTO rounds (name, next_at) VALUES ($1, now() + $2 * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE rounds.next_at <= now()`,
    [name, everyMs],
  );
  return rowCount > 0;
}
