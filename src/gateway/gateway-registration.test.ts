import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import {
  startGateway,
  type GatewayOptions,
  type GatewayServer,
} from "../../test/support/gateway-server.ts";
import { loadConfig } from "../config/load-config.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { knownRegisterPaths } from "./gateway-client.ts";
import {
  createGatewayRegistration,
  nextDelayMs,
  type GatewayRegistration,
} from "./gateway-registration.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function gatewayWith(options?: GatewayOptions): Promise<GatewayServer> {
  const gateway = await startGateway(options);
  ends.push(() => gateway.stop());
  return gateway;
}

/** With an interval of 20 ms, which the configuration does not allow, so that nothing has to be waited for. */
function register(
  gateway: GatewayServer,
  environment: Record<string, string> = {},
  { log = silentLogger, intervalMs = 20 }: { log?: Logger; intervalMs?: number } = {},
): GatewayRegistration {
  const loaded = loadConfig({
    environment: { GATEWAY_URL: `${gateway.url}/`, ...environment },
    cwd: import.meta.dirname,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded));
  const { config } = loaded;
  const registration = createGatewayRegistration({
    config: {
      ...config,
      gateway: { ...config.gateway, health_check_interval: intervalMs / 1000 },
    },
    version: "1.2.3",
    log,
  })!;
  ends.push(() => registration.stop());
  return registration;
}

const isPost = ({ method }: { method: string }) => method === "POST";
const isDelete = ({ method }: { method: string }) => method === "DELETE";

/** The registration that some request announced has been answered once the next one comes in. */
async function twoRegistrations(gateway: GatewayServer, path?: string): Promise<void> {
  const matches = (request: { method: string; path: string }) =>
    isPost(request) && (path === undefined || request.path === path);
  await gateway.nextRequest(matches);
  await gateway.nextRequest(matches);
}

test("tells the registry everything its readers look for", async () => {
  const gateway = await gatewayWith();
  const registration = register(gateway, { GATEWAY_WEIGHT: "3" });
  registration.start(8123);
  await twoRegistrations(gateway);
  expect(gateway.instances()).toEqual([
    {
      service_name: "chat-service",
      service_id: "chat-service-127.0.0.1-8123",
      instance_id: "chat-service-127.0.0.1-8123",
      service_type: "chat",
      version: "1.2.3",
      description: expect.any(String),
      host: "127.0.0.1",
      port: 8123,
      service_url: "http://127.0.0.1:8123",
      health_check_url: "/health",
      health_check_path: "/health",
      weight: 3,
      endpoints: {
        chat: "/api/v1/chat",
        sessions: "/api/v1/sessions",
        voice: "/api/v1/chat/voice",
        health: "/health",
      },
      metadata: {
        environment: "development",
        version: "1.2.3",
        protocol: "http",
        streaming: "sse",
      },
    },
  ]);
  expect(registration.status()).toMatchObject({
    registered: true,
    path: "/gateway/services/register",
    instance_id: "chat-service-127.0.0.1-8123",
    advertised: "http://127.0.0.1:8123",
    failures_in_a_row: 0,
    problem: null,
  });
});

test.each(
  knownRegisterPaths.flatMap((registerPath) =>
    (["message", "success"] as const).flatMap((answer) =>
      [404, 405, 500].map((unknownPathStatus) => ({ registerPath, answer, unknownPathStatus })),
    ),
  ),
)(
  "finds $registerPath ($answer, others $unknownPathStatus), keeps to it and leaves it",
  async (options) => {
    const gateway = await gatewayWith(options);
    const registration = register(gateway);
    registration.start(8001);
    await twoRegistrations(gateway, options.registerPath);
    const paths = gateway.requests.map(({ path }) => path);
    const found = knownRegisterPaths.indexOf(options.registerPath);
    expect(paths.slice(0, found + 2)).toEqual([
      ...knownRegisterPaths.slice(0, found + 1),
      options.registerPath,
    ]);
    expect(gateway.instances().length).toBe(1);
    await registration.stop();
    expect(gateway.instances()).toEqual([]);
    expect(registration.status().registered).toBe(false);
  },
);

