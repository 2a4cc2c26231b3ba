import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  ApiError,
  createChatClient,
  textAfter,
  type ClientOptions,
  type NumberedReplyEvent,
} from "../../packages/client/src/index.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startEventCuttingProxy, type EventCuttingProxy } from "../support/event-cutting-proxy.ts";

const words = Array.from({ length: 12 }, (_, index) => `word${index} `);

let acted: ActedService;
let proxy: EventCuttingProxy;
let release = () => {};

beforeAll(async () => {
  acted = await startActedService({
    ...scripts,
    /** Each word is told for itself. */
    slow: async function* () {
      for (const text of words) {
        yield { type: "text", text };
        yield { type: "tool", toolCallId: text, name: "look", status: "started" };
      }
      yield { type: "finish", reason: "stop" };
    },
    held: async function* () {
      yield { type: "text", text: "One. " };
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield { type: "text", text: "Two." };
      yield { type: "finish", reason: "stop" };
    },
  });
  proxy = await startEventCuttingProxy(() => acted.url);
});
afterEach(() => {
  proxy.cutStreamsAfter(null);
  proxy.loseAnswers(0, /^/);
  proxy.refuse(0, 0, {}, "");
});
afterAll(async () => {
  release();
  proxy.close();
  await acted.close();
});

const connect = (options: Partial<ClientOptions> = {}) =>
  createChatClient({ baseUrl: proxy.url, userId: "ann", wait: async () => {}, ...options });

async function all(reply: AsyncIterable<NumberedReplyEvent>): Promise<NumberedReplyEvent[]> {
  const events: NumberedReplyEvent[] = [];
  for await (const event of reply) events.push(event);
  return events;
}

/** As a reader is told who loses nothing. */
async function told(messageId: string) {
  const stream = await acted.native.follow(messageId);
  return (await stream.all()).map(({ id, ...event }) => ({ ...event, seq: id }));
}

describe("a reply", () => {
  it.each(["slow", "everything", "replaced"])(
    "comes whole though every connection is cut behind one event: %s",
    async (message) => {
      proxy.cutStreamsAfter(1);
      const reply = connect().send({ message, agent_id: "actor" });
      const events = await all(reply);
      const { messageId } = await reply.accepted;
      expect(events).toEqual(await told(messageId));
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
      const stored = await connect().messages.get(messageId);
      expect(events.reduce(textAfter, "")).toBe(stored.content);
    },
  );

  it("comes whole though the first connection is cut behind any byte", async () => {
    const whole = JSON.stringify(
      (await all(connect().send({ message: "everything", agent_id: "actor" }))).map(
        ({ seq, type }) => [seq, type],
      ),
    );
    for (let bytes = 0; bytes < 4_000; bytes += 173) {
      const cutting = await startCuttingProxy(acted.url, bytes);
      const runs = acted.runs();
      const reply = connect({ baseUrl: cutting.url }).send({
        message: "everything",
        agent_id: "actor",
      });
      const events = await all(reply);
      expect(JSON.stringify(events.map(({ seq, type }) => [seq, type]))).toBe(whole);
      expect(acted.runs()).toBe(runs + 1);
      cutting.close();
    }
  });

  it("is asked for once, however often its answers are lost", async () => {
    const runs = acted.runs();
    proxy.loseAnswers(3, /^POST .*\/stream/);
    const retried: unknown[] = [];
    const reply = connect().send(
      { message: "everything", agent_id: "actor" },
      { onRetry: (error) => retried.push(error) },
    );
    expect(await reply.text()).toBe("First. 你好, world.");
    expect(retried).toHaveLength(3);
    expect(acted.runs()).toBe(runs + 1);
    const { sessionId } = await reply.accepted;
    expect((await connect().messages.history(sessionId)).messages).toHaveLength(2);
  });

  it("is read on where a loop was left, and goes on without a reader", async () => {
    const reply = connect().send({ message: "held", agent_id: "actor" });
    for await (const { type } of reply) if (type === "assistant_chunk") break;
    release();
    const rest = await all(reply);
    expect(rest[0]?.seq).toBe(3);
    expect(rest.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "One. Two.",
    });
  });

  it("is stopped by cancel, and by nothing else", async () => {
    const leaving = new AbortController();
    const reply = connect().send({ message: "held", agent_id: "actor" });
    const { messageId } = await reply.accepted;
    const reading = (async () => {
      for await (const event of reply.events({ signal: leaving.signal })) void event;
    })();
    leaving.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    expect((await connect().messages.get(messageId)).status).toBe("streaming");
    await reply.cancel();
    const events = await all(connect().messages.follow(messageId));
    expect(events.at(-1)).toMatchObject({ type: "cancelled" });
    await reply.cancel();
  });

  it("goes on behind a decision, once, though the answer to it is lost and streams are cut", async () => {
    for (const isKnown of [true, false]) {
      const client = connect();
      const asked = client.send({ message: "confirm", agent_id: "actor" });
      const before = await all(asked);
      const paused = before.at(-1);
      expect(paused?.type).toBe("paused");
      const { messageId } = await asked.accepted;
      proxy.loseAnswers(1, /\/continue/);
      proxy.cutStreamsAfter(1);
      const decided = acted.decided.length;
      const after = isKnown ? { after: paused?.seq } : {};
      const decision = { id: "r1", approved: true };
      const rest = await all(client.messages.continue(messageId, [decision], after));
      expect(acted.decided).toHaveLength(decided + 1);
      expect([...before, ...rest]).toEqual(await told(messageId));
      expect(rest.at(-1)).toMatchObject({ type: "conversation_complete" });
      proxy.cutStreamsAfter(null);
    }
  });

  it("is followed again by another key's sender, edited and asked for again", async () => {
    const client = connect();
    proxy.cutStreamsAfter(2);
    const first = client.send({ message: "everything", agent_id: "actor" });
    await all(first);
    const { messageId, sessionId } = await first.accepted;
    proxy.loseAnswers(1, /regenerate/);
    const second = client.messages.regenerate(messageId);
    expect(await second.text()).toBe("First. 你好, world.");
    const { reply_to: question = "" } = await client.messages.get(messageId);
    const third = client.messages.edit(question, { message: "replaced" });
    expect(await third.text()).toBe("Right words and more");
    const session = await client.sessions.get(sessionId);
    expect(session).toMatchObject({ message_count: 2, total_message_count: 5 });
    await client.sessions.update(sessionId, { head_message_id: messageId });
    const path = (await client.messages.history(sessionId)).messages;
    expect(path.map(({ content }) => content)).toEqual(["everything", "First. 你好, world."]);
    expect(path[1]?.siblings?.ids).toHaveLength(2);
  });
});

