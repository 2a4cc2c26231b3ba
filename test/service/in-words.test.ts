import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { referenceProgram } from "../support/mcp-servers.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import type { SeenEvent } from "../support/reply-stream.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Message {
  readonly message_id: string;
  readonly role: string;
  readonly content: string;
  readonly status: string;
  readonly steered?: object[];
  readonly answers?: { readonly message_id: string; readonly decisions: object[] };
}

describe.each([
  ["embedded", async () => ({})],
  ["postgres", async () => ({ DATABASE_URL: (await postgres?.freshDatabase()) ?? "" })],
] as const)("a decision in words, on %s", (kind, database) => {
  if (kind === "postgres" && postgres === null) return;
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    const mcp = [{ name: "local", ...referenceProgram, require_approval: ["get-sum"] }];
    const agents = [
      { id: "careful", name: "Careful", mcp },
      { id: "strict", name: "Strict", answers_in_words: false, mcp },
    ];
    service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        MODELS_DEFAULT_MODEL: "test-model",
        MODELS_AGENTS: JSON.stringify(agents),
        ...(await database()),
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const isEnd = ({ type }: SeenEvent) =>
    ["conversation_complete", "error", "cancelled"].includes(type);
  const sums = (...ids: string[]) => ({
    tokens: ["I shall add. "],
    toolCalls: ids.map((id) => ({ id, name: "local__get-sum", arguments: { a: 20, b: 22 } })),
  });

  /** A conversation whose first reply asks whether it may add. */
  async function paused(agentId = "careful", ...ids: string[]) {
    model.enqueue(sums("one", ...ids));
    const sessionId = await client.session("alice", { agent_id: agentId });
    const stream = await client.stream({ session_id: sessionId, message: "go" });
    await stream.next(({ type }) => type === "paused");
    await stream.all();
    return { sessionId, messageId: stream.headers.get("x-message-id") ?? "" };
  }
  const history = async (sessionId: string) =>
    (await client.get<{ messages: Message[] }>(`/chat/history/${sessionId}`)).body.messages;
  /** What the model was told last. */
  const told = () =>
    (model.requests.at(-1)!.body["messages"] as { role: string; content: string }[]).filter(
      ({ role }) => role !== "system",
    );

  it("is an answer like any other: whole, with the reply that goes on", async () => {
    const { sessionId, messageId } = await paused();
    model.enqueue({ tokens: ["It is done."] });
    const { status, body } = await client.send<Record<string, unknown>>("POST", "/chat/message", {
      session_id: sessionId,
      message: "yes",
    });
    expect([status, body]).toMatchObject([
      200,
      {
        message_id: messageId,
        original_message: "yes",
        response: "I shall add. \n\nIt is done.",
        status: "complete",
      },
    ]);
    expect(told().at(-1)).toMatchObject({ role: "tool", content: "The sum of 20 and 22 is 42." });
    const messages = await history(sessionId);
    expect(messages.map(({ role, status: at }) => [role, at])).toEqual([
      ["user", "complete"],
      ["assistant", "complete"],
      ["user", "complete"],
    ]);
    const [, reply, own] = messages;
    expect(own).toMatchObject({
      message_id: body["user_message_id"],
      content: "yes",
      answers: { message_id: messageId, decisions: [{ approved: true }] },
    });
    expect(reply?.steered).toEqual([
      { message_id: own?.message_id, text_start: "I shall add. ".length },
    ]);
    // Neither in the prompt of what is asked next, nor in that of what is asked anew.
    model.enqueue({ tokens: ["Fine."] });
    await client.send("POST", "/chat/message", { session_id: sessionId, message: "thanks" });
    expect(told().map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(JSON.stringify(told())).not.toContain("yes");
    // A copy of the conversation says the same.
    const fork = await client.send<{ session_id: string }>("POST", `/sessions/${sessionId}/fork`, {
      message_id: own?.message_id,
    });
    const copied = await history(fork.body.session_id);
    expect(copied[2]?.answers?.message_id).toBe(copied[1]?.message_id);
  });

  it("is streamed from what was said on, and refuses with its reason", async () => {
    const { sessionId, messageId } = await paused();
    const stream = await client.stream({
      session_id: sessionId,
      message: "no, use the calculator",
    });
    expect(stream.headers.get("x-message-id")).toBe(messageId);
    const events = await stream.all();
    expect(events[0]).toMatchObject({ type: "steered", message: "no, use the calculator" });
    expect(events.at(-1)).toMatchObject({ type: "conversation_complete" });
    expect(told().at(-1)?.content).toBe(
      "Error: the user has declined this call: use the calculator",
    );
  });

  it("comes over a WebSocket too, and a button that comes after it is told", async () => {
    const { sessionId, messageId } = await paused();
    const chat = connectSocket(`${service.url}/chat/ws?session_id=${sessionId}`);
    await chat.next(({ type }) => type === "connection_established");
    chat.send({ type: "chat", message: "是的" });
    const said = await chat.next(({ type }) => type === "steered");
    expect(said).toMatchObject({ message_id: messageId, message: "是的" });
    const end = await chat.next(({ type }) => type === "conversation_complete");
    expect(end["message_id"]).toBe(messageId);
    chat.socket.close();
    const late = await client.send("POST", `/chat/message/${messageId}/continue`, {
      decisions: [{ id: "one", approved: false }],
    });
    expect([late.status, late.body]).toMatchObject([
      409,
      { error: { type: "message_not_running" } },
    ]);
  });

  it("is accepted without waiting, and once for a key", async () => {
    const { sessionId, messageId } = await paused();
    const body = { session_id: sessionId, message: "ok" };
    const key = { prefer: "respond-async", "idempotency-key": `answer-${kind}` };
    const first = await client.send<Message>("POST", "/chat/message", body, key);
    const again = await client.send<Message>("POST", "/chat/message", body, key);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(first.body.message_id).toBe(messageId);
    expect({ ...again.body, status: "" }).toEqual({ ...first.body, status: "" });
    const followed = await client.follow(messageId);
    expect((await followed.next(isEnd)).type).toBe("conversation_complete");
    const repeat = await client.send("POST", "/chat/message", body, {
      "idempotency-key": `answer-${kind}`,
    });
    expect(repeat.body).toMatchObject({ message_id: messageId, original_message: "ok" });
    expect(await history(sessionId)).toHaveLength(3);
  });

  it.each([
    ["yes but only once", {}],
    ["no problem", {}],
    ["may I see it first?", {}],
    ["yes", { on_busy: "enqueue" }],
    ["yes", { context: { from: "a form" } }],
  ])("%j with %j waits, and is told so", async (message, more) => {
    const { sessionId, messageId } = await paused();
    const { status, body } = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message,
      ...more,
    });
    expect([status, body]).toMatchObject([
      202,
      { status: "queued", reason: "decision", waits_for: messageId },
    ]);
    await client.send("DELETE", `/sessions/${sessionId}`);
  });

  it("of several at once only all are meant", async () => {
    const { sessionId } = await paused("careful", "two");
    const waits = await client.send<Message>("POST", "/chat/message", {
      session_id: sessionId,
      message: "yes",
    });
    expect(waits).toMatchObject({ status: 202, body: { status: "queued" } });
    await client.send("DELETE", `/chat/message/${waits.body.message_id}`);
    const all = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "yes to all",
    });
    expect(all).toMatchObject({ status: 200, body: { status: "complete" } });
  });

  it("is none where the agent's author does not want it, which the list of agents says", async () => {
    const { body } = await client.get<{
      agents: { agent_id: string; answers_in_words: boolean }[];
    }>("/chat/agents");
    const says = new Map(body.agents.map((each) => [each.agent_id, each.answers_in_words]));
    expect([says.get("careful"), says.get("strict")]).toEqual([true, false]);
    const { sessionId } = await paused("strict");
    const sent = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "yes",
    });
    expect(sent).toMatchObject({ status: 202, body: { reason: "decision" } });
    await client.send("DELETE", `/sessions/${sessionId}`);
  });
});

it("is none where the service does not want it", async () => {
  const service = await startService({ env: { SESSIONS_ANSWERS_IN_WORDS: "false" } });
  const client = createClient(service.url);
  const { body } = await client.get<{ agents: { answers_in_words: boolean }[] }>("/chat/agents");
  expect(new Set(body.agents.map((each) => each.answers_in_words))).toEqual(new Set([false]));
  await service.stop();
});