test("a fixed path is the only one", async () => {
  const gateway = await gatewayWith({ registerPath: "/registry/register" });
  const registration = register(gateway, { GATEWAY_REGISTER_PATH: "/registry/register" });
  registration.start(8001);
  await twoRegistrations(gateway);
  expect(new Set(gateway.requests.map(({ path }) => path))).toEqual(
    new Set(["/registry/register"]),
  );
  await registration.stop();
  expect(gateway.instances()).toEqual([]);
});

test("what is configured is what is advertised", async () => {
  const gateway = await gatewayWith();
  register(gateway, {
    SERVICE_NAME: "chat eu/1",
    GATEWAY_ADVERTISE_HOST: "chat.internal",
    GATEWAY_ADVERTISE_PORT: "80",
    GATEWAY_SERVICE_ID: "node/1?",
  }).start(8001);
  await twoRegistrations(gateway);
  expect(gateway.instances()[0]).toMatchObject({
    host: "chat.internal",
    port: 80,
    instance_id: "node/1?",
  });
  await ends.pop()?.();
  expect(gateway.instances()).toEqual([]);
});

test("the key is sent in both ways", async () => {
  const gateway = await gatewayWith({ apiKey: "the-key" });
  register(gateway, { GATEWAY_API_KEY: "the-key" }).start(8001);
  await twoRegistrations(gateway);
  expect(gateway.instances().length).toBe(1);
  expect(gateway.requests[0]?.headers).toMatchObject({
    "x-api-key": "the-key",
    authorization: "Bearer the-key",
  });
});

test("a gateway that forgot is told again", async () => {
  const gateway = await gatewayWith();
  register(gateway).start(8001);
  await twoRegistrations(gateway);
  gateway.forget();
  expect(gateway.instances()).toEqual([]);
  await twoRegistrations(gateway);
  expect(gateway.instances().length).toBe(1);
});

test("a gateway that comes back with another path is found there", async () => {
  const old = await gatewayWith();
  register(old).start(8001);
  await twoRegistrations(old);
  const { port } = old;
  await old.stop();
  const back = await gatewayWith({ registerPath: "/internal/register", port });
  await twoRegistrations(back, "/internal/register");
  expect(back.instances().length).toBe(1);
});

test.each(["error", "garbage", "reset", "redirect", "endless", "gone"] as const)(
  "a gateway that is %s harms nobody, is said once, and is registered with when it is well",
  async (fault) => {
    const gateway = await gatewayWith();
    if (fault === "gone") await gateway.stop();
    else gateway.fail(fault);
    const lines: string[] = [];
    const failed = Promise.withResolvers<void>();
    const registration = register(
      gateway,
      {},
      {
        log: {
          ...silentLogger,
          warn: (fields, message) => {
            lines.push(`${message} ${JSON.stringify(fields)}`);
            failed.resolve();
          },
          info: (_fields, message) => lines.push(message),
        },
      },
    );
    expect(registration.start(8001)).toBeUndefined();
    if (fault !== "garbage") {
      await failed.promise;
      expect(registration.status()).toMatchObject({
        registered: false,
        problem: expect.any(String),
      });
      // More than one, of which only the first is said.
      await expect.poll(() => registration.status().failures_in_a_row).toBeGreaterThan(2);
    }
    if (fault === "gone") await gateway.start();
    else gateway.recover();
    // The path that is right; an attempt that began before may still be on its way through the others.
    await twoRegistrations(gateway, knownRegisterPaths[0]);
    expect(registration.status()).toMatchObject({ registered: true, problem: null });
    expect(gateway.instances().length).toBe(1);
    expect(lines.filter((line) => line.startsWith("gateway is away: ")).length).toBe(
      fault === "garbage" ? 0 : 1,
    );
    expect(lines).toContain("registered with the gateway");
    expect(lines.join()).not.toContain("secret-of-the-peer");
  },
);

