import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../../config/settings.ts";
import { DataDirectoryInUse } from "../../database/data-directory-lock.ts";
import type { Database } from "../../database/database.ts";
import { createEmbeddedDatabase } from "../../database/embedded.ts";
import { migrationState, MigrationMismatch } from "../../database/migrate.ts";
import { createPostgresDatabase } from "../../database/postgres.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { rootOf, type Finding } from "./finding.ts";

const oldestPostgres = 140_000;
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
        await checkMigrations(database, config),
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
    const { rows } = await database.query<{ version: number; connections: number; now: Date }>(
      `SELECT current_setting('server_version_num')::int AS version,
         current_setting('max_connections')::int AS connections, clock_timestamp() AS now`,
    );
    const after = Date.now();
    const [row] = rows;
    if (row === undefined) throw new Error("the server answers with nothing");
    return [
      checkVersion(row.version),
      checkConnections(row.connections, settings),
      checkClock(row.now.getTime() - (before + after) / 2),
      await checkMigrations(database, config),
    ];
  } catch (error) {
    return [{ name, status: "fail", ...explainConnection(error, settings.url ?? "") }];
  } finally {
    await database.close();
  }
}

function checkVersion(version: number): Finding {
  const readable = `PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}`;
  return version >= oldestPostgres
    ? { name: "database", status: "ok", found: readable }
    : {
        name: "database",
        status: "fail",
        found: `${readable} is too old`,
        remedy: "Upgrade the server to PostgreSQL 14 or newer",
      };
}

/** Several nodes and other programs share the server's connections. */
export function checkConnections(
  maximum: number,
  { pool_size: poolSize, max_overflow: overflow }: Config["database"],
): Finding {
  const name = "connections";
  const wanted = poolSize + overflow;
  return wanted * 2 <= maximum
    ? { name, status: "ok", found: `at most ${wanted} of the server's ${maximum} a node` }
    : {
        name,
        status: "warn",
        found: `a node may open ${wanted} of the server's ${maximum} connections; two nodes would not fit`,
        remedy:
          "Lower DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW, raise max_connections, or put PgBouncer between",
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

export async function checkMigrations(database: Database, config: Config): Promise<Finding> {
  const name = "migrations";
  try {
    const { current, pending } = await migrationState(database);
    if (pending.length === 0) return { name, status: "ok", found: `all applied (${current})` };
    const list = pending.join(", ");
    return config.database.migrate
      ? { name, status: "ok", found: `the next start applies ${list}` }
      : {
          name,
          status: "fail",
          found: `missing: ${list}; the service will not start`,
          remedy: "chat-service migrate",
        };
  } catch (error) {
    if (!(error instanceof MigrationMismatch)) throw error;
    return {
      name,
      status: "fail",
      found: error.message,
      remedy: "Run the version of the service that fits the database; see docs/operations.md",
    };
  }
}

function explainConnection(error: unknown, url: string): { found: string; remedy: string } {
  const { code, message } = rootOf(error);
  const { hostname, port, pathname, username } = new URL(url);
  const where = `${hostname}:${port || 5432}`;
  const databaseName = decodeURIComponent(pathname.slice(1));
  const remedies: Record<string, [string, string]> = {
    ECONNREFUSED: [`nobody listens at ${where}`, "Start PostgreSQL there, or correct DATABASE_URL"],
    ENOTFOUND: [`there is no host ${hostname}`, "Correct the host in DATABASE_URL"],
    EAI_AGAIN: [`the name ${hostname} cannot be looked up`, "Check the machine's DNS"],
    "28P01": [`the password of ${username} is wrong`, "Correct it in DATABASE_URL"],
    "28000": [
      `${username} may not log in from here`,
      "Correct the user in DATABASE_URL, or allow it in pg_hba.conf",
    ],
    "3D000": [
      `there is no database ${databaseName}`,
      `createdb -h ${hostname} -p ${port || 5432} -U ${username || "postgres"} ${databaseName}`,
    ],
    "53300": ["the server is out of connections", "Raise max_connections, or end other clients"],
    "57P03": ["the server is starting", "Wait a moment and try again"],
  };
  const [found, remedy] = remedies[code] ?? [
    `cannot be reached: ${message}`,
    `Check that ${where} can be reached from here, and DATABASE_CONNECT_TIMEOUT_MS`,
  ];
  return { found, remedy };
}
