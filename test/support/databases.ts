import type { Database } from "../../src/database/database.ts";
import { createEmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrate.ts";
import { createPostgresDatabase } from "../../src/database/postgres.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { startPostgres } from "./postgres.ts";

export interface TestDatabases {
  /** Each kind of database that this machine has; `open` makes an empty one with all migrations, the caller closes it. */
  readonly kinds: readonly { readonly kind: string; readonly open: () => Promise<Database> }[];
  stop(): Promise<void>;
}

/**
 * For tests of SQL, and of what happens between transactions that really run at the same time.
 *
 *     const databases = await startDatabases();
 *     afterAll(() => databases.stop());
 *     describe.each(databases.kinds)("on $kind", ({ open }) => { … });
 */
export async function startDatabases(): Promise<TestDatabases> {
  const postgres = await startPostgres();
  const migrated = async (database: Database) => {
    await migrate(database);
    return database;
  };
  const embedded = {
    kind: "embedded",
    open: async () => migrated(await createEmbeddedDatabase({ dataDir: null, log: silentLogger })),
  };
  if (postgres === null) return { kinds: [embedded], stop: async () => {} };
  const server = {
    kind: "postgres",
    open: async () =>
      migrated(
        createPostgresDatabase({
          url: await postgres.freshDatabase(),
          maxConnections: 30,
          poolTimeoutMs: 10_000,
          connectTimeoutMs: 10_000,
          statementTimeoutMs: 10_000,
          pooler: "none",
          log: silentLogger,
        }),
      ),
  };
  return { kinds: [embedded, server], stop: () => postgres.stop() };
}
