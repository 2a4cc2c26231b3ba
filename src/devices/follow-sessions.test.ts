import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createSessionFollowers } from "./follow-sessions.ts";
import { createSessionEventStore, told, type SessionNews } from "./session-event-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const lookMs = 5;

/** Numbers of users, as a database has them, whose events are looked for by when they were written, or by number alone. */
function createStage() {
  const numbers = new Map<string, number>();
  const late = new Set<string>();
  const looks: { readonly compared: readonly string[]; readonly withinSeconds: number }[] = [];
  let isAway = false;
  const followers = createSessionFollowers({
    lookMs,
    logger: silentLogger,
    store: {
      async position(userId) {
        return { first: 1, last: numbers.get(userId) ?? 0 };
      },
      async read(userId, after) {
        const last = numbers.get(userId) ?? 0;
        const events = last > after ? [told(last, "session_created", new Date(), {})] : [];
        return { events, last };
      },
      async goOnFollowing() {},
      async news(seen, withinSeconds): Promise<SessionNews[]> {
        if (isAway) throw new Error("away");
        looks.push({ compared: [...seen.keys()], withinSeconds });
        const compared = [...seen].flatMap(([userId, before]) => {
          const last = numbers.get(userId) ?? 0;
          return last === before ? [] : [{ userId, last, isNewest: true }];
        });
        const lately = [...numbers].flatMap(([userId, last]) =>
          late.has(userId) ? [] : [{ userId, last, isNewest: false }],
        );
        return [...compared, ...(withinSeconds === 0 ? [] : lately)];
      },
    },
  });
  const gone = new AbortController();
  const follow = async (userId: string) => {
    const events = followers.follow(userId, null, gone.signal);
    await events.next();
    // It is read from here on.
    return { first: events.next(), next: () => events.next() };
  };
  return {
    looks,
    follow,
    happens(userId: string, isLate = false) {
      numbers.set(userId, (numbers.get(userId) ?? 0) + 1);
      if (isLate) late.add(userId);
    },
    setAway: (next: boolean) => (isAway = next),
    async looksMore(count: number) {
      const wanted = looks.length + count;
      await expect.poll(() => looks.length).toBeGreaterThanOrEqual(wanted);
    },
    close() {
      gone.abort();
      followers.close();
    },
  };
}

const users = Array.from({ length: 4_000 }, (_, index) => `user${index}`);

test("a look costs no more for many who follow: some are compared, all in turn", async () => {
  const stage = createStage();
  await Promise.all(users.map((user) => stage.follow(user)));
  stage.looks.length = 0;
  await stage.looksMore(32);
  const looks = stage.looks.slice(1, 31);
  for (const { compared, withinSeconds } of looks) {
    expect(compared).toHaveLength(134);
    expect(withinSeconds).toBeGreaterThan(1);
  }
  expect(new Set(looks.flatMap(({ compared }) => compared)).size).toBe(users.length);
  stage.close();
});

test("of few all are compared, and nobody else is looked for", async () => {
  const stage = createStage();
  await Promise.all(users.slice(0, 100).map((user) => stage.follow(user)));
  stage.looks.length = 0;
  await stage.looksMore(3);
  for (const { compared, withinSeconds } of stage.looks.slice(1)) {
    expect(compared).toHaveLength(100);
    expect(withinSeconds).toBe(0);
  }
  stage.close();
});

test.each([
  ["was just written", false],
  ["took long to commit", true],
])("an event that %s reaches one of many, once", async (_name, isLate) => {
  const stage = createStage();
  const following = await Promise.all(users.map((user) => stage.follow(user)));
  const [last] = following.slice(-1);
  const { first } = last!;
  stage.happens(users.at(-1)!, isLate);
  expect((await first).value).toMatchObject([{ seq: 1 }]);
  // It is still among the newest ones for a while.
  const second = last!.next();
  await stage.looksMore(5);
  stage.happens(users.at(-1)!, isLate);
  expect((await second).value).toMatchObject([{ seq: 2 }]);
  stage.close();
});

test("after an outage it is looked for what happened meanwhile", async () => {
  const stage = createStage();
  await Promise.all(users.map((user) => stage.follow(user)));
  await stage.looksMore(2);
  stage.setAway(true);
  await delay(3 * lookMs);
  stage.setAway(false);
  stage.looks.length = 0;
  await stage.looksMore(1);
  // The looks that failed are made up for, and what no look is answered for in their turns is found in the next ones.
  expect(stage.looks[0]?.withinSeconds).toBeGreaterThan(1.1);
  expect(stage.looks[0]?.withinSeconds).toBeLessThanOrEqual(1.15 + 1e-9);
  stage.close();
});

test.each(databases.kinds)(
  "on $kind: who has had an event, and whose number is new",
  async ({ open }) => {
    const database = await open();
    const store = createSessionEventStore(database, { findAll: async () => [] });
    const tell = async (userId: string, age: string) => {
      // Of whoever nobody follows nothing is written.
      await store.position(userId);
      await database.query(
        "SELECT tell_devices($1, 'session_created', gen_random_uuid(), NULL, NULL)",
        [userId],
      );
      await database.query(
        "UPDATE session_events SET created_at = now() - $2::interval WHERE user_id = $1 AND created_at > now() - interval '1 minute'",
        [userId, age],
      );
      return (await store.position(userId)).last;
    };
    const old = await tell("old", "1 hour");
    const fresh = await tell("fresh", "1 second");
    const newest = { userId: "old", last: old, isNewest: true };
    const lately = { userId: "fresh", last: fresh, isNewest: false };
    expect(await store.news(new Map([["old", old]]), 10)).toEqual([lately]);
    expect(await store.news(new Map([["old", old - 1]]), 10)).toEqual([newest, lately]);
    expect(await store.news(new Map([["old", old - 1]]), 0)).toEqual([newest]);
    await database.close();
  },
);
