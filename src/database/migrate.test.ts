import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { startPostgres } from "../../test/support/postgres.ts";
import { newId } from "../lib/ids.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import type { Database } from "./database.ts";
import { createEmbeddedDatabase } from "./embedded.ts";
import { migrate, MigrationMismatch, migrationState } from "./migrate.ts";
import { createPostgresDatabase } from "./postgres.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

const kinds = [
  { kind: "embedded", open: () => createEmbeddedDatabase({ dataDir: null, log: silentLogger }) },
  ...(postgres === null
    ? []
    : [
        {
          kind: "postgres",
          open: async () =>
            createPostgresDatabase({
              url: await postgres.freshDatabase(),
              maxConnections: 4,
              poolTimeoutMs: 5_000,
              connectTimeoutMs: 5_000,
              statementTimeoutMs: 100,
              pooler: "none",
              log: silentLogger,
            }),
        },
      ]),
];

test("each has a number of its own, and none is left out", async () => {
  const all = (await readdir(join(import.meta.dirname, "migrations"))).toSorted();
  const numbers = all.map((name) => Number.parseInt(name, 10));
  expect(numbers).toEqual(all.map((_name, index) => index + 1));
});

/** Applied by no released version, and so not yet to be left as they are. */
const heldTo = "0034";

test("none changes a whole table, or holds it, while others write to it", async () => {
  const own = join(import.meta.dirname, "migrations");
  const faults: string[] = [];
  for (const name of (await readdir(own)).filter((file) => file >= heldTo)) {
    const sql = await readFile(join(own, name), "utf8");
    faults.push(...faultsOf(sql).map((fault) => `${name}: ${fault}`));
  }
  expect(faults).toEqual([]);
});

test.each([
  ["UPDATE a SET b = 1", "changes all rows"],
  ["DELETE FROM a WHERE b = 1", "changes all rows"],
  ["WITH c AS (SELECT 1) UPDATE a SET b = 1 FROM c", "changes all rows"],
  ["INSERT INTO a SELECT b FROM c", "changes all rows"],
  ["CREATE INDEX i ON a (b)", "builds an index with writes held back"],
  ["CREATE UNIQUE INDEX i ON a (b)", "builds an index with writes held back"],
  ["SELECT 1;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (b)", "is not the only one"],
  ["CREATE INDEX CONCURRENTLY i ON a (b)", "cannot be tried again"],
  ["ALTER TABLE a ADD CONSTRAINT c CHECK (b > 1)", "reads all rows"],
  ["ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c", "reads all rows"],
  ["ALTER TABLE a ALTER COLUMN b SET NOT NULL", "reads all rows"],
  ["ALTER TABLE a ALTER b TYPE bigint", "reads all rows"],
  ["ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid()", "reads all rows"],
  ["-- In batches\nUPDATE a SET b = 1", "has no batches"],
])("%s: %s", (sql, fault) => {
  expect(faultsOf(sql)).toEqual([fault]);
});

test.each([
  "CREATE TABLE a (b int); CREATE INDEX i ON a (b); INSERT INTO a VALUES (1)",
  "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE a SET b = 1; END $$",
  "CREATE TRIGGER t AFTER UPDATE OF b ON a FOR EACH ROW EXECUTE FUNCTION f()",
  "CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION f()",
  "ALTER TABLE a ADD COLUMN b timestamptz NOT NULL DEFAULT now()",
  "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c NOT VALID",
  "ALTER TABLE a DROP CONSTRAINT b",
  "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (b)",
  "INSERT INTO a SELECT b, sum(c) FROM (SELECT b, count(*) AS c FROM d GROUP BY b) AS e GROUP BY b",
  "-- In batches\nWITH batch AS (SELECT b FROM a WHERE b > $1 LIMIT 9), done AS (UPDATE a SET c = 1) SELECT b AS position FROM batch",
])("may do: %s", (sql) => {
  expect(faultsOf(sql)).toEqual([]);
});