describe("a service that refuses", () => {
  const body = (type: string, message: string) =>
    JSON.stringify({ success: false, error: { code: 503, type, message }, request_id: "r-1" });

  it("is asked again when it says, with the same key", async () => {
    const waits: number[] = [];
    const client = connect({ wait: async ({ delayMs }) => void waits.push(delayMs) });
    const json = { "Content-Type": "application/json", "Retry-After": "7" };
    proxy.refuse(2, 503, json, body("shutting_down", "Going down"));
    expect(await client.send({ message: "replaced", agent_id: "actor" }).text()).toContain("Right");
    expect(waits).toEqual([7_000, 7_000]);
    proxy.refuse(1, 429, json, body("rate_limited", "Slowly"));
    await client.agents();
    expect(waits).toHaveLength(3);
  });

  it("is told to the caller: status, type, message, request id and time", async () => {
    const json = { "Content-Type": "application/json", "Retry-After": "90" };
    proxy.refuse(1, 429, json, body("budget_exceeded", "Used up"));
    const refused = connect().send({ message: "replaced", agent_id: "actor" });
    const error = await refused.text().catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 429,
      type: "budget_exceeded",
      message: "Used up",
      requestId: "r-1",
      retryAfterSeconds: 90,
    });
    await expect(refused.accepted).rejects.toBe(error);
    // Later than anybody would wait.
    proxy.refuse(1, 503, json, body("overloaded", "Full"));
    await expect(connect().agents()).rejects.toMatchObject({ type: "overloaded" });
    const unknown = connect().send({ message: "hi", agent_id: "nobody" });
    await expect(unknown.text()).rejects.toMatchObject({ status: 404, type: "agent_not_found" });
    const wrong = connect().sessions.update("x", { nonsense: 1 } as object);
    await expect(wrong).rejects.toMatchObject({
      status: 422,
      details: [expect.objectContaining({ path: "/nonsense" })],
    });
  });

  it("is given up after patience, or at once by a signal", async () => {
    const client = createChatClient({ baseUrl: "http://127.0.0.1:9", userId: "ann" });
    await expect(client.send({ message: "hi" }, { patienceMs: 0 }).text()).rejects.toMatchObject({
      name: "ConnectionError",
    });
    const giving = new AbortController();
    const reply = client.send({ message: "hi" }, { signal: giving.signal });
    giving.abort(new Error("enough"));
    await expect(reply.text()).rejects.toThrow("enough");
    const hung = createChatClient({ baseUrl: proxy.url, timeoutMs: 1, maxRetries: 0 });
    await expect(hung.config()).rejects.toMatchObject({ name: "ConnectionError" });
  });
});

