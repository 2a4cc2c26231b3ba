import sql, { raw, type Sql } from "sql-template-tag";
import type { Ranges } from "./ranges.ts";

/**
 * What stands behind FROM for the messages of a session that have these numbers. One range is what a conversation without
 * branches has, and what an index does best; of several each is looked up by itself, whatever the planner thinks of them.
 */
export function rowsOf(sessionId: string, ranges: Ranges, columns: string): Sql {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) {
    return sql`(
      SELECT ${raw(columns)} FROM messages
      WHERE session_id = ${sessionId} AND seq BETWEEN ${only.first} AND ${only.last}) AS m`;
  }
  const firsts = ranges.map(({ first }) => first);
  const lasts = ranges.map(({ last }) => last);
  return sql`
    unnest(${firsts}::int[], ${lasts}::int[]) AS part (first, last)
    CROSS JOIN LATERAL (
      SELECT ${raw(columns)} FROM messages
      WHERE session_id = ${sessionId} AND seq BETWEEN part.first AND part.last OFFSET 0) AS m`;
}
