import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { createShareStore, newShareId } from "./share-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("shares on $kind", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  test("what is over is found, listed and counted no more, and dropped with the next round", async () => {
    const store = createShareStore(database);
    const sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'echo')",
      [sessionId],
    );
    const make = (seconds: number) =>
      database.transaction((tx) => {
        const path = [{ first: 1, last: 2 }];
        const share = { shareId: newShareId(), sessionId, title: null, path, includeFiles: false };
        return store.insert(tx, share, seconds);
      });
    const over = await make(0);
    const lasting = await make(60);
    const kept = async () =>
      (await database.query<{ share_id: string }>("SELECT share_id FROM shares")).rows.length;

    expect(await store.find(over.shareId)).toBeNull();
    expect(await store.find(lasting.shareId)).toEqual(lasting);
    expect(await store.ofSession(sessionId)).toEqual([lasting]);
    expect(await store.count(database, sessionId)).toBe(1);
    expect(await store.delete(sessionId, over.shareId)).toBe(false);
    expect(await kept()).toBe(2);
    await store.purge();
    expect(await kept()).toBe(1);
    await database.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]);
    expect(await kept()).toBe(0);
  });
});
