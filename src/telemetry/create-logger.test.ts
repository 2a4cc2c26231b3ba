import { mkdtemp, readFile, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Config } from "../config/settings.ts";
import { createLogger } from "./create-logger.ts";

const defaults: Config["logging"] = {
  level: "INFO",
  format: "json",
  file_path: null,
  error_file_path: null,
  access_file_path: null,
  max_size: 1024 * 1024,
  backup_count: 2,
};
const service = { name: "chat-service", environment: "production" } as const;

function captured() {
  const lines: string[] = [];
  return { lines, isTerminal: false, write: (text: string) => void lines.push(text) };
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chat-log-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("createLogger", () => {
  it("writes JSON in production with time, level, service and the child's fields", () => {
    const console = captured();
    const { logger } = createLogger({ ...defaults, format: "auto" }, service, console);
    logger.child({ part: "gateway" }).info({ tries: 2 }, "registered");
    expect(console.lines).toHaveLength(1);
    expect(JSON.parse(console.lines[0]!)).toMatchObject({
      level: "info",
      service: "chat-service",
      part: "gateway",
      tries: 2,
      msg: "registered",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
  });

  it("writes one readable line in development", () => {
    const console = captured();
    const { logger } = createLogger(
      { ...defaults, format: "auto" },
      { ...service, environment: "development" },
      console,
    );
    logger.info({ agents: 3 }, "agents listed");
    logger.info({ method: "GET", path: "/health", status: 200, durationMs: 3 }, "request");
    const text = console.lines.join("");
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: agents listed \{"agents":3\}\n/);
    expect(text).toMatch(/INFO: GET \/health 200 3 ms\s*\n$/);
    expect(text).not.toContain("pid");
  });

  it("changes the level of children that exist already, and of Fastify", () => {
    const console = captured();
    const handle = createLogger(defaults, service, console);
    const child = handle.logger.child({ part: "x" });
    child.debug({}, "one");
    expect(handle.nextLevel()).toBe("WARN");
    handle.setLevel(handle.nextLevel());
    child.info({}, "two");
    const { log } = Fastify({ loggerInstance: handle.pino });
    log.info({}, "three");
    handle.setLevel("DEBUG");
    child.debug({}, "four");
    log.debug({}, "five");
    expect(console.lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      "four",
      "five",
    ]);
  });

  it("shares lines out to the files: all, errors, and requests at any level", async () => {
    const console = captured();
    const handle = createLogger(
      {
        ...defaults,
        level: "WARN",
        file_path: join(directory, "logs/chat-service.log"),
        error_file_path: join(directory, "logs/error.log"),
        access_file_path: join(directory, "logs/access.log"),
      },
      service,
      console,
    );
    handle.pino.info({ path: "/health" }, "request");
    handle.logger.warn({}, "odd");
    handle.logger.error({}, "bad");
    await handle.close();
    const read = async (name: string) =>
      (await readFile(join(directory, "logs", name), "utf8"))
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(await read("chat-service.log")).toEqual(["odd", "bad"]);
    expect(await read("error.log")).toEqual(["bad"]);
    expect(await read("access.log")).toEqual(["request"]);
  });

  it("tells a file's fault to the others, once, and at the end what is missing in it", async () => {
    const console = captured();
    const path = join(directory, "error.log");
    const handle = createLogger(
      { ...defaults, file_path: "/dev/full", error_file_path: path },
      service,
      console,
    );
    handle.logger.info({}, "a line");
    await vi.waitFor(() => expect(console.lines).toHaveLength(2), { timeout: 20_000 });
    handle.logger.info({}, "another");
    await handle.close();
    const lines = console.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { msg: "a line" },
      { msg: "a log cannot be written", path: "/dev/full", err: { code: "ENOSPC" } },
      { msg: "another" },
      { msg: "lines are missing in log files", lost: 2 },
    ]);
    expect(await readFile(path, "utf8")).toBe(console.lines[1]);
  });

  it("refuses to start when a file cannot be opened", () => {
    expect(() => createLogger({ ...defaults, file_path: directory }, service)).toThrow(/EISDIR/);
  });

  it("keeps bodies, headers, queries and secrets out, also from Fastify's own lines", async () => {
    const console = captured();
    const handle = createLogger({ ...defaults, level: "DEBUG" }, service, console);
    const app = Fastify({ loggerInstance: handle.pino });
    app.post("/echo", (request) => {
      request.log.info({ req: request.raw, body: request.body, headers: request.headers }, "in");
      throw new Error("postgresql://chat:hunter2@db/chat?sslpassword=hunter2 refused", {
        cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED", detail: "hunter2" }),
      });
    });
    await app.inject({
      method: "POST",
      url: "/echo?token=hunter2",
      headers: { authorization: "Bearer hunter2", cookie: "sid=hunter2" },
      payload: { message: "hunter2" },
    });
    await app.close();
    const text = console.lines.join("");
    expect(text).toContain('"url":"/echo"');
    expect(text).toContain('"code":"ECONNREFUSED"');
    expect(text).toContain("://***@db/chat");
    expect(text).not.toContain("hunter2");
  });

  const fillBeyondItsSize = async (path: string) => {
    const handle = createLogger(
      { ...defaults, file_path: path, max_size: 1024 },
      service,
      captured(),
    );
    for (let number = 0; number < 60; number++) handle.logger.info({ number }, "line");
    await handle.close();
  };

  it("rotates by size and keeps the newest files", async () => {
    const path = join(directory, "chat.log");
    await fillBeyondItsSize(path);
    expect((await readdir(directory)).sort()).toEqual(["chat.log", "chat.log.1", "chat.log.2"]);
    const texts = await Promise.all(
      [".2", ".1", ""].map((suffix) => readFile(path + suffix, "utf8")),
    );
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(1024 * 1.25);
    const numbers = texts
      .join("")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { number: number }).number);
    expect(numbers).toEqual(Array.from(numbers, (_, index) => 60 - numbers.length + index));
  });

  it("leaves a device where it is", async () => {
    const path = join(directory, "chat.log");
    await symlink("/dev/null", path);
    await fillBeyondItsSize(path);
    expect(await readdir(directory)).toEqual(["chat.log"]);
    expect(await readlink(path)).toBe("/dev/null");
  });
});
