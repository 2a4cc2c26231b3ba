import { afterAll, beforeAll, expect, test } from "vitest";
import pino from "pino";
import type { Database } from "./database.ts";
import { createEmbeddedDatabase } from "./embedded.ts";

let database: Database;

beforeAll(async () => {
  database = await createEmbeddedDatabase({ dataDir: null, log: pino({ level: "silent" }) });
});
afterAll(() => database.close());

test.each<readonly [type: string, given: unknown, back?: unknown]>([
  ["text", "a 'b' \\ \"c\"\n\u{1f600}"],
  ["text", ""],
  ["text", null],
  ["text", undefined, null],
  ["integer", 0],
  ["bigint", 2 ** 40],
  ["double precision", 0.1],
  ["boolean", false],
  ["uuid", "019ab6a0-0000-7000-8000-000000000000"],
  ["timestamptz", new Date("2026-01-02T03:04:05.678Z")],
  ["bytea", Uint8Array.of(0, 1, 255)],
  ["jsonb", { a: [null, 1, "b"] }],
  ["json", [1, { b: "\u2028" }]],
  ["text[]", ["a", 'b,"c"', "", "{}"]],
  ["uuid[]", []],
  ["bigint[]", [1, 2]],
])(
  "a value of type %s comes back as it was given, each time",
  async (type, given, back = given) => {
    for (let time = 0; time < 7; time += 1) {
      const { rows } = await database.query(`SELECT $1::${type} AS value`, [given]);
      expect(rows).toEqual([{ value: back }]);
    }
  },
);

test("how many rows were changed is told, with and without RETURNING", async () => {
  await database.execute("CREATE TABLE counted (id int)");
  const insert = "INSERT INTO counted SELECT generate_series(1, $1::int)";
  expect(await database.query(insert, [3])).toEqual({ rows: [], rowCount: 3 });
  const change = "UPDATE counted SET id = id + $1";
  expect(await database.query(change, [1])).toEqual({ rows: [], rowCount: 3 });
  expect(await database.query(`${change} RETURNING id`, [1])).toMatchObject({ rowCount: 3 });
  expect(await database.query("DELETE FROM counted WHERE id > $1", [99])).toMatchObject({
    rowCount: 0,
  });
});

const faults: readonly (readonly [what: string, sql: string, params: readonly unknown[]])[] = [
  ["one that cannot be parsed", "SELEC $1", [1]],
  ["a table that is not there", "SELECT * FROM nowhere WHERE id = $1", [1]],
  ["a value of another type", "SELECT $1::int", ["x"]],
  ["a value that cannot be worked with", "SELECT 1 / $1::int", [0]],
];

test.each(faults)(
  "what is wrong is raised with its code, and what follows is right: %s",
  async (_, sql, params) => {
    for (let time = 0; time < 2; time += 1) {
      await expect(database.query(sql, params)).rejects.toMatchObject({
        code: expect.stringMatching(/^[0-9A-Z]{5}$/),
      });
      expect((await database.query("SELECT $1::int AS n", [time])).rows).toEqual([{ n: time }]);
    }
  },
);

test.each(faults)("a transaction with it leaves nothing behind: %s", async (_, sql, params) => {
  await database.execute("CREATE TABLE IF NOT EXISTS kept (id int); TRUNCATE kept");
  const failing = database.transaction(async (tx) => {
    await tx.query("INSERT INTO kept VALUES ($1)", [1]);
    await tx.query(sql, params);
  });
  await expect(failing).rejects.toMatchObject({ code: expect.any(String) });
  expect((await database.query("SELECT id FROM kept WHERE id > $1", [0])).rows).toEqual([]);
});

test("a table may change under a statement that was run before", async () => {
  await database.execute("CREATE TABLE changing (id int, name text)");
  await database.query("INSERT INTO changing VALUES ($1, $2)", [1, "a"]);
  const read = "SELECT id, name FROM changing WHERE id = $1";
  for (let time = 0; time < 7; time += 1) await database.query(read, [1]);
  await database.execute("ALTER TABLE changing ADD COLUMN more int; CREATE INDEX ON changing (id)");
  expect((await database.query(read, [1])).rows).toEqual([{ id: 1, name: "a" }]);
});
