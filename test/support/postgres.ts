import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, type QueryResultRow } from "pg";
import { freePort, missingBackend, ordinaryUser, startProgram } from "./backends.ts";

/** A real PostgreSQL server for tests. */
export interface TestPostgres {
  /** Of its maintenance database. */
  readonly url: string;
  readonly port: number;
  /** Creates an empty database and returns its URL. */
  freshDatabase(): Promise<string>;
  /** Runs SQL as its superuser, in the maintenance database unless another URL is given. */
  query<R extends QueryResultRow>(sql: string, params?: unknown[], url?: string): Promise<R[]>;
  /** What is committed survives each of them. `immediate` is a crash. Own servers only. */
  stopServer(mode: "fast" | "immediate"): Promise<void>;
  startServer(): Promise<void>;
  restart(mode?: "fast" | "immediate"): Promise<void>;
  /** Ends the server and removes its files; drops the databases made on a server that was only lent. */
  stop(): Promise<void>;
}

interface PostgresOptions {
  /** Settings as `name=value`. */
  readonly settings?: readonly string[];
  /** A server that may be stopped and started, even where TEST_DATABASE_URL lends one. */
  readonly own?: boolean;
}

/**
 * Starts a server of its own on loopback, from the newest binaries of this machine; or uses TEST_DATABASE_URL. Null,
 * said aloud, where there is neither.
 *
 *     const postgres = await startPostgres();
 *     describe.skipIf(postgres === null)("on PostgreSQL", () => { … await postgres.freshDatabase() … });
 *     afterAll(() => postgres?.stop());
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres | null> {
  const lent = process.env["TEST_DATABASE_URL"];
  if (lent !== undefined && lent !== "" && options.own !== true) return lentPostgres(lent);
  const binaries = findBinaries();
  if (binaries === null) {
    return missingBackend("postgres", "install postgresql, or set TEST_DATABASE_URL");
  }
  const user = ordinaryUser();
  const directory = await mkdtemp(join(tmpdir(), "chat-postgres-"));
  if (user !== null) await chown(directory, user.uid, user.gid);
  const data = join(directory, "data");
  await promisify(execFile)(
    join(binaries, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...user, cwd: directory },
  );

  const port = await freePort();
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  // Without fsync only a crash of the machine loses what is committed, and no test does that.
  const settings = [
    "fsync=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    ...(options.settings ?? []),
  ];
  const start = () =>
    startProgram(
      join(binaries, "postgres"),
      ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      /database system is ready to accept connections/,
      { user, cwd: directory },
    );
  let server = await start();
  const stopServer = (mode: "fast" | "immediate") =>
    server.end(mode === "fast" ? "SIGINT" : "SIGQUIT");
  const startServer = async () => {
    server = await start();
  };
  return {
    ...queries(url),
    url,
    port,
    stopServer,
    startServer,
    async restart(mode = "fast") {
      await stopServer(mode);
      await startServer();
    },
    async stop() {
      await server.end("SIGQUIT");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function lentPostgres(url: string): TestPostgres {
  const { query, freshDatabase } = queries(url);
  const made: string[] = [];
  const refuse = () => Promise.reject(new Error("TEST_DATABASE_URL is not ours to stop"));
  return {
    url,
    port: Number(new URL(url).port || 5432),
    query,
    async freshDatabase() {
      const fresh = await freshDatabase();
      made.push(new URL(fresh).pathname.slice(1));
      return fresh;
    },
    stopServer: refuse,
    startServer: refuse,
    restart: refuse,
    async stop() {
      for (const name of made) await query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

let count = 0;

function queries(url: string): Pick<TestPostgres, "query" | "freshDatabase"> {
  const query: TestPostgres["query"] = async <R extends QueryResultRow>(
    sql: string,
    params: unknown[] = [],
    other = url,
  ) => {
    const client = new Client({ connectionString: other });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query<R>(sql, params)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    query,
    async freshDatabase() {
      const name = `test_${process.pid}_${Date.now()}_${(count += 1)}`;
      await query(`CREATE DATABASE ${name}`);
      const fresh = new URL(url);
      fresh.pathname = `/${name}`;
      return fresh.href;
    },
  };
}

/** Debian keeps several versions side by side, others put one on the path. */
function findBinaries(): string | null {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian)
    ? readdirSync(debian).map(Number).filter(Number.isFinite)
    : [];
  const candidates = [
    ...versions
      .sort((left, right) => right - left)
      .map((version) => join(debian, String(version), "bin")),
    ...(process.env["PATH"] ?? "").split(":"),
  ];
  return (
    candidates.find(
      (directory) =>
        existsSync(join(directory, "initdb")) && existsSync(join(directory, "postgres")),
    ) ?? null
  );
}
