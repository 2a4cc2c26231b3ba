import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { textOf } from "../support/reply-stream.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

interface History {
  messages: { message_id: string; role: string; content: string; status: string }[];
  pagination: { total: number };
}

describe("a conversation with a model", () => {
  let model: OpenAiServer;
  let dataDir: string;
  let service: TestService;
  let client: Client;
  const start = async () => {
    service = await startService({ dataDir, env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
  };

  beforeAll(async () => {
    model = await startOpenAiServer();
    dataDir = await createDataDir();
    await start();
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("streams the reply as numbered events and stores it", async () => {
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["Hello", " ", "world", "!"] });
    const stream = await client.stream({ session_id: sessionId, message: "Hi" });
    const events = await stream.all();

    expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(stream.headers.get("cache-control")).toBe("no-store, no-transform");
    expect(stream.headers.get("x-accel-buffering")).toBe("no");
    expect(stream.headers.get("x-session-id")).toBe(sessionId);
    expect(stream.isDone()).toBe(true);
    expect(events.map((event) => event.id)).toEqual(events.map((_event, index) => index + 1));
    expect(events[0]).toMatchObject({ type: "user_message", message: "Hi", session_id: sessionId });
    expect(events.filter((event) => event["finished"] === true)).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "Hello world!",
      finish_reason: "stop",
      agent_id: "general-chat",
    });
    expect(textOf(events)).toBe("Hello world!");

    const { body } = await client.get<History>(`/chat/history/${sessionId}`);
    expect(body.messages.map(({ role, content, status }) => [role, content, status])).toEqual([
      ["user", "Hi", "complete"],
      ["assistant", "Hello world!", "complete"],
    ]);
    expect(body.messages[1]?.message_id).toBe(stream.headers.get("x-message-id"));
  });

  it("hands each token on when it comes, not at the end", async () => {
    const sessionId = await client.session("alice");
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    model.enqueue({
      tokens: ["one ", "two ", "three"],
      pace: (index) => (index === 0 ? undefined : gates[index - 1]?.promise),
    });
    const stream = await client.stream({ session_id: sessionId, message: "count" });
    await stream.next((event) => event["chunk"] === "one ");
    expect(textOf(stream.events)).toBe("one ");
    gates[0]?.resolve();
    await stream.next((event) => event["chunk"] === "two ");
    expect(textOf(stream.events)).toBe("one two ");
    gates[1]?.resolve();
    expect(textOf(await stream.all())).toBe("one two three");
  });

  it("tells the model the earlier messages in their roles and the current one once", async () => {
    const sessionId = await client.session("alice", {
      session_config: { instructions: "Be brief.", temperature: 0.2 },
    });
    model.enqueue({ tokens: ["Blue."] });
    await (await client.stream({ session_id: sessionId, message: "Favourite colour?" })).all();
    const before = model.requests.length;
    model.enqueue({ tokens: ["As I said."] });
    await (await client.stream({ session_id: sessionId, message: "Again?" })).all();
    const { body } = await model.request(before);
    const messages = body["messages"] as { role: string; content: string }[];
    expect(messages.slice(1)).toEqual([
      { role: "user", content: "Favourite colour?" },
      { role: "assistant", content: "Blue." },
      { role: "user", content: "Again?" },
    ]);
    expect(messages[0]?.role).toBe("system");
    expect(messages[0]?.content).toContain("Be brief.");
    expect(body["temperature"]).toBe(0.2);
  });

  it("answers in one piece, and makes a session for who has none", async () => {
    model.enqueue({ tokens: ["4"] });
    const { status, body } = await client.send<Record<string, string>>("POST", "/chat/message", {
      user_id: "bob",
      message: "2 + 2?",
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      response: "4",
      original_message: "2 + 2?",
      processed_message: null,
      audio_response: null,
      agent_id: "general-chat",
      finish_reason: "stop",
    });
    const session = await client.get(`/sessions/${body["session_id"]}`);
    expect(session.body).toMatchObject({
      user_id: "bob",
      title: "2 + 2?",
      message_count: 2,
      active_message_id: null,
    });
  });

  it("lets an agent hand over to a colleague, visibly", async () => {
    const { body } = await client.get<{ agents: { agent_id: string; source: string }[] }>(
      "/chat/agents",
    );
    expect(body.agents.map((agent) => agent.agent_id)).toEqual([
      "general-chat",
      "analyst",
      "creative",
    ]);
    expect(body.agents.every((agent) => agent.source === "models")).toBe(true);
  });

  it("goes on when the client goes away", async () => {
    const sessionId = await client.session("alice");
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["before ", "after"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    const stream = await client.stream({ session_id: sessionId, message: "stay" });
    await stream.next((event) => event.type === "assistant_chunk");
    stream.close();
    gate.resolve();
    const messageId = stream.headers.get("x-message-id") ?? "";
    const events = await (await client.follow(messageId)).all();
    expect(events.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "before after",
    });
  });

  it("finds everything still there after a restart", async () => {
    const sessionId = await client.session("carol", { metadata: { from: "test" } });
    model.enqueue({ tokens: ["kept ", "words"] });
    const events = await (await client.stream({ session_id: sessionId, message: "keep" })).all();
    const messageId = events[0]?.["message_id"] as string;
    const before = await client.get<History>(`/chat/history/${sessionId}`);

    expect(await service.stop()).toBe(0);
    await start();

    const after = await client.get<History>(`/chat/history/${sessionId}`);
    expect(after.body).toEqual(before.body);
    const { body } = await client.get<{ sessions: object[] }>("/sessions?user_id=carol");
    expect(body.sessions).toHaveLength(1);
    // The events are gone with the process: a snapshot stands for them.
    const replay = await (await client.follow(messageId)).all();
    expect(replay.map((event) => event.type)).toEqual(["snapshot", "conversation_complete"]);
    expect(replay.at(-1)?.id).toBe(events.at(-1)?.id);
    expect(textOf(replay)).toBe("kept words");
  });
});

describe("with nothing configured", () => {
  it("holds a first conversation and calculates", async () => {
    const service = await startService();
    const client = createClient(service.url);
    const sessionId = await client.session("alice");
    const events = await (
      await client.stream({ session_id: sessionId, message: "(2+3)*4 等于多少？" })
    ).all();
    expect(textOf(events)).toContain("20");
    expect(events.some((event) => event.type === "agent_event")).toBe(true);
    expect(await service.stop()).toBe(0);
  });
});
