import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  startJsonServer,
  type JsonServer,
  type JsonServerAnswer,
  type JsonServerRequest,
} from "../../test/support/json-server.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import type { Database } from "../database/database.ts";
import { createEmbeddedDatabase } from "../database/embedded.ts";
import { migrate } from "../database/migrate.ts";
import { createPostgresDatabase } from "../database/postgres.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { ignoreEvent, type BusinessEvent } from "./business-event.ts";
import {
  createEventDispatcher,
  outagePauseMs,
  retryDelayMs,
  type EventDispatcher,
} from "./event-dispatcher.ts";
import { createOutbox } from "../database/outbox.ts";
import { createWebhook } from "./webhook.ts";

const outbox = createOutbox("outbox");

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

const created = (name: string): BusinessEvent => ({
  type: "chat_session.created",
  data: {
    session_id: name,
    user_id: "u",
    agent_id: "a",
    creation_time: "2026-11-22T10:00:00.000Z",
  },
});

const nameOf = ({ body }: JsonServerRequest): string =>
  (body as { data: { session_id: string } }).data.session_id;

const variants: readonly (readonly [string, () => Promise<Database>])[] = [
  ["embedded", () => createEmbeddedDatabase({ dataDir: null, log: silentLogger })],
  [
    "postgres",
    async () =>
      createPostgresDatabase({
        url: (await postgres?.freshDatabase()) ?? "",
        maxConnections: 10,
        poolTimeoutMs: 5_000,
        connectTimeoutMs: 5_000,
        statementTimeoutMs: 5_000,
        pooler: "none",
        log: silentLogger,
      }),
  ],
];

