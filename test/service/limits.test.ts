import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

let model: OpenAiServer;
beforeAll(async () => {
  model = await startOpenAiServer();
});
afterAll(async () => {
  await model.close();
});

function expectRefusal(
  answer: { status: number; headers: Headers; body: unknown },
  status: number,
  type: string,
): void {
  expect(answer.status).toBe(status);
  expect(answer.body).toMatchObject({ error: { code: status, type } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
}

describe("requests of one address", () => {
  const limit = 5;
  let behindProxy: TestService;
  let inTheOpen: TestService;
  beforeAll(async () => {
    const env = { LIMITS_ADDRESS_RATE_LIMIT: String(limit) };
    behindProxy = await startService({
      env: { ...env, SECURITY_TRUSTED_PROXIES: "127.0.0.0/8" },
    });
    inTheOpen = await startService({ env });
  });
  afterAll(async () => {
    await Promise.all([behindProxy.stop(), inTheOpen.stop()]);
  });

  it("are limited, those of others are not; health is always told", async () => {
    const from = (address: string) =>
      createClient(behindProxy.url, { "x-forwarded-for": address }).get("/chat/agents");
    for (let times = 0; times < limit; times += 1) {
      expect((await from("203.0.113.9")).status).toBe(200);
    }
    expectRefusal(await from("203.0.113.9"), 429, "rate_limited");
    // What the caller itself says stands before what the proxy has seen.
    expectRefusal(await from("198.51.100.1, 203.0.113.9"), 429, "rate_limited");
    expect((await from("203.0.113.10")).status).toBe(200);
    const blocked = createClient(behindProxy.url, { "x-forwarded-for": "203.0.113.9" });
    expect((await blocked.get("/health")).status).toBe(200);
    expectRefusal(await blocked.get("/nowhere"), 429, "rate_limited");
  });

  it("are counted whatever they say about where they come from, without trusted proxies", async () => {
    const statuses: number[] = [];
    for (let index = 0; index <= limit; index += 1) {
      const client = createClient(inTheOpen.url, { "x-forwarded-for": `203.0.113.${index}` });
      statuses.push((await client.get("/chat/agents")).status);
    }
    expect(statuses).toEqual([...Array.from({ length: limit }, () => 200), 429]);
  });
});

describe("replies at a time", () => {
  let service: TestService;
  let client: Client;
  beforeAll(async () => {
    service = await startService({
      env: {
        MODELS_API_URL: model.url,
        LIMITS_MAX_CONCURRENT_REPLIES_PER_USER: "1",
        LIMITS_MAX_CONCURRENT_REPLIES_PER_AGENT: "2",
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.kill();
  });

  it("of one user, and of one source of agents", async () => {
    const hold = async (user: string) => {
      model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
      const stream = await client.stream({ user_id: user, message: "hold" });
      await stream.next(({ type }) => type === "assistant_chunk");
      return stream;
    };
    const send = (user: string) =>
      client.send("POST", "/chat/message", { user_id: user, message: "more" });
    const first = await hold("alice");
    expectRefusal(await send("alice"), 429, "rate_limited");
    await hold("bob");
    expectRefusal(await send("carol"), 503, "overloaded");
    // Nothing of what was refused is stored.
    for (const [user, sessions] of [
      ["alice", 1],
      ["carol", 0],
    ] as const) {
      const { body } = await client.get<{ sessions: unknown[] }>(`/sessions?user_id=${user}`);
      expect(body.sessions).toHaveLength(sessions);
    }
    const { message_id: replyId } = first.events[0] as unknown as { message_id: string };
    await client.send("POST", `/chat/message/${replyId}/cancel`);
    expect((await send("alice")).status).toBe(200);
  });
});

describe("active sessions of a user", () => {
  let service: TestService;
  let client: Client;
  beforeAll(async () => {
    service = await startService({ env: { LIMITS_MAX_CONCURRENT_SESSIONS: "2" } });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.kill();
  });

  it("are limited by every way in, and a repeat is no further one", async () => {
    const keyed = createClient(service.url, { "idempotency-key": "first" });
    const first = { user_id: "alice", message: "hello" };
    const sent = await keyed.send<{ session_id: string }>("POST", "/chat/message", first);
    expect(sent.status).toBe(200);
    const second = await client.session("alice");
    expectRefusal(
      await client.send("POST", "/chat/session", { user_id: "alice" }),
      429,
      "rate_limited",
    );
    expectRefusal(await client.send("POST", "/chat/message", first), 429, "rate_limited");
    expect((await keyed.send("POST", "/chat/message", first)).body).toMatchObject({
      session_id: sent.body.session_id,
    });
    expect((await client.send("POST", "/chat/session", { user_id: "bob" })).status).toBe(200);

    const path = `/sessions/${second}`;
    expect((await client.send("PATCH", path, { status: "archived" })).status).toBe(200);
    expect((await client.send("POST", "/chat/message", first)).status).toBe(200);
    expectRefusal(await client.send("PATCH", path, { status: "active" }), 429, "rate_limited");
    const batch = { user_id: "alice", session_ids: [second], operation: "activate" };
    expect((await client.send("POST", "/sessions/batch", batch)).body).toMatchObject({
      failed_count: 1,
    });
  });
});
