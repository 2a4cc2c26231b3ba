/** So many rows are counted one by one. */
export const countedAtMost = 1_000;

/**
 * SQL of how many rows a partial index holds, for people to look at, at the same cost however many there are. `rows` are the
 * first `countedAtMost` of them: where there are fewer, they are counted. Of more it is told how many there are by the
 * server's statistics, which autovacuum keeps up, and never less than was counted. `only`: of a part of them.
 */
export function boundedCount(index: string, rows: string, only = "true"): string {
  return `(
    SELECT CASE WHEN count(*) < ${countedAtMost} THEN count(*) FILTER (WHERE ${only})
      ELSE greatest(1, (
        -- Of an index of a table in parts, that of each part.
        SELECT sum(reltuples) FROM pg_class
        WHERE oid = to_regclass('${index}') OR oid IN (SELECT relid FROM pg_partition_tree(to_regclass('${index}')))
      ) / count(*)) * count(*) FILTER (WHERE ${only}) END::int
    FROM ${rows})`;
}
