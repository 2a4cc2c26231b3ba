import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { countWorkers } from "../../composition/workers/count-workers.ts";
import type { Config } from "../../config/settings.ts";
import { DataDirectoryInUse } from "../../database/data-directory-lock.ts";
import type { Database } from "../../database/database.ts";
import { createEmbeddedDatabase } from "../../database/embedded.ts";
import {
  explainFacts,
  explainServer,
  inspectServer,
  readableVersion,
} from "../../database/explain-server.ts";
import { migrationState, MigrationMismatch } from "../../database/migrate.ts";
import { tryWriting } from "../../database/try-writing.ts";
import { createPostgresDatabase } from "../../database/postgres.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { rootOf } from "../../lib/root-of.ts";
import type { Finding } from "./finding.ts";

const tolerableSkewMs = 2_000;
const badSkewMs = 30_000;

/** The database, its version, its migrations and its clock. Opens it, and changes nothing in it. */
export async function checkDatabase(config: Config): Promise<Finding[]> {
  return config.database.url === null ? checkEmbedded(config) : checkServer(config);
}

async function checkEmbedded(config: Config): Promise<Finding[]> {
  const dataDir = resolve(config.service.data_dir);
  const name = "database";
  if (!existsSync(join(dataDir, "pgdata", "PG_VERSION"))) {
    return [
      { name, status: "ok", found: `embedded, will be made in ${dataDir} by the first start` },
    ];
  }
  try {
    const database = await createEmbeddedDatabase({ dataDir, log: silentLogger });
    try {
      return [
        { name, status: "ok", found: `embedded, in ${dataDir}` },
        (await lookAtMigrations(database, config)).migrations,
      ];
    } finally {
      await database.close();
    }
  } catch (error) {
    if (error instanceof DataDirectoryInUse) {
      return [{ name, status: "ok", found: `embedded, in use: ${error.message.split(". ")[0]}` }];
    }
    return [
      {
        name,
        status: "fail",
        found: `embedded, cannot be opened: ${rootOf(error).message}`,
        remedy: `Restore a backup of ${dataDir}, or move it away to begin anew; see docs/operations.md`,
      },
    ];
  }
}

async function checkServer(config: Config): Promise<Finding[]> {
  const { database: settings } = config;
  const name = "database";
  const database = createPostgresDatabase({
    url: settings.url ?? "",
    maxConnections: 1,
    poolTimeoutMs: settings.connect_timeout_ms,
    connectTimeoutMs: settings.connect_timeout_ms,
    statementTimeoutMs: settings.statement_timeout_ms,
    pooler: settings.pooler,
    log: silentLogger,
  });
  try {
    const before = Date.now();
    const facts = await inspectServer(database);
    const after = Date.now();
    const { migrations, missing } = await lookAtMigrations(database, config);
    const fault = explainFacts(facts, missing > 0);
    // A disk that is full shows at nothing else.
    if (fault === null && missing === 0 && migrations.status === "ok") await tryWriting(database);
    return [
      fault === null
        ? { name, status: "ok", found: readableVersion(facts.version) }
        : { name, status: "fail", ...fault },
      ...checkEncoding(facts.encoding),
      checkConnections(facts.connections, config),
      checkClock(facts.now.getTime() - (before + after) / 2),
      migrations,
    ];
  } catch (error) {
    const fault = explainServer(error, settings.url ?? "");
    if (fault === null) throw error;
    return [{ name, status: "fail", ...fault }];
  } finally {
    await database.close();
  }
}

/** One that knows no characters keeps them all, but does not know what is a letter. */
export function checkEncoding(encoding: string): Finding[] {
  if (encoding !== "SQL_ASCII") return [];
  return [
    {
      name: "encoding",
      status: "warn",
      found:
        "SQL_ASCII: searching tells upper from lower case beyond English, and nothing is checked",
      remedy: "pg_dump it, createdb --encoding=UTF8 --template=template0, and restore it there",
    },
  ];
}

/** Several nodes and other programs share the server's connections; each worker of a node has its own. */
export function checkConnections(maximum: number, config: Config): Finding {
  const name = "connections";
  const { database, redis } = config;
  const workers = countWorkers(config);
  const each = database.pool_size + database.max_overflow;
  // One hears of the other nodes, where Redis does not tell.
  const wanted = workers * (each + (redis.url === null ? 1 : 0));
  const node = workers === 1 ? "a node" : `a node of ${workers} workers`;
  return wanted * 2 <= maximum
    ? { name, status: "ok", found: `at most ${wanted} of the ${maximum} it may have for ${node}` }
    : {
        name,
        status: "warn",
        found: `${node} may open ${wanted} of the ${maximum} connections that this login may have; two would not fit`,
        remedy:
          "Lower DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW" +
          (workers === 1 ? "" : " (they are each worker's) or SERVER_WORKERS") +
          ", raise max_connections (or the CONNECTION LIMIT of the role or database), or put PgBouncer between",
      };
}

/** Leases, tokens and retention compare times of several machines. */
export function checkClock(skewMs: number): Finding {
  const name = "clock";
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
  if (Math.abs(skewMs) <= tolerableSkewMs) {
    return { name, status: "ok", found: "agrees with the database's" };
  }
  return {
    name,
    status: Math.abs(skewMs) > badSkewMs ? "fail" : "warn",
    found: `${seconds} s ${skewMs > 0 ? "behind" : "ahead of"} the database's: tokens may be refused`,
    remedy: "timedatectl set-ntp true (on both machines)",
  };
}

async function lookAtMigrations(
  database: Database,
  config: Config,
): Promise<{ migrations: Finding; missing: number }> {
  const name = "migrations";
  try {
    const { current, pending } = await migrationState(database);
    const list = pending.join(", ");
    const migrations: Finding =
      pending.length === 0
        ? { name, status: "ok", found: `all applied (${current})` }
        : config.database.migrate
          ? { name, status: "ok", found: `the next start applies ${list}` }
          : {
              name,
              status: "fail",
              found: `missing: ${list}; the service will not start`,
              remedy: "chat-service migrate",
            };
    return { migrations, missing: pending.length };
  } catch (error) {
    if (!(error instanceof MigrationMismatch)) throw error;
    const remedy = "Run the version of the service that fits the database; see docs/operations.md";
    return { migrations: { name, status: "fail", found: error.message, remedy }, missing: 0 };
  }
}
