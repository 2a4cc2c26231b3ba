import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database, Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { createSessionEventStore } from "./session-event-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const write = async (database: Queryable, userId = "ann"): Promise<string> => {
  const sessionId = newId();
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, $2, 'a')",
    [sessionId, userId],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
     VALUES ($1, $2, 1, 'user', 'complete', 'a', 'hi'), ($1, $3, 2, 'assistant', 'streaming', 'a', '')`,
    [sessionId, newId(), newId()],
  );
  await database.query(
    "UPDATE messages SET status = 'complete' WHERE session_id = $1 AND seq = 2",
    [sessionId],
  );
  return sessionId;
};

describe.each(databases.kinds)("what is written down for devices on $kind", ({ open }) => {
  let database: Database;
  let store: ReturnType<typeof createSessionEventStore>;
  beforeAll(async () => {
    database = await open();
    store = createSessionEventStore(database, { findAll: async () => [] });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    for (const table of ["sessions", "session_events", "session_event_counters"]) {
      await database.query(`DELETE FROM ${table}`);
    }
    await database.query("DELETE FROM session_events");
  });

  const types = async () =>
    (
      await database.query<{ type: string }>(
        "SELECT type FROM session_events WHERE user_id = 'ann' ORDER BY number",
      )
    ).rows.map(({ type }) => type);
  const passADay = () =>
    database.query("UPDATE session_event_counters SET followed_at = now() - interval '25 hours'");

  test("is nothing of whom nobody follows, and everything from when somebody does", async () => {
    await write(database);
    expect(await types()).toEqual([]);
    const { first, last } = await store.position("ann");
    expect(first).toBe(last + 1);
    await write(database);
    await write(database, "bob");
    expect(await types()).toEqual([
      "session_created",
      "message_created",
      "message_created",
      "reply_started",
      "reply_ended",
    ]);
    expect(await store.position("ann")).toEqual({ first, last: last + 5 });
    const { rows } = await database.query("SELECT DISTINCT user_id AS name FROM session_events");
    expect(rows).toEqual([{ name: "ann" }]);
  });

  test("are the last thousand of a user", async () => {
    await store.position("ann");
    for (let times = 0; times < 240; times += 1) await write(database);
    const { first, last } = await store.position("ann");
    expect(last - first).toBeGreaterThanOrEqual(999);
    expect(last - first).toBeLessThan(1_060);
  });

  test("ends a day after the last device has gone, with all that was written down", async () => {
    const { last } = await store.position("ann");
    await write(database);
    await passADay();
    await store.goOnFollowing(["ann"]);
    await store.purge();
    expect(await types()).toHaveLength(5);
    await passADay();
    await store.purge();
    await write(database);
    expect(await types()).toEqual([]);
    // What has happened meanwhile is not passed over.
    expect((await store.read("ann", last + 5)).events).toBeNull();
    await write(database);
    expect(await types()).toHaveLength(5);
  });

  test("begins anew for whom somebody follows while he is erased", async () => {
    const { last } = await store.position("ann");
    await store.erase("ann");
    const [news] = await store.news(new Map([["ann", last]]), 0);
    expect(news?.userId).toBe("ann");
    await write(database);
    expect(await types()).toHaveLength(5);
  });
});

const server = databases.kinds.find(({ kind }) => kind === "postgres");
test.skipIf(server === undefined)(
  "who begins to follow waits for what is being committed that has not seen it",
  async () => {
    const database = (await server?.open()) as Database;
    const store = createSessionEventStore(database, { findAll: async () => [] });
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
    const { promise: isTold, resolve: told } = Promise.withResolvers<void>();
    const writing = database.transaction(async (tx) => {
      await write(tx);
      // As at the end of the transaction, a moment before it can be seen.
      await tx.query("SET CONSTRAINTS ALL IMMEDIATE");
      told();
      await mayCommit;
    });
    await isTold;
    const following = store
      .position("ann")
      .then(() => database.query("SELECT 1 FROM sessions WHERE user_id = 'ann'"));
    await expect
      .poll(async () => (await database.query("SELECT 1 FROM pg_locks WHERE NOT granted")).rowCount)
      .toBe(1);
    commit();
    await writing;
    expect((await following).rowCount).toBe(1);
    await database.close();
  },
);
