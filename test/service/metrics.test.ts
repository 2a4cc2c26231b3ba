import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { openStream } from "../support/reply-stream.ts";
import { startService, type TestService } from "../support/start-service.ts";

let postgres: TestPostgres | null;
let redis: TestRedis | null;
let model: OpenAiServer;
let service: TestService;
let client: Client;
beforeAll(async () => {
  postgres = await startPostgres();
  redis = await startRedis();
  model = await startOpenAiServer();
  service = await startService({
    env: {
      MODELS_API_URL: model.url,
      ...(postgres !== null && { DATABASE_URL: await postgres.freshDatabase() }),
      ...(redis !== null && { REDIS_URL: redis.url }),
      VOICE_TTS_PROVIDER: "flite",
      LIMITS_MAX_QUEUED_PER_SESSION: "1",
      // Nobody takes them there, so that they wait.
      EVENTS_URL: "http://127.0.0.1:9",
    },
  });
  client = createClient(service.url);
});
afterAll(async () => {
  await service.stop();
  await model.close();
  await redis?.stop();
  await postgres?.stop();
});

/** Sum of a family's values with these labels, as Prometheus would see it. */
async function scrape(
  from = client,
): Promise<(name: string, labels?: Record<string, string>) => number> {
  const { body } = await from.get<string>("/metrics");
  return (name, labels = {}) => {
    let sum = 0;
    for (const [, family, members = "", value] of body.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
      const fits = Object.entries(labels).every(([label, text]) =>
        members.includes(`${label}="${text}"`),
      );
      if (family === name && fits) sum += Number(value);
    }
    return sum;
  };
}

