import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { createClient } from "../support/client.ts";
import { createDataDir, startService } from "../support/start-service.ts";

it("SIGUSR2 changes the level of the running process, and each change is told", async () => {
  const service = await startService();
  const client = createClient(service.url);
  const levels = () => [...service.output().matchAll(/"logLevel":"(\w+)"/g)].map(([, to]) => to);
  const next = async (level: string) => {
    const before = levels().length;
    service.process.kill("SIGUSR2");
    await vi.waitFor(() => expect(levels().slice(before)).toEqual([level]), 10_000);
  };
  try {
    await client.get("/chat/message/at-info");
    await next("WARN");
    await client.get("/chat/message/at-warn");
    await next("ERROR");
    await next("DEBUG");
    await client.get("/chat/message/at-debug");
    await vi.waitFor(() => expect(service.output()).toContain('"path":"/chat/message/at-debug"'));
    // Lines come in their order.
    expect(service.output()).toContain('"path":"/chat/message/at-info"');
    expect(service.output()).not.toContain("at-warn");
    expect(service.output()).toContain('"level":"debug"');
  } finally {
    await service.stop();
  }
});

it("SIGHUP begins a log file anew that was renamed, and ends nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chat-logs-"));
  const path = join(directory, "chat.log");
  const service = await startService({ env: { LOGGING_FILE_PATH: path } });
  const client = createClient(service.url);
  try {
    await client.get("/chat/message/before");
    await vi.waitFor(async () => expect(await readFile(path, "utf8")).toContain("before"), 10_000);
    await rename(path, `${path}.old`);
    service.process.kill("SIGHUP");
    await vi.waitFor(
      async () => expect(await readFile(path, "utf8")).toContain("reopened"),
      10_000,
    );
    await client.get("/chat/message/after");
    await vi.waitFor(async () => expect(await readFile(path, "utf8")).toContain("after"), 10_000);
    expect(await readFile(`${path}.old`, "utf8")).not.toContain("after");
  } finally {
    await service.stop();
    await rm(directory, { recursive: true });
  }
});

it("SIGHUP ends nothing where there are no files", async () => {
  const service = await startService();
  try {
    service.process.kill("SIGHUP");
    await vi.waitFor(() => expect(service.output()).toContain("log files reopened"), 10_000);
    expect((await createClient(service.url).get("/health")).status).toBe(200);
  } finally {
    await service.stop();
  }
});

it("a console on a full disk, and SIGHUP during the start, end nothing", async () => {
  const dataDir = await createDataDir();
  const path = join(dataDir, "chat.log");
  const read = () => readFile(path, "utf8").catch(() => "");
  const full = openSync("/dev/full", "w");
  const main = join(import.meta.dirname, "../../bin/chat-service.mjs");
  const child = spawn(process.execPath, [main, "serve"], {
    env: { SERVICE_DATA_DIR: dataDir, PORT: "0", LOGGING_FILE_PATH: path },
    stdio: ["ignore", full, "ignore"],
  });
  try {
    await vi.waitFor(async () => expect(await read()).not.toBe(""), 10_000);
    child.kill("SIGHUP");
    await vi.waitFor(async () => expect(await read()).toContain("Chat Service is ready"), 20_000);
    const lines = await read();
    expect(lines).toMatch(/reopened[^]*is ready/);
    expect(lines.match(/"a log cannot be written"/g)).toHaveLength(1);
    const [, url = ""] = /"url":"([^"]+)"/.exec(lines) ?? [];
    expect((await createClient(url).get("/health")).status).toBe(200);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await read()).toContain('"stopped"');
  } finally {
    child.kill("SIGKILL");
    closeSync(full);
    await rm(dataDir, { recursive: true, force: true });
  }
});
