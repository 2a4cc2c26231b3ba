import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import { sqlState, type Database } from "./database.ts";
import { tryWriting } from "./try-writing.ts";

/** Its disk is full, it only reads, or this login has lost a right: it answers questions all the same. */
const refusesWrites = /^(53100|25006|42501)$/;

const tryWritingMs = 5_000;

/**
 * The same database, with how long statements and transactions take in the metrics, and its outages in the log: as
 * something is asked of it every few seconds, they begin and end there by themselves. Once it has refused a write, only
 * one that it takes ends the outage; `ping` asks for one, and so does, now and then, whoever asks something else.
 */
export function observeDatabase(database: Database, metrics: Metrics, logger: Logger): Database {
  const outage = outageOf(logger, "database");
  let takesWrites = true;
  let nextTryMs = 0;
  /** Fails as long as the disk does; that is noted, and whoever needs to know asks for it. */
  const writeAgain = async () => {
    const askedMs = performance.now();
    nextTryMs = askedMs + tryWritingMs;
    try {
      await tryWriting(database);
    } catch (error) {
      outage.lost(whyOf(error), error, askedMs);
      throw error;
    }
    takesWrites = true;
    outage.back();
  };
  const answered = () => {
    if (takesWrites) outage.back();
    else if (performance.now() >= nextTryMs) void writeAgain().catch(() => undefined);
  };
  const failed = (error: unknown, askedMs: number) => {
    if (!(error instanceof Problem) || error.type !== "storage_unavailable") return;
    if (refusesWrites.test(sqlState(error.cause) ?? "")) takesWrites = false;
    outage.lost(whyOf(error), error, askedMs);
  };
  const timed = async <T>(kind: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const end = (outcome: "ok" | "error") =>
      metrics.databaseDuration.observe({ kind, outcome }, (performance.now() - startedMs) / 1_000);
    try {
      const result = await work();
      answered();
      end("ok");
      return result;
    } catch (error) {
      failed(error, startedMs);
      end("error");
      throw error;
    }
  };
  return {
    kind: database.kind,
    query: (sql, params) => timed("query", () => database.query(sql, params)),
    execute: (sql) => timed("execute", () => database.execute(sql)),
    executeAlone: (sql) => timed("execute", () => database.executeAlone(sql)),
    transaction: (work) => timed("transaction", () => database.transaction(work)),
    async ping() {
      const askedMs = performance.now();
      try {
        await database.ping();
      } catch (error) {
        failed(error, askedMs);
        throw error;
      }
      answered();
      if (!takesWrites) await writeAgain();
    },
    describe: () => database.describe(),
    close: () => database.close(),
  };
}
