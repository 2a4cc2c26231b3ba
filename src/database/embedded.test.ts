import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createDataDir } from "../../test/support/start-service.ts";
import type { Database, Queryable } from "./database.ts";
import { createEmbeddedDatabase } from "./embedded.ts";

let database: Database;
beforeAll(async () => {
  database = await createEmbeddedDatabase({ dataDir: null, log: silentLogger });
});
afterAll(() => database.close());

const raise = (state: string) => `DO $$ BEGIN RAISE 'no' USING ERRCODE = '${state}'; END $$`;
const ways: readonly [string, (sql: string) => Promise<unknown>][] = [
  ["a query", (sql) => database.query(sql)],
  ["statements", (sql) => database.execute(sql)],
  ["a transaction", (sql) => database.transaction((tx) => tx.query(sql))],
];

test.each(ways)("%s that meets a full disk can be tried again later", async (_, run) => {
  for (const state of ["53100", "53200", "57014"]) {
    await expect(run(raise(state))).rejects.toMatchObject({
      type: "storage_unavailable",
      cause: { code: state },
    });
  }
  await run("SELECT 1");
});

test.each(ways)("%s that is wrong keeps its state", async (_, run) => {
  await expect(run("SELECT 1/0")).rejects.toMatchObject({ code: "22012" });
  await expect(run(raise("23505"))).rejects.toMatchObject({ code: "23505" });
});

test("what a transaction's work raises comes out as it is, and nothing stays of it", async () => {
  await database.execute("CREATE TABLE kept (id int)");
  const refusal = new Problem("overloaded", {}, { retryAfterSeconds: 1 });
  const failing = database.transaction(async (tx: Queryable) => {
    await tx.query("INSERT INTO kept VALUES (1)");
    throw refusal;
  });
  await expect(failing).rejects.toBe(refusal);
  expect((await database.query("SELECT id FROM kept")).rowCount).toBe(0);
});

test("what is under way when the database is closed comes to its end, and nothing after it begins", async () => {
  const dataDir = await createDataDir();
  const closing = await createEmbeddedDatabase({ dataDir, log: silentLogger });
  await closing.execute("CREATE TABLE kept (id int)");
  const add = (id: number) => closing.query("INSERT INTO kept VALUES ($1)", [id]);
  const begun = Promise.withResolvers<void>();
  const first = closing.transaction(async (tx) => {
    await tx.query("INSERT INTO kept VALUES ($1)", [1]);
    begun.resolve();
    await new Promise(setImmediate);
    await tx.query("INSERT INTO kept VALUES ($1)", [2]);
  });
  const second = expect(add(3)).rejects.toMatchObject({ type: "storage_unavailable" });
  await begun.promise;
  await closing.close();
  await Promise.all([first, second]);
  const again = await createEmbeddedDatabase({ dataDir, log: silentLogger });
  expect((await again.query("SELECT id FROM kept ORDER BY id")).rows).toEqual([
    { id: 1 },
    { id: 2 },
  ]);
  await again.close();
  await rm(dataDir, { recursive: true });
});

test("what is asked of a database that was closed is unavailable", async () => {
  await database.close();
  const others: typeof ways = [
    ["a query with a value", () => database.query("SELECT $1::int", [1])],
    ["a probe", () => database.ping()],
  ];
  for (const [name, run] of [...ways, ...others]) {
    await expect(run("SELECT 1"), name).rejects.toMatchObject({ type: "storage_unavailable" });
  }
});
