import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import { createMessageStore } from "../chat/message-store.ts";
import { countNotes } from "../search/search-index.ts";
import { createSearchStore } from "../search/search-store.ts";
import { boundedCount, countedAtMost } from "./bounded-count.ts";
import type { Database } from "./database.ts";
import { createOutbox } from "./outbox.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());
const many = 7_000;

describe.each(databases.kinds)("counts that end on $kind", ({ open }) => {
  let database: Database;
  beforeEach(async () => {
    database = await open();
  });
  afterEach(() => database.close());

  const fill = async (table: string, count: number, created = "now() - interval '90 seconds'") => {
    await database.query(
      `INSERT INTO ${table} (event_id, event_type, data, created_at, due_at)
       SELECT gen_random_uuid(), 'x', '{}', ${created}, ${created} FROM generate_series(1, $1::int)`,
      [count],
    );
  };
  const about = (count: number) => (figure: number) => Math.abs(figure - count) < count / 20;

  test.each(["outbox", "jobs"] as const)("of %s: exact of few", async (table) => {
    const outbox = createOutbox(table);
    expect(await outbox.count(database)).toMatchObject({ waiting: 0, dead: 0 });
    await fill(table, countedAtMost - 2);
    await fill(table, 1, "now() + interval '1 hour'");
    const { waiting, dead, oldestSeconds } = await outbox.count(database);
    expect([waiting, dead]).toEqual([countedAtMost - 2, 0]);
    expect(oldestSeconds).toBeGreaterThanOrEqual(90);
    await database.query(`UPDATE ${table} SET dead_at = now() WHERE created_at < now()`);
    expect(await outbox.count(database)).toEqual({
      waiting: 0,
      dead: countedAtMost - 2,
      oldestSeconds: 0,
    });
  });

  test.each(["outbox", "jobs"] as const)("of %s: about right of many", async (table) => {
    const outbox = createOutbox(table);
    await fill(table, many);
    // Nothing is known of them yet.
    expect((await outbox.count(database)).waiting).toBeGreaterThanOrEqual(countedAtMost);
    await database.execute(`ANALYZE ${table}`);
    expect((await outbox.count(database)).waiting).toSatisfy(about(many));
    await database.query(
      `UPDATE ${table} SET dead_at = now() WHERE event_id IN (SELECT event_id FROM ${table} LIMIT ${many - 2_000})`,
    );
    await database.execute(`VACUUM (ANALYZE) ${table}`);
    const { waiting, dead } = await outbox.count(database);
    expect(waiting).toSatisfy(about(2_000));
    expect(dead).toSatisfy(about(many - 2_000));
  });

  test("of what is to be done later: none of it waits", async () => {
    await fill("jobs", many, "now() + interval '1 hour'");
    await database.execute("ANALYZE jobs");
    expect(await createOutbox("jobs").count(database)).toMatchObject({ waiting: 0 });
  });

  test("of texts to be made searchable, and messages that wait", async () => {
    const messages = createMessageStore(
      database,
      createSearchStore(database, async () => {}),
    );
    expect(await countNotes(database)).toEqual({ waiting: 0, dead: 0 });
    expect(await messages.countQueued()).toEqual({ queued: 0, oldestSeconds: 0 });
    await database.execute(
      `INSERT INTO sessions (session_id, user_id, agent_id) SELECT md5(n::text)::uuid, 'ann', 'a' FROM generate_series(1, ${many}) AS n;
       INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, created_at)
       SELECT md5(n::text)::uuid, gen_random_uuid(), 1, 'user', 'queued', 'a', now() - interval '90 seconds' FROM generate_series(1, ${many}) AS n;
       INSERT INTO search_queue (user_id, session_id, seq, given_up_rule)
       SELECT 'ann', md5(n::text)::uuid, 1, CASE WHEN n > 5 THEN 1 END FROM generate_series(1, ${many}) AS n;
       ANALYZE messages, search_queue`,
    );
    const { waiting, dead } = await countNotes(database);
    expect(waiting).toBe(5);
    expect(dead).toSatisfy(about(many - 5));
    const { queued, oldestSeconds } = await messages.countQueued();
    expect(queued).toSatisfy(about(many));
    expect(oldestSeconds).toBeGreaterThanOrEqual(90);
  });

  test("of a table in parts: all of them", async () => {
    await database.execute(
      `CREATE TABLE parts (id int, waits boolean) PARTITION BY HASH (id);
       CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       CREATE INDEX parts_waiting ON parts (id) WHERE waits;
       INSERT INTO parts SELECT n, true FROM generate_series(1, ${many}) AS n;
       ANALYZE parts`,
    );
    const { rows } = await database.query<{ waiting: number }>(
      `WITH waiting AS (SELECT FROM parts WHERE waits ORDER BY id LIMIT ${countedAtMost})
       SELECT ${boundedCount("parts_waiting", "waiting")} AS waiting`,
    );
    expect(rows[0]?.waiting).toSatisfy(about(many));
  });
});
