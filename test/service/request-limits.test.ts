import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const secretKey = "a secret for tests, 32 bytes or more";
const withTokens = { AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secretKey };

async function headersOf(user: string, roles: readonly string[] = []) {
  const token = await new SignJWT({ sub: user, roles })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secretKey));
  return { authorization: `Bearer ${token}` };
}

const clientOf = async (service: TestService, user: string, roles?: readonly string[]) =>
  createClient(service.url, await headersOf(user, roles));

const refusal = { status: 429, body: { error: { code: 429, type: "rate_limited" } } };
const refusalOfOpenAi = {
  status: 429,
  body: { error: { code: "rate_limited", type: "rate_limit_error" } },
};

const refusalOfMcp = {
  status: 429,
  body: { jsonrpc: "2.0", error: { data: { type: "rate_limited" } } },
};
const refusalOfChats = { status: 429, body: { type: "rate_limited" } };
const refusalOfA2a = {
  status: 429,
  body: { jsonrpc: "2.0", error: { data: [{ metadata: { type: "rate_limited" } }] } },
};
const refusalOfRuns = { status: 429, body: { type: "RUN_ERROR", code: "rate_limited" } };
const refusalOfTranscriptions = { status: 429, body: { error: "rate_limited", retryable: true } };

describe("with one request a minute of each kind", () => {
  let service: TestService;
  beforeAll(async () => {
    const kinds = ["READ", "SEARCH", "WRITE", "SPEECH", "MESSAGE"];
    service = await startService({
      env: {
        ...withTokens,
        ...Object.fromEntries(kinds.map((kind) => [`LIMITS_${kind}_RATE_LIMIT`, "1"])),
      },
    });
  });
  afterAll(() => service.stop());

  /** Answered however often they are asked: nothing of anybody's, and little work. */
  const unlimited = new Set([
    "GET /",
    "GET /info",
    "GET /health",
    "GET /health/liveness",
    "GET /health/readiness",
    "GET /health/config",
    "GET /chat/ws",
    "GET /chat/ws/info",
  ]);

  it("every operation of the document refuses the second, and says so in the document", async () => {
    const { body: document } = await createClient(service.url).get<{
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
    }>("/openapi.json");
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path: path.replace("{agent_id}", "general-chat").replaceAll(/\{\w+\}/g, "0"),
        responses,
      })),
    );
    expect(operations.length).toBeGreaterThan(25);
    for (const { name, method, path, responses } of operations) {
      const isPublic = /^\/(?:health|metrics|share|\.well-known\/agent)/.test(path);
      const client = isPublic ? createClient(service.url) : await clientOf(service, name);
      const isOfRuns = /^\/(?:agui|copilotkit)\//.test(path);
      const body = isOfRuns
        ? {
            threadId: "0",
            // One that has been there is shown again.
            get runId() {
              return randomUUID();
            },
            messages: [{ id: "0", role: "user", content: "hi" }],
          }
        : path === "/ai/general-chat"
          ? {
              id: "0",
              get messages() {
                const parts = [{ type: "text", text: "hi" }];
                return [{ id: randomUUID(), role: "user", parts }];
              },
            }
          : path.startsWith("/v1/")
            ? { model: "general-chat", input: "hi", messages: [{ role: "user", content: "hi" }] }
            : path.endsWith("/regenerate")
              ? {}
              : /^\/chat\/message(\/stream|\/0\/edit)?$/.test(path) ||
                  `${method} ${path}` === "PATCH /chat/message/0"
                ? { message: "hi" }
                : undefined;
      // A stream without an end, unless it is refused.
      const asked = path === "/sessions/events" ? `${path}?after=x` : path;
      const ask = () => client.send(method, asked, method === "GET" ? undefined : body);
      const first = await ask();
      // Those that are open share the rate of their address.
      if (!isPublic) expect([name, first.status]).not.toEqual([name, 429]);
      const second = await ask();
      if (unlimited.has(name)) {
        expect([name, second.status]).toEqual([name, first.status]);
      } else {
        const shapes: [RegExp, object][] = [
          [/^\/v1\//, refusalOfOpenAi],
          [/^\/mcp$/, refusalOfMcp],
          [/^\/a2a(?:$|\/)/, refusalOfA2a],
          [/^\/copilotkit\/transcribe$/, refusalOfTranscriptions],
          [/^\/(?:agui|copilotkit)\//, refusalOfRuns],
          [/^\/ai\//, refusalOfChats],
        ];
        const [, expected] = shapes.find(([prefix]) => prefix.test(path)) ?? [path, refusal];
        expect([name, second]).toMatchObject([name, expected]);
        expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
        if (!isPublic)
          expect([name, Object.keys(responses)]).toEqual([name, expect.arrayContaining(["429"])]);
      }
    }
  });

  it("words that are looked for count as a search", async () => {
    const client = await clientOf(service, "a searcher");
    for (const path of ["/sessions", "/sessions?q=plan"]) {
      expect((await client.get(path)).status).toBe(200);
    }
    expect(await client.get("/chat/history/0?q=plan")).toMatchObject(refusal);
  });

  it("what is open to everybody spends of its address, whoever is named in it", async () => {
    const named = await clientOf(service, "named");
    const nobody = createClient(service.url);
    for (let times = 0; times < 3; times++) await nobody.get("/share/0?user_id=named");
    expect(await nobody.get("/share/0?user_id=another")).toMatchObject(refusal);
    expect((await named.get("/sessions")).status).toBe(200);
  });

  it("what one user has spent is not spent for others, nor for those whom an administrator names", async () => {
    const alice = await clientOf(service, "alice");
    expect((await alice.get("/sessions")).status).toBe(200);
    expect(await alice.get("/sessions")).toMatchObject(refusal);
    const root = await clientOf(service, "root", ["admin"]);
    for (let times = 0; times < 3; times++) expect((await root.get("/sessions")).status).toBe(200);
    expect(await root.get("/sessions?user_id=alice")).toMatchObject(refusal);
    expect((await root.get("/sessions?user_id=bob")).status).toBe(200);
  });
});

