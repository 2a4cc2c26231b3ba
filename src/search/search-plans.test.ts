import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { createSearchStore, type SearchStore } from "./search-store.ts";
import { markOf, ownerPrefix } from "./terms.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

/** Messages of one who has many, of one who has few, and of so many others. */
const heavy = 6_000;
const few = 40;
const others = 300;
const ofEachOther = 40;
/** No step of a plan may read more rows than this, whoever looks for whatever: of 18,000. */
const mostRows = 700;

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
}

/** Custom plans know what is looked for; generic ones, which prepared statements get after a while, do not. */
describe.each(databases.kinds)("plans of searches on $kind", ({ open }) => {
  let database: Database;
  let store: SearchStore;
  const asked: { sql: string; params: readonly unknown[] }[] = [];
  const sessions = new Map<string, string>();

  /** Messages 1 to `count` of a user, in one session: all have "the", number 5 has "rare". */
  const fill = async (userId: string, count: number, number: number) => {
    const sessionId = `01a2033f-0000-7000-8000-${String(number).padStart(12, "0")}`;
    sessions.set(userId, sessionId);
    const prefix = ownerPrefix(userId);
    const terms = [
      "the",
      "quick",
      "数",
      "数据",
      markOf("session", sessionId),
      markOf("role", "user"),
    ];
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, $2, 'a')",
      [sessionId, userId],
    );
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, created_at)
       SELECT $1, gen_random_uuid(), n, 'user', 'complete', 'a', 'the quick 数据' || CASE n WHEN 5 THEN ' rare' ELSE '' END,
         '2026-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, $2::int) AS n`,
      [sessionId, count],
    );
    await database.query(
      `INSERT INTO message_search (session_id, seq, user_id, created_at, version, terms)
       SELECT session_id, seq, $2, created_at, 0, array_to_tsvector($3::text[] || ARRAY[
         $4 || CASE seq WHEN 5 THEN 'rare' ELSE 'number' || seq END, $4 || 'block' || seq / 400])
       FROM messages WHERE session_id = $1`,
      [sessionId, userId, terms.map((term) => prefix + term), prefix],
    );
  };

  beforeAll(async () => {
    database = await open();
    const watching: Database = {
      ...database,
      query: (sql, params = []) => {
        asked.push({ sql, params });
        return database.query(sql, params);
      },
    };
    store = createSearchStore(watching, () => Promise.resolve());
    await database.execute("ALTER TABLE messages DISABLE TRIGGER messages_new_for_search");
    await fill("heavy", heavy, 0);
    await fill("few", few, 1);
    for (let number = 2; number < others + 2; number += 1) {
      await fill(`other ${number}`, ofEachOther, number);
    }
    await database.execute("ANALYZE");
  });
  afterAll(() => database.close());

  const planOf = async ({ sql, params }: (typeof asked)[number], mode: string): Promise<Plan> => {
    const literal = (value: unknown): string =>
      Array.isArray(value) ? `'{${value.join(",")}}'` : `'${String(value).replaceAll("'", "''")}'`;
    return database.transaction(async (tx) => {
      await tx.execute(`SET LOCAL plan_cache_mode = force_${mode}_plan; PREPARE asked AS ${sql}`);
      const { rows } = await tx.query<{ "QUERY PLAN": [{ Plan: Plan }] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked (${params.map(literal).join(", ")})`,
      );
      await tx.execute("DEALLOCATE asked");
      const plan = rows[0]?.["QUERY PLAN"][0].Plan;
      if (plan === undefined) throw new Error("no plan");
      return plan;
    });
  };
  function* stepsOf(plan: Plan): Generator<Plan, void, void> {
    yield plan;
    for (const child of plan.Plans ?? []) yield* stepsOf(child);
  }

  const find = (userId: string, q: string) => store.find(q, { userId }, null, 20);
  const inSession = (userId: string, q: string) =>
    store.inSession(
      q,
      { userId, sessionId: sessions.get(userId) ?? "" },
      { from: 0, direction: "ASC" },
      20,
    );

  const queries = ["the", "数", "rare", '"the quick"', "the rare", "nowhere", "block3", "quick th"];
  test.each(
    ["heavy", "few"].flatMap((userId) =>
      queries.flatMap((q) => [
        { userId, q, where: "everywhere", ask: find },
        { userId, q, where: "in one session", ask: inSession },
      ]),
    ),
  )("$q of $userId, $where", async ({ userId, q, ask }) => {
    asked.length = 0;
    await ask(userId, q);
    expect(asked.length).toBeGreaterThan(0);
    for (const each of asked) {
      for (const mode of ["generic", "custom"]) {
        const steps = [...stepsOf(await planOf(each, mode))];
        expect(
          steps.filter(
            (step) =>
              (step["Node Type"] === "Seq Scan" && step["Relation Name"]?.startsWith("message")) ||
              step["Actual Loops"] *
                (step["Actual Rows"] +
                  (step["Rows Removed by Filter"] ?? 0) +
                  (step["Rows Removed by Index Recheck"] ?? 0)) >
                mostRows,
          ),
          `${mode}: ${each.sql}`,
        ).toEqual([]);
      }
    }
  });
});
