import { openDatabase } from "../composition/open-database.ts";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { silentLogger } from "../telemetry/logger.ts";

/** The database of `config`, for a command that works on all of it: statements take as long as they take. */
export async function openStore(
  config: Config,
): Promise<AsyncDisposable & { readonly database: Database }> {
  const patient = { ...config, database: { ...config.database, statement_timeout_ms: 0 } };
  const database = await openDatabase(patient, silentLogger);
  return { database, [Symbol.asyncDispose]: () => database.close() };
}
