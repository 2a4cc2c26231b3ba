import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { ignoreEvent } from "../events/create-events.ts";
import { createIdempotencyStore } from "../idempotency/idempotency-store.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { forget } from "../replies/lifecycle/forget.ts";
import { createLifecycle } from "../replies/lifecycle/lifecycle.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createInsertSession } from "./insert-session.ts";
import { createSessionStore, type SessionStore } from "./session-store.ts";
import { createSessions } from "./sessions.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("sessions on $kind", ({ kind, open }) => {
  let database: Database;
  let store: SessionStore;
  beforeAll(async () => {
    database = await open();
    store = createSessionStore(database);
  });
  afterAll(() => database.close());

  const jobs = { insert: async () => {}, nudge: () => {} };
  const remove = async (sessionId: string, idleDays?: number): Promise<boolean> =>
    (await createLifecycle({ database, jobs }).run(forget, { sessionId, idleDays })).result;

  /** Sessions over `store`, with what they told others. */
  function createStage(
    more: { store?: SessionStore; maxActive?: number; forget?: typeof remove } = {},
  ) {
    const told: string[] = [];
    const sessions = createSessions({
      database,
      store: more.store ?? store,
      idempotency: createIdempotencyStore(database, 24),
      catalogue: { resolve: async (agentId = "general-chat") => ({ agentId }) },
      replies: { forget: more.forget ?? remove },
      telemetry: { sessionCreated: ({ sessionId }) => told.push(`created ${sessionId}`) },
      logger: { ...silentLogger, warn: (_fields, message) => told.push(message) },
      maxActive: more.maxActive ?? 0,
      insertSession: createInsertSession(store, ignoreEvent),
    });
    return { sessions, told };
  }

  const create = async (userId: string): Promise<string> => {
    const { sessions } = createStage();
    const wanted = { userId, agentId: undefined, config: {}, metadata: {} };
    return (await sessions.create(wanted, null)).sessionId;
  };

  /** Made so many days ago and silent since. */
  const createIdle = async (days: number): Promise<string> => {
    const sessionId = await create(newId());
    await database.query(
      "UPDATE sessions SET last_activity = now() - make_interval(secs => $2) WHERE session_id = $1",
      [sessionId, days * 86_400],
    );
    return sessionId;
  };
  const wake = (sessionId: string) =>
    database.query("UPDATE sessions SET last_activity = now() WHERE session_id = $1", [sessionId]);
  const exists = async (sessionId: string) => (await store.find(sessionId)) !== null;

  describe("idle sessions", () => {
    const clear = () => createStage().sessions.deleteInactive(7, 10_000);

    test("are deleted after their days, not before, all of them", async () => {
      await clear();
      const fresh = await createIdle(6.99);
      const idle = await Promise.all(Array.from({ length: 120 }, () => createIdle(7.01)));
      const { sessions } = createStage();
      expect(await sessions.deleteInactive(7, 1)).toBe(1);
      expect(await sessions.deleteInactive(7, 10_000)).toBe(119);
      expect(await sessions.deleteInactive(7, 10_000)).toBe(0);
      expect(await Promise.all([fresh, ...idle].map(exists))).toEqual([
        true,
        ...idle.map(() => false),
      ]);
    });

    test("that come back to life after they were found stay, with what they hold", async () => {
      const [sleeping, waking] = [await createIdle(9), await createIdle(8)];
      const { sessions } = createStage({
        store: {
          ...store,
          async inactive(...look) {
            const found = await store.inactive(...look);
            await wake(waking);
            return found;
          },
        },
      });
      expect(await sessions.deleteInactive(7, 100)).toBe(1);
      expect([await exists(sleeping), await exists(waking)]).toEqual([false, true]);
    });

    test("that cannot be deleted do not keep the others, nor are they tried for ever", async () => {
      const [broken, whole] = [await createIdle(9), await createIdle(8)];
      const { sessions, told } = createStage({
        forget: (sessionId, days) =>
          sessionId === broken ? Promise.reject(new Error("no")) : remove(sessionId, days),
      });
      expect(await sessions.deleteInactive(7, 100)).toBe(1);
      expect(told).toEqual(["an idle session could not be deleted"]);
      expect([await exists(broken), await exists(whole)]).toEqual([true, false]);
    });

    test("are left alone when the database is away, and when it is time to stop", async () => {
      const idle = [await createIdle(9), await createIdle(8)];
      const away = new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
      let looks = 0;
      const { sessions } = createStage({
        store: {
          ...store,
          inactive: async (...look) => {
            looks += 1;
            if (looks > 1) throw away;
            return store.inactive(...look);
          },
        },
        forget: () => Promise.reject(away),
      });
      await expect(sessions.deleteInactive(7, 100)).rejects.toBe(away);
      expect(looks).toBe(2);
      expect(await createStage().sessions.deleteInactive(7, 100, AbortSignal.abort())).toBe(0);
      expect(await Promise.all(idle.map(exists))).toEqual([true, true]);
    });
  });

  // The embedded database has a single connection.
  test.skipIf(kind === "embedded")(
    "one whose new message is being stored at this moment is not idle",
    async () => {
      const sessionId = await createIdle(9);
      const written = Promise.withResolvers<void>();
      const deleting = Promise.withResolvers<void>();
      const message = database.transaction(async (tx) => {
        await tx.query("UPDATE sessions SET last_activity = now() WHERE session_id = $1", [
          sessionId,
        ]);
        written.resolve();
        await deleting.promise;
      });
      await written.promise;
      const deletion = remove(sessionId, 7);
      await lockIsAwaited();
      deleting.resolve();
      await message;
      expect(await deletion).toBe(false);
      expect(await exists(sessionId)).toBe(true);
    },
  );

  /** Resolves when somebody waits for a lock of this database. */
  async function lockIsAwaited(): Promise<void> {
    for (;;) {
      const { rowCount } = await database.query(
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      if (rowCount > 0) return;
    }
  }
});