describe("calls", () => {
  it("are repeated where that is safe", async () => {
    const client = connect();
    proxy.loseAnswers(1, /^POST \/chat\/session/);
    const session = await client.sessions.create({ agent_id: "actor" });
    expect((await client.sessions.list()).sessions[0]?.session_id).toBe(session.session_id);
    const count = async () => (await client.sessions.stats("ann")).total_sessions;
    const before = await count();
    proxy.loseAnswers(1, /fork/);
    const sent = client.send({ message: "replaced", agent_id: "actor" });
    await sent.text();
    const { sessionId, messageId } = await sent.accepted;
    proxy.loseAnswers(1, /fork/);
    const fork = await client.sessions.fork(sessionId, messageId);
    expect(await count()).toBe(before + 2);
    proxy.loseAnswers(1, /^DELETE/);
    await client.sessions.delete(fork.session_id);
    expect(await count()).toBe(before + 1);
    await expect(client.sessions.delete(fork.session_id)).rejects.toMatchObject({ status: 404 });
    proxy.loseAnswers(1, /batch/);
    await expect(
      client.sessions.batch({ session_ids: [session.session_id], operation: "archive" }),
    ).rejects.toMatchObject({ name: "ConnectionError" });
  });

  it("say how much of a file has gone, and its reply comes all the same", async () => {
    const shares: number[] = [];
    const file = new File([new Uint8Array(300_000).fill(97)], "a.txt", { type: "text/plain" });
    const reply = connect().send(
      { message: "replaced", agent_id: "actor", attachments: [file] },
      { onProgress: (share) => shares.push(share) },
    );
    expect(await reply.text()).toBe("Right words and more");
    expect(shares.length).toBeGreaterThan(3);
    expect(shares).toEqual(shares.toSorted((left, right) => left - right));
    expect(shares.at(-1)).toBe(1);
    const { sessionId } = await reply.accepted;
    const [question] = (await connect().messages.history(sessionId)).messages;
    const attachment = question?.attachments?.[0];
    expect(attachment).toMatchObject({ name: "a.txt", size: 300_000 });
    const bytes = await connect().messages.attachment(attachment?.attachment_id ?? "");
    expect(await bytes.text()).toHaveLength(300_000);
  });

  it("list, search, tag, rate, queue, share, export and import", async () => {
    const client = connect({ userId: () => "bea" });
    const sent = client.send({ message: "replaced pineapple", agent_id: "actor" });
    await sent.text();
    const { sessionId, messageId } = await sent.accepted;
    await client.sessions.rename(sessionId, "Fruit");
    await client.sessions.update(sessionId, { pinned: true, tags: ["a", "b"] });
    const tagged = await client.sessions.list({ tag: ["a", "b"], order: "pinned" });
    expect(tagged.sessions).toMatchObject([
      { session_id: sessionId, title: "Fruit", pinned: true },
    ]);
    const { hits } = await client.search({ q: "pineapple" });
    expect(hits.map(({ session_id: id }) => id)).toContain(sessionId);
    const rated = await client.messages.rate(messageId, { rating: "up", comment: "so" });
    expect(rated.feedback).toMatchObject({ rating: "up" });
    expect(await client.sessions.queue(sessionId)).toEqual([]);
    const share = await client.sessions.share(sessionId);
    expect(await client.sessions.shares(sessionId)).toHaveLength(1);
    await client.sessions.endShare(sessionId, share.share_id);
    const file = await (await client.sessions.export(null)).blob();
    const twin = connect({ userId: "cid" });
    const shares: number[] = [];
    const imported = await twin.sessions.import(file, { onProgress: (each) => shares.push(each) });
    expect(imported).toMatchObject({ imported: 1, failed: 0 });
    expect(shares.at(-1)).toBe(1);
    const titles: (string | null)[] = [];
    for await (const { title } of twin.sessions.all({ limit: 1 })) titles.push(title);
    expect(titles).toEqual(["Fruit"]);
    const texts: string[] = [];
    const session = (await twin.sessions.list()).sessions[0]?.session_id ?? "";
    for await (const { content } of twin.messages.all(session, { limit: 1 })) texts.push(content);
    expect(texts).toEqual(["replaced pineapple", "Right words and more"]);
    expect((await client.usage()).total.replies).toBe(1);
    expect((await client.config()).version).toMatch(/^\d/);
  });
});

describe("events of sessions", () => {
  it("come once each though every connection is cut behind two", async () => {
    proxy.cutStreamsAfter(2);
    const leaving = new AbortController();
    const client = connect({ userId: "dora", wait: undefined as never });
    const seen: string[] = [];
    const numbers: number[] = [];
    const ready = Promise.withResolvers<void>();
    const listening = (async () => {
      for await (const event of client.sessions.events({ signal: leaving.signal })) {
        if (event.type === "ready") ready.resolve();
        else {
          seen.push(`${event.type} ${event.role ?? event.changed?.join() ?? ""}`.trim());
          numbers.push(event.seq);
        }
        if (event.type === "session_deleted") leaving.abort(new Error("enough"));
      }
    })();
    await ready.promise;
    const direct = connect({ userId: "dora", baseUrl: acted.url });
    const sent = direct.send({ message: "replaced", agent_id: "actor" });
    await sent.text();
    const { sessionId } = await sent.accepted;
    await direct.sessions.rename(sessionId, "New");
    // Of what is deleted only that is told.
    await expect.poll(() => seen).toContain("session_updated title");
    await direct.sessions.delete(sessionId);
    await expect(listening).rejects.toThrow("enough");
    expect(seen.filter((each) => each.startsWith("message_created"))).toHaveLength(2);
    expect(seen.filter((each) => each === "reply_ended assistant")).toHaveLength(1);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
  });
});
