import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startPgBouncer } from "../../test/support/pgbouncer.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import type { Database } from "../database/database.ts";
import { createPostgresDatabase } from "../database/postgres.ts";
import { newId } from "../lib/ids.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createPostgresWire } from "./postgres-wire.ts";
import type { Wire } from "./wire.ts";

const postgres = await startPostgres({ own: true });
const pooler = postgres === null ? null : await startPgBouncer(postgres.port, 2);
const url = (await postgres?.freshDatabase()) ?? "";

afterAll(async () => {
  await pooler?.stop();
  await postgres?.stop();
});

const wires: Wire[] = [];
const databases: Database[] = [];
afterEach(async () => {
  for (const opened of [...wires.splice(0), ...databases.splice(0)]) await opened.close();
});

function open(through = url, databaseUrl = through) {
  const nodeId = newId();
  const database = createPostgresDatabase({
    url: databaseUrl,
    maxConnections: 2,
    poolTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 1_000,
    pooler: "pgbouncer",
    log: silentLogger,
  });
  databases.push(database);
  const wire = createPostgresWire({
    url: through,
    nodeId,
    database,
    connectTimeoutMs: 1_000,
    logger: silentLogger,
    beatMs: 200,
  });
  wires.push(wire);
  const heard: unknown[] = [];
  wire.on("say", (body, from) => heard.push([from, body]));
  return { wire, nodeId, heard };
}

const met = (count: number, ...all: { wire: Wire }[]) =>
  vi.waitFor(
    () => {
      for (const { wire } of all) expect(wire.status()).toEqual({ connected: true, peers: count });
    },
    { timeout: 10_000 },
  );

describe.skipIf(postgres === null)("LISTEN and NOTIFY", () => {
  test("what is told comes whole and in order, to all others or to one of them", async () => {
    const [a, b, c] = [open(), open(), open()];
    await met(2, a, b, c);
    const long = "🙂 Grüße\n\u0000".repeat(20_000);
    const told = ["one", long, { two: [2] }, null];
    for (const body of told) void a.wire.send(null, "say", body);
    void a.wire.send(b.nodeId, "say", "for b");
    expect(await a.wire.send(c.nodeId, "other", "nobody listens")).toBe(true);
    await vi.waitFor(() => expect(b.heard).toHaveLength(5));
    expect(b.heard.slice(0, 4)).toEqual(told.map((body) => [a.nodeId, body]));
    await vi.waitFor(() => expect(c.heard).toEqual(told.map((body) => [a.nodeId, body])));
    expect(a.heard).toEqual([]);
  });

  test("a lost connection is made anew, and everybody hears that something was missed", async () => {
    const [a, b] = [open(), open()];
    await met(1, a, b);
    const downs: string[] = [];
    const peers: string[] = [];
    a.wire.onDown(() => downs.push("a"));
    a.wire.onPeer((node) => peers.push(`a ${node}`));
    b.wire.onPeer((node) => peers.push(`b ${node}`));
    const [row] = (await postgres?.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%between nodes%' ORDER BY backend_start LIMIT 1",
    )) ?? [{ pid: 0 }];
    await postgres?.query("SELECT pg_terminate_backend($1)", [row?.pid]);
    await vi.waitFor(
      () => expect(peers.toSorted()).toEqual([`a ${b.nodeId}`, `b ${a.nodeId}`].toSorted()),
      { timeout: 10_000 },
    );
    expect(downs.length).toBeLessThanOrEqual(1);
    await met(1, a, b);
    await a.wire.send(null, "say", "again");
    await vi.waitFor(() => expect(b.heard).toEqual([[a.nodeId, "again"]]));
  });

  test("while the server is away nothing is said to be sent, and it is found again", async () => {
    const [a, b] = [open(), open()];
    await met(1, a, b);
    await postgres?.stopServer("immediate");
    await vi.waitFor(async () => expect(await a.wire.send(null, "say", "lost")).toBe(false));
    expect(a.wire.hasPeers()).toBe(false);
    await postgres?.startServer();
    await met(1, a, b);
    expect(b.heard).toEqual([]);
  });

  test("who leaves, or is silent, is no peer any more", async () => {
    const [a, b] = [open(), open()];
    await met(1, a, b);
    await b.wire.close();
    await vi.waitFor(() => expect(a.wire.hasPeers()).toBe(false));
    expect(await b.wire.send(null, "say", "late")).toBe(false);
  });

  test("a pooler that lends connections for a transaction is found out, and another database", async () => {
    const pooled = pooler?.through(url);
    const other = await postgres?.freshDatabase();
    const [lent, apart, right] = [open(pooled), open(other, url), open(url, pooled)];
    await met(0, right);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const { wire } of [lent, apart]) {
      expect(wire.status()).toEqual({ connected: false, peers: 0 });
    }
  });

  test("services in schemas of one database do not hear each other", async () => {
    await postgres?.query("CREATE SCHEMA apart", [], url);
    const apart = new URL(url);
    apart.searchParams.set("options", "-csearch_path=apart");
    const [a, b] = [open(), open(apart.href)];
    await met(0, a, b);
    await a.wire.send(null, "say", "here");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(b.heard).toEqual([]);
  });
});
