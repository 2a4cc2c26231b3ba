import { connect } from "node:net";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

const noSession = "01a2033f-f554-7027-a6ed-64cdc29e409a";

interface ProblemBody {
  success: false;
  error: { code: number; type: string; message: string; details?: { path: string }[] };
  request_id: string;
  timestamp: string;
  path: string;
}

describe("problems", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  /** Every error has the one shape, the common headers, and nothing from inside. */
  const expectProblem = (
    answer: { status: number; headers: Headers; body: unknown },
    status: number,
    type: string,
    path: string,
  ) => {
    const body = answer.body as ProblemBody;
    expect(answer.status, JSON.stringify(body)).toBe(status);
    expect(body).toEqual({
      success: false,
      error: {
        code: status,
        type,
        message: expect.stringMatching(/\S/),
        ...(body.error.details !== undefined && { details: expect.any(Array) }),
      },
      request_id: answer.headers.get("x-request-id"),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      path,
    });
    expect(answer.headers.get("x-service")).toBe("chat-service");
    expect(Number(answer.headers.get("x-process-time"))).toBeGreaterThanOrEqual(0);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(JSON.stringify(body)).not.toMatch(/ at .*\.ts|node_modules|SELECT|stack/);
    return body;
  };

  it.each([
    ["GET", "/nowhere", undefined, 404, "not_found"],
    ["PUT", "/sessions", undefined, 405, "method_not_allowed"],
    ["DELETE", "/chat/message", undefined, 405, "method_not_allowed"],
    ["QUERY", "/sessions", undefined, 405, "method_not_allowed"],
    ["QUERY", "/nowhere", undefined, 404, "not_found"],
    ["POST", "/chat/session", "{oops", 400, "malformed_json"],
    ["POST", "/chat/session", "", 400, "malformed_json"],
    // No body is taken there: none is missed.
    ["DELETE", "/sessions/none", "", 404, "session_not_found"],
    ["POST", "/chat/session", "[]", 422, "validation_failed"],
    ["POST", "/chat/session", "{}", 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: 5 }, 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: "" }, 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: "x".repeat(129) }, 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: "nul\u0000" }, 422, "validation_failed"],
    ["POST", "/chat/session", '{"user_id": "half \\ud800"}', 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: "a", agent_id: "nobody" }, 404, "agent_not_found"],
    ["POST", "/chat/session", '{"__proto__": {"user_id": "a"}}', 422, "validation_failed"],
    [
      "POST",
      "/chat/session",
      '{"user_id": "a", "metadata": {"a": [{"__proto__": 1}]}}',
      422,
      "validation_failed",
    ],
    ["POST", "/chat/message", { user_id: "a", message: " \n " }, 422, "validation_failed"],
    ["POST", "/chat/message", { user_id: "a", message: "" }, 422, "validation_failed"],
    [
      "POST",
      "/chat/message",
      { user_id: "a", message: "x".repeat(10_001) },
      422,
      "validation_failed",
    ],
    ["POST", "/chat/message", { message: "for whom?" }, 422, "validation_failed"],
    ["POST", "/chat/message", { user_id: "a", message: "x", stream: true }, 400, "bad_request"],
    ["POST", "/chat/message", { session_id: noSession, message: "x" }, 404, "session_not_found"],
    ["POST", "/chat/message", { session_id: "../etc", message: "x" }, 404, "session_not_found"],
    [
      "POST",
      "/chat/message/stream",
      { session_id: noSession, message: "x" },
      404,
      "session_not_found",
    ],
    [
      "POST",
      "/chat/message",
      { user_id: "a", message: "x", on_busy: "wait" },
      422,
      "validation_failed",
    ],
    ["GET", `/sessions/${noSession}`, undefined, 404, "session_not_found"],
    ["GET", "/sessions/%00", undefined, 422, "validation_failed"],
    ["GET", "/sessions/'%20or%201=1", undefined, 404, "session_not_found"],
    ["GET", `/chat/history/${noSession}`, undefined, 404, "session_not_found"],
    ["GET", `/chat/message/${noSession}`, undefined, 404, "message_not_found"],
    ["GET", `/chat/message/${noSession}/stream`, undefined, 404, "message_not_found"],
    ["POST", `/chat/message/${noSession}/cancel`, undefined, 404, "message_not_found"],
    [
      "POST",
      "/chat/message/x/continue",
      { decisions: [{ id: "1", approved: true }] },
      404,
      "message_not_found",
    ],
    ["GET", "/sessions", undefined, 422, "validation_failed"],
    ["GET", "/sessions?user_id=%E2%80%AEalice", undefined, 422, "validation_failed"],
    ["POST", "/chat/session", { user_id: "alice\u200B" }, 422, "validation_failed"],
    ["POST", "/chat/message", { user_id: "a\u0085", message: "x" }, 422, "validation_failed"],
    ["GET", "/sessions?user_id=a&limit=0", undefined, 422, "validation_failed"],
    ["GET", "/sessions?user_id=a&limit=many", undefined, 422, "validation_failed"],
    ["GET", "/sessions?user_id=a&user_id=b", undefined, 422, "validation_failed"],
    ["POST", "/sessions/cleanup?days_threshold=0", undefined, 422, "validation_failed"],
    ["POST", "/sessions/batch", { session_ids: [], operation: "delete" }, 422, "validation_failed"],
  ])("%s %s %j is %i %s", async (method, path, body, status, type) => {
    expectProblem(await client.send(method, path, body), status, type, path.split("?")[0] ?? "");
  });

  it("is served below the prefixes with its whole path", async () => {
    expectProblem(await client.get("/api/v1/nowhere"), 404, "not_found", "/api/v1/nowhere");
    expect((await client.get("/api/health/")).status).toBe(200);
    expect((await client.get("/api/v1/health")).status).toBe(200);
    expect((await client.get("/apiary/health")).status).toBe(404);
  });

  it("speaks Chinese to who prefers it", async () => {
    const { body } = await client.get<ProblemBody>(`/sessions/${noSession}`, {
      "accept-language": "zh-CN,zh;q=0.9,en;q=0.8",
    });
    expect(body.error.message).toContain("不存在");
    const english = await client.get<ProblemBody>(`/sessions/${noSession}`, {
      "accept-language": "fr, en;q=0.5, zh;q=0.1",
    });
    expect(english.body.error.message).toContain("There is no session");
    const faulty = (language: string) =>
      client.send<ProblemBody>(
        "POST",
        "/chat/message",
        { message: "", session_config: { temperature: 9 } },
        { "accept-language": language },
      );
    const path = "/session_config/temperature";
    expect((await faulty("zh")).body.error.details).toContainEqual({ path, message: "必须 <= 2" });
    expect((await faulty("en")).body.error.details).toContainEqual({
      path,
      message: "must be <= 2",
    });
  });

  it("takes a request id that is usable and makes one otherwise", async () => {
    const kept = await client.get("/health", { "x-request-id": "trace-me.42" });
    expect(kept.headers.get("x-request-id")).toBe("trace-me.42");
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const traced = await client.get("/health", { "x-request-id": "a b", traceparent });
    expect(traced.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(traced.headers.get("traceparent")).toContain("4bf92f3577b34da6a3ce929d0e0e4736");
  });

  it("passes the request id on to the model", async () => {
    const before = model.requests.length;
    await client.send(
      "POST",
      "/chat/message",
      { user_id: "a", message: "x" },
      {
        "x-request-id": "end-to-end",
      },
    );
    expect((await model.request(before)).headers["x-request-id"]).toBe("end-to-end");
  });

  it("refuses bodies that are too large, of another type, or too deep", async () => {
    const large = await client.send("POST", "/chat/session", {
      user_id: "a",
      metadata: { text: "x".repeat(2 * 1024 * 1024) },
    });
    expectProblem(large, 413, "payload_too_large", "/chat/session");
    const form = await client.send("POST", "/chat/session", "user_id=a", {
      "content-type": "application/x-www-form-urlencoded",
    });
    expectProblem(form, 415, "unsupported_media_type", "/chat/session");
    const deep = await client.send(
      "POST",
      "/chat/session",
      `{"user_id":"a","metadata":{"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
    );
    expectProblem(deep, 422, "validation_failed", "/chat/session");
    expect((await client.get("/health")).status).toBe(200);
  });

  it("answers requests that are not HTTP in the same shape, and closes the connection", async () => {
    const { port } = new URL(service.url);
    const refusal = async (request: string) => {
      const text = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(request));
        let received = "";
        socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
        socket.on("close", () => resolve(received));
        socket.on("error", reject);
      });
      const [head = "", body = ""] = text.split("\r\n\r\n");
      const [first = "", ...lines] = head.split("\r\n");
      const headers = new Headers(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]));
      expect(headers.get("connection")).toBe("close");
      return {
        status: Number(first.split(" ")[1]),
        headers,
        body: body && (JSON.parse(body) as unknown),
      };
    };
    expectProblem(await refusal("NONSENSE\r\n\r\n"), 400, "bad_request", "");
    const large = `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${"x".repeat(2_000_000)}\r\n\r\n`;
    expectProblem(await refusal(large), 413, "payload_too_large", "");
    expectProblem(
      await refusal(large.replace("/ ", `/?${"x".repeat(20_000)} `)),
      413,
      "payload_too_large",
      "",
    );
    // What comes behind the head is another answer, there.
    const { status, body } = await refusal(large.replace("GET", "HEAD"));
    expect([status, body]).toEqual([413, ""]);
    expect((await client.get("/health")).status).toBe(200);
  });

  const talk = async (text: string) => {
    const { hostname, port } = new URL(service.url);
    return new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let received = "";
      socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
      socket.once("close", () => resolve(received));
      socket.once("error", reject);
    });
  };

  it.each([
    "localhost:8001@elsewhere.example",
    "localhost, elsewhere.example",
    "localhost\r\nHost: elsewhere.example",
    "localhost\r\nHost: localhost",
  ])("refuses a request for %j, which others may read as another host", async (host) => {
    const answer = await talk(`GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*"type":"bad_request"/);
  });

  it("answers a request before it refuses what comes behind it", async () => {
    const get = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const statuses = async (text: string) =>
      [...(await talk(text)).matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status);
    expect(await statuses(`${get}NONSENSE\r\n\r\n`)).toEqual(["200", "400"]);
    expect(await statuses(`${get}${get}NONSENSE\r\n\r\n`)).toEqual(["200", "200", "400"]);
  });

  it.each([
    ["POST", "/nowhere", 404, "not_found"],
    ["POST", "/api/v1/nowhere/", 404, "not_found"],
    ["PUT", "/sessions", 405, "method_not_allowed"],
    ["POST", "/health", 405, "method_not_allowed"],
    ["PATCH", "/chat/ws", 405, "method_not_allowed"],
    ["DELETE", "/", 405, "method_not_allowed"],
  ])("%s %s is answered before its body has come", async (method, path, status, type) => {
    const { hostname, port } = new URL(service.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
        ),
      );
      socket.once("data", (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.once("error", reject);
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*"type":"${type}"`));
  });

  it("refuses a bad Idempotency-Key", async () => {
    const answer = await client.send(
      "POST",
      "/chat/session",
      { user_id: "a" },
      {
        "idempotency-key": "k".repeat(256),
      },
    );
    expectProblem(answer, 422, "validation_failed", "/chat/session");
  });
});

describe("problems of limits and identity", () => {
  it("limits messages a minute, and replies at a time", async () => {
    const model = await startOpenAiServer();
    const service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        LIMITS_MESSAGE_RATE_LIMIT: "3",
        LIMITS_MAX_CONCURRENT_REPLIES: "1",
      },
    });
    const client = createClient(service.url);
    const send = (user: string) =>
      client.send("POST", "/chat/message", { user_id: user, message: "hi" });
    for (let index = 0; index < 3; index += 1) expect((await send("fast")).status).toBe(200);
    const limited = await send("fast");
    expect(limited.status).toBe(429);
    expect(limited.body).toMatchObject({ error: { type: "rate_limited" } });
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await send("slow")).status).toBe(200);

    model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
    const held = await client.stream({ user_id: "one", message: "hold" });
    await held.next((event) => event.type === "assistant_chunk");
    const full = await send("two");
    expect(full.status).toBe(503);
    expect(full.body).toMatchObject({ error: { type: "overloaded" } });
    expect(full.headers.get("retry-after")).not.toBeNull();
    held.close();
    await service.kill();
    await model.close();
  });

  it("wants a token in jwt mode, and gives each user only what is theirs", async () => {
    const key = "an-api-key-of-another-service";
    const service = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_SECRET_KEY: "0123456789abcdef0123456789abcdef",
        AUTH_API_KEYS: JSON.stringify([
          {
            name: "reports",
            sha256: createHash("sha256").update(key).digest("hex"),
            user_id: "reports",
          },
        ]),
      },
    });
    const client = createClient(service.url);
    const anonymous = await client.get("/sessions?user_id=alice");
    expect(anonymous.status).toBe(401);
    expect(anonymous.body).toMatchObject({ error: { type: "unauthorized" } });
    expect(anonymous.headers.get("www-authenticate")).toBe("Bearer");
    expect((await client.get("/health")).status).toBe(200);
    const withKey = createClient(service.url, { "x-api-key": key });
    const sessionId = await withKey.session("reports");
    expect((await withKey.get(`/sessions/${sessionId}`)).status).toBe(200);
    const foreign = await withKey.get("/sessions?user_id=alice");
    expect(foreign.status).toBe(403);
    expect(foreign.body).toMatchObject({ error: { type: "forbidden" } });
    expect((await withKey.send("POST", "/sessions/cleanup")).status).toBe(403);
    await service.stop();
  });

  it("refuses to start open in production, and with a wrong configuration", async () => {
    await expect(startService({ env: { SERVICE_ENVIRONMENT: "production" } })).rejects.toThrow(
      /ended with 2 .*auth\.mode/s,
    );
    await expect(startService({ env: { SERVICE_PORT: "eighty" } })).rejects.toThrow(/ended with 2/);
  });
});
