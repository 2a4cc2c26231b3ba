import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { createEmbeddedDatabase } from "./embedded.ts";
import { keepUp } from "./embedded-upkeep.ts";

test("tables that have changed much get statistics, and lose their dead rows", async () => {
  const database = await createEmbeddedDatabase({ dataDir: null, log: silentLogger });
  const state = async () =>
    (
      await database.query<{ dead: number; rows: number }>(
        `SELECT n_dead_tup::int AS dead, c.reltuples::int AS rows
         FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid WHERE t.relname = 'notes'`,
      )
    ).rows[0];
  await database.execute("CREATE TABLE notes AS SELECT generate_series(1, 1000) AS number");
  await database.execute("UPDATE notes SET number = number + 1 WHERE number <= 600");
  // The server counts what has changed about once a second.
  await expect.poll(state, { timeout: 10_000 }).toMatchObject({ dead: 600 });
  await keepUp(database);
  await expect.poll(state, { timeout: 10_000 }).toMatchObject({ dead: 0, rows: 1000 });
  await database.close();
});
