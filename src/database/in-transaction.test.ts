import { createServer, connect, type AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import type { Database, OpenTransaction, Queryable } from "./database.ts";
import { createEmbeddedDatabase } from "./embedded.ts";
import { createPostgresDatabase } from "./postgres.ts";

const postgres = await startPostgres();
const open = (url: string, pooler: "none" | "pgbouncer" = "none") =>
  createPostgresDatabase({
    url,
    maxConnections: 1,
    poolTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    pooler,
    log: silentLogger,
  });
const databases: [string, Database][] = [
  ["embedded", await createEmbeddedDatabase({ dataDir: null, log: silentLogger })],
];
if (postgres !== null) databases.push(["PostgreSQL", open(await postgres.freshDatabase())]);

afterAll(async () => {
  for (const [, database] of databases) await database.close();
  await postgres?.stop();
});

describe.each(databases)("a transaction on %s", (_, database) => {
  beforeEach(() =>
    database.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)"),
  );
  const put = (tx: Queryable, id: number) => tx.query("INSERT INTO kept VALUES ($1)", [id]);
  const kept = async () =>
    (await database.query("SELECT id FROM kept ORDER BY id")).rows.map(({ id }) => id);

  test("keeps what nobody waited for", async () => {
    await database.transaction(async (tx) => {
      void put(tx, 1);
      await put(tx, 2);
      void put(tx, 3);
    });
    expect(await kept()).toEqual([1, 2, 3]);
  });

  test("answers what was asked together each with its own", async () => {
    const answers = await database.transaction((tx) =>
      Promise.all([
        put(tx, 7),
        tx.query("SELECT id FROM kept"),
        tx.query("SELECT $1::int AS of", [4]),
        tx.query("SELECT $1::int AS of", [5]),
      ]),
    );
    expect(answers.slice(1).map(({ rows }) => rows)).toEqual([
      [{ id: 7 }],
      [{ of: 4 }],
      [{ of: 5 }],
    ]);
  });

  test.each<[string, (tx: OpenTransaction) => Promise<unknown>]>([
    ["last", async (tx) => void put(tx, 1)],
    ["with no answer", async (tx) => tx.ask("INSERT INTO kept VALUES ($1)", [1])],
    [
      "with no answer, before others",
      async (tx) => {
        tx.ask("INSERT INTO kept VALUES ($1)", [1]);
        await put(tx, 2);
      },
    ],
    [
      "before others",
      async (tx) => {
        void put(tx, 1);
        void tx.query("SELECT count(*) FROM kept WHERE id > $1", [0]);
      },
    ],
    [
      "before what was waited for, whose failure is taken for granted",
      async (tx) => {
        void put(tx, 1);
        await put(tx, 2).catch(() => undefined);
      },
    ],
    ["and waited for", (tx) => put(tx, 1)],
    ["among what was asked together", (tx) => Promise.all([put(tx, 2), put(tx, 1), put(tx, 3)])],
  ])("fails with what failed %s, and nothing of it stays", async (_place, work) => {
    await put(database, 1);
    await expect(
      database.transaction(async (tx) => {
        await put(tx, 9);
        return work(tx);
      }),
    ).rejects.toMatchObject({ code: "23505" });
    expect(await kept()).toEqual([1]);
    // Statements of which the first use was refused serve later.
    await database.transaction(async (tx) => {
      void put(tx, 2);
      void tx.query("SELECT count(*) FROM kept WHERE id > $1", [0]);
    });
    expect(await kept()).toEqual([1, 2]);
  });

  test("is committed behind what was asked at once", async () => {
    const answer = await database.transaction((tx) => {
      const put1 = put(tx, 1);
      tx.commit();
      return put1;
    });
    expect(answer.rowCount).toBe(1);
    const failing = database.transaction((tx) => {
      void put(tx, 2);
      const again = put(tx, 1);
      tx.commit();
      return again;
    });
    await expect(failing).rejects.toMatchObject({ code: "23505" });
    expect(await kept()).toEqual([1]);
  });

  // At its second use a server knows the statements, and is told of no transaction.
  test("committed at once answers each with its own, and leaves nothing of what fails", async () => {
    const many = "SELECT g AS of FROM generate_series(1, $1::int) g";
    for (let use = 0; use < 3; use += 1) {
      await database.execute("TRUNCATE kept");
      const answers = await database.transaction((tx) => {
        const asked = Promise.all([
          put(tx, 1),
          tx.query(many, [2]),
          tx.query("UPDATE kept SET id = id + $1", [1]),
          tx.query(many, [0]),
          tx.query("SELECT id, $1::text AS text FROM kept", ["x"]),
        ]);
        tx.commit();
        return asked;
      });
      expect(answers.map(({ rowCount }) => rowCount)).toEqual([1, 2, 1, 0, 1]);
      expect(answers.slice(1).map(({ rows }) => rows)).toEqual([
        [{ of: 1 }, { of: 2 }],
        [],
        [],
        [{ id: 2, text: "x" }],
      ]);
      const failing = database.transaction(async (tx) => {
        const asked = [put(tx, 3), put(tx, 2), put(tx, 4)];
        tx.commit();
        await Promise.all(asked);
      });
      await expect(failing).rejects.toMatchObject({ code: "23505" });
      expect(await kept()).toEqual([2]);
    }
  });

  test("committed at once fails with what is found only at its end, and leaves nothing", async () => {
    await database.execute(`
      DROP TABLE IF EXISTS late; CREATE TABLE late (id int REFERENCES kept DEFERRABLE INITIALLY DEFERRED)`);
    const late = (id: number) =>
      database.transaction(async (tx) => {
        const asked = tx.query("INSERT INTO late VALUES ($1)", [id]);
        void put(tx, id + 10);
        tx.commit();
        await asked;
      });
    await put(database, 1);
    for (let use = 0; use < 3; use += 1) {
      await database.execute("DELETE FROM late; DELETE FROM kept WHERE id > 1");
      await late(1);
      await expect(late(5)).rejects.toMatchObject({ code: "23503" });
      expect(await kept()).toEqual([1, 11]);
    }
    await database.execute("DROP TABLE late");
  });

  test("that throws leaves nothing of what nobody waited for", async () => {
    const stop = new Error("stop");
    const failing = database.transaction(async (tx) => {
      void put(tx, 1);
      throw stop;
    });
    await expect(failing).rejects.toBe(stop);
    expect(await kept()).toEqual([]);
  });
});

