import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StartFault } from "../problems/start-fault.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { sqlState, type Database, type Queryable } from "./database.ts";

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** What it builds beside those who write, and on what: then that is all of it. */
  readonly index: { readonly name: string; readonly table: string } | null;
  /**
   * Whether it is one statement that is run again and again: `$1` is where it has come to (null at first), and it returns
   * a `position` to go on from, or no row when nothing is left.
   */
  readonly isInBatches: boolean;
}

export interface MigrationState {
  /** Newest version in the database; 0 for an empty one. */
  readonly current: number;
  readonly pending: readonly string[];
}

/** The database does not fit this version of the service; the message says how. */
export class MigrationMismatch extends StartFault {
  override readonly name = "MigrationMismatch";
}

const directory = join(import.meta.dirname, "migrations");
/** Any number will do, as long as every node uses the same one. */
const advisoryLock = 4_812_001;

/**
 * So long a migration may stand in the queue of a table: whoever comes behind it waits as well. It may have other tables
 * by then, which those wait for that it waits for: it gives up before the server (`deadlock_timeout`, 1 s) ends one of
 * them.
 */
const lockTimeoutMs = 400;
/** Then everybody else gets as long a turn. */
const lockPauseMs = 2_000;
/** So often is looked whether another node has built an index. */
const buildPauseMs = 200;
/** `lock_not_available`, `deadlock_detected`. */
const tableIsInUse: ReadonlySet<string | undefined> = new Set(["55P03", "40P01"]);

interface MigrateOptions {
  readonly log?: Logger;
  /** A folder of other migrations. */
  readonly from?: string;
}

/**
 * Applies what is missing, each in a transaction of its own under a lock, so that nodes starting together do it once; of a
 * table that may be large, a batch in each, and its indexes outside of any.
 * Takes as long as it takes, and lets the nodes that serve meanwhile go on: a table that is in use is asked for again
 * and again, never queued for. Raises MigrationMismatch when an applied file was changed, or when the database is newer
 * than this service; what was applied before a fault stays.
 */
export async function migrate(
  database: Database,
  { log = silentLogger, from = directory }: MigrateOptions = {},
): Promise<MigrationState & { applied: string[] }> {
  const migrations = await loadMigrations(from);
  const applied: string[] = [];
  const told = new Set<string>();
  const tell = (message: string, fields = {}) => {
    if (!told.has(message)) log.info(fields, message);
    told.add(message);
  };
  // Where nothing is there yet, nothing takes long.
  const isNew = (await migrationState(database, from)).current === 0;
  const applying = isNew ? () => {} : tell;
  // A login that may not make tables can still run what others have migrated.
  while ((await migrationState(database, from)).pending.length > 0) {
    try {
      const startedMs = performance.now();
      const { migration, state } = await database.transaction((tx) =>
        applyNext(tx, migrations, tell, applying),
      );
      if (migration === null) continue;
      if (state === "applied") applied.push(migration.name);
      if (state === "to be built") await build(database, migration, tell);
      // Half of the time is everybody else's.
      if (state === "begun") await delay(performance.now() - startedMs);
    } catch (error) {
      if (!tableIsInUse.has(sqlState(error))) throw error;
      tell("a migration waits for a table that others are using; the service goes on meanwhile");
      await delay(lockPauseMs);
    }
  }
  return { current: migrations.at(-1)?.version ?? 0, pending: [], applied };
}

type Tell = (message: string, fields?: object) => void;

/** How far the next one has come; null when nothing is missing. */
type Step =
  | { readonly migration: null; readonly state?: undefined }
  | { readonly migration: Migration; readonly state: "applied" | "begun" | "to be built" };