/** What a migration must not do beside those who write to a table that may be large. */
function faultsOf(sql: string): string[] {
  const text = sql.replaceAll(/--.*$/gm, "").replaceAll(/\$\$[^]*?\$\$/g, "''");
  const statements = text.split(";").map((each) => each.trim());
  const isMade = (table = "") => new RegExp(`CREATE TABLE ${table}\\b`).test(text);
  if (sql.startsWith("-- In batches")) {
    return /\$1/.test(text) && /\bLIMIT \d/.test(text) && /\bposition\b/.test(text)
      ? []
      : ["has no batches"];
  }
  return statements
    .filter((each) => each !== "")
    .flatMap((statement) => {
      const index = /^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(IF NOT EXISTS )?\w+ ON (\w+)/.exec(
        statement,
      );
      if (index !== null) {
        const [, beside, again, table] = index;
        if (beside === undefined)
          return isMade(table) ? [] : ["builds an index with writes held back"];
        if (again === undefined) return ["cannot be tried again"];
        return statements.filter((each) => each !== "").length > 1 ? ["is not the only one"] : [];
      }
      if (statement.startsWith("ALTER TABLE")) {
        const reads =
          /ADD (CONSTRAINT|FOREIGN|CHECK|UNIQUE|PRIMARY)|SET NOT NULL|\bTYPE\b|DEFAULT (?!now\(\))\w+\(/;
        return reads.test(statement) && !statement.includes("NOT VALID") ? ["reads all rows"] : [];
      }
      const written = /(?:^|\) |\()(?:UPDATE|DELETE FROM|INSERT INTO) (\w+)(?! VALUES)/.exec(
        statement,
      );
      // Reads, as a backup does, and writes a row for each group.
      if (/^INSERT INTO \w+ [^]*\bGROUP BY\b/.test(statement)) return [];
      if (statement.startsWith("CREATE") || written === null || isMade(written[1])) return [];
      return ["changes all rows"];
    });
}

describe.each(kinds)("migrations on $kind", ({ open }) => {
  const empty = async (): Promise<Database> => {
    const database = await open();
    cleanUp.push(() => database.close());
    return database;
  };

  /** A folder with these migrations. */
  const folder = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), "chat-migrations-"));
    cleanUp.push(() => rm(path, { recursive: true }));
    for (const [name, sql] of Object.entries(files)) await writeFile(join(path, name), sql);
    return path;
  };

  test("are applied once each, however many nodes start together", async () => {
    const database = await empty();
    const results = await Promise.all([migrate(database), migrate(database), migrate(database)]);
    const all = (await readdir(join(import.meta.dirname, "migrations"))).toSorted();
    expect(results.flatMap(({ applied }) => applied).toSorted()).toEqual(all);
    expect((await migrationState(database)).pending).toEqual([]);
  });

  test("are told one by one where there is something to wait for", async () => {
    const database = await empty();
    const from = await folder({ "0001-a.sql": "CREATE TABLE a ()", "0002-b.sql": "SELECT 1" });
    const lines: string[] = [];
    const log: Logger = { ...silentLogger, info: (_fields, message) => void lines.push(message) };
    await migrate(database, { from, log });
    expect(lines).toEqual([]);
    await writeFile(join(from, "0003-c.sql"), "SELECT 1");
    await migrate(database, { from, log });
    expect(lines).toEqual(["applying migration 0003-c.sql"]);
  });

  test("may take longer than a statement of a request; what went before a fault stays", async () => {
    const database = await empty();
    const path = await folder({
      "0001-slow.sql": "CREATE TABLE slow (); SELECT pg_sleep(1.3);",
      "0002-wrong.sql": "CREATE TABLE wrong (); SELECT 1/0;",
    });
    await expect(migrate(database, { from: path })).rejects.toMatchObject({ code: "22012" });
    const { rows } = await database.query(
      "SELECT to_regclass('slow')::text AS slow, to_regclass('wrong')::text AS wrong",
    );
    expect(rows).toEqual([{ slow: "slow", wrong: null }]);
    await writeFile(join(path, "0002-wrong.sql"), "CREATE TABLE wrong ();");
    expect((await migrate(database, { from: path })).applied).toEqual(["0002-wrong.sql"]);
  });

  test("go through a large table in batches, each for itself, and on from the last one", async () => {
    const database = await empty();
    const from = await folder({
      "0001-a.sql": `CREATE TABLE large (id int PRIMARY KEY, done_in xid8, was_early boolean);
        INSERT INTO large SELECT n FROM generate_series(1, 7) AS n`,
    });
    await migrate(database, { from });
    const batches = (check: string) => `-- In batches
      WITH batch AS (SELECT id FROM large WHERE id > coalesce($1, '0')::int ORDER BY id LIMIT 3),
      done AS (UPDATE large SET done_in = pg_current_xact_id(), was_early = $1 IS NULL FROM batch
        WHERE large.id = batch.id AND ${check})
      SELECT max(id)::text AS position FROM batch HAVING count(*) > 0`;
    await writeFile(join(from, "0002-b.sql"), batches("1 / (large.id - 4) IS NOT NULL"));
    await expect(migrate(database, { from })).rejects.toMatchObject({ code: "22012" });
    // A second start finds what the first has done, whatever has happened to it since.
    await database.query("UPDATE large SET done_in = NULL WHERE id = 1");
    await writeFile(join(from, "0002-b.sql"), batches("true"));
    expect((await migrate(database, { from })).applied).toEqual(["0002-b.sql"]);
    const { rows } = await database.query(
      `SELECT count(DISTINCT done_in)::int AS batches, count(done_in)::int AS done, count(*) FILTER (WHERE was_early)::int AS early,
         to_regclass('migration_progress')::text AS progress FROM large`,
    );
    expect(rows).toEqual([{ batches: 3, done: 6, early: 3, progress: null }]);
  });

  test("build an index again that a node has left half built", async () => {
    const database = await empty();
    const from = await folder({ "0001-a.sql": "CREATE TABLE large (id int)" });
    await migrate(database, { from });
    await database.query("INSERT INTO large VALUES (1), (1)");
    const build = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS large_by_id ON large (id)";
    await writeFile(join(from, "0002-b.sql"), build);
    await expect(migrate(database, { from })).rejects.toMatchObject({ code: "23505" });
    await database.query("TRUNCATE large");
    expect((await migrate(database, { from })).applied).toEqual(["0002-b.sql"]);
    const { rows } = await database.query(
      "SELECT indisvalid AS whole FROM pg_index WHERE indexrelid = 'large_by_id'::regclass",
    );
    expect(rows).toEqual([{ whole: true }]);
  });

  test("0034: what was used before is given its session, whatever is left of it", async () => {
    const database = await empty();
    const own = join(import.meta.dirname, "migrations");
    const before = await folder({});
    for (const name of (await readdir(own)).filter((file) => file < "0034")) {
      await cp(join(own, name), join(before, name));
    }
    await migrate(database, { from: before });
    const sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
      [sessionId],
    );
    await database.execute(`BEGIN; SET LOCAL statement_timeout = 0;
      INSERT INTO messages (session_id, message_id, seq, role, status, agent_id)
        SELECT '${sessionId}', md5(n::text)::uuid, n, 'assistant', 'complete', 'a' FROM generate_series(1, 1200) AS n;
      ALTER TABLE usage DISABLE TRIGGER usage_without_session;
      INSERT INTO usage (message_id, model, user_id, agent_id, input_tokens, output_tokens, cached_tokens, reasoning_tokens)
        SELECT md5(n::text)::uuid, model, 'ann', 'a', 1, 1, 0, 0
        FROM generate_series(1, 1300) AS n, unnest(ARRAY['one', 'two']) AS model;
      ALTER TABLE usage ENABLE TRIGGER usage_without_session; COMMIT`);
    await migrate(database);
    const { rows } = await database.query(
      `SELECT session_id AS session, count(*)::int AS count FROM usage GROUP BY session_id ORDER BY count`,
    );
    expect(rows).toEqual([
      { session: null, count: 200 },
      { session: sessionId, count: 2400 },
    ]);
  });

  test("0040 and 0041: sessions of before are counted, and what comes and goes meanwhile", async () => {
    const database = await empty();
    const own = join(import.meta.dirname, "migrations");
    const before = await folder({});
    for (const name of (await readdir(own)).filter((file) => file < "0040")) {
      await cp(join(own, name), join(before, name));
    }
    await migrate(database, { from: before });
    await database.execute(`BEGIN; SET LOCAL statement_timeout = 0;
      INSERT INTO sessions (session_id, user_id, agent_id, status, temporary)
        SELECT gen_random_uuid(), 'ann', 'agent ' || n % 3, CASE n % 4 WHEN 0 THEN 'archived' ELSE 'active' END, n % 5 = 0
        FROM generate_series(1, 2000) AS n; COMMIT`);
    const ending = new AbortController();
    let changes = 0;
    const some = "(SELECT session_id FROM sessions ORDER BY random() LIMIT 1)";
    const writing = [0, 1].map(async (writer) => {
      for (let each = writer; !ending.signal.aborted; each += 1) {
        const statement = [
          "INSERT INTO sessions (session_id, user_id, agent_id) VALUES (gen_random_uuid(), 'bob', 'agent 1')",
          `DELETE FROM sessions WHERE session_id = ${some}`,
          `UPDATE sessions SET status = 'archived' WHERE session_id = ${some}`,
          `UPDATE sessions SET agent_id = 'agent 9' WHERE session_id = ${some}`,
        ][each % 4];
        // On a busy machine one may be cut off: then nothing of it is there, or counted.
        await database.query(statement ?? "").catch(() => {});
        changes += 1;
      }
    });
    const meanwhile = (count: number) =>
      expect.poll(() => changes, { interval: 1, timeout: 20_000 }).toBeGreaterThan(count);
    await meanwhile(20);
    await cp(join(own, "0040-session-counts.sql"), join(before, "0040-session-counts.sql"));
    await migrate(database, { from: before });
    await meanwhile(changes + 20);
    await migrate(database);
    await meanwhile(changes + 20);
    ending.abort();
    await Promise.all(writing);
    const counts = await database.query(
      "SELECT status, agent_id, sum(sessions)::int AS count FROM session_counts GROUP BY 1, 2 HAVING sum(sessions) <> 0 ORDER BY 1, 2",
    );
    const there = await database.query(
      "SELECT status, agent_id, count(*)::int AS count FROM sessions WHERE NOT temporary GROUP BY 1, 2 ORDER BY 1, 2",
    );
    expect(counts.rows.length).toBeGreaterThan(5);
    expect(counts.rows).toEqual(there.rows);
  });

  test("are the same with the line ends of Windows", async () => {
    const database = await empty();
    await migrate(database, { from: await folder({ "0001-a.sql": "SELECT 1;\nSELECT 2;\n" }) });
    const windows = await folder({ "0001-a.sql": "SELECT 1;\r\nSELECT 2;\r\n" });
    expect((await migrate(database, { from: windows })).applied).toEqual([]);
  });

  test("that were changed, or that this version does not know, are refused", async () => {
    const database = await empty();
    const path = await folder({ "0001-a.sql": "SELECT 1", "0002-b.sql": "SELECT 2" });
    await migrate(database, { from: path });
    await writeFile(join(path, "0001-a.sql"), "SELECT 3");
    await expect(migrate(database, { from: path })).rejects.toBeInstanceOf(MigrationMismatch);
    const older = await folder({ "0001-a.sql": "SELECT 1" });
    await expect(migrate(database, { from: older })).rejects.toBeInstanceOf(MigrationMismatch);
    await expect(migrationState(database, older)).rejects.toBeInstanceOf(MigrationMismatch);
  });

  test("are not applied where two have the same number", async () => {
    const path = await folder({ "0001-a.sql": "SELECT 1", "0002-b.sql": "", "0002-c.sql": "" });
    await expect(migrate(await empty(), { from: path })).rejects.toThrow("number of 0002-b.sql");
  });

  test("of a newer version do not trouble a node that runs already", async () => {
    const database = await empty();
    const both = await folder({ "0001-a.sql": "SELECT 1", "0002-b.sql": "SELECT 2" });
    await migrate(database, { from: both });
    const older = await folder({ "0001-a.sql": "SELECT 1" });
    expect(await migrationState(database, older, true)).toEqual({ current: 2, pending: [] });
  });

  test("0006 and 0008: sound without a session goes, other sound stays", async () => {
    const database = await empty();
    const before = await folder({});
    const own = join(import.meta.dirname, "migrations");
    for (const name of (await readdir(own)).filter((file) => file < "0006")) {
      await cp(join(own, name), join(before, name));
    }
    await migrate(database, { from: before });
    const sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
      [sessionId],
    );
    const insert = `INSERT INTO audio (audio_id, session_id, user_id, format, media_type, bytes)
      VALUES (gen_random_uuid(), $1, $2, 'wav', 'audio/wav', '')`;
    for (const [session, name] of [
      [sessionId, "held"],
      [newId(), "left"],
      [null, "waiting"],
    ]) {
      await database.query(insert, [session, name]);
    }
    await migrate(database);
    const left = async () =>
      (
        await database.query<{ user_id: string }>("SELECT user_id FROM audio ORDER BY user_id")
      ).rows.map(({ user_id: name }) => name);
    expect(await left()).toEqual(["held", "waiting"]);
    await expect(database.query(insert, [newId(), "new"])).rejects.toMatchObject({ code: "23503" });
    await database.query("DELETE FROM sessions");
    expect(await left()).toEqual(["waiting"]);
    const { rows } = await database.query(
      "SELECT convalidated FROM pg_constraint WHERE conname = 'audio_session'",
    );
    expect(rows).toEqual([{ convalidated: true }]);
  });
});

