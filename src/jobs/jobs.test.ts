import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database } from "../database/database.ts";
import { createOutbox } from "../database/outbox.ts";
import { silentLogger } from "../telemetry/logger.ts";
import type { Job, JobHandlers } from "./job.ts";
import { createJobs, retryDelayMs } from "./jobs.ts";
import { openEmbedded } from "../../test/support/databases.ts";

let database: Database;
const job = (sessionId: string): Job => ({
  type: "forget-session",
  data: { sessionId, userId: "ann", agentIds: ["a"] },
});

beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());
beforeEach(() => database.query("DELETE FROM jobs"));

const left = async () =>
  (
    await database.query<{ attempts: number; dead: boolean }>(
      "SELECT attempts, dead_at IS NOT NULL AS dead FROM jobs",
    )
  ).rows;

/** Jobs whose handler answers with what `outcomes` say, one after the other. */
function stage(outcomes: readonly ("done" | "failed" | "again")[], maxAttempts?: number) {
  const seen: string[] = [];
  const all = Promise.withResolvers<void>();
  const handlers: Partial<JobHandlers> = {
    "abandon-run": () => Promise.resolve(),
    "forget-session": async (data) => {
      seen.push(`${data.sessionId}${data.looks ?? ""}`);
      const outcome = outcomes[seen.length - 1];
      if (seen.length === outcomes.length) all.resolve();
      if (outcome === "failed") throw new Error("away");
      return outcome === "again" ? { data: { ...data, looks: seen.length }, inMs: 10 } : undefined;
    },
  };
  const jobs = createJobs({
    database,
    handlers,
    logger: silentLogger,
    pollMs: 10,
    ...(maxAttempts !== undefined && { maxAttempts }),
  });
  return { jobs, seen, all: all.promise };
}

test("a job is done once, and nothing of it stays", async () => {
  const { jobs, seen, all } = stage(["done"]);
  await database.transaction((tx) => jobs.insert(tx, job("one")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(seen).toEqual(["one"]);
  expect(await left()).toEqual([]);
  expect(jobs.status()).toEqual({ done: 1, failed: 0, given_up: 0 });
});

test("what was rolled back is no job", async () => {
  const { jobs, seen, all } = stage(["done"]);
  await database
    .transaction(async (tx) => {
      await jobs.insert(tx, job("rolled back"));
      throw new Error("no");
    })
    .catch(() => undefined);
  await database.transaction((tx) => jobs.insert(tx, job("kept")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(seen).toEqual(["kept"]);
});

test("a job that fails is tried again and does not hold up the others", async () => {
  const { jobs, seen, all } = stage(["failed", "done", "done"]);
  await database.transaction((tx) => jobs.insert(tx, job("first")));
  await database.transaction((tx) => jobs.insert(tx, job("second")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(seen.toSorted()).toEqual(["first", "first", "second"]);
  expect(await left()).toEqual([]);
});

test("a job that has to be done once more is, with what it says, and its tries begin anew", async () => {
  const { jobs, seen, all } = stage(["again", "failed", "again", "done"], 2);
  await database.transaction((tx) => jobs.insert(tx, job("one")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(seen).toEqual(["one", "one1", "one1", "one3"]);
  expect(await left()).toEqual([]);
  expect(jobs.status()).toEqual({ done: 3, failed: 1, given_up: 0 });
});

test("what is to be done once more later waits no longer than from then on; what has failed does", async () => {
  const outbox = createOutbox("jobs");
  const claimed = async () => {
    const [entry] = await outbox.claim(database, 1, 1_000);
    if (entry === undefined) throw new Error("nothing to do");
    return entry;
  };
  await stage([]).jobs.insert(database, job("one"));
  await outbox.again(database, await claimed(), {}, 3_600_000);
  expect(await outbox.count(database)).toEqual({ waiting: 0, dead: 0, oldestSeconds: 0 });
  await stage([]).jobs.insert(database, job("two"));
  await outbox.retry(database, await claimed(), 3_600_000, "away");
  expect(await outbox.count(database)).toMatchObject({ waiting: 1, dead: 0 });
});

test("a job outlives the process that has claimed it", async () => {
  const first = stage(["failed"]);
  await database.transaction((tx) => first.jobs.insert(tx, job("one")));
  first.jobs.start();
  await first.all;
  await first.jobs.stop();
  expect(await left()).toEqual([{ attempts: 1, dead: false }]);
  const second = stage(["done"]);
  second.jobs.start();
  await second.all;
  await second.jobs.stop();
  expect(second.seen).toEqual(["one"]);
});

test("a job that never succeeds is given up, and kept for people to look at", async () => {
  const { jobs, all } = stage(["failed"], 1);
  await database.transaction((tx) => jobs.insert(tx, job("one")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(await left()).toEqual([{ attempts: 1, dead: true }]);
  expect(jobs.status()).toMatchObject({ given_up: 1 });
});

test("pauses grow from a second to an hour", () => {
  expect([1, 2, 3, 13, 250].map(retryDelayMs)).toEqual([1_000, 2_000, 4_000, 3_600_000, 3_600_000]);
});

const writing = (sessionId: string): Job => ({
  type: "title",
  data: { sessionId, replyId: "r", userId: "ann", agentId: "a", language: "en" },
});

test("of what models write for a session one waits at a time", async () => {
  const { jobs } = stage([]);
  for (const sessionId of ["one", "one", "two"]) {
    await database.transaction((tx) => jobs.insert(tx, writing(sessionId)));
  }
  await database.transaction((tx) =>
    jobs.insert(tx, { ...writing("one"), type: "summary" } as Job),
  );
  expect(await left()).toHaveLength(3);
});

test("what takes its time holds nothing up, and is cut off and left to others at the end", async () => {
  const begun = Promise.withResolvers<void>();
  const forgotten = Promise.withResolvers<void>();
  const jobs = createJobs({
    database,
    handlers: {
      title: (_, signal) =>
        new Promise((_resolve, reject) => {
          begun.resolve();
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
      "forget-session": async () => forgotten.resolve(),
    },
    logger: silentLogger,
    pollMs: 10,
  });
  await database.transaction((tx) => jobs.insert(tx, writing("one")));
  jobs.start();
  await begun.promise;
  await database.transaction((tx) => jobs.insert(tx, job("two")));
  jobs.nudge();
  await forgotten.promise;
  await jobs.stop();
  expect(await left()).toEqual([{ attempts: 0, dead: false }]);
  expect(jobs.status()).toEqual({ done: 1, failed: 0, given_up: 0 });
});

test("types that nobody here can do stay as they are", async () => {
  const { jobs, all } = stage(["done"]);
  await database.transaction((tx) => jobs.insert(tx, writing("one")));
  await database.transaction((tx) => jobs.insert(tx, job("two")));
  jobs.start();
  await all;
  await jobs.stop();
  expect(await left()).toEqual([{ attempts: 0, dead: false }]);
});
