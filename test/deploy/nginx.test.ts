import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freePort } from "../support/backends.ts";
import { createClient } from "../support/client.ts";
import { findNginx } from "../support/nginx.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

const program = findNginx();

describe.skipIf(program === null)("nginx in front of the service", () => {
  let model: OpenAiServer;
  let service: TestService;
  let nginx: ChildProcess;
  let directory: string;
  let url: string;
  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({ env: { MODELS_API_URL: model.url } });
    directory = await mkdtemp(join(tmpdir(), "chat-nginx-"));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const text = await readFile(join(import.meta.dirname, "../../deploy/nginx.conf"), "utf8");
    const here = text
      .replaceAll("/tmp/nginx", `${directory}/nginx`)
      .replaceAll("/dev/stdout", `${directory}/access.log`)
      .replaceAll("/dev/stderr", `${directory}/error.log`)
      .replace("server chat-1:8001", `server ${new URL(service.url).host}`)
      // The second node is away: the first answers all.
      .replace("server chat-2:8001", `server 127.0.0.1:${await freePort()}`)
      .replace("listen 8080", `listen 127.0.0.1:${port}`);
    await writeFile(join(directory, "nginx.conf"), here);
    nginx = spawn(program ?? "", ["-c", join(directory, "nginx.conf"), "-g", "daemon off;"], {
      stdio: "inherit",
    });
    await vi.waitFor(async () => expect((await fetch(`${url}/health`)).status).toBe(200), 10_000);
  });
  afterAll(async () => {
    nginx.kill("SIGTERM");
    await once(nginx, "exit");
    await service.stop();
    await model.close();
    await rm(directory, { recursive: true });
  });

  it("passes each piece of a reply on while the next one is not even made", async () => {
    const client = createClient(url);
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["first ", "second"],
      pace: async (index) => {
        if (index === 1) await gate.promise;
      },
    });
    const stream = await client.stream({ user_id: "ann", message: "hello" });
    await stream.next(({ type, chunk }) => type === "assistant_chunk" && chunk === "first ");
    gate.resolve();
    const events = await stream.all();
    expect(events.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "first second",
    });
  });

  it("hides metrics from the outside, below each prefix too, and passes health on", async () => {
    const client = createClient(url);
    for (const path of [
      "/metrics",
      "/api/metrics/",
      "/api/v1/health/detailed",
      "/health/metrics",
    ]) {
      expect((await client.get(path)).status, path).toBe(404);
      expect((await createClient(service.url).get(path)).status, path).toBe(200);
    }
    expect((await client.get("/health/readiness")).status).toBe(200);
  });

  it("passes the caller's request id on", async () => {
    const { headers } = await createClient(url).get("/health", { "x-request-id": "my-own" });
    expect(headers.get("x-request-id")).toBe("my-own");
  });
});
