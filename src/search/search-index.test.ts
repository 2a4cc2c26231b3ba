import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openEmbedded } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { beginAnew, countNotes, createSearchIndex, takeUpAgain } from "./search-index.ts";
import { searchRule, termsOf } from "./terms.ts";

let database: Database;
beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query("DELETE FROM sessions");
  await database.query("DELETE FROM search_backfill");
});

const lines: { level: string; message: string; fields: object }[] = [];
const keep = (level: string) => (fields: object, message: string) =>
  void lines.push({ level, message, fields });
const logger: Logger = {
  ...silentLogger,
  info: keep("info"),
  warn: keep("warn"),
  error: keep("error"),
};
beforeEach(() => void lines.splice(0));

const cannot = async (text: string) => {
  if (text.includes("poison")) throw new Error("cannot be read");
  return termsOf(text);
};

async function write(...texts: string[]): Promise<string> {
  const sessionId = newId();
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [sessionId],
  );
  for (const [at, text] of texts.entries()) {
    await database.query(
      `INSERT INTO messages (message_id, session_id, seq, role, content, status, agent_id)
       VALUES ($1, $2, $3, 'user', $4, 'complete', 'a')`,
      [newId(), sessionId, at + 1, text],
    );
  }
  return sessionId;
}

/** Rounds until there is nothing due any more; each time what was put off is due again. */
async function rounds(times: number, options: { makeTerms?: typeof termsOf; rule?: number }) {
  for (let round = 0; round < times; round += 1) {
    await database.query("UPDATE search_queue SET due_at = now() WHERE due_at < 'infinity'");
    const index = createSearchIndex({ database, logger, pollMs: 1, ringMs: 1, ...options });
    index.start();
    await expect
      .poll(async () => {
        const { rows } = await database.query<{ due: number }>(
          "SELECT count(*)::int AS due FROM search_queue WHERE due_at <= now()",
        );
        return rows[0]?.due;
      })
      .toBe(0);
    await index.stop();
  }
}

const entries = async () => (await database.query("SELECT 1 FROM message_search")).rowCount;

test("a text that cannot be made searchable is given up in one line, and keeps no others from being found", async () => {
  const sessionId = await write("one", "poison", "two");
  await rounds(6, { makeTerms: cannot });
  expect(await entries()).toBe(2);
  expect(await countNotes(database)).toEqual({ waiting: 0, dead: 1 });
  expect(lines).toEqual([
    {
      level: "error",
      message: "a text that cannot be made searchable is given up",
      fields: { err: new Error("cannot be read"), sessionId, seq: 2 },
    },
  ]);
  // Neither its owner nor the nodes try it any more.
  const tried: string[] = [];
  const counting = async (text: string) => {
    tried.push(text);
    return termsOf(text);
  };
  await createSearchIndex({ database, logger, makeTerms: counting }).catchUp("ann");
  await rounds(2, { makeTerms: counting });
  expect(tried).toEqual([]);
});

test("one that was given up is taken up again by a newer rule, by hand, and by a change of it", async () => {
  const sessionId = await write("poison");
  await rounds(6, { makeTerms: cannot });
  await rounds(1, { rule: searchRule });
  expect(await countNotes(database)).toEqual({ waiting: 0, dead: 1 });
  const newer = createSearchIndex({ database, logger, ringMs: 1, rule: searchRule + 1 });
  newer.start();
  await expect.poll(() => countNotes(database)).toEqual({ waiting: 0, dead: 0 });
  await newer.stop();
  expect(await entries()).toBe(1);

  const again = async () => {
    await database.query("UPDATE messages SET content = content || ' poison' WHERE seq = 1");
    await rounds(6, { makeTerms: cannot });
    expect(await countNotes(database)).toEqual({ waiting: 0, dead: 1 });
  };
  await again();
  expect(await takeUpAgain(database, searchRule + 1)).toBe(1);
  await rounds(1, {});
  expect(await countNotes(database)).toEqual({ waiting: 0, dead: 0 });

  await again();
  await database.query("UPDATE messages SET content = 'good' WHERE session_id = $1", [sessionId]);
  await createSearchIndex({ database, logger }).catchUp("ann");
  expect(await countNotes(database)).toEqual({ waiting: 0, dead: 0 });
});

test("one that takes longer than a statement may does not take others with it, and is given up too", async () => {
  await write("one", "poison", "two");
  const slow = async (text: string) => {
    if (text.includes("poison")) throw new Problem("storage_unavailable", {});
    return termsOf(text);
  };
  await rounds(6, { makeTerms: slow });
  expect(await entries()).toBe(2);
  expect(await countNotes(database)).toEqual({ waiting: 0, dead: 1 });
  expect(lines.map(({ level }) => level)).toEqual(["error"]);
});

test("notes go with their session", async () => {
  const sessionId = await write("one", "two");
  await write("three");
  await database.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]);
  expect(await countNotes(database)).toEqual({ waiting: 1, dead: 0 });
});

test("everything can be made searchable anew", async () => {
  await write("one", "two");
  await rounds(1, {});
  await database.query("DELETE FROM message_search");
  await beginAnew(database);
  const index = createSearchIndex({ database, logger, pollMs: 1, ringMs: 1 });
  index.start();
  await expect.poll(entries).toBe(2);
  await index.stop();
});

test("what is asked of the database while nothing happens is little; what this node writes is found at once", async () => {
  const asked: string[] = [];
  const watched: Database = {
    ...database,
    query(text, values) {
      asked.push(text);
      return database.query(text, values);
    },
  };
  const index = createSearchIndex({ database: watched, logger, pollMs: 3_600_000, ringMs: 1 });
  index.start();
  // The last that a round with nothing to do asks.
  await expect.poll(() => asked.some((text) => text.includes("given_up_rule <"))).toBe(true);
  await write("one");
  for (let ring = 0; ring < 100; ring += 1) index.ring();
  await expect.poll(entries).toBe(1);
  await expect.poll(() => asked.filter((text) => text.includes("given_up_rule <")).length).toBe(2);
  expect(asked.filter((text) => text.includes("SKIP LOCKED"))).toHaveLength(2);
  await index.stop();
});