describe.each(variants.filter(([kind]) => kind === "embedded" || postgres !== null))(
  "on %s",
  (_kind, open) => {
    let database: Database;
    let server: JsonServer;
    let answer: (request: JsonServerRequest) => JsonServerAnswer | Promise<JsonServerAnswer>;
    const dispatchers: EventDispatcher[] = [];

    beforeAll(async () => {
      database = await open();
      await migrate(database);
    });
    afterAll(() => database.close());

    beforeEach(async () => {
      answer = () => ({ status: 200, body: {} });
      server = await startJsonServer((request) => answer(request));
    });
    afterEach(async () => {
      await Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.stop()));
      await server.stop();
      await database.query("DELETE FROM outbox");
    });

    function dispatch(
      options: { maxAttempts?: number; log?: Logger; pollMs?: number } = {},
    ): EventDispatcher {
      const webhook = createWebhook({ url: server.url, secret: "s" });
      const dispatcher = createEventDispatcher({
        outbox,
        database,
        webhook,
        log: silentLogger,
        pollMs: 5,
        ...options,
      });
      dispatchers.push(dispatcher);
      return dispatcher;
    }

    async function insert(...names: readonly string[]): Promise<void> {
      await database.transaction(async (tx) => {
        for (const name of names) await outbox.insert(tx, created(name));
      });
    }

    async function rows(): Promise<Record<string, unknown>[]> {
      const { rows: found } = await database.query(
        "SELECT data->>'session_id' AS name, attempts, dead_at IS NOT NULL AS dead, last_problem, due_at <= now() AS due FROM outbox ORDER BY event_id",
      );
      return found;
    }

    /** Resolves once `names` have all been posted. */
    function posted(names: readonly string[]): Promise<unknown> {
      const left = new Set(names);
      for (const request of server.requests) left.delete(nameOf(request));
      if (left.size === 0) return Promise.resolve();
      return server.nextRequest((request) => {
        left.delete(nameOf(request));
        return left.size === 0;
      });
    }

    test("an event exists exactly when what it tells of was committed", async () => {
      await insert("kept");
      await database
        .transaction(async (tx) => {
          await outbox.insert(tx, created("rolled back"));
          throw new Error("no");
        })
        .catch(() => {});
      await database.transaction((tx) => ignoreEvent(tx, created("unwanted")));
      expect((await rows()).map(({ name }) => name)).toEqual(["kept"]);
    });

    test("delivers everything once, roughly in order, and leaves nothing", async () => {
      const names = Array.from({ length: 100 }, (_, index) => `e${index}`);
      await insert(...names);
      const all = posted(names);
      const dispatcher = dispatch();
      dispatcher.start();
      dispatcher.start();
      await all;
      await dispatcher.stop();
      expect(server.requests.map(nameOf).toSorted()).toEqual(names.toSorted());
      // Batches of 32 in order.
      expect(server.requests.slice(0, 32).map(nameOf).toSorted()).toEqual(
        names.slice(0, 32).toSorted(),
      );
      expect(await rows()).toEqual([]);
      expect(dispatcher.status()).toMatchObject({ delivered: 100, given_up: 0, problem: null });
    });

    test("several nodes share the work and deliver each event once", async () => {
      const names = Array.from({ length: 200 }, (_, index) => `n${index}`);
      await insert(...names);
      const all = posted(names);
      const nodes = Array.from({ length: 4 }, () => dispatch());
      for (const node of nodes) node.start();
      await all;
      await Promise.all(nodes.map((node) => node.stop()));
      expect(server.requests.length).toBe(200);
      expect(nodes.reduce((sum, node) => sum + node.status().delivered, 0)).toBe(200);
      expect(await rows()).toEqual([]);
    });

    test("two claims at once never get the same event", async () => {
      const names = Array.from({ length: 60 }, (_, index) => `c${index}`);
      await insert(...names);
      const claims = await Promise.all(
        Array.from({ length: 6 }, () => outbox.claim(database, 10, 60_000)),
      );
      const ids = claims.flat().map(({ entryId }) => entryId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(await outbox.claim(database, 60 - ids.length + 1, 60_000)).toHaveLength(
        60 - ids.length,
      );
    });

    test("a node that died with its claim is replaced when the claim runs out", async () => {
      await insert("orphan");
      await outbox.claim(database, 10, 60_000);
      const all = posted(["orphan"]);
      const dispatcher = dispatch();
      dispatcher.start();
      await insert("fresh");
      await posted(["fresh"]);
      expect(server.requests.map(nameOf)).toEqual(["fresh"]);
      await database.query("UPDATE outbox SET due_at = now() - interval '1 second'");
      await all;
    });

    test("whoever was too slow cannot undo what the next one did", async () => {
      await insert("fenced");
      const [slow] = await outbox.claim(database, 1, 0);
      const [next] = await outbox.claim(database, 1, 60_000);
      expect([slow?.attempt, next?.attempt]).toEqual([1, 2]);
      await outbox.retry(database, slow!, 0, "late");
      expect((await rows())[0]).toMatchObject({ attempts: 2, due: false, last_problem: null });
    });

    test("while the receiver is away, one event at a time finds out, and the others lose no attempt", async () => {
      const names = Array.from({ length: 40 }, (_, index) => `o${index}`);
      await insert(...names);
      const probed = Promise.withResolvers<number>();
      answer = async () => {
        // Eight are on their way at once before the first failure is known; the ninth is the first probe.
        if (server.requests.length === 9) {
          probed.resolve((await rows()).filter(({ due }) => due === false).length);
        }
        return { status: 500 };
      };
      const dispatcher = dispatch();
      dispatcher.start();
      expect(await probed.promise).toBe(9);
      // One round has failed, so the pauses have only begun to grow.
      expect(dispatcher.status()).toMatchObject({
        delivered: 0,
        failures_in_a_row: 1,
        problem: "status 500",
      });
    });

    test("a receiver that is back gets everything; beginning and end of the outage are said once", async () => {
      server.fail("error");
      const names = Array.from({ length: 40 }, (_, index) => `b${index}`);
      await insert(...names);
      const lines: string[] = [];
      const log: Logger = {
        ...silentLogger,
        warn: (_fields, message) => lines.push(message),
        info: (_fields, message) => lines.push(message),
      };
      const dispatcher = dispatch({ log });
      dispatcher.start();
      await expect.poll(() => dispatcher.status().failures_in_a_row).toBeGreaterThan(2);
      server.recover();
      await expect
        .poll(async () => {
          // Instead of waiting for the pauses of those that failed; claims of this moment stay as they are.
          await database.query(
            "UPDATE outbox SET due_at = now() WHERE due_at < now() + interval '50 seconds'",
          );
          return (await rows()).length;
        })
        .toBe(0);
      await dispatcher.stop();
      await expect
        .poll(() => lines)
        .toEqual([
          expect.stringMatching(/^the receiver of events is away: status 500/),
          "the receiver of events is back",
        ]);
      expect(new Set(server.requests.map(nameOf))).toEqual(new Set(names));
      expect(dispatcher.status()).toMatchObject({ delivered: 40, failures_in_a_row: 0 });
    });

    test("an event that is always refused does not hold up the others, and is given up", async () => {
      answer = (request) => ({ status: nameOf(request) === "poison" ? 422 : 200 });
      await insert("poison", "good 1", "good 2");
      const errors: object[] = [];
      const dispatcher = dispatch({
        maxAttempts: 3,
        log: { ...silentLogger, error: (fields) => errors.push(fields) },
      });
      dispatcher.start();
      await posted(["good 1", "good 2"]);
      await expect
        .poll(async () => {
          await database.query(
            "UPDATE outbox SET due_at = now() WHERE due_at BETWEEN now() + interval '2 seconds' AND now() + interval '30 seconds'",
          );
          return (await rows()).filter(({ dead }) => dead === true).length;
        })
        .toBe(1);
      expect(await rows()).toEqual([
        {
          name: "poison",
          attempts: 3,
          dead: true,
          last_problem: "status 422",
          due: expect.any(Boolean),
        },
      ]);
      expect(server.requests.filter((request) => nameOf(request) === "poison").length).toBe(3);
      expect(errors).toEqual([
        {
          eventId: expect.any(String),
          eventType: "chat_session.created",
          attempt: 3,
          problem: "status 422",
        },
      ]);
      expect(dispatcher.status().given_up).toBe(1);
    });

    test("410 is the last word", async () => {
      answer = () => ({ status: 410 });
      await insert("unwanted");
      dispatch().start();
      await expect.poll(async () => (await rows())[0]?.["dead"]).toBe(true);
      expect(server.requests.length).toBe(1);
    });

    test("given up events stay a week", async () => {
      await insert("old", "young");
      await database.query(
        "UPDATE outbox SET dead_at = now() - CASE data->>'session_id' WHEN 'old' THEN interval '8 days' ELSE interval '6 days' END",
      );
      expect(await outbox.purgeDead(database)).toBe(1);
      expect((await rows()).map(({ name }) => name)).toEqual(["young"]);
      expect(await outbox.claim(database, 10, 1_000)).toEqual([]);
    });

    test("stop hands back what it did not get to, uncounted", async () => {
      server.fail("slow");
      const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
      await insert(...names);
      const dispatcher = dispatch();
      const asked = server.nextRequest();
      dispatcher.start();
      await asked;
      const stopped = dispatcher.stop();
      expect(dispatcher.stop()).toBe(stopped);
      await stopped;
      const left = await rows();
      expect(left.map(({ name }) => name)).toEqual(names);
      expect(left.every(({ attempts, due }) => attempts === 0 && due === true)).toBe(true);
      dispatcher.start();
      expect(dispatcher.status().delivered).toBe(0);
    });

    test("a nudge makes the next look sooner", async () => {
      const dispatcher = dispatch({ pollMs: 60_000 });
      dispatcher.start();
      await insert("first");
      await expect
        .poll(() => {
          dispatcher.nudge();
          return server.requests.map(nameOf);
        })
        .toEqual(["first"]);
    });
  },
);