describe("with small shares", () => {
  let service: TestService;
  let model: OpenAiServer;
  let alice: Client;
  let bob: Client;
  const mebibyte = 1024 * 1024;
  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: {
        ...withTokens,
        MODELS_API_URL: model.url,
        LIMITS_MAX_VIEWERS_PER_USER: "2",
        LIMITS_UPLOAD_RATE_LIMIT: String(4 * mebibyte),
        LIMITS_MAX_RECEIVED_BYTES: String(8 * mebibyte),
        LIMITS_MAX_CONCURRENT_REQUESTS_PER_USER: "2",
      },
    });
    alice = await clientOf(service, "alice");
    bob = await clientOf(service, "bob");
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it("bodies of a user beyond so many bytes a minute are refused before they are read", async () => {
    const client = await clientOf(service, "an uploader");
    const send = () =>
      client.send("POST", "/chat/session", { metadata: { text: "x".repeat(900 * 1024) } });
    const statuses: number[] = [];
    for (let times = 0; times < 5; times++) statuses.push((await send()).status);
    expect(statuses).toEqual([422, 422, 422, 422, 429]);
    expect((await client.get("/sessions")).status).toBe(200);
    // One that says not how much it will send counts as all that it may.
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    const { authorization } = await headersOf("a secretive uploader");
    const head = `POST /chat/message HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    socket.write(`${head}2\r\n{}\r\n0\r\n\r\n${head}`);
    let answer = "";
    for await (const piece of socket) {
      answer += String(piece);
      if (answer.includes("429")) break;
    }
    expect(answer).toMatch(/^HTTP\/1.1 422[^]*HTTP\/1.1 429/);
    socket.destroy();
  });

  it("streams and sockets of one user share their places, and others keep theirs", async () => {
    model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
    const stream = await alice.stream({ message: "hold" });
    await stream.next(({ type }) => type === "assistant_chunk");
    const url = `${service.url}/chat/ws`;
    const socket = connectSocket(url, await headersOf("alice"));
    await socket.next(({ type }) => type === "connection_established");
    const replyId = stream.headers.get("x-message-id") ?? "";
    expect(await alice.get(`/chat/message/${replyId}/stream`)).toMatchObject(refusal);
    const further = connectSocket(url, await headersOf("alice"));
    expect(await further.next(({ type }) => type === "error")).toMatchObject({ code: 429 });
    const others = connectSocket(url, await headersOf("bob"));
    await others.next(({ type }) => type === "connection_established");
    others.socket.close();
    await others.closed();
    socket.socket.close();
    await socket.closed();
    await alice.send("POST", `/chat/message/${replyId}/cancel`);
    await stream.all();
    const later = await alice.follow(replyId);
    expect((await later.all()).at(-1)?.type).toBe("cancelled");
  });

  it("bodies that are never finished hold their sender's room, and nobody else's", async () => {
    const { hostname, port } = new URL(service.url);
    const { authorization } = await headersOf("a slow writer");
    const slow = Array.from({ length: 3 }, () => {
      const socket = connect(Number(port), hostname);
      socket.write(
        `POST /chat/message HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${mebibyte}\r\n\r\n{`,
      );
      return socket;
    });
    await Promise.all(slow.map((socket) => once(socket, "connect")));
    const body = { metadata: { text: "x".repeat(60_000) } };
    expect((await bob.send("POST", "/chat/session", body)).status).toBe(200);
    // Two of the three have the room of that user; what is small needs none.
    const same = await clientOf(service, "a slow writer");
    expect((await same.send("POST", "/chat/session", {})).status).toBe(200);
    const waiting = same.send("POST", "/chat/session", body);
    for (const socket of slow) socket.destroy();
    expect((await waiting).status).toBe(200);
  });
});
