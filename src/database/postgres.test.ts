import { afterAll, afterEach, describe, expect, test } from "vitest";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import { startTcpProxy } from "../../test/support/tcp-proxy.ts";
import { CommitUnanswered, type Database, type Queryable } from "./database.ts";
import { createPostgresDatabase } from "./postgres.ts";
import { isRefused } from "./unavailable.ts";

const postgres = await startPostgres({ own: true });
const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
afterAll(() => postgres?.stop());

function open(url: string, more: object = {}): Database {
  const database = createPostgresDatabase({
    url,
    maxConnections: 2,
    poolTimeoutMs: 200,
    connectTimeoutMs: 200,
    statementTimeoutMs: 300,
    pooler: "none",
    log: silentLogger,
    ...more,
  });
  cleanUp.push(() => database.close());
  return database;
}

async function unavailable(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  const problem = error as Problem;
  expect(problem.type).toBe("storage_unavailable");
  expect(problem.status).toBe(503);
  expect(problem.retryAfterSeconds).toBeGreaterThan(0);
  return problem;
}

describe.skipIf(postgres === null)("PostgreSQL", () => {
  const url = postgres?.url ?? "";

  test("numbers, dates and JSON come as the port says", async () => {
    const { rows, rowCount } = await open(url).query(
      `SELECT 9007199254740991::bigint AS big, $1::jsonb AS json, '2026-01-02T03:04:05Z'::timestamptz AS at`,
      ['{"a":[1]}'],
    );
    expect(rowCount).toBe(1);
    expect(rows[0]).toEqual({
      big: 9007199254740991,
      json: { a: [1] },
      at: new Date("2026-01-02T03:04:05Z"),
    });
  });

  test("a fault of a statement keeps its state and leaves the connection usable", async () => {
    const database = open(url, { maxConnections: 1 });
    await expect(database.query("SELECT 1/$1::int", [0])).rejects.toMatchObject({ code: "22012" });
    await expect(
      database.transaction((tx) => tx.query("SELECT 1/$1::int", [0])),
    ).rejects.toMatchObject({ code: "22012" });
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a transaction that throws leaves nothing", async () => {
    const database = open(await (postgres?.freshDatabase() ?? ""));
    await database.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    const stop = new Error("stop");
    const failing = database.transaction(async (tx) => {
      await tx.query("DELETE FROM kept");
      throw stop;
    });
    await expect(failing).rejects.toBe(stop);
    expect((await database.query("SELECT id FROM kept")).rows).toEqual([{ id: 1 }]);
  });

  const refusal = new Problem("overloaded", {}, { retryAfterSeconds: 2 });
  const unavailableElsewhere = new Problem("storage_unavailable", {}, { retryAfterSeconds: 2 });
  test.each<[string, (on: Queryable) => Promise<unknown>]>([
    ["a refusal", () => Promise.reject(refusal)],
    ["another store's absence", () => Promise.reject(unavailableElsewhere)],
    ["a bug", () => Promise.reject(new Error("bug"))],
    ["a fault of a statement", (on) => on.query("SELECT 1/$1::int", [0])],
    ["a fault of several statements", (on) => on.execute("SELECT 1; SELECT 1/0")],
    ["a value that does not fit", (on) => on.query("SELECT $1::uuid", ["none"])],
    [
      "a statement cut by its time-out",
      (on) => on.query("SET statement_timeout = 5; SELECT pg_sleep(9)"),
    ],
  ])("%s costs no connection", async (_, fail) => {
    const database = open(url, { maxConnections: 1 });
    const connection = async () =>
      (await database.query("SELECT pg_backend_pid() AS pid")).rows[0]?.["pid"];
    const first = await connection();
    for (let times = 0; times < 10; times += 1) {
      await expect(database.transaction(fail)).rejects.toBeInstanceOf(Error);
      await expect(fail(database)).rejects.toBeInstanceOf(Error);
    }
    expect(await connection()).toBe(first);
    expect(
      await database.query("SELECT 1 WHERE pg_current_xact_id_if_assigned() IS NULL"),
    ).toMatchObject({ rowCount: 1 });
  });

  test("a connection that the server has closed is replaced", async () => {
    const database = open(url, { maxConnections: 1 });
    const end = "SELECT pg_terminate_backend(pg_backend_pid())";
    await unavailable(database.query(end));
    await unavailable(database.transaction((tx) => tx.query(end)));
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a statement that takes too long is cut", async () => {
    await unavailable(open(url).query("SELECT pg_sleep(20)"));
    await unavailable(open(url, { pooler: "pgbouncer" }).query("SELECT pg_sleep(20)"));
  });

  test("who finds no free connection is told to come back, and later ones get one", async () => {
    const database = open(url, { statementTimeoutMs: 5_000 });
    const release = Promise.withResolvers<void>();
    const busy = [1, 2].map(() =>
      database.transaction(async (tx) => {
        await tx.query("SELECT 1");
        await release.promise;
      }),
    );
    await unavailable(database.query("SELECT 1"));
    await unavailable(database.transaction((tx) => tx.query("SELECT 1")));
    release.resolve();
    await Promise.all(busy);
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a login that is shut out, loses its rights or its database finds no storage, until it is mended", async () => {
    if (postgres === null) return;
    const { query } = postgres;
    const own = new URL(await postgres.freshDatabase());
    const name = own.pathname.slice(1);
    await query("CREATE ROLE shut LOGIN");
    await query("CREATE TABLE held (at int); GRANT ALL ON held TO shut", [], own.href);
    own.username = "shut";
    const database = open(own.href, { poolTimeoutMs: 2_000, connectTimeoutMs: 2_000 });
    const write = () => database.query("INSERT INTO held VALUES (1)");
    const disconnect = () =>
      query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shut'");
    const works = () =>
      expect
        .poll(() =>
          write().then(
            ({ rowCount }) => rowCount,
            () => 0,
          ),
        )
        .toBe(1);
    await works();
    for (const [away, back] of [
      ["ALTER ROLE shut NOLOGIN", "ALTER ROLE shut LOGIN"],
      [
        `ALTER DATABASE ${name} RENAME TO ${name}_gone`,
        `ALTER DATABASE ${name}_gone RENAME TO ${name}`,
      ],
    ] as const) {
      await disconnect();
      await expect
        .poll(() =>
          query(away).then(
            () => true,
            () => disconnect().then(() => false),
          ),
        )
        .toBe(true);
      await disconnect();
      await unavailable(write().catch(() => write()));
      await query(back);
      await works();
    }
    await query("REVOKE INSERT ON held FROM shut", [], new URL(`/${name}`, url).href);
    expect(isRefused(await unavailable(write()))).toBe(true);
    await query("GRANT INSERT ON held TO shut", [], new URL(`/${name}`, url).href);
    await works();
    await database.close();
    await query("DROP OWNED BY shut", [], new URL(`/${name}`, url).href);
    await query("DROP ROLE shut");
  });

  test("a server that only lets read is not well", async () => {
    if (postgres === null) return;
    const readOnly = new URL(url);
    readOnly.searchParams.set("options", "-c default_transaction_read_only=on");
    const database = open(readOnly.href);
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await unavailable(database.ping());
  });

  test("a server that is gone, restarting or silent is unavailable and comes back by itself", async () => {
    if (postgres === null) return;
    const wire = await startTcpProxy(postgres.port);
    cleanUp.push(() => wire.close());
    const through = new URL(url);
    through.port = String(wire.port);
    const database = open(through.href);
    const recovered = async () => {
      for (;;) {
        const result = await database.query("SELECT 1 AS one").catch(() => null);
        if (result !== null) return result.rows;
      }
    };
    // A machine that is busy may need longer than a connection may take here.
    await recovered();
    wire.set({ kind: "black_hole" });
    await unavailable(database.query("SELECT 1"));
    await unavailable(database.transaction((tx) => tx.query("SELECT 1")));
    wire.set({ kind: "refuse" });
    await unavailable(database.query("SELECT 1"));
    wire.set({ kind: "pass" });
    expect(await recovered()).toEqual([{ one: 1 }]);

    const inside = database.transaction(async (tx) => {
      await tx.query("SELECT 1");
      await postgres.stopServer("immediate");
      await tx.query("SELECT 1");
    });
    await unavailable(inside);
    await unavailable(database.query("SELECT 1"));
    await postgres.startServer();
    expect(await recovered()).toEqual([{ one: 1 }]);
  });

  test("a connection that leads to a stand-by, as after a fail-over, is not used again", async () => {
    const database = open(url, { maxConnections: 1 });
    await database.execute("CREATE TABLE kept (value integer)");
    await database.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
    await unavailable(database.query("INSERT INTO kept VALUES ($1)", [1]));
    expect((await database.query("INSERT INTO kept VALUES ($1)", [1])).rowCount).toBe(1);
  });

  test.each([
    ["was forgotten", () => "DISCARD ALL"],
    [
      "would answer otherwise since its table was changed",
      (round: number) => `ALTER TABLE plans ADD COLUMN added_${round} int`,
    ],
  ])("a connection on which a parsed statement %s is not used again", async (_why, spoil) => {
    const own = (await postgres?.freshDatabase()) ?? "";
    const database = open(own, { maxConnections: 1 });
    await database.execute("CREATE TABLE plans (a int); INSERT INTO plans VALUES (1)");
    const read = "SELECT * FROM plans WHERE a = $1";
    const ways = {
      alone: () => database.query(read, [1]),
      inTurn: () => database.transaction((tx) => tx.query(read, [1])),
      together: () =>
        database.transaction((tx) => {
          tx.ask(read, [1]);
          const answer = tx.query(read, [1]);
          tx.commit();
          return answer;
        }),
    };
    for (const [round, ask] of Object.values(ways).entries()) {
      await ways.alone();
      await database.execute(spoil(round));
      // Of the statements that were under way nobody knows whether they may be repeated.
      await expect(ask()).rejects.toThrow();
      expect((await ask()).rowCount).toBe(1);
    }
  });

  test.each(["repeatable read", "serializable"])(
    "what waits for a lock sees what was committed meanwhile, also where others are %s",
    async (level) => {
      const own = (await postgres?.freshDatabase()) ?? "";
      const name = new URL(own).pathname.slice(1);
      await postgres?.query(
        `ALTER DATABASE ${name} SET default_transaction_isolation = '${level}'`,
      );
      const database = open(own, {
        maxConnections: 5,
        poolTimeoutMs: 10_000,
        statementTimeoutMs: 10_000,
      });
      await database.execute(
        "CREATE TABLE counts (id int PRIMARY KEY, n int); INSERT INTO counts VALUES (1, 0)",
      );
      const add = () =>
        database.transaction(async (tx) => {
          tx.ask("SELECT 1 FROM counts WHERE id = $1 FOR UPDATE", [1]);
          const added = tx.query("UPDATE counts SET n = n + 1 WHERE id = $1", [1]);
          tx.commit();
          return added;
        });
      for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 20 }, add));
      expect((await database.query("SELECT n FROM counts")).rows).toEqual([{ n: 60 }]);
    },
  );

  test("a server without free connections is unavailable", async () => {
    const limited = await startPostgres({
      own: true,
      settings: ["max_connections=4", "superuser_reserved_connections=0"],
    });
    if (limited === null) return;
    cleanUp.push(() => limited.stop());
    const database = open(limited.url, { maxConnections: 10, poolTimeoutMs: 5_000 });
    const release = Promise.withResolvers<void>();
    const attempts = Array.from({ length: 10 }, () =>
      database.transaction(async (tx) => {
        await tx.query("SELECT 1");
        await release.promise;
      }),
    );
    const outcomes = attempts.map((attempt) =>
      attempt.then(
        () => null,
        (error: unknown) => error,
      ),
    );
    const refused = await Promise.race(outcomes);
    await unavailable(Promise.reject(refused));
    release.resolve();
    expect(await Promise.all(outcomes)).toContain(null);
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("what finds no free connection says so, and not that the server is away", async () => {
    const database = open(url, { maxConnections: 1, poolTimeoutMs: 200 });
    const release = Promise.withResolvers<void>();
    const holds = database.transaction(async (tx) => {
      await tx.query("SELECT 1");
      await release.promise;
    });
    const problem = await unavailable(database.query("SELECT 1"));
    expect(problem.text("en")).toMatch(/^All connections/);
    expect(String(problem.cause)).toMatch(/database.pool_size/);
    release.resolve();
    await holds;
  });

  test("a commit that nobody answers may have happened, and says so", async () => {
    const database = open(url, { statementTimeoutMs: 10_000 });
    await database.execute(
      `CREATE TABLE slow_commit (id integer);
       CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow_commit DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION take_long()`,
    );
    const commit = database.transaction((tx) => tx.query("INSERT INTO slow_commit VALUES (1)"));
    const problem = unavailable(commit);
    const other = open(url);
    const isCut = async () =>
      (
        await other.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'",
        )
      ).rowCount > 0;
    while (!(await isCut()));
    expect((await problem).cause).toBeInstanceOf(CommitUnanswered);
    await unavailable(
      database.transaction(async (tx) => {
        await tx.query("SELECT pg_terminate_backend(pg_backend_pid())");
      }),
    ).then(({ cause }) => expect(cause).not.toBeInstanceOf(CommitUnanswered));
  });
});
