import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Accepted {
  session_id: string;
  message_id: string;
  user_message_id: string;
  status: string;
}

describe.each([
  ["embedded", async () => ({})],
  ["postgres", async () => ({ DATABASE_URL: (await postgres?.freshDatabase()) ?? "" })],
] as const)("messages that nobody waits for, on %s", (kind, database) => {
  if (kind === "postgres" && postgres === null) return;
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, ...(await database()) },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const sendAsync = (body: object, headers: Record<string, string> = {}) =>
    client.send<Accepted>("POST", "/chat/message", body, { prefer: "respond-async", ...headers });

  it("answers while the reply is made; it is followed and fetched by its id", async () => {
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["slowly ", "made"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    const { status, body, headers } = await sendAsync({ user_id: "alice", message: "begin" });
    expect(status).toBe(202);
    expect(headers.get("preference-applied")).toBe("respond-async");
    expect(headers.get("location")).toBe(`/chat/message/${body.message_id}`);
    expect(body).toMatchObject({ success: true, status: "streaming", processed_message: null });
    const waiting = await sendAsync({ session_id: body.session_id, message: "next" });
    expect(waiting).toMatchObject({
      status: 202,
      body: { status: "queued", position: 1, reason: "running", waits_for: body.message_id },
    });
    gate.resolve();
    const events = await (await client.follow(waiting.body.message_id)).all();
    expect(events.at(-1)).toMatchObject({ full_response: "You said: next" });
    expect((await client.get(headers.get("location") ?? "")).body).toMatchObject({
      status: "complete",
      content: "slowly made",
      reply_to: body.user_message_id,
    });
  });

  it("a repeat is told of the same reply as it is by now, and may wait for it", async () => {
    const request = { user_id: "bob", message: "once" };
    const key = { "idempotency-key": `once-${kind}` };
    const first = await sendAsync(request, key);
    await (await client.follow(first.body.message_id)).all();
    const again = await sendAsync(request, key);
    expect(again.status).toBe(202);
    expect(again.body).toEqual({ ...first.body, status: "complete" });
    const waited = await client.send("POST", "/chat/message", request, key);
    expect(waited.status).toBe(200);
    expect(waited.body).toMatchObject({
      message_id: first.body.message_id,
      response: "You said: once",
    });
    const other = await sendAsync({ ...request, message: "twice" }, key);
    expect(other.body).toMatchObject({ error: { type: "idempotency_conflict" } });
  });

  it("holds for another reply and another question too", async () => {
    const first = await sendAsync({ user_id: "cleo", message: "one" });
    await (await client.follow(first.body.message_id)).all();
    for (const [path, body] of [
      [`/chat/message/${first.body.message_id}/regenerate`, {}],
      [`/chat/message/${first.body.user_message_id}/edit`, { message: "two" }],
    ] as const) {
      const again = await client.send<Accepted>("POST", path, body, { prefer: "respond-async" });
      expect(again.status, path).toBe(202);
      expect(again.headers.get("location")).toBe(`/chat/message/${again.body.message_id}`);
      const events = await (await client.follow(again.body.message_id)).all();
      expect(events.at(-1)?.type).toBe("conversation_complete");
    }
  });

  it("what is refused is refused at once", async () => {
    const { status, body } = await sendAsync({
      user_id: "alice",
      message: "hi",
      agent_id: "nobody",
    });
    expect([status, body]).toMatchObject([404, { error: { type: "agent_not_found" } }]);
  });
});
