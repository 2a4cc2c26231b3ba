import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { explainFacts, explainServer, inspectServer } from "../database/explain-server.ts";
import { migrate, migrationState, MigrationMismatch } from "../database/migrate.ts";
import { createPostgresDatabase } from "../database/postgres.ts";
import { isRefused } from "../database/unavailable.ts";
import { explainFile } from "../problems/explain-file.ts";
import { Problem } from "../problems/problem.ts";
import { StartFault } from "../problems/start-fault.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Of the PostgreSQL that is built into this version, as it writes it into its directory. */
const embeddedMajor = "18";
const retryMs = 1_000;

/** The configured database, with its migrations applied. Raises StartFault when it cannot be used. */
export async function openDatabase(config: Config, logger: Logger): Promise<Database> {
  const { database: settings } = config;
  const { url } = settings;
  const database =
    url === null ? await openEmbedded(config, logger) : openServer(config, url, logger);
  try {
    if (url !== null) await waitForServer(database, url, settings, logger);
    if (settings.migrate) {
      const { applied } = await migrate(database, { log: logger });
      if (applied.length > 0) logger.info({ applied }, "migrations applied");
    } else {
      const { pending } = await migrationState(database);
      if (pending.length > 0) {
        throw new MigrationMismatch(
          `Migrations are missing: ${pending.join(", ")}. Run: chat-service migrate`,
        );
      }
    }
    return database;
  } catch (error) {
    await database.close();
    const why = url === null || error instanceof StartFault ? null : explainServer(error, url);
    throw why === null ? error : new StartFault(told(why), { cause: error });
  }
}

function openServer({ database: settings }: Config, url: string, log: Logger): Database {
  return createPostgresDatabase({
    url,
    maxConnections: settings.pool_size + settings.max_overflow,
    poolTimeoutMs: settings.pool_timeout_ms,
    connectTimeoutMs: settings.connect_timeout_ms,
    statementTimeoutMs: settings.statement_timeout_ms,
    pooler: settings.pooler,
    log,
  });
}

/** After a start of the whole machine the server may come later than this node; a wrong password does not mend itself. */
async function waitForServer(
  database: Database,
  url: string,
  settings: Config["database"],
  logger: Logger,
): Promise<void> {
  const deadline = performance.now() + settings.wait_seconds * 1000;
  for (let isFirst = true; ; isFirst = false) {
    try {
      const facts = await inspectServer(database);
      const needsTables = settings.migrate && (await migrationState(database)).pending.length > 0;
      const why = explainFacts(facts, needsTables);
      if (why !== null) throw new StartFault(told(why));
      if (!isFirst) logger.info({}, "PostgreSQL is there");
      return;
    } catch (error) {
      const isAway = error instanceof Problem && !isRefused(error);
      if (!isAway || performance.now() + retryMs > deadline) throw error;
      const why = explainServer(error, url);
      if (isFirst && why !== null) {
        logger.warn(
          { seconds: settings.wait_seconds },
          `${told(why).found}. ${why.remedy}; waiting for it`,
        );
      }
      await delay(retryMs);
    }
  }
}

async function openEmbedded({ service }: Config, logger: Logger): Promise<Database> {
  const { data_dir: dataDir } = service;
  try {
    const made = join(dataDir, "pgdata", "PG_VERSION");
    const major = existsSync(made) ? (await readFile(made, "utf8")).trim() : embeddedMajor;
    if (major !== embeddedMajor) {
      throw new StartFault(
        `${dataDir} holds a database of PostgreSQL ${major}, and this version has ${embeddedMajor}. Run the version of the service that made it, export its users (chat-service export), and choose another SERVICE_DATA_DIR for this one`,
      );
    }
    // Who has a server needs none of it.
    const { createEmbeddedDatabase } = await import("../database/embedded.ts");
    return await createEmbeddedDatabase({
      dataDir,
      log: logger,
      onLockLost() {
        logger.error({}, "another process has taken the data directory; stopping at once");
        process.exit(1);
      },
    });
  } catch (error) {
    if (error instanceof StartFault) throw error;
    throw new StartFault(
      explainFile(error, dataDir, "SERVICE_DATA_DIR") ?? {
        found: `the embedded database in ${dataDir} cannot be opened (${reason(error)})`,
        remedy: `It is probably damaged: restore a backup of it, or move ${join(dataDir, "pgdata")} away to begin anew; docs/operations.md has how`,
      },
      { cause: error },
    );
  }
}

/** PGlite's first sentence; what follows is advice for who builds it. */
function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : String(error);
}

function told<T extends { found: string }>(why: T): T {
  return { ...why, found: `PostgreSQL: ${why.found}` };
}
