import type { Database, Queryable } from "./database.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** The same database, with how long statements and transactions take in the metrics. */
export function observeDatabase(database: Database, metrics: Metrics): Database {
  const timed = async <T>(kind: string, work: () => Promise<T>): Promise<T> => {
    const end = metrics.databaseDuration.startTimer({ kind });
    try {
      const result = await work();
      end({ outcome: "ok" });
      return result;
    } catch (error) {
      end({ outcome: "error" });
      throw error;
    }
  };
  return {
    kind: database.kind,
    query: (sql, params) => timed("query", () => database.query(sql, params)),
    execute: (sql) => timed("execute", () => database.execute(sql)),
    transaction: <T>(work: (tx: Queryable) => Promise<T>) =>
      timed("transaction", () => database.transaction(work)),
    ping: () => database.ping(),
    describe: () => database.describe(),
    close: () => database.close(),
  };
}
