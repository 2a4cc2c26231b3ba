import { join } from "node:path";
import { PGlite, type Transaction } from "@electric-sql/pglite";
import type { Logger } from "../telemetry/logger.ts";
import type { Database, Queryable, QueryResult, Row } from "./database.ts";
import { startEmbeddedUpkeep } from "./embedded-upkeep.ts";
import { createPreparedStatements, type PreparedStatements } from "./prepared-statements.ts";
import { createTurns } from "../lib/in-turns.ts";
import { hasUnavailableState, storageUnavailable } from "./unavailable.ts";
import { lockDataDirectory } from "./data-directory-lock.ts";

interface EmbeddedOptions {
  /** Parent of the database's own folder; null keeps everything in memory, for tests. */
  readonly dataDir: string | null;
  readonly log: Logger;
  /** Called when another process took the directory over; nothing may be written any more. */
  readonly onLockLost?: () => void;
}

/**
 * PostgreSQL inside this process (PGlite), in this very thread. One connection: statements and transactions queue up
 * behind each other, and leave turns to everything else.
 * Survives a killed process; against power loss use a PostgreSQL server, because this one runs without fsync.
 * Raises `DataDirectoryInUse` when another process owns the directory.
 */
export async function createEmbeddedDatabase(options: EmbeddedOptions): Promise<Database> {
  const { dataDir, log } = options;
  const lock =
    dataDir === null
      ? null
      : await lockDataDirectory(dataDir, { onLost: options.onLockLost ?? (() => {}), log });
  try {
    const client = new PGlite(
      dataDir === null ? { relaxedDurability: true } : { dataDir: join(dataDir, "pgdata") },
    );
    await client.waitReady;
    log.debug({ dataDir }, "embedded database opened");
    const inTurns = createTurns();
    const stopUpkeep = startEmbeddedUpkeep(client, log);
    const statements = createPreparedStatements(client);
    const whole = queryable(client, statements);
    let closing: Promise<void> | undefined;
    return {
      kind: "embedded",
      query: (sql, params) => inTurns(() => whole.query(sql, params)),
      execute: (sql) => inTurns(() => whole.execute(sql)),
      transaction: (work) =>
        inTurns(() =>
          client.transaction((tx) => work(queryable(tx, statements))).catch(raiseTranslated),
        ),
      async ping() {
        await client.query("SELECT 1").catch(raiseTranslated);
      },
      describe: () => ({ driver: "embedded PostgreSQL", persistent: dataDir !== null }),
      close() {
        stopUpkeep();
        closing ??= client.close().then(() => lock?.release());
        return closing;
      },
    };
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

function queryable(client: PGlite | Transaction, statements: PreparedStatements): Queryable {
  return {
    async query<R = Row>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
      const result = await (
        params.length === 0 ? client.query<R>(sql) : statements.query<R & object>(sql, params)
      ).catch(raiseTranslated);
      return { rows: result.rows, rowCount: result.rows.length || (result.affectedRows ?? 0) };
    },
    async execute(sql) {
      await client.exec(sql).catch(raiseTranslated);
    },
  };
}

/** The same as a server's: a full disk, no memory; and a service that is just stopping. */
function raiseTranslated(error: unknown): never {
  const isClosed = error instanceof Error && /^PGlite is clos(ed|ing)/.test(error.message);
  throw isClosed || hasUnavailableState(error) ? storageUnavailable(error) : error;
}
