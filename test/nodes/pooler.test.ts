import { afterAll, describe, expect, test } from "vitest";
import { startPgBouncer } from "../support/pgbouncer.ts";
import { startPostgres } from "../support/postgres.ts";
import { startStage } from "../support/stage.ts";
import { createPostgresDatabase } from "../../src/database/postgres.ts";
import { migrate } from "../../src/database/migrate.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";

const postgres = await startPostgres({ own: true });
const pooler = postgres === null ? null : await startPgBouncer(postgres.port, 5);

afterAll(async () => {
  await pooler?.stop();
  await postgres?.stop();
});

const settings = {
  maxConnections: 30,
  poolTimeoutMs: 5_000,
  connectTimeoutMs: 3_000,
  statementTimeoutMs: 5_000,
  log: silentLogger,
};

describe.skipIf(pooler === null)("PgBouncer in transaction mode", () => {
  test("migrations and many statements at once go through a pool smaller than ours", async () => {
    if (postgres === null || pooler === null) return;
    const url = pooler.through(await postgres.freshDatabase());
    const database = createPostgresDatabase({ ...settings, url, pooler: "pgbouncer" });
    const again = createPostgresDatabase({ ...settings, url, pooler: "pgbouncer" });
    // Two nodes that start at once apply each migration once.
    const applied = await Promise.all([migrate(database), migrate(again)]);
    const names = applied.flatMap((each) => each.applied);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
    const results = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        database.query<{ sum: number }>("SELECT $1::int + $2::int AS sum", [index, 1]),
      ),
    );
    expect(results.map(({ rows }) => rows[0]?.sum)).toEqual(
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        database.transaction(async (tx) => {
          await tx.query(
            "INSERT INTO sessions (session_id, user_id, agent_id) VALUES (gen_random_uuid(), $1, 'a')",
            [`user${index}`],
          );
        }),
      ),
    );
    const { rows } = await database.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM sessions",
    );
    expect(rows[0]?.count).toBe(50);
    await Promise.all([database.close(), again.close()]);
  });

  test("nothing is left on shared connections", async () => {
    if (postgres === null || pooler === null) return;
    const url = pooler.through(await postgres.freshDatabase());
    const database = createPostgresDatabase({ ...settings, url, pooler: "pgbouncer" });
    await Promise.all(Array.from({ length: 100 }, () => database.query("SELECT $1::int", [1])));
    for (let look = 0; look < 20; look += 1) {
      const { rows } = await database.query<{ prepared: number; timeout: string }>(
        `SELECT (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
           current_setting('statement_timeout') AS timeout`,
      );
      expect(rows[0]).toEqual({ prepared: 0, timeout: "0" });
    }
    await database.close();
  });

  test("three nodes converse through it", async () => {
    const stage = await startStage({ poolerSize: 4 });
    if (stage === null) return;
    const sessions = await Promise.all(
      Array.from({ length: 12 }, (_, index) => stage.client(index % 3).session(`user${index}`)),
    );
    const streams = await Promise.all(
      [...sessions, ...sessions].map((sessionId, index) =>
        stage.client(index % 3).stream({ session_id: sessionId, message: "slow 10 10" }),
      ),
    );
    for (const stream of streams) {
      expect((await stream.all()).at(-1)?.type).toBe("conversation_complete");
    }
    const used = await stage.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    expect(used[0]?.count).toBeLessThanOrEqual(4);
    await stage.stop();
  });
});
