import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { createClient } from "../support/client.ts";
import { startService } from "../support/start-service.ts";

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
