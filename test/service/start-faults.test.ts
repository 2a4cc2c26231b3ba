import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startService } from "../support/start-service.ts";

const main = join(import.meta.dirname, "../../bin/chat-service.mjs");
const closedPort = "127.0.0.1:9";

let directory: string;
let stranger: Server;
let takenPort: string;
let postgres: TestPostgres | null;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chat-start-"));
  await writeFile(join(directory, "a-file"), "");
  await mkdir(join(directory, "read-only"), { mode: 0o500 });
  await mkdir(join(directory, "older/pgdata"), { recursive: true });
  await writeFile(join(directory, "older/pgdata/PG_VERSION"), "16\n");
  stranger = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  takenPort = String((stranger.address() as AddressInfo).port);
  postgres = await startPostgres();
});
afterAll(async () => {
  stranger.close();
  await postgres?.stop();
  await chmod(join(directory, "read-only"), 0o700);
  await rm(directory, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Carries a command out to its end; calls `onWaiting` when it says that it waits. */
function run(
  command: string[],
  env: Record<string, string>,
  onWaiting?: () => void,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [main, ...command],
      { cwd: directory, env: { PATH: process.env["PATH"], PORT: "0", ...env } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
    createInterface({ input: child.stdout as Readable }).on("line", (line) => {
      if (line.includes("waiting for it")) onWaiting?.();
    });
  });
}

/** Says what is wrong and what mends it, in one line of its own, without a stack. */
function expectSentence({ code, output }: Ended, ...words: (string | RegExp)[]): void {
  expect(code, output).toBe(1);
  for (const word of words) expect(output).toMatch(word);
  expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$|"stack"/m);
}

const withoutWaiting = { DATABASE_WAIT_SECONDS: "0" };

describe("a start that cannot be", () => {
  it.each<[string, () => Record<string, string>, ...(string | RegExp)[]]>([
    ["the port is taken", () => ({ PORT: takenPort }), /is taken by another program/, /PORT=\d+/],
    [
      "the port for whoever watches is taken",
      () => ({ MONITORING_PORT: takenPort }),
      /is taken by another program/,
      /MONITORING_PORT=\d+/,
    ],
    [
      "no such address",
      () => ({ HOST: "203.0.113.1", PORT: "8001" }),
      /no address of this machine/,
      "HOST",
    ],
    [
      "no such host",
      () => ({ HOST: "nowhere.invalid" }),
      /there is no host nowhere\.invalid/,
      "HOST",
    ],
    [
      "the data directory is a file",
      () => ({ SERVICE_DATA_DIR: "a-file" }),
      "a-file",
      "SERVICE_DATA_DIR",
    ],
    [
      "it is below a file",
      () => ({ SERVICE_DATA_DIR: "a-file/below/it" }),
      "a-file",
      "SERVICE_DATA_DIR",
    ],
    [
      "no directory can be made there",
      () => ({ SERVICE_DATA_DIR: "/proc/xx" }),
      "/proc/xx",
      "SERVICE_DATA_DIR",
    ],
    ["its database is of another version", () => ({ SERVICE_DATA_DIR: "older" }), "PostgreSQL 16"],
    [
      "a log file is a directory",
      () => ({ LOGGING_FILE_PATH: directory }),
      /is a directory/,
      "logging",
    ],
    ["a log file below a file", () => ({ LOGGING_FILE_PATH: "a-file/x.log" }), "a-file", "logging"],
    [
      "nobody listens at the database",
      () => ({ DATABASE_URL: `postgresql://u:geheim@${closedPort}/x`, ...withoutWaiting }),
      /PostgreSQL: nobody listens at 127\.0\.0\.1:9/,
      "DATABASE_URL",
    ],
    [
      "the database's host is unknown",
      () => ({ DATABASE_URL: "postgresql://u@nowhere.invalid/x", ...withoutWaiting }),
      /nowhere\.invalid/,
      /DATABASE_URL|DNS/,
    ],
  ])("%s", async (_name, env, ...words) => {
    const ended = await run(["serve"], env());
    expectSentence(ended, ...words);
    expect(ended.output).not.toContain("creating the embedded database (once)");
    expect(ended.output).not.toContain("geheim");
  });

  it.skipIf(process.getuid?.() === 0)("the data directory may not be written", async () => {
    const ended = await run(["serve"], { SERVICE_DATA_DIR: "read-only/data" });
    expectSentence(ended, /may|cannot be written/, "SERVICE_DATA_DIR");
  });

  it("the port is asked for before a database is made", async () => {
    const { output } = await run(["serve"], { PORT: takenPort, SERVICE_DATA_DIR: "fresh" });
    expect(output).not.toContain("creating the embedded database");
  });

  it("shows the stack at DEBUG", async () => {
    const { output } = await run(["serve"], { PORT: takenPort, LOGGING_LEVEL: "DEBUG" });
    expect(output).toMatch(/EADDRINUSE[^]*\bat /);
  });
});

describe("a server that will not do", () => {
  /** A database of the login `chat`, who may only log in. */
  async function databaseOfChat(sql: string): Promise<string> {
    if (postgres === null) throw new Error("no PostgreSQL");
    const url = new URL(await postgres.freshDatabase());
    const name = url.pathname.slice(1);
    await postgres.query(
      "DO $$ BEGIN CREATE ROLE chat LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
    for (const statement of sql.split(";")) {
      await postgres.query(statement.replaceAll("NAME", name), [], url.href);
    }
    url.username = "chat";
    return url.href;
  }
  const commands = [["serve"], ["migrate"], ["export", "ann", "--output", "-"], ["erase", "ann"]];

  it.each(commands)("may not be written: %s", async (...command) => {
    if (postgres === null) return;
    const url = await databaseOfChat("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    const ended = await run(command, { DATABASE_URL: url });
    expectSentence(ended, /chat may not make tables in schema public/, /GRANT CREATE ON SCHEMA/);
  });

  it("only reads", async () => {
    if (postgres === null) return;
    const url = await databaseOfChat("ALTER DATABASE NAME SET default_transaction_read_only = on");
    expectSentence(await run(["serve"], { DATABASE_URL: url }), /only lets this login read/);
  });

  it("has another encoding", async () => {
    if (postgres === null) return;
    const name = `latin_${Date.now()}`;
    await postgres.query(
      `CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    const ended = await run(["serve"], { DATABASE_URL: url.href });
    expectSentence(ended, /encoded in LATIN1/, /--encoding=UTF8/);
    await postgres.query(`DROP DATABASE ${name}`);
  });

  it("has no such database", async () => {
    if (postgres === null) return;
    const url = new URL(postgres.url);
    url.pathname = "/nowhere";
    expectSentence(await run(["migrate"], { DATABASE_URL: url.href }), /createdb .* nowhere/);
  });

  it("is not there yet: it is waited for, told once", async () => {
    const own = await startPostgres({ own: true });
    if (own === null) return;
    await own.stopServer("fast");
    let starting: Promise<void> | undefined;
    const { code, output } = await run(["migrate"], { DATABASE_URL: own.url }, () => {
      starting = own.startServer();
    });
    await starting;
    expect(output).toContain("the database is up to date");
    expect(code).toBe(0);
    expect(output.match(/waiting for it/g)).toHaveLength(1);
    await own.stop();
  });
});

describe("a start in open mode", () => {
  it("warns aloud where other machines can reach it, and names an address to open", async () => {
    const service = await startService({
      env: { HOST: "0.0.0.0", SERVICE_ENVIRONMENT: "development", LOGGING_FORMAT: "json" },
    });
    expect(service.output()).toMatch(/"level":"warn".*auth\.mode is open and other machines/);
    await vi.waitFor(() => {
      expect(service.output()).toMatch(/Open http:\/\/127\.0\.0\.1:\d+ in a browser/);
    });
    await service.stop();
  });
});