test("an answer that says success false is none", async () => {
  const gateway = await gatewayWith({ answer: "refused" });
  const registration = register(gateway);
  registration.start(8001);
  await gateway.nextRequest();
  await twoRegistrations(gateway, "/gateway/services/register");
  expect(registration.status()).toMatchObject({
    registered: false,
    problem: expect.stringContaining("success false"),
  });
});

test("stop is bounded when the gateway hangs, and may be called twice", async () => {
  const gateway = await gatewayWith();
  gateway.fail("slow");
  const registration = register(gateway);
  registration.start(8001);
  await gateway.nextRequest();
  const removal = gateway.nextRequest(isDelete);
  const stopped = registration.stop();
  expect(registration.stop()).toBe(stopped);
  await removal;
  await stopped;
  expect(registration.status().registered).toBe(false);
  // Its own bound is 3 s; without it the registration under way alone would take 5 s.
}, 6_000);

test("after stop nothing more is sent, and a stop before the start sends nothing", async () => {
  const gateway = await gatewayWith();
  const never = register(gateway);
  await never.stop();
  never.start(8001);
  const registration = register(gateway);
  registration.start(8001);
  await twoRegistrations(gateway);
  await registration.stop();
  const count = gateway.requests.length;
  const other = register(gateway, { GATEWAY_SERVICE_ID: "other" });
  other.start(8002);
  await twoRegistrations(gateway);
  const later = gateway.requests.slice(count);
  expect(later.every(({ body }) => (body as { instance_id: string }).instance_id === "other")).toBe(
    true,
  );
});

test("without a gateway there is no registration", () => {
  const loaded = loadConfig({ environment: {}, cwd: import.meta.dirname });
  if (!loaded.ok) throw new Error("no configuration");
  const options = { config: loaded.config, version: "1", log: silentLogger };
  expect(createGatewayRegistration(options)).toBeNull();
});

test("pauses: the interval with a tenth of jitter, after faults doubling up to the interval", () => {
  expect(nextDelayMs(0, 30_000, 0)).toBe(27_000);
  expect(nextDelayMs(0, 30_000, 1)).toBe(33_000);
  const longest = [1, 2, 3, 4, 5, 6, 7, 100, 5_000].map((faults) => nextDelayMs(faults, 30_000, 1));
  expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  expect(nextDelayMs(3, 30_000, 0)).toBe(2_000);
  expect(nextDelayMs(5, 1_000, 1)).toBe(1_000);
});

test("an address only this machine can reach is warned of when the gateway is elsewhere", () => {
  const lines: string[] = [];
  const gateway = { url: "http://gateway.invalid:8080" } as GatewayServer;
  const log = { ...silentLogger, warn: (_fields: object, message: string) => lines.push(message) };
  register(gateway, {}, { log }).start(8001);
  expect(lines).toEqual([expect.stringContaining("set gateway.advertise_host")]);
});

test("the health check of the registry and its proxy work, so that others may test with them", async () => {
  const bodies: string[] = [];
  const service = createServer((request, response) => {
    void (async () => {
      let body = "";
      for await (const piece of request) body += String(piece);
      bodies.push(`${request.method} ${request.url} ${body}`);
      // Breaks off at the first POST: the proxy sends it again.
      if (request.method === "POST" && bodies.length < 3) {
        request.socket.destroy();
        return;
      }
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"status":"healthy"}');
    })();
  });
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  ends.push(async () => {
    service.closeAllConnections();
    service.close();
  });
  const gateway = await gatewayWith();
  register(gateway).start((service.address() as AddressInfo).port);
  await twoRegistrations(gateway);
  expect(await gateway.isHealthy(gateway.instances()[0]!.instance_id)).toBe(true);
  expect(await gateway.isHealthy("unknown")).toBe(false);
  const post = await fetch(`${gateway.url}/proxy/chat/message?a=1`, { method: "POST", body: "{}" });
  expect(await post.json()).toEqual({ status: "healthy" });
  await fetch(`${gateway.url}/proxy/sessions/1`, { method: "DELETE", body: "{}" });
  expect(bodies).toEqual([
    "GET /health ",
    "POST /chat/message?a=1 {}",
    "POST /chat/message?a=1 {}",
    "DELETE /sessions/1 ",
  ]);
});
