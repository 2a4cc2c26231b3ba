import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { createEmbeddedDatabase } from "../database/embedded.ts";
import { migrate, migrationState, MigrationMismatch } from "../database/migrate.ts";
import { createPostgresDatabase } from "../database/postgres.ts";
import type { Logger } from "../telemetry/logger.ts";

/** The configured database, with its migrations applied. Raises what its driver or MigrationMismatch says. */
export async function openDatabase(config: Config, logger: Logger): Promise<Database> {
  const { database: settings, service } = config;
  const database =
    settings.url === null
      ? await createEmbeddedDatabase({
          dataDir: service.data_dir,
          log: logger,
          onLockLost() {
            logger.error({}, "another process has taken the data directory; stopping at once");
            process.exit(1);
          },
        })
      : createPostgresDatabase({
          url: settings.url,
          maxConnections: settings.pool_size + settings.max_overflow,
          poolTimeoutMs: settings.pool_timeout_ms,
          connectTimeoutMs: settings.connect_timeout_ms,
          statementTimeoutMs: settings.statement_timeout_ms,
          pooler: settings.pooler,
          log: logger,
        });
  try {
    if (settings.migrate) {
      const { applied } = await migrate(database);
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
    throw error;
  }
}
