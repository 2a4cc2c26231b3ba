import { expect, test, onTestFinished } from "vitest";
import { openEmbedded } from "../../test/support/databases.ts";
import { createUsageStore } from "./usage-store.ts";

test("totals and warnings go when their month is over, and not before", async () => {
  const database = await openEmbedded();
  onTestFinished(() => database.close());
  await database.execute(`
    CREATE TEMP VIEW months AS SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date AS this;
    INSERT INTO usage_totals (scope, name, day, tokens, cost)
      SELECT 'user', 'ann', day, 1, 0 FROM months, unnest(ARRAY[this - 40, this - 1, this, this + 1]) AS day;
    INSERT INTO budget_warnings (budget, name, day)
      SELECT 'user month tokens 1', 'user:ann', day FROM months, unnest(ARRAY[this - 1, this]) AS day;`);
  await createUsageStore(database).purge();
  for (const [table, left] of [
    ["usage_totals", 2],
    ["budget_warnings", 1],
  ] as const) {
    const { rows } = await database.query(
      `SELECT count(*)::int AS count, min(day) = (SELECT this FROM months) AS "isThis" FROM ${table}`,
    );
    expect(rows, table).toEqual([{ count: left, isThis: true }]);
  }
});
