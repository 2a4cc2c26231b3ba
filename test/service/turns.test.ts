import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { openStream, textOf } from "../support/reply-stream.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Messages {
  messages: { role: string; content: string; status: string; message_id: string }[];
}

describe("turns of a session", () => {
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

  const contents = async (sessionId: string) => {
    const { body } = await client.get<Messages>(`/chat/history/${sessionId}?limit=200`);
    return body.messages.map(({ role, content, status }) => `${role}:${status}:${content}`);
  };

  /** A reply that says `first` and then waits until it is released. */
  const hold = async (sessionId: string, first = "started ") => {
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: [first, "finished"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    const stream = await client.stream({ session_id: sessionId, message: "hold" });
    await stream.next((event) => event.type === "assistant_chunk");
    return { stream, release: gate.resolve, messageId: stream.headers.get("x-message-id") ?? "" };
  };

  it("queues a message for a busy session and answers in order", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId);
    const second = await client.stream({ session_id: sessionId, message: "second" });
    const queued = await second.next((event) => event.type === "queued");
    expect(queued).toMatchObject({
      id: 2,
      position: 1,
      reason: "running",
      waits_for: held.messageId,
    });
    expect((await client.get(`/sessions/${sessionId}`)).body).toMatchObject({
      active_message_id: held.messageId,
      active_message_status: "streaming",
    });
    held.release();
    expect((await held.stream.all()).at(-1)?.type).toBe("conversation_complete");
    expect((await second.all()).at(-1)?.type).toBe("conversation_complete");
    expect(await contents(sessionId)).toEqual([
      "user:complete:hold",
      "assistant:complete:started finished",
      "user:complete:second",
      "assistant:complete:You said: second",
    ]);
  });

  it("refuses with session_busy when asked to, and stores nothing", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId);
    const { status, body } = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "no",
      on_busy: "reject",
    });
    expect(status).toBe(409);
    expect(body).toMatchObject({ error: { type: "session_busy", code: 409 } });
    held.release();
    await held.stream.all();
    expect(await contents(sessionId)).toHaveLength(2);
  });

  it("interrupts a running reply, keeps what it had said, and then answers", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId, "half a ");
    const upstream = model.requests.at(-1);
    const next = await client.stream({
      session_id: sessionId,
      message: "stop, this instead",
      on_busy: "interrupt",
    });
    expect((await held.stream.all()).at(-1)).toMatchObject({
      type: "cancelled",
      full_response: "half a ",
      reason: "interrupted_by_user",
    });
    expect(textOf(await next.all())).toBe("You said: stop, this instead");
    expect(await contents(sessionId)).toEqual([
      "user:complete:hold",
      "assistant:cancelled:half a ",
      "user:complete:stop, this instead",
      "assistant:complete:You said: stop, this instead",
    ]);
    expect(await upstream?.closed).toBe("aborted");
  });

  it("rolls a running reply back: it stays as a branch, and the message takes the place of its", async () => {
    const sessionId = await client.session("alice");
    await client.send("POST", "/chat/message", { session_id: sessionId, message: "before" });
    const held = await hold(sessionId, "half a ");
    const waiting = await client.stream({ session_id: sessionId, message: "waits" });
    await waiting.next((event) => event.type === "queued");
    const next = await client.stream({
      session_id: sessionId,
      message: "rather this",
      on_busy: "rollback",
    });
    for (const stream of [held.stream, waiting]) {
      expect((await stream.all()).at(-1)).toMatchObject({
        type: "cancelled",
        reason: "rolled_back",
      });
    }
    expect(textOf(await next.all())).toBe("You said: rather this");
    expect(await contents(sessionId)).toEqual([
      "user:complete:before",
      "assistant:complete:You said: before",
      "user:complete:rather this",
      "assistant:complete:You said: rather this",
    ]);
    const told = JSON.stringify(model.requests.at(-1)?.body["messages"]);
    expect([told.includes("before"), told.includes("hold"), told.includes("waits")]).toEqual([
      true,
      false,
      false,
    ]);
    const { body } = await client.get<Messages>(
      `/chat/history/${sessionId}?path=${held.messageId}`,
    );
    expect(body.messages.map(({ content }) => content)).toEqual([
      "before",
      "You said: before",
      "hold",
      "half a ",
      "waits",
      "",
    ]);
  });

  it("rolls back the first message of a session", async () => {
    const sessionId = await client.session("alice", { session_config: { on_busy: "rollback" } });
    const held = await hold(sessionId);
    const next = await client.stream({ session_id: sessionId, message: "rather this" });
    await Promise.all([held.stream.all(), next.all()]);
    expect(await contents(sessionId)).toEqual([
      "user:complete:rather this",
      "assistant:complete:You said: rather this",
    ]);
  });

  it("cancels a running reply: partial text kept, upstream stopped, repeatable", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId, "so far ");
    const upstream = model.requests.at(-1);
    const first = await client.send("POST", `/chat/message/${held.messageId}/cancel`);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ status: "cancelled", content: "so far " });
    const again = await client.send("POST", `/chat/message/${held.messageId}/cancel`);
    expect(again.status).toBe(200);
    const events = await held.stream.all();
    expect(events.at(-1)).toMatchObject({ type: "cancelled", full_response: "so far " });
    expect(held.stream.isDone()).toBe(true);
    expect(await upstream?.closed).toBe("aborted");
  });

  it("cancels a waiting reply without touching the running one", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId);
    const waiting = await client.stream({ session_id: sessionId, message: "never mind" });
    const { body } = await client.send<{ status: string }>(
      "POST",
      `/chat/message/${waiting.headers.get("x-message-id")}/cancel`,
    );
    expect(body.status).toBe("cancelled");
    expect((await waiting.all()).map((event) => event.type)).toEqual([
      "user_message",
      "queued",
      "cancelled",
    ]);
    held.release();
    expect((await held.stream.all()).at(-1)?.type).toBe("conversation_complete");
  });

  it("says that a reply is over when it is cancelled too late", async () => {
    const sessionId = await client.session("alice");
    const events = await (await client.stream({ session_id: sessionId, message: "quick" })).all();
    const { status, body } = await client.send(
      "POST",
      `/chat/message/${String(events[0]?.["message_id"])}/cancel`,
    );
    expect(status).toBe(409);
    expect(body).toMatchObject({ error: { type: "message_not_running" } });
  });

  it("takes 100 parallel sends of one key as one message", async () => {
    const sessionId = await client.session("alice");
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        client.send<{ message_id: string; response: string }>(
          "POST",
          "/chat/message",
          { session_id: sessionId, message: "once" },
          { "idempotency-key": `the-same-${sessionId}` },
        ),
      ),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(new Set(answers.map((answer) => answer.body.message_id)).size).toBe(1);
    expect(await contents(sessionId)).toEqual([
      "user:complete:once",
      "assistant:complete:You said: once",
    ]);
  });

  it("refuses a key that was used for something else, and replays a stream from its first event", async () => {
    const sessionId = await client.session("alice");
    const key = { "idempotency-key": `stream-${sessionId}` };
    const body = { session_id: sessionId, message: "hello there" };
    const first = await (await client.stream(body, key)).all();
    const second = await (await client.stream(body, key)).all();
    expect(second).toEqual(first);
    const other = await client.send("POST", "/chat/message/stream", { ...body, message: "x" }, key);
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ error: { type: "idempotency_conflict" } });
    // Without a session in the request, the repeat must not make a second one.
    const fresh = { user_id: "dora", message: "new here" };
    const one = await client.send<{ session_id: string }>("POST", "/chat/message", fresh, {
      "idempotency-key": "fresh",
    });
    const two = await client.send<{ session_id: string }>("POST", "/chat/message", fresh, {
      "idempotency-key": "fresh",
    });
    expect(two.body).toEqual(one.body);
    const { body: list } = await client.get<{ pagination: { total: number } }>(
      "/sessions?user_id=dora",
    );
    expect(list.pagination.total).toBe(1);
    const sessions = await Promise.all(
      [1, 2, 3].map(() =>
        client.send("POST", "/chat/session", { user_id: "erin" }, { "idempotency-key": "s" }),
      ),
    );
    expect(new Set(sessions.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
  });

  it("answers 100 parallel sends to one session in order of acceptance, up to the queue's bound", async () => {
    const sessionId = await client.session("alice");
    let running = 0;
    let most = 0;
    model.setRespond((request) => {
      running += 1;
      most = Math.max(most, running);
      const messages = request.body["messages"] as { content: string }[];
      return {
        tokens: [`re: ${messages.at(-1)?.content}`],
        pace: () => {
          running -= 1;
        },
      };
    });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async (_each, index) => {
        try {
          const stream = await openStream(`${service.url}/chat/message/stream`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ session_id: sessionId, message: `m${index}` }),
          });
          return (await stream.all()).at(-1)?.type ?? "nothing";
        } catch (error) {
          return String(error).includes("queue_full") ? "queue_full" : String(error);
        }
      }),
    );
    const complete = outcomes.filter((outcome) => outcome === "conversation_complete").length;
    expect(new Set(outcomes)).toEqual(new Set(["conversation_complete", "queue_full"]));
    expect(complete).toBeGreaterThanOrEqual(9);
    expect(most).toBe(1);
    const stored = await contents(sessionId);
    expect(stored).toHaveLength(complete * 2);
    for (let index = 0; index < stored.length; index += 2) {
      const question = stored[index]?.replace("user:complete:", "");
      expect(stored[index + 1]).toBe(`assistant:complete:re: ${question}`);
    }
  });

  it("stops everything when the session is deleted in mid-reply", async () => {
    const sessionId = await client.session("alice");
    const held = await hold(sessionId);
    const waiting = await client.stream({ session_id: sessionId, message: "next" });
    const upstream = model.requests.at(-1);
    expect((await client.send("DELETE", `/sessions/${sessionId}`)).status).toBe(200);
    expect((await held.stream.all()).at(-1)).toMatchObject({
      type: "cancelled",
      reason: "session_deleted",
    });
    expect((await waiting.all()).at(-1)).toMatchObject({
      type: "cancelled",
      reason: "session_deleted",
    });
    expect(await upstream?.closed).toBe("aborted");
    for (const path of [
      `/sessions/${sessionId}`,
      `/chat/history/${sessionId}`,
      `/chat/message/${held.messageId}`,
      `/chat/message/${held.messageId}/stream`,
    ]) {
      expect((await client.get(path)).status).toBe(404);
    }
    expect((await client.send("DELETE", `/chat/session/${sessionId}`)).status).toBe(404);
  });
});