test("a database that is away is waited for, and its return is noticed without an event", async () => {
  let away = true;
  const query = <R>(): Promise<{ rows: R[]; rowCount: number }> =>
    away ? Promise.reject(new Error("away")) : Promise.resolve({ rows: [], rowCount: 0 });
  const database: Database = {
    kind: "postgres",
    query,
    execute: () => Promise.resolve(),
    executeAlone: () => Promise.resolve(),
    transaction: () => Promise.reject(new Error("not used")),
    ping: () => Promise.resolve(),
    describe: () => ({}),
    close: () => Promise.resolve(),
  };
  const dispatcher = createEventDispatcher({
    outbox,
    database,
    webhook: createWebhook({ url: "http://127.0.0.1:1", secret: null }),
    log: silentLogger,
    pollMs: 1,
  });
  dispatcher.start();
  await expect.poll(() => dispatcher.status().failures_in_a_row).toBeGreaterThan(2);
  expect(dispatcher.status().problem).toBe("Error");
  away = false;
  await expect.poll(() => dispatcher.status().failures_in_a_row).toBe(0);
  expect(dispatcher.status().problem).toBeNull();
  await dispatcher.stop();
});

test("pauses grow and stay bounded", () => {
  const hour = 3_600_000;
  expect([1, 2, 3, 10, 11, 20, 5_000].map((attempt) => retryDelayMs(attempt, 1))).toEqual([
    5_000,
    10_000,
    20_000,
    2_560_000,
    hour,
    hour,
    hour,
  ]);
  expect(retryDelayMs(1, 0)).toBe(3_750);
  expect([1, 2, 5, 6, 500].map((failures) => outagePauseMs(failures, 2_000, 1))).toEqual([
    2_000, 4_000, 32_000, 60_000, 60_000,
  ]);
});
