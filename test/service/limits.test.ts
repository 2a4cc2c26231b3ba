import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

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

  it("leave the queue of the same conversation open: what waits takes no place", async () => {
    model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
    const first = await client.stream({ user_id: "dora", message: "hold" });
    await first.next(({ type }) => type === "assistant_chunk");
    const sessionId = first.headers.get("x-session-id") ?? "";
    const rejected = { session_id: sessionId, message: "no", on_busy: "reject" };
    expect((await client.send("POST", "/chat/message", rejected)).status).toBe(409);
    const second = await client.stream({ session_id: sessionId, message: "waits" });
    await second.next(({ type }) => type === "queued");
    const third = await client.stream({
      session_id: sessionId,
      message: "instead",
      on_busy: "interrupt",
    });
    expect((await first.all()).at(-1)?.type).toBe("cancelled");
    expect((await second.all()).at(-1)?.type).toBe("cancelled");
    expect((await third.all()).at(-1)?.type).toBe("conversation_complete");
  });
});

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(["embedded", "postgres"] as const)(
  "places for replies, with 60 requests at once (%s)",
  (kind) => {
    const limit = 10;
    const requests = 60;
    let service: TestService;
    let busy: OpenAiServer;
    let databaseUrl: string | undefined;
    /** Requests that the model holds now, and the most that it ever held. */
    let held = 0;
    let most = 0;
    let gate = Promise.withResolvers<void>();

    beforeAll(async () => {
      busy = await startOpenAiServer({
        async respond() {
          held += 1;
          most = Math.max(most, held);
          await gate.promise;
          held -= 1;
          return { tokens: ["done"] };
        },
      });
      if (kind === "postgres") databaseUrl = await postgres?.freshDatabase();
      service = await startService({
        env: {
          MODELS_API_URL: busy.url,
          LIMITS_MAX_CONCURRENT_REPLIES: String(limit),
          LIMITS_MESSAGE_RATE_LIMIT: "0",
          ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
        },
      });
    });
    afterAll(async () => {
      gate.resolve();
      await service.kill();
      await busy.close();
    });

    const metric = async () => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      return Number(/^chat_replies_running(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1]);
    };
    /** Each is "taken" or the type of its refusal. */
    const overHttp = async (index: number): Promise<string> => {
      const answer = await fetch(`${service.url}/chat/message/stream`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ user_id: `user ${index}`, message: "hold" }),
      });
      if (answer.ok) {
        await answer.body?.cancel();
        return "taken";
      }
      return ((await answer.json()) as { error: { type: string } }).error.type;
    };
    const overSocket = async (index: number): Promise<string> => {
      const client = connectSocket(`${service.url}/chat/ws?user_id=user%20${index}`);
      await once(client.socket, "open");
      client.send({ type: "chat", message: "hold" });
      const answer = await client.next(({ type }) => type === "user_message" || type === "error");
      client.socket.close();
      return answer.type === "error" ? String(answer["error_type"]) : "taken";
    };
    const connections = async () => {
      if (databaseUrl === undefined || postgres === null) return 0;
      const rows = await postgres.query<{ backends: string }>(
        "SELECT string_agg(pid::text, ' ' ORDER BY pid) AS backends FROM pg_stat_activity WHERE datname = $1",
        [new URL(databaseUrl).pathname.slice(1)],
      );
      return rows[0]?.backends;
    };

    it.skipIf(kind === "postgres" && postgres === null).each([
      ["HTTP", overHttp],
      ["WebSocket", overSocket],
    ] as const)("are never more than there are, and all are back (%s)", async (_, send) => {
      gate = Promise.withResolvers<void>();
      most = 0;
      const all = () => Promise.all(Array.from({ length: requests }, (_, index) => send(index)));
      const first = await all();
      expect(first.filter((outcome) => outcome === "taken")).toHaveLength(limit);
      await expect.poll(() => held).toBe(limit);
      expect(await metric()).toBe(limit);
      // A full node refuses without asking the database: its connections are the same ones afterwards.
      const before = await connections();
      expect(new Set(await all())).toEqual(new Set(["overloaded"]));
      expect(await connections()).toEqual(before);
      expect(most).toBe(limit);
      gate.resolve();
      await expect.poll(metric, { timeout: 10_000 }).toBe(0);
      gate = Promise.withResolvers<void>();
      const again = await all();
      expect(again.filter((outcome) => outcome === "taken")).toHaveLength(limit);
      gate.resolve();
      await expect.poll(metric, { timeout: 10_000 }).toBe(0);
    });
  },
);

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
