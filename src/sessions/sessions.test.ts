import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { ignoreEvent, type RecordEvent } from "../events/business-event.ts";
import { createIdempotencyStore } from "../idempotency/idempotency-store.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { forget } from "../replies/lifecycle/forget.ts";
import { createLifecycle } from "../replies/lifecycle/lifecycle.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createActiveLimit } from "./active-limit.ts";
import { createInsertSession } from "./insert-session.ts";
import { createSessionStore, type SessionStore } from "./session-store.ts";
import { createSessions, type NewSession } from "./sessions.ts";

interface PlanStep {
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly PlanStep[];
}

/** The most rows that a step of a plan looks at. */
function mostRows(step: PlanStep): number {
  const removed =
    (step["Rows Removed by Filter"] ?? 0) + (step["Rows Removed by Index Recheck"] ?? 0);
  const own = step["Actual Loops"] * (step["Actual Rows"] + removed);
  return Math.max(own, ...(step.Plans ?? []).map(mostRows));
}

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
    (
      await createLifecycle({ database, jobs, recordEvent: ignoreEvent }).run(forget, {
        sessionId,
        idleDays,
      })
    ).result;

  /** Sessions over `store`, with what they told others. */
  function createStage(
    more: {
      store?: SessionStore;
      maxActive?: number;
      forget?: typeof remove;
      recordEvent?: RecordEvent;
      agents?: readonly string[];
    } = {},
  ) {
    const told: string[] = [];
    const activeLimit = createActiveLimit(store, more.maxActive ?? 0);
    const sessions = createSessions({
      database,
      store: more.store ?? store,
      idempotency: createIdempotencyStore(database, 24),
      catalogue: {
        seenBy: () => ({
          async resolve(agentId = "general-chat") {
            if (more.agents?.includes(agentId) === false) {
              throw new Problem("agent_not_found", { agentId });
            }
            return { agentId, descriptor: {} as never, backend: {} as never };
          },
        }),
      },
      replies: { forget: more.forget ?? remove },
      telemetry: { sessionCreated: ({ sessionId }) => told.push(`created ${sessionId}`) },
      logger: { ...silentLogger, warn: (_fields, message) => told.push(message) },
      activeLimit,
      insertSession: createInsertSession(store, activeLimit, more.recordEvent ?? ignoreEvent),
    });
    return { sessions, told };
  }

  const wanted = (userId: string, more: Partial<NewSession> = {}): NewSession => ({
    caller: { identity: null },
    userId,
    agentId: undefined,
    config: {},
    metadata: {},
    ...more,
  });
  const create = async (userId: string, more: Partial<NewSession> = {}): Promise<string> =>
    (await createStage().sessions.create(wanted(userId, more), null)).sessionId;

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

  describe("a new session", () => {
    test("is stored as wanted, with its title, and told once", async () => {
      const { sessions, told } = createStage();
      const config = { title: "Plans", temperature: 0.2 };
      const made = await sessions.create(
        wanted("ann", { agentId: "analyst", config, metadata: { tenant: "acme" } }),
        null,
      );
      expect(await store.find(made.sessionId)).toMatchObject({ ...made });
      expect(made).toMatchObject({
        userId: "ann",
        agentId: "analyst",
        title: "Plans",
        status: "active",
        config,
        metadata: { tenant: "acme" },
        messageCount: 0,
        activeMessageId: null,
      });
      expect(told).toEqual([`created ${made.sessionId}`]);
      expect(
        (await sessions.create(wanted("ann", { config: { title: " " } }), null)).title,
      ).toBeNull();
    });

    test("that is rolled back was never told", async () => {
      const refuse = () => Promise.reject(new Error("no"));
      const { sessions, told } = createStage({ recordEvent: refuse });
      await expect(sessions.create(wanted("rolled"), null)).rejects.toThrow("no");
      expect(told).toEqual([]);
      expect(await store.count({ userId: "rolled" })).toBe(0);
    });

    test("is made once for a key, however many ask at the same moment", async () => {
      const { sessions, told } = createStage({ maxActive: 1 });
      const key = { key: "k", fingerprint: "f" };
      const made = await Promise.all(
        Array.from({ length: 8 }, () => sessions.create(wanted("keyed"), key)),
      );
      expect(new Set(made.map(({ sessionId }) => sessionId)).size).toBe(1);
      expect(told).toHaveLength(1);
      expect((await sessions.create(wanted("keyed"), key)).sessionId).toBe(made[0]?.sessionId);
      await expect(
        sessions.create(wanted("keyed"), { key: "k", fingerprint: "other" }),
      ).rejects.toMatchObject({ type: "idempotency_conflict" });
    });

    test("that is asked for again is the one that was made, also when its agent is gone", async () => {
      const key = { key: "gone", fingerprint: "f" };
      const made = await createStage().sessions.create(wanted("again"), key);
      const { sessions } = createStage({ agents: [] });
      await expect(sessions.create(wanted("again"), null)).rejects.toMatchObject({
        type: "agent_not_found",
      });
      expect((await sessions.create(wanted("again"), key)).sessionId).toBe(made.sessionId);
    });
  });

  describe("active sessions of a user", () => {
    const settle = async (work: readonly Promise<unknown>[]) => {
      const results = await Promise.allSettled(work);
      const refused = results.flatMap((result) =>
        result.status === "rejected" ? [(result.reason as Problem).type] : [],
      );
      return { done: results.length - refused.length, refused: [...new Set(refused)] };
    };
    const active = (userId: string) => store.count({ userId, status: "active" });

    test("are never one too many, with 25 made at once", async () => {
      const { sessions } = createStage({ maxActive: 3 });
      const made = await settle(
        Array.from({ length: 25 }, () => sessions.create(wanted("many"), null)),
      );
      expect(made).toEqual({ done: 3, refused: ["rate_limited"] });
      expect(await active("many")).toBe(3);
      expect(await settle([sessions.create(wanted("another"), null)])).toMatchObject({ done: 1 });
    });

    test("come out of the archive only where there is room, with all at once", async () => {
      const userId = "archivist";
      const archived = await Promise.all(Array.from({ length: 8 }, () => create(userId)));
      const { sessions } = createStage({ maxActive: 3 });
      for (const id of archived) await sessions.update(id, { status: "archived" });
      const back = await settle(archived.map((id) => sessions.update(id, { status: "active" })));
      expect(back).toEqual({ done: 3, refused: ["rate_limited"] });
      expect(await active(userId)).toBe(3);
      // Whoever is active stays so, at the limit and above it.
      const {
        sessions: [one],
      } = await store.list({ userId, status: "active" }, { limit: 1, offset: 0 });
      const strict = createStage({ maxActive: 1 }).sessions;
      expect(await strict.update(one?.sessionId ?? "", { status: "active" })).toBe(true);
      expect(await strict.update(newId(), { status: "active" })).toBe(false);
    });

    test("are as many as one likes where there is no limit", async () => {
      await Promise.all(Array.from({ length: 5 }, () => create("free")));
      expect(await active("free")).toBe(5);
    });
  });

  describe("a change", () => {
    test("merges member by member, removes with null, and leaves the rest", async () => {
      const config = { title: "a", mine: { deep: [1] }, old: true };
      const sessionId = await create("patch", { config, metadata: { kept: "é🙂" } });
      const { sessions } = createStage();
      await sessions.update(sessionId, { config: { old: null, mine: { other: null }, new: 1 } });
      expect(await store.find(sessionId)).toMatchObject({
        title: "a",
        status: "active",
        config: { title: "a", mine: { other: null }, new: 1 },
        metadata: { kept: "é🙂" },
      });
      await sessions.update(sessionId, {
        title: null,
        agentId: "analyst",
        metadata: { kept: null },
      });
      const changed = await store.find(sessionId);
      expect(changed).toMatchObject({ title: null, agentId: "analyst", metadata: {} });
      expect(changed?.config).toEqual({ title: "a", mine: { other: null }, new: 1 });
    });

    test("loses nothing of another at the same moment", async () => {
      const sessionId = await create("patch");
      const { sessions } = createStage();
      const names = Array.from({ length: 20 }, (_, index) => `member${index}`);
      await Promise.all(
        names.map((name) =>
          sessions.update(sessionId, { config: { [name]: 1 }, metadata: { [name]: 2 } }),
        ),
      );
      const changed = await store.find(sessionId);
      expect(Object.keys(changed?.config ?? {}).toSorted()).toEqual(names.toSorted());
      expect(Object.keys(changed?.metadata ?? {}).toSorted()).toEqual(names.toSorted());
    });

    test("is no activity: neither the order nor the retention knows of it", async () => {
      const [older, newer] = [await create("order"), await create("order")];
      const before = await store.find(older);
      const { sessions } = createStage();
      await sessions.update(older, { title: "Renamed", config: { a: 1 } });
      await sessions.update(older, { status: "archived" });
      await sessions.update(older, { status: "active" });
      expect((await store.find(older))?.position).toBe(before?.position);
      const list = await store.list({ userId: "order" }, { limit: 10, offset: 0 });
      expect(list.sessions.map(({ sessionId }) => sessionId)).toEqual([newer, older]);
    });
  });

  describe("marks", () => {
    type Filter = Omit<Parameters<SessionStore["list"]>[0], "userId">;
    const pages = async (userId: string, filter: Filter, pinnedFirst: boolean, limit = 2) => {
      const found: string[] = [];
      let after: Parameters<SessionStore["list"]>[1]["after"];
      for (;;) {
        const page = { limit, offset: 0, after, pinnedFirst };
        const { sessions, hasMore } = await store.list({ userId, ...filter }, page);
        found.push(...sessions.map(({ sessionId }) => sessionId));
        const last = sessions.at(-1);
        if (!hasMore || last === undefined) return found;
        after = {
          pinned: pinnedFirst ? last.pinned : undefined,
          lastActivity: last.position,
          sessionId: last.sessionId,
        };
      }
    };

    test("pinned sessions stand first where that is asked for, page by page, each once", async () => {
      const ids: string[] = [];
      for (let index = 0; index < 7; index += 1) ids.unshift(await create("pins"));
      const { sessions } = createStage();
      const pinned = ids.filter((_id, index) => [2, 5, 6].includes(index));
      const others = ids.filter((id) => !pinned.includes(id));
      for (const id of pinned) await sessions.update(id, { pinned: true });
      for (const limit of [1, 2, 3, 10]) {
        expect(await pages("pins", {}, true, limit)).toEqual([...pinned, ...others]);
        expect(await pages("pins", {}, false, limit)).toEqual(ids);
        expect(await pages("pins", { pinned: true }, true, limit)).toEqual(pinned);
        expect(await pages("pins", { pinned: false }, true, limit)).toEqual(others);
      }
      const page = { limit: 3, offset: 2, pinnedFirst: true };
      const { sessions: rest } = await store.list({ userId: "pins" }, page);
      expect(rest.map(({ sessionId }) => sessionId)).toEqual([...pinned, ...others].slice(2, 5));
      expect(await store.count({ userId: "pins", pinned: true })).toBe(3);
    });

    test("tags find what has all of them, of this user alone, whatever they are made of", async () => {
      const [both, one, none, theirs] = [
        await create("tags"),
        await create("tags"),
        await create("tags"),
        await create("tags\nWork"),
      ];
      const { sessions } = createStage();
      await sessions.update(both, { tags: ["Work", "a,b\"{}\\'🙂"], pinned: true });
      await sessions.update(one, { tags: ["Work"] });
      await sessions.update(theirs, { tags: ["Work"] });
      const tagged = (...tags: string[]) => pages("tags", { tags }, false);
      expect(await tagged("Work")).toEqual([one, both]);
      expect(await pages("tags", { tags: ["Work"] }, true)).toEqual([both, one]);
      expect(await tagged("Work", "a,b\"{}\\'🙂")).toEqual([both]);
      expect(await tagged("work")).toEqual([]);
      expect(await store.count({ userId: "tags", tags: ["Work"] })).toBe(2);
      expect((await store.find(none))?.tags).toEqual([]);
      await sessions.update(one, { tags: [] });
      expect(await tagged("Work")).toEqual([both]);
    });

    test("are no activity, and each leaves the other as it is", async () => {
      const sessionId = await create("marks");
      const before = await store.find(sessionId);
      const { sessions } = createStage();
      await sessions.update(sessionId, { tags: ["a"] });
      await sessions.update(sessionId, { pinned: true });
      await sessions.update(sessionId, { title: "b" });
      expect(await store.find(sessionId)).toEqual({
        ...before,
        title: "b",
        tags: ["a"],
        pinned: true,
        version: expect.not.stringMatching(before!.version) as string,
      });
    });

    test("cost as much as what is found, not as all that there is", async () => {
      const userId = "many";
      await database.query(
        `INSERT INTO sessions (session_id, user_id, agent_id, last_activity, pinned, tags)
         SELECT gen_random_uuid(), CASE WHEN n % 4 = 0 THEN $1 ELSE 'many' || n % 7 END, 'a',
           now() - n * interval '1 minute', n % 2000 = 0,
           CASE WHEN n % 2000 = 0 THEN ARRAY['rare'] WHEN n % 4 > 0 THEN ARRAY['rare', 'common'] ELSE '{}' END
         FROM generate_series(1, 12000) AS n`,
        [userId],
      );
      await database.execute("ANALYZE sessions");
      const asked: { sql: string; params: readonly unknown[] }[] = [];
      const watched = createSessionStore({
        ...database,
        query: (sql, params = []) => {
          asked.push({ sql, params });
          return database.query(sql, params);
        },
      });
      const page = { limit: 20, offset: 0 };
      await watched.list({ userId, tags: ["rare"] }, page);
      await watched.list({ userId, tags: ["rare"] }, { ...page, pinnedFirst: true });
      await watched.list({ userId }, { ...page, pinnedFirst: true });
      await watched.list({ userId, pinned: true }, page);
      await watched.count({ userId, tags: ["rare"] });
      expect(asked).toHaveLength(5);
      for (const { sql, params } of asked) {
        const { rows } = await database.query<{ "QUERY PLAN": [{ Plan: PlanStep }] }>(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
          params,
        );
        expect(mostRows(rows[0]!["QUERY PLAN"][0].Plan), sql).toBeLessThan(200);
      }
      await database.query("DELETE FROM sessions WHERE user_id LIKE 'many%'");
    });
  });

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

    test("are kept where they are pinned, also when that happens after they were found", async () => {
      await clear();
      const [pinned, late, idle] = [await createIdle(9), await createIdle(9), await createIdle(9)];
      const { sessions } = createStage({
        store: {
          ...store,
          async inactive(...look) {
            const found = await store.inactive(...look);
            await store.update(database, late, { pinned: true });
            return found;
          },
        },
      });
      await sessions.update(pinned, { pinned: true });
      expect(await store.countInactive(7)).toBe(2);
      expect(await sessions.deleteInactive(7, 100)).toBe(1);
      expect(await Promise.all([pinned, late, idle].map(exists))).toEqual([true, true, false]);
      for (const id of [pinned, late]) await sessions.update(id, { pinned: false });
      expect(await createStage().sessions.deleteInactive(7, 100)).toBe(2);
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
      let tries = 0;
      const { sessions } = createStage({
        store: {
          ...store,
          inactive: async (...look) => {
            looks += 1;
            if (looks > 1) throw away;
            return store.inactive(...look);
          },
        },
        forget: () => {
          tries += 1;
          return Promise.reject(away);
        },
      });
      await expect(sessions.deleteInactive(7, 100)).rejects.toBe(away);
      expect([looks, tries]).toEqual([2, 1]);
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
