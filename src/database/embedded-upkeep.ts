import type { Logger } from "../telemetry/logger.ts";
import type { Queryable } from "./database.ts";
import { hasUnavailableState } from "./unavailable.ts";

const everyMs = 30_000;

/**
 * Tables that have changed enough, by the rules that autovacuum has on a server: PostgreSQL in a single process has no
 * background workers, and without statistics its plans read a whole conversation where a page of it is wanted.
 */
const dueTables = `
  SELECT quote_ident(relname) AS "table", n_dead_tup > 50 + 0.2 * n_live_tup AS "isFull"
  FROM pg_stat_user_tables
  WHERE n_dead_tup > 50 + 0.2 * n_live_tup OR n_mod_since_analyze > 50 + 0.1 * n_live_tup`;

/** Does in the embedded database what autovacuum does on a server. Returns the end of it. */
export function startEmbeddedUpkeep(database: Queryable, log: Logger): () => void {
  const timer = setInterval(() => {
    keepUp(database).catch((error: unknown) => {
      const words = "the embedded database could not be tidied up; trying again later";
      // A disk that is full has its line.
      if (hasUnavailableState(error)) log.debug({ err: error }, words);
      else log.warn({ err: error }, words);
    });
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** One round. */
export async function keepUp(database: Queryable): Promise<void> {
  const { rows } = await database.query<{ table: string; isFull: boolean }>(dueTables);
  for (const { table, isFull } of rows) {
    await database.execute(isFull ? `VACUUM (ANALYZE) ${table}` : `ANALYZE ${table}`);
  }
}
