import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Database, Queryable } from "./database.ts";

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

export interface MigrationState {
  /** Newest version in the database; 0 for an empty one. */
  readonly current: number;
  readonly pending: readonly string[];
}

/** The database does not fit this version of the service; the message says how. */
export class MigrationMismatch extends Error {
  override readonly name = "MigrationMismatch";
}

const directory = join(import.meta.dirname, "migrations");
/** Any number will do, as long as every node uses the same one. */
const advisoryLock = 4_812_001;

/**
 * Applies what is missing, each in a transaction of its own under a lock, so that nodes starting together do it once.
 * Raises MigrationMismatch when an applied file was changed, or when the database is newer than this service; what was
 * applied before a fault stays.
 */
export async function migrate(
  database: Database,
  from = directory,
): Promise<MigrationState & { applied: string[] }> {
  const migrations = await loadMigrations(from);
  const applied: string[] = [];
  for (;;) {
    const migration = await database.transaction((tx) => applyNext(tx, migrations));
    if (migration === null) break;
    applied.push(migration.name);
  }
  return { current: migrations.at(-1)?.version ?? 0, pending: [], applied };
}

/** Null when nothing is missing. */
async function applyNext(
  tx: Queryable,
  migrations: readonly Migration[],
): Promise<Migration | null> {
  // A large table, or a node that is at it, may take longer than any statement of a request.
  await tx.execute(
    `SET LOCAL statement_timeout = 0;
     SELECT pg_advisory_xact_lock(${advisoryLock});
     CREATE TABLE IF NOT EXISTS schema_migrations (
       version integer PRIMARY KEY,
       name text NOT NULL,
       checksum text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now()
     )`,
  );
  const { pending } = await compare(tx, migrations);
  const next = pending[0];
  if (next === undefined) return null;
  await tx.execute(next.sql);
  await tx.query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)", [
    next.version,
    next.name,
    next.checksum,
  ]);
  return next;
}

/** What would be applied; changes nothing. Raises MigrationMismatch as `migrate` does. */
export async function migrationState(database: Database): Promise<MigrationState> {
  const migrations = await loadMigrations(directory);
  const exists = await database.query("SELECT to_regclass('schema_migrations') AS found");
  if (exists.rows[0]?.["found"] === null) {
    return { current: 0, pending: migrations.map((migration) => migration.name) };
  }
  const { current, pending } = await compare(database, migrations);
  return { current, pending: pending.map((migration) => migration.name) };
}

async function compare(
  database: Queryable,
  migrations: readonly Migration[],
): Promise<{ current: number; pending: Migration[] }> {
  const applied = await database.query<{ version: number; name: string; checksum: string }>(
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
  );
  for (const row of applied.rows) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (known === undefined) {
      throw new MigrationMismatch(
        `The database has migration ${row.name}, which this version of the service does not know. ` +
          "Start the newer version, or restore a backup made before the upgrade.",
      );
    }
    if (known.checksum !== row.checksum) {
      throw new MigrationMismatch(
        `Migration ${row.name} was changed after it had been applied. Migrations are immutable: restore the file and add a new one.`,
      );
    }
  }
  const versions = new Set(applied.rows.map((row) => row.version));
  return {
    current: applied.rows.at(-1)?.version ?? 0,
    pending: migrations.filter((migration) => !versions.has(migration.version)),
  };
}

async function loadMigrations(from: string): Promise<Migration[]> {
  const files = (await readdir(from)).filter((file) => file.endsWith(".sql")).sort();
  return Promise.all(
    files.map(async (name) => {
      const sql = await readFile(join(from, name), "utf8");
      return {
        version: Number.parseInt(name, 10),
        name,
        sql,
        checksum: createHash("sha256").update(sql).digest("hex"),
      };
    }),
  );
}
