import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import { copyDatabase } from "../database/copy-database.ts";
import type { Database, Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { countSessions, settleSessionCounts } from "./session-counts.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("counts of sessions on $kind", ({ open }) => {
  let database: Database;
  beforeEach(async () => {
    database = await open();
  });
  afterEach(() => database.close());

  const counted = async (on = database) => {
    const counts = await countSessions(on);
    return counts.map((each) => Object.values(each).join(" ")).toSorted();
  };
  const there = async (on = database) => {
    const { rows } = await on.query<{ line: string }>(
      `SELECT concat_ws(' ', status, agent_id, count(*)) AS line FROM sessions
       WHERE NOT temporary GROUP BY status, agent_id`,
    );
    return rows.map(({ line }) => line).toSorted();
  };
  const notes = async () => {
    const { rows } = await database.query("SELECT status, agent_id, sessions FROM session_counts");
    return rows.length;
  };
  const create = async (on: Queryable, agentId = "a", temporary = false): Promise<string> => {
    const sessionId = newId();
    await on.query(
      "INSERT INTO sessions (session_id, user_id, agent_id, temporary) VALUES ($1, 'ann', $2, $3)",
      [sessionId, agentId, temporary],
    );
    return sessionId;
  };
  const change = (on: Queryable, sessionId: string, how: string) =>
    on.query(`UPDATE sessions SET ${how} WHERE session_id = $1`, [sessionId]);
  const remove = (on: Queryable, sessionId: string) =>
    on.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]);

  test("are what there is, whatever comes, goes or changes", async () => {
    const steps: (() => Promise<unknown>)[] = [];
    const step = (work: () => Promise<unknown>) => steps.push(work);
    const ids: string[] = [];
    const one = (index: number) => ids[index] ?? "";
    for (let each = 0; each < 6; each += 1) {
      step(async () => ids.push(await create(database, each % 2 === 0 ? "a" : "b")));
    }
    step(async () => ids.push(await create(database, "a", true)));
    step(() => change(database, one(0), "status = 'archived'"));
    step(() => change(database, one(0), "status = 'archived', title = 'again'"));
    step(() => change(database, one(1), "agent_id = 'c'"));
    step(() => change(database, one(2), "agent_id = 'c', status = 'archived'"));
    step(() => change(database, one(3), "user_id = 'bob'"));
    step(() => change(database, one(3), "last_seq = 7, last_activity = now()"));
    // Becomes one that was asked beside a conversation, and the other way round.
    step(() => change(database, one(4), "temporary = true"));
    step(() => change(database, one(6), "temporary = false"));
    step(() => remove(database, one(4)));
    step(() => remove(database, one(0)));
    step(() =>
      database
        .transaction(async (tx) => {
          await create(tx);
          await remove(tx, one(1));
          throw new Error("taken back");
        })
        .catch(() => {}),
    );
    step(() => database.query("UPDATE sessions SET status = 'archived'"));
    step(() => database.query("DELETE FROM sessions WHERE agent_id = 'c'"));
    step(() => database.query("DELETE FROM sessions"));
    for (const [index, work] of steps.entries()) {
      await work();
      expect([index, ...(await counted())]).toEqual([index, ...(await there())]);
      if (index % 3 === 0) await settleSessionCounts(database);
      expect([index, ...(await counted())]).toEqual([index, ...(await there())]);
    }
    await settleSessionCounts(database);
    expect(await notes()).toBe(0);
  });

  test("are those of the other database where everything was copied to", async () => {
    for (const agentId of ["a", "a", "b"]) {
      await change(database, await create(database, agentId), "status = 'archived'");
    }
    await create(database, "c");
    const to = await open();
    try {
      await copyDatabase(database, to);
      expect(await counted(to)).toEqual(["active c 1", "archived a 2", "archived b 1"]);
    } finally {
      await to.close();
    }
  });

  test("wait for nobody, and miss nothing, while many write and nodes settle", async () => {
    const ending = new AbortController();
    const settling = [1, 2, 3].map(async () => {
      while (!ending.signal.aborted) await settleSessionCounts(database);
    });
    const watching = (async () => {
      while (!ending.signal.aborted) {
        for (const { sessions } of await countSessions(database)) {
          // Each creates before it deletes, and what was committed is seen whole.
          expect(sessions).toBeGreaterThanOrEqual(0);
        }
      }
    })();
    await Promise.all(
      Array.from({ length: 8 }, async (_each, writer) => {
        for (let round = 0; round < 25; round += 1) {
          const agentId = `agent ${(writer + round) % 3}`;
          const kept = await create(database, agentId);
          const gone = await create(database, agentId);
          await database
            .transaction(async (tx) => {
              await change(tx, kept, "status = 'archived'");
              await change(tx, gone, "agent_id = 'other'");
              await remove(tx, gone);
              if (round % 5 === 0) throw new Error("taken back");
            })
            .catch(() => {});
        }
      }),
    );
    ending.abort();
    await Promise.all([...settling, watching]);
    expect(await counted()).toEqual(await there());
    await settleSessionCounts(database);
    expect(await counted()).toEqual(await there());
    expect(await notes()).toBe((await there()).length);
  });
});

const server = databases.kinds.find(({ kind }) => kind === "postgres");

test.skipIf(server === undefined)("a session is created while another one is not yet", async () => {
  const database = await server?.open();
  if (database === undefined) return;
  const { promise: isSeen, resolve: seen } = Promise.withResolvers<void>();
  const insert = "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')";
  const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>();
  const first = database.transaction(async (tx) => {
    await tx.query(insert, [newId()]);
    opened();
    await isSeen;
  });
  await isOpen;
  // Would be cut off by its time-out behind the other one.
  await database.query(insert, [newId()]);
  await settleSessionCounts(database);
  expect(await countSessions(database)).toEqual([{ status: "active", agentId: "a", sessions: 1 }]);
  seen();
  await first;
  expect(await countSessions(database)).toEqual([{ status: "active", agentId: "a", sessions: 2 }]);
  await database.close();
});
