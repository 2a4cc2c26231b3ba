import sql, { type Sql } from "sql-template-tag";
import type { Queryable } from "./database.ts";

/**
 * A page of this many bytes has enough for any reader; what it is asked for may be a hundred times as much. Everybody else
 * waits while it is parsed and written: 15 ms a mebibyte.
 */
export const maxPageBytes = 1024 * 1024;

interface PageQuery {
  /** In its order, one row more than `limit`, each with its size as "bytes". */
  readonly rows: Sql;
  /** The same order. */
  readonly order: Sql;
  readonly limit: number;
  readonly maxBytes?: number;
}

interface Counted {
  readonly bytes: number;
  /** Of this row and those before it. */
  readonly total: number;
}

/**
 * At most `limit` rows, and only as many as fit into `maxBytes`, but the first one in any case. Of what does not fit the
 * database sends at most one row.
 */
export async function selectPage<R>(
  database: Queryable,
  { rows, order, limit, maxBytes = maxPageBytes }: PageQuery,
): Promise<{ rows: R[]; hasMore: boolean }> {
  // A row that is too long by itself counts as a full page: the one behind it is sent and tells that there is more.
  const size = sql`least("bytes", ${maxBytes}::bigint)`;
  const { text, values } = sql`
    SELECT * FROM (
      SELECT page.*, sum(${size}) OVER (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)::bigint AS "total"
      FROM (${rows}) AS page) AS counted
    WHERE "total" - ${size} <= ${maxBytes}
    ORDER BY ${order}`;
  const found = (await database.query<R & Counted>(text, values)).rows;
  const tooMuch = found.findIndex(({ total }) => total > maxBytes);
  const kept = found.slice(0, tooMuch === -1 ? limit : Math.min(limit, tooMuch));
  return {
    hasMore: kept.length < found.length,
    rows: kept.map(({ bytes: _bytes, total: _total, ...row }) => row as R),
  };
}

/** How long JSON columns are as text: what they need in the table, but where that is compressed. */
export function jsonBytes(columns: readonly string[]): string {
  return columns
    .map(
      (column) => `
    CASE WHEN pg_column_compression(${column}) IS NOT NULL THEN octet_length(${column}::text)
      ELSE coalesce(pg_column_size(${column}), 0) END`,
    )
    .join(" + ");
}
