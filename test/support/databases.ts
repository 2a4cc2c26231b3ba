import { rm } from "node:fs/promises";
import type { Database } from "../../src/database/database.ts";
import { createEmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrate.ts";
import { createPostgresDatabase } from "../../src/database/postgres.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { startPostgres } from "./postgres.ts";
import { createDataDir } from "./start-service.ts";

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
  const embedded = { kind: "embedded", open: openEmbedded };
  if (postgres === null) return { kinds: [embedded], stop: async () => {} };
  const server = {
    kind: "postgres",
    async open() {
      const database = createPostgresDatabase({
        url: await postgres.freshDatabase(),
        maxConnections: 30,
        poolTimeoutMs: 10_000,
        connectTimeoutMs: 10_000,
        statementTimeoutMs: 10_000,
        pooler: "none",
        log: silentLogger,
      });
      await migrate(database);
      return database;
    },
  };
  return { kinds: [embedded, server], stop: () => postgres.stop() };
}

/** An empty embedded database with all migrations: a copy, because making one takes seconds. The caller closes it. */
export async function openEmbedded(): Promise<Database> {
  const dataDir = await createDataDir();
  const database = await createEmbeddedDatabase({ dataDir, log: silentLogger });
  await migrate(database);
  return {
    ...database,
    async close() {
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
