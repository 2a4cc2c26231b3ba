import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { PGlite, type Results } from "@electric-sql/pglite";
import type { Logger } from "../telemetry/logger.ts";
import type { Database, Queryable, QueryResult, Row } from "./database.ts";
import { inTransaction, TransactionFailed, type Together } from "./in-transaction.ts";
import { startEmbeddedUpkeep } from "./embedded-upkeep.ts";
import { createStore } from "./create-store.ts";
import { createPreparedStatements } from "./prepared-statements.ts";
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

/** The files below are in the memory of the operating system already; the 128 MB that come by themselves are held twice. */
const sharedBuffers = "32MB";

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
    if (dataDir !== null) await createStore(dataDir);
    // What threads take to compile its functions stays theirs, up to 30 MB each; one does it as well.
    setFlagsFromString("--wasm-num-compilation-tasks=1");
    const client = new PGlite({
      startParams: [...PGlite.defaultStartParams, "-c", `shared_buffers=${sharedBuffers}`],
      ...(dataDir === null ? { relaxedDurability: true } : { dataDir: join(dataDir, "pgdata") }),
    });
    await client.waitReady;
    log.debug({ dataDir }, "embedded database opened");
    const inTurns = createTurns();
    let closing: Promise<void> | undefined;
    const direct = queryable(client);
    /** What else is asked of the database waits until it is done. */
    const alone = <T>(work: () => Promise<T>): Promise<T> =>
      inTurns(async () => {
        if (closing !== undefined) throw storageUnavailable(new Error("it was closed"));
        return work();
      });
    const query: Queryable["query"] = (...statement) => alone(() => direct.query(...statement));
    const execute: Queryable["execute"] = (sql) => alone(() => direct.execute(sql));
    const stopUpkeep = startEmbeddedUpkeep({ query, execute }, log);
    return {
      kind: "embedded",
      query,
      execute,
      executeAlone: execute,
      transaction: (work) =>
        alone(async () => {
          try {
            return await inTransaction(direct, work, direct.together);
          } catch (failure) {
            if (!(failure instanceof TransactionFailed)) throw failure;
            if (!failure.isOver) await direct.query("ROLLBACK");
            throw failure.cause;
          }
        }),
      async ping() {
        await query("SELECT 1");
      },
      describe: () => ({ driver: "embedded PostgreSQL", persistent: dataDir !== null }),
      close() {
        stopUpkeep();
        closing ??= inTurns(() => client.close()).then(() => lock?.release());
        return closing;
      },
    };
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

function queryable(client: PGlite): Queryable & { readonly together: Together } {
  const prepared = createPreparedStatements(client);
  return {
    async query<R = Row>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
      const result = await prepared.query<R & object>(sql, params).catch(raiseTranslated);
      return resultOf(result);
    },
    async execute(sql) {
      await client.exec(sql).catch(raiseTranslated);
    },
    async together(statements) {
      const results = await prepared.together(statements).catch(raiseTranslated);
      return results.map((result) => resultOf<Row>(result as Results<Row>));
    },
  };
}

function resultOf<R>({ rows, affectedRows }: Results<R>): QueryResult<R> {
  return { rows, rowCount: rows.length || (affectedRows ?? 0) };
}

/** The same as a server's: a full disk, no memory. */
function raiseTranslated(error: unknown): never {
  throw hasUnavailableState(error) ? storageUnavailable(error) : error;
}