describe.skipIf(postgres === null)("migrations beside nodes that serve", () => {
  const open = (url: string) => {
    const database = createPostgresDatabase({
      url,
      maxConnections: 2,
      poolTimeoutMs: 5_000,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 500,
      pooler: "none",
      log: silentLogger,
    });
    cleanUp.push(() => database.close());
    return database;
  };
  /** Tells the lines as they come. */
  const heard = () => {
    const lines: string[] = [];
    let onLine = (_line: string) => {};
    const log: Logger = {
      ...silentLogger,
      info(_fields, message) {
        lines.push(message);
        onLine(message);
      },
    };
    const next = (words: string) =>
      new Promise<void>((resolve) => {
        onLine = (line) => {
          if (line.includes(words)) resolve();
        };
      });
    return { lines, log, next };
  };

  test("wait for another node that migrates, longer than any statement may take, and say so", async () => {
    const url = (await postgres?.freshDatabase()) ?? "";
    const other = open(url);
    const { lines, log, next } = heard();
    const waiting = next("waiting for another node");
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
    const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
    const holding = other.transaction(async (tx) => {
      await tx.query("SELECT pg_advisory_xact_lock(4812001)");
      held();
      await isDone;
    });
    await isHeld;
    const migrating = migrate(open(url), { log });
    await waiting;
    await other.execute("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_sleep(0.7); COMMIT");
    done();
    await holding;
    expect((await migrating).applied.length).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes("waiting for another node"))).toHaveLength(1);
  });

  test("never stand in the queue of a table that is in use: others go on reading and writing", async () => {
    const url = (await postgres?.freshDatabase()) ?? "";
    const from = await mkdtemp(join(tmpdir(), "chat-migrations-"));
    cleanUp.push(() => rm(from, { recursive: true }));
    await writeFile(join(from, "0001-a.sql"), "CREATE TABLE used (a int)");
    await migrate(open(url), { from });
    await writeFile(join(from, "0002-b.sql"), "ALTER TABLE used ADD b int");
    const { log, next } = heard();
    const waiting = next("a table that others are using");
    const backup = open(url);
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
    const { promise: isRead, resolve: read } = Promise.withResolvers<void>();
    const reading = backup.transaction(async (tx) => {
      await tx.query("SELECT * FROM used");
      read();
      await isDone;
    });
    await isRead;
    const migrating = migrate(open(url), { from, log });
    await waiting;
    // Would wait behind the migration, and be cut off by its statement time-out.
    await backup.query("INSERT INTO used VALUES (1)");
    done();
    await reading;
    expect((await migrating).applied).toEqual(["0002-b.sql"]);
  });

  test("build an index beside those who write, longer than any statement may take, and once", async () => {
    const url = (await postgres?.freshDatabase()) ?? "";
    const from = await mkdtemp(join(tmpdir(), "chat-migrations-"));
    cleanUp.push(() => rm(from, { recursive: true }));
    const slow = `CREATE TABLE used (a int); INSERT INTO used SELECT generate_series(1, 10);
      CREATE FUNCTION slow(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(0.1); RETURN a; END $$`;
    await writeFile(join(from, "0001-a.sql"), slow);
    await migrate(open(url), { from });
    const index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS used_slowly ON used (slow(a))";
    await writeFile(join(from, "0002-b.sql"), index);
    const { log, next } = heard();
    const waiting = next("builds an index");
    const watcher = open(url);
    const first = migrate(open(url), { from });
    const building =
      "SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database()";
    await expect
      .poll(async () => (await watcher.query(building)).rowCount, { interval: 10 })
      .toBe(1);
    const second = migrate(open(url), { from, log });
    await waiting;
    // Would be cut off by its statement time-out behind an index that holds writes back.
    await watcher.query("INSERT INTO used VALUES (11)");
    const { rows } = await watcher.query("SELECT count(*)::int AS applied FROM schema_migrations");
    expect(rows).toEqual([{ applied: 1 }]);
    const results = await Promise.all([first, second]);
    expect(results.flatMap(({ applied }) => applied)).toEqual(["0002-b.sql"]);
  });

  test("end nobody who has the tables in another order: they let go, and try again", async () => {
    const url = (await postgres?.freshDatabase()) ?? "";
    const from = await mkdtemp(join(tmpdir(), "chat-migrations-"));
    cleanUp.push(() => rm(from, { recursive: true }));
    await writeFile(join(from, "0001-a.sql"), "CREATE TABLE one (a int); CREATE TABLE two (a int)");
    await migrate(open(url), { from });
    await writeFile(
      join(from, "0002-b.sql"),
      "ALTER TABLE two ADD b int; ALTER TABLE one ADD b int",
    );
    const watcher = open(url);
    const { log } = heard();
    const { promise: isWriting, resolve: began } = Promise.withResolvers<void>();
    const { promise: isWaiting, resolve: waits } = Promise.withResolvers<void>();
    const writing = open(url).transaction(async (tx) => {
      await tx.execute("SET LOCAL statement_timeout = 0");
      await tx.query("INSERT INTO one VALUES (1)");
      began();
      await isWaiting;
      await tx.query("INSERT INTO two VALUES (1)");
    });
    await isWriting;
    const migrating = migrate(open(url), { from, log });
    await expect
      .poll(
        async () => (await watcher.query("SELECT 1 FROM pg_locks WHERE NOT granted")).rowCount,
        {
          interval: 10,
        },
      )
      .toBe(1);
    waits();
    await writing;
    expect((await migrating).applied).toEqual(["0002-b.sql"]);
    expect((await watcher.query("SELECT 1 FROM two")).rowCount).toBe(1);
  });
});
