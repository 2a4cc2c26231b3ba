import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../support/backends.ts";
import { createClient } from "../support/client.ts";
import { findNginx } from "../support/nginx.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startShippedNginx, type ShippedNginx } from "../support/shipped-nginx.ts";
import { startService, type TestService } from "../support/start-service.ts";

const program = findNginx();

describe.skipIf(program === null)("nginx in front of the service", () => {
  let model: OpenAiServer;
  let service: TestService;
  let nginx: ShippedNginx;
  let url: string;
  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: {
        MODELS_API_URL: model.url,
        SECURITY_TRUSTED_PROXIES: "127.0.0.1",
        LIMITS_ADDRESS_RATE_LIMIT: "40",
        SECURITY_ALLOWED_HOSTS: "127.0.0.1",
      },
    });
    // The second node is away: the first answers all.
    nginx = await startShippedNginx(program ?? "", [
      new URL(service.url).host,
      `127.0.0.1:${await freePort()}`,
    ]);
    ({ url } = nginx);
  });
  afterAll(async () => {
    await nginx.stop();
    await service.stop();
    await model.close();
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

  it("tells the name that was asked for, whatever the caller claims", async () => {
    const ask = (headers: Readonly<Record<string, string>>) =>
      new Promise<number | undefined>((resolve, reject) => {
        request(`${url}/chat/agents`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .once("error", reject)
          .end();
      });
    expect(await ask({})).toBe(200);
    expect(await ask({ host: "evil.example" })).toBe(400);
    for (const [name, value] of Object.entries({
      "x-forwarded-host": "127.0.0.1",
      "x-host": "127.0.0.1",
      "x-original-host": "127.0.0.1",
      forwarded: "host=127.0.0.1",
    })) {
      expect(await ask({ host: "evil.example", [name]: value }), name).toBe(400);
    }
    // Nor does it keep anybody out who asked for the right one.
    expect(await ask({ "x-forwarded-host": "evil.example" })).toBe(200);
  });

  it("tells the caller's own address, whatever the caller claims", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        createClient(url).get("/chat/agents", {
          "x-forwarded-for": `203.0.113.${index}`,
          "x-real-ip": `203.0.113.${index}`,
          forwarded: `for=203.0.113.${index}`,
          "x-forwarded-port": String(index),
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toContain(429);
  });
});