test.skipIf(postgres === null).each(["none", "pgbouncer"] as const)(
  "statements that do not wait for each other are one round trip and one packet (pooler: %s)",
  async (pooler) => {
    if (postgres === null) return;
    const packets: Buffer[] = [];
    const wire = createServer((client) => {
      const server = connect(postgres.port, "127.0.0.1");
      client.on("data", (data) => {
        packets.push(data);
        server.write(data);
      });
      server.on("data", (data) => client.write(data));
      client.on("close", () => server.destroy());
    });
    await new Promise<void>((resolve) => wire.listen(0, "127.0.0.1", resolve));
    const url = new URL(postgres.url);
    url.port = String((wire.address() as AddressInfo).port);
    const database = open(url.href, pooler);
    await database.query("SELECT 1");
    packets.length = 0;
    await database.transaction(async (tx) => {
      await Promise.all([tx.query("SELECT $1::int", [1]), tx.query("SELECT $1::int + 1", [1])]);
      void tx.query("SELECT $1::int + 2", [1]);
    });
    expect(packets).toHaveLength(2);
    packets.length = 0;
    await database.transaction((tx) => {
      const answer = tx.query("SELECT $1::int", [1]);
      tx.commit();
      return answer;
    });
    expect(packets).toHaveLength(1);
    // PgBouncer keeps no statements that a connection could know.
    expect(packets[0]?.includes("BEGIN")).toBe(pooler === "pgbouncer");
    await database.close();
    wire.close();
  },
);