/** The families of ours in which any value is more than nothing. */
async function familiesThatMoved(): Promise<string[]> {
  const { body } = await client.get<string>("/metrics");
  const families = [...body.matchAll(/^# TYPE (chat_\w+)/gm)].map(([, name]) => name ?? "");
  return families.filter((name) =>
    [...body.matchAll(new RegExp(`^${name}(?:_count)?(?:\\{.*\\})? (\\S+)$`, "gm"))].some(
      ([, value]) => Number(value) > 0,
    ),
  );
}

describe("metrics of a running service", () => {
  it("equal what was done", async () => {
    // Two replies that succeed, one that fails, one that is cancelled.
    for (const message of ["one", "two"]) {
      model.enqueue({ tokens: ["a", "b", "c"], usage: { prompt_tokens: 7, completion_tokens: 3 } });
      await client.send("POST", "/chat/message", { user_id: "ann", message });
    }
    model.enqueue({ fault: { kind: "status", status: 500 } });
    expect(
      (await client.send("POST", "/chat/message", { user_id: "ann", message: "three" })).status,
    ).toBe(502);

    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["x", "y"],
      usage: null,
      pace: async (index) => {
        if (index === 1) await gate.promise;
      },
    });
    const sessionId = await client.session("bob");
    const body = { session_id: sessionId, user_id: "bob", message: "four" };
    model.setRespond(() => ({
      tokens: ["z"],
      usage: { prompt_tokens: 1, completion_tokens: 1 },
    }));
    const stream = await client.stream(body);
    const { message_id: replyId } = await stream.next(({ type }) => type === "assistant_chunk");
    const waiting = await client.stream(body);
    // The queue is full now.
    expect((await client.send("POST", "/chat/message", body)).status).toBe(429);

    const device = await openStream(`${service.url}/sessions/events?user_id=bob`);
    await device.next(({ type }) => type === "ready");

    // Moved by test/service/platform.test.ts, where there is something to cache.
    const moved = new Set([
      "chat_cache_operation_duration_seconds",
      ...(await familiesThatMoved()),
    ]);
    const during = await scrape();
    expect(during("chat_replies_running")).toBe(1);
    expect(during("chat_stream_viewers")).toBe(3);
    expect(during("chat_session_followers")).toBe(1);
    expect(during("chat_messages_queued")).toBe(1);
    expect(during("chat_dependency_up", { dependency: "models" })).toBe(1);
    expect(during("chat_dependency_up", { dependency: "database" })).toBe(1);
    expect(during("chat_database_query_duration_seconds_count")).toBeGreaterThan(10);
    if (postgres === null) moved.add("chat_database_connections");
    expect(during("chat_dependency_up", { dependency: "redis" })).toBe(redis === null ? 0 : 1);
    expect(during("process_resident_memory_bytes")).toBeGreaterThan(1e6);

    await client.send("POST", `/chat/message/${String(replyId)}/cancel`);
    gate.resolve();
    await Promise.all([stream.all(), waiting.all()]);
    device.close();
    await client.send("POST", "/chat/voice/synthesize", { text: "hello" });
    await client.send("PUT", `/chat/message/${String(replyId)}/feedback`, { rating: "down" });
    await client.get("/nowhere");
    await client.get("/chat/history/nowhere");

    await vi.waitFor(async () => expect((await scrape())("chat_stream_viewers")).toBe(0), 10_000);
    const after = await scrape();
    for (const name of await familiesThatMoved()) moved.add(name);
    const { body: text } = await client.get<string>("/metrics");
    const all = [...text.matchAll(/^# TYPE (chat_\w+)/gm)].map(([, name]) => name ?? "");
    expect(all.filter((name) => !moved.has(name))).toEqual([]);
    expect(after("chat_feedback_total", { agent: "general-chat", rating: "down" })).toBe(1);
    expect(after("chat_sessions_created_total")).toBe(4);
    expect(after("chat_sessions", { status: "active" })).toBe(4);
    expect(after("chat_messages_total", { type: "text" })).toBe(5);
    expect(after("chat_replies_running")).toBe(0);
    expect(after("chat_replies_total", { source: "models", status: "complete" })).toBe(3);
    expect(after("chat_replies_total", { status: "failed" })).toBe(1);
    expect(after("chat_replies_total", { status: "cancelled" })).toBe(1);
    expect(after("chat_reply_errors_total", { type: "agent_failed" })).toBe(1);
    expect(after("chat_reply_duration_seconds_count")).toBe(5);
    expect(after("chat_reply_time_to_first_token_seconds_count")).toBe(4);
    expect(after("chat_errors_total", { type: "agent_failed" })).toBe(1);
    expect(after("chat_errors_total", { type: "queue_full" })).toBe(1);
    expect(after("chat_errors_total", { type: "not_found" })).toBe(1);
    expect(after("chat_errors_total", { type: "session_not_found" })).toBe(1);
    expect(after("chat_tokens_total", { direction: "input" })).toBe(15);
    expect(after("chat_tokens_total", { direction: "output" })).toBe(7);
    expect(after("chat_upstream_request_duration_seconds_count", { outcome: "ok" })).toBe(3);
    expect(after("chat_upstream_request_duration_seconds_count", { outcome: "agent_failed" })).toBe(
      1,
    );
    expect(after("chat_upstream_request_duration_seconds_count", { outcome: "cancelled" })).toBe(1);
    expect(
      after("chat_speech_duration_seconds_count", { direction: "synthesis", outcome: "ok" }),
    ).toBe(1);
    expect(
      after("chat_http_request_duration_seconds_count", { route: "/chat/message", status: "200" }),
    ).toBe(2);
  });

  it("say the same as JSON", async () => {
    const { body } = await client.get<Record<string, Record<string, unknown>>>("/health/metrics");
    expect(body).toMatchObject({
      messages: { total: 5, by_type: { text: 5 } },
      replies: { total: 5, running: 0, by_status: { complete: 3, failed: 1, cancelled: 1 } },
      latency_ms: { reply: { count: 5 }, time_to_first_token: { count: 4 } },
      viewers: 0,
    });
    expect(JSON.stringify(body)).not.toMatch(/ann|bob/);
  });
});

it("count no reply as running whose end cannot be stored", async ({ skip }) => {
  if (postgres === null) return skip();
  const url = await postgres.freshDatabase();
  const node = await startService({ env: { MODELS_API_URL: model.url, DATABASE_URL: url } });
  try {
    await postgres.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
         AS 'BEGIN RAISE EXCEPTION ''no end is stored''; END';
       CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW
         WHEN (NEW.status <> 'streaming') EXECUTE FUNCTION refuse()`,
      [],
      url,
    );
    const caller = createClient(node.url);
    model.enqueue({ tokens: ["a"] });
    const stream = await caller.stream({ user_id: "ann", message: "one" });
    await vi.waitFor(() => expect(node.output()).toContain("reply could not be ended"), 10_000);
    const after = await scrape(caller);
    expect(after("chat_replies_running")).toBe(0);
    expect(after("chat_replies_total", { status: "dropped" })).toBe(1);
    stream.close();
  } finally {
    await node.stop();
  }
});
