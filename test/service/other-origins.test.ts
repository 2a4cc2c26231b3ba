import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createClient } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Outcome {
  readonly status: number | undefined;
  readonly type: string | undefined;
}

/** A request with any headers, also those that `fetch` makes itself. */
async function ask(
  service: TestService,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  const asked = request(service.url + path, { method, headers, agent: false }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const isJson = response.headers["content-type"]?.includes("json") === true;
  const body = isJson ? ((await json(response)) as { error?: { type?: string } }) : undefined;
  response.destroy();
  return { status: response.statusCode, type: body?.error?.type };
}

/** The status of a WebSocket's handshake. */
async function handshake(service: TestService, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`${service.url.replace("http", "ws")}/chat/ws`, { headers });
  socket.on("error", () => undefined);
  const status = await Promise.race([
    once(socket, "open").then(() => 101),
    once(socket, "unexpected-response").then(([, response]) => Number(response.statusCode)),
  ]);
  socket.terminate();
  return status;
}

const refused = { status: 403, type: "forbidden" };
const evil = "http://evil.example";

describe("pages of other origins", () => {
  const friend = "https://friend.example";
  let service: TestService;
  let changing: { method: string; path: string }[];
  beforeAll(async () => {
    service = await startService({ env: { SECURITY_CORS_ORIGINS: friend } });
    const { body } = await createClient(service.url).get<{ paths: Record<string, object> }>(
      "/openapi.json",
    );
    changing = Object.entries(body.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((method) => method !== "get" && method !== "head")
        .map((method) => ({ method: method.toUpperCase(), path: path.replaceAll(/[{}]/g, "") })),
    );
  });
  afterAll(() => service.stop());

  it.each<[string, Record<string, string>]>([
    ["an origin", { origin: evil }],
    ["no origin that could be told", { origin: "null" }],
    ["the beginning of a name", { origin: "http://127.0.0.1.evil.example", host: "127.0.0.1" }],
    ["another port of this host", { origin: "http://127.0.0.1:1" }],
    ["what the browser says of it", { "sec-fetch-site": "cross-site" }],
    ["a neighbour", { "sec-fetch-site": "same-site" }],
    ["both", { origin: evil, "sec-fetch-site": "cross-site" }],
  ])("change nothing, on any path; known by %s", async (_what, headers) => {
    expect(changing.length).toBeGreaterThan(10);
    for (const { method, path } of [...changing, { method: "PUT", path: "/sessions/x" }]) {
      // Protocols have shapes of their own.
      const type = path.startsWith("/v1/") ? "permission_error" : undefined;
      const isNative = !/^\/(v1|a2a|ai|agui|copilotkit|mcp)(\/|$)/.test(path);
      const expected = isNative ? refused : { ...refused, type };
      expect(await ask(service, method, path, headers), `${method} ${path}`).toEqual(expected);
    }
    expect(await handshake(service, headers)).toBe(403);
    expect((await ask(service, "GET", "/chat/agents", headers)).status).toBe(200);
  });

  it("may, when they are this service's own or configured; programs too", async () => {
    const { port } = new URL(service.url);
    for (const headers of [
      {},
      { origin: service.url },
      { origin: friend },
      { origin: friend, "sec-fetch-site": "cross-site" },
      { origin: `http://localhost:${port}`, host: `localhost:${port}` },
      // A proxy in front has changed Host, or left the usual port to be understood.
      { origin: "https://chat.example", "sec-fetch-site": "same-origin" },
      { origin: "http://chat.localhost:8080", host: "chat.localhost" },
      { origin: "https://chat.localhost", host: "chat.localhost:443" },
    ]) {
      const { status } = await ask(service, "DELETE", "/sessions/x", headers);
      expect(status, JSON.stringify(headers)).toBe(404);
      expect(await handshake(service, headers)).toBe(101);
    }
  });

  it("may show what they are given where some of them may ask, and nowhere else", async () => {
    const alone = await startService();
    for (const [{ url }, expected] of [
      [service, "cross-origin"],
      [alone, "same-origin"],
    ] as const) {
      for (const path of ["/", "/chat/agents", "/nowhere", "/chat/attachments/x"]) {
        const { headers } = await fetch(url + path);
        expect([path, headers.get("cross-origin-resource-policy")]).toEqual([path, expected]);
      }
    }
    await alone.stop();
  });

  it("are told in the reader's language what to do about it", async () => {
    const client = createClient(service.url, { origin: evil });
    const { body } = await client.send("POST", "/sessions/cleanup", undefined, {
      "accept-language": "zh",
    });
    expect(JSON.stringify(body)).toContain("http://evil.example 的页面不能在此执行该操作");
  });
});

describe("names that were made to mean this machine", () => {
  it("are not answered where everybody on it is let in", async () => {
    const service = await startService();
    const { port } = new URL(service.url);
    for (const host of [`evil.example:${port}`, "evil.example", "localhost.evil.example"]) {
      const page = { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" };
      expect(await ask(service, "GET", "/sessions?user_id=alice", page)).toEqual({
        status: 400,
        type: "bad_request",
      });
      expect(await handshake(service, page)).toBe(400);
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "chat.localhost", "[::1]"]) {
      expect((await ask(service, "GET", "/sessions?user_id=alice", { host })).status).toBe(200);
    }
    await service.stop();
  });

  it("are answered where the operator says so", async () => {
    for (const env of [
      { SECURITY_ALLOWED_HOSTS: "*" },
      { SECURITY_ALLOWED_HOSTS: "chat.example" },
      { SECURITY_TRUSTED_PROXIES: "127.0.0.1" },
    ]) {
      const service = await startService({ env });
      const { status } = await ask(service, "GET", "/chat/agents", { host: "chat.example" });
      expect(status, JSON.stringify(env)).toBe(200);
      await service.stop();
    }
  });
});