async function applyNext(
  tx: Queryable,
  migrations: readonly Migration[],
  tell: Tell,
  applying: Tell,
): Promise<Step> {
  // A large table, or a node that is at it, may take longer than any statement of a request.
  await tx.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
  const { rows } = await tx.query<{ mine: boolean }>(
    "SELECT pg_try_advisory_xact_lock($1) AS mine",
    [advisoryLock],
  );
  if (rows[0]?.mine !== true) {
    tell("waiting for another node, which is migrating the database");
    await tx.execute(`SELECT pg_advisory_xact_lock(${advisoryLock})`);
  }
  await tx.execute(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       version integer PRIMARY KEY,
       name text NOT NULL,
       checksum text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now()
     )`,
  );
  const { pending } = await compare(tx, migrations);
  const next = pending[0];
  if (next === undefined) return { migration: null };
  applying(`applying migration ${next.name}`, { left: pending.length - 1 });
  await tx.execute(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  if (next.index !== null) {
    if (!(await isBuilt(tx, next.index))) return { migration: next, state: "to be built" };
  } else if (next.isInBatches) {
    if (!(await applyBatch(tx, next))) return { migration: next, state: "begun" };
  } else {
    await tx.execute(next.sql);
  }
  await tx.query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)", [
    next.version,
    next.name,
    next.checksum,
  ]);
  return { migration: next, state: "applied" };
}

/** True when nothing was left. How far it has come is committed with it. */
async function applyBatch(tx: Queryable, { version, sql }: Migration): Promise<boolean> {
  await tx.execute(
    "CREATE TABLE IF NOT EXISTS migration_progress (version integer PRIMARY KEY, position text NOT NULL)",
  );
  const before = await tx.query<{ position: string }>(
    "SELECT position FROM migration_progress WHERE version = $1",
    [version],
  );
  const { rows } = await tx.query<{ position: string }>(sql, [before.rows[0]?.position ?? null]);
  const position = rows[0]?.position;
  if (position === undefined) {
    await tx.execute("DROP TABLE migration_progress");
    return true;
  }
  await tx.query(
    `INSERT INTO migration_progress (version, position) VALUES ($1, $2)
     ON CONFLICT (version) DO UPDATE SET position = excluded.position`,
    [version, position],
  );
  return false;
}

/** What a node has left that died while it built goes. */
async function isBuilt(tx: Queryable, { name, table }: { name: string; table: string }) {
  const building = await isBeingBuilt(tx, table);
  const { rows } = await tx.query<{ whole: boolean }>(
    "SELECT indisvalid AS whole FROM pg_index WHERE indexrelid = to_regclass($1)",
    [name],
  );
  const [found] = rows;
  if (found?.whole === true) return true;
  if (found !== undefined && !building) await tx.execute(`DROP INDEX "${name}"`);
  return false;
}

/** Holds nothing that others wait for: they only look. Two who begin at once, of whom one is ended, try again. */
async function build(database: Database, { index, sql }: Migration, tell: Tell): Promise<void> {
  if (index !== null && (await isBeingBuilt(database, index.table))) {
    tell("waiting for another node, which builds an index");
    await delay(buildPauseMs);
  } else {
    await database.executeAlone(sql);
  }
}

async function isBeingBuilt(database: Queryable, table: string): Promise<boolean> {
  const { rowCount } = await database.query(
    "SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = to_regclass($1)",
    [table],
  );
  return rowCount > 0;
}

/** What would be applied; changes nothing. Raises MigrationMismatch as `migrate` does. */
export async function migrationState(
  database: Database,
  from = directory,
  /** A node that runs already goes on when a newer version has migrated: for it nothing was taken away. */
  mayBeNewer = false,
): Promise<MigrationState> {
  const migrations = await loadMigrations(from);
  const exists = await database.query("SELECT to_regclass('schema_migrations') AS found");
  if (exists.rows[0]?.["found"] === null) {
    return { current: 0, pending: migrations.map((migration) => migration.name) };
  }
  const { current, pending } = await compare(database, migrations, mayBeNewer);
  return { current, pending: pending.map((migration) => migration.name) };
}

async function compare(
  database: Queryable,
  migrations: readonly Migration[],
  mayBeNewer = false,
): Promise<{ current: number; pending: Migration[] }> {
  const applied = await database.query<{ version: number; name: string; checksum: string }>(
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
  );
  for (const row of applied.rows) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (known === undefined) {
      if (mayBeNewer) continue;
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
  const numbers = files.map((name) => Number.parseInt(name, 10));
  const twice = files.find((_name, index) => numbers[index] === numbers[index + 1]);
  // The second would pass for applied wherever the first one is.
  if (twice !== undefined) throw new Error(`two migrations have the number of ${twice}`);
  return Promise.all(
    files.map(async (name) => {
      // Checked out on Windows, a file has other line ends and is the same migration.
      const sql = (await readFile(join(from, name), "utf8")).replaceAll("\r\n", "\n");
      return {
        version: Number.parseInt(name, 10),
        name,
        sql,
        checksum: createHash("sha256").update(sql).digest("hex"),
        index: builtBy(sql),
        isInBatches: sql.startsWith("-- In batches"),
      };
    }),
  );
}

function builtBy(sql: string): Migration["index"] {
  const built = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+) ON (\w+)/m.exec(sql);
  const [, name, table] = built ?? [];
  return name === undefined || table === undefined ? null : { name, table };
}
