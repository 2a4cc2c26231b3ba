import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer, type Turn } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

const upstreamText = "SECRET-UPSTREAM-WORDS";

/** What a model does, and how the reply ends. */
const cases: readonly (readonly [string, Turn, object, number])[] = [
  [
    "refuses with 500",
    { fault: { kind: "status", status: 500, body: { error: { message: upstreamText } } } },
    { type: "error", error_type: "agent_failed", code: 502, full_response: "" },
    502,
  ],
  [
    "refuses the key",
    { fault: { kind: "status", status: 401, body: upstreamText } },
    { type: "error", full_response: "" },
    502,
  ],
  [
    "is not HTTP at all",
    { fault: { kind: "no_http" } },
    { type: "error", error_type: "agent_failed", full_response: "" },
    502,
  ],
  [
    "never answers",
    { fault: { kind: "hang_before_headers" } },
    { type: "error", error_type: "agent_timeout", code: 504, full_response: "" },
    504,
  ],
  [
    "falls silent in the middle",
    { tokens: ["so ", "far"], fault: { kind: "hang" } },
    { type: "error", error_type: "agent_timeout", code: 504, full_response: "so far" },
    504,
  ],
  [
    "only ever sends comments",
    { tokens: ["so ", "far"], fault: { kind: "comments", everyMs: 50 } },
    { type: "error", full_response: "so far" },
    504,
  ],
  [
    "dies in the middle",
    { tokens: ["so ", "far"], delayMs: 50, fault: { kind: "die" } },
    { type: "error", error_type: "interrupted", full_response: "so far" },
    502,
  ],
  [
    "dies within an event",
    { tokens: ["so ", "far"], delayMs: 50, fault: { kind: "half_frame" } },
    { type: "error", error_type: "interrupted", full_response: "so far" },
    502,
  ],
  [
    "ends without an end",
    { tokens: ["so ", "far"], fault: { kind: "end_early" } },
    { type: "error", error_type: "interrupted", full_response: "so far" },
    502,
  ],
  [
    "reports an error in the middle",
    { tokens: ["so ", "far"], fault: { kind: "error_frame", error: { message: upstreamText } } },
    { type: "error", error_type: "agent_failed", full_response: "so far" },
    502,
  ],
  [
    "sends a line of 100 MB",
    { tokens: ["so ", "far"], fault: { kind: "huge_line", bytes: 100 * 1024 * 1024 } },
    { type: "error", full_response: "so far" },
    502,
  ],
];

describe("when a model fails", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        MODELS_TIMEOUT: "1",
        STREAMS_MAX_REPLY_SECONDS: "4",
        LIMITS_MAX_CONCURRENT_REPLIES: "50",
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it.each(cases)(
    "%s: the stream ends in an error and the question is kept",
    async (_name, turn, end) => {
      const sessionId = await client.session("alice");
      model.setRespond(() => turn);
      const stream = await client.stream({ session_id: sessionId, message: "the question" });
      const events = await stream.all();
      expect(stream.isDone()).toBe(true);
      expect(events.at(-1)).toMatchObject(end);
      expect(JSON.stringify(events)).not.toContain(upstreamText);
      const { body } = await client.get<{ messages: { role: string; status: string }[] }>(
        `/chat/history/${sessionId}`,
      );
      expect(body.messages[0]).toMatchObject({ role: "user", content: "the question" });
      expect(body.messages[1]).toMatchObject({
        role: "assistant",
        status:
          (events.at(-1)?.["error_type"] as string) === "interrupted" ? "interrupted" : "failed",
        content: events.at(-1)?.["full_response"],
      });
      expect(JSON.stringify(body)).not.toContain(upstreamText);
      expect(service.process.exitCode).toBeNull();
    },
  );

  it.each(cases)(
    "%s: an answer in one piece is an error answer",
    async (_name, turn, _end, status) => {
      const sessionId = await client.session("alice");
      model.setRespond(() => turn);
      const answer = await client.send("POST", "/chat/message", {
        session_id: sessionId,
        message: "the question",
      });
      expect(answer.status).toBe(status);
      expect(answer.body).toMatchObject({ success: false, error: { code: status } });
      expect(JSON.stringify(answer.body)).not.toContain(upstreamText);
    },
  );

  it("stops a reply that never ends", async () => {
    const sessionId = await client.session("alice");
    model.setRespond(() => ({ tokens: Array.from({ length: 10_000 }, () => "on "), delayMs: 100 }));
    const events = await (await client.stream({ session_id: sessionId, message: "go" })).all();
    expect(events.at(-1)).toMatchObject({ type: "error", error_type: "agent_timeout", code: 504 });
    expect(events.at(-1)?.["full_response"]).toContain("on on ");
  });

  it("stays small whatever it was sent", async () => {
    const before = await client.get<string>("/metrics");
    const resident = Number(/process_resident_memory_bytes (\d+)/.exec(before.body)?.[1]);
    expect(resident).toBeLessThan(600 * 1024 * 1024);
  });
});

describe("when the model's server is away", () => {
  it("says so, keeps the question, and answers again when it is back", async () => {
    const away = await startOpenAiServer();
    const { port } = away;
    await away.close();
    const service = await startService({
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`, MODELS_DEFAULT_MODEL: "test-model" },
    });
    const client = createClient(service.url);
    const { body } = await client.get<{ agents: { status: string }[] }>("/chat/agents");
    expect(body.agents.map((agent) => agent.status)).not.toContain("broken");
    const sessionId = await client.session("alice");
    const refused = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "anybody there?",
    });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ error: { type: "agent_unavailable" } });
    expect(refused.headers.get("retry-after")).not.toBeNull();
    expect((await client.get("/health")).status).toBe(200);

    const back = await startOpenAiServer({ port });
    const answer = await client.send<{ response: string }>("POST", "/chat/message", {
      session_id: sessionId,
      message: "and now?",
    });
    expect(answer.status).toBe(200);
    const history = await client.get<{ messages: { content: string }[] }>(
      `/chat/history/${sessionId}?role=user`,
    );
    expect(history.body.messages.map((message) => message.content)).toEqual([
      "anybody there?",
      "and now?",
    ]);
    await service.stop();
    await back.close();
  });
});
