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

test("a row of a node that knows of no conversations is of its message's all the same", async () => {
  const database = await openEmbedded();
  onTestFinished(() => database.close());
  const [session, message] = [crypto.randomUUID(), crypto.randomUUID()];
  await database.execute(`
    INSERT INTO sessions (session_id, user_id, agent_id) VALUES ('${session}', 'ann', 'a');
    INSERT INTO messages (session_id, message_id, seq, role, status, agent_id)
      VALUES ('${session}', '${message}', 1, 'assistant', 'complete', 'a');
    INSERT INTO usage (message_id, model, user_id, agent_id, input_tokens, output_tokens, cached_tokens, reasoning_tokens)
      SELECT id, 'm', 'ann', 'a', 3, 4, 0, 0 FROM unnest(ARRAY['${message}', gen_random_uuid()]::uuid[]) AS id;`);
  const sums = await createUsageStore(database).sums({ userId: "ann", sessionId: session }, "day");
  expect(sums.at(-1)).toMatchObject({ replies: 1, inputTokens: 3 });
});
