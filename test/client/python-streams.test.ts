import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { textAfter, type NumberedReplyEvent } from "../../packages/client/src/index.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startEventCuttingProxy, type EventCuttingProxy } from "../support/event-cutting-proxy.ts";
import {
  pythonForClient,
  startPythonDriver,
  type DrivenReply,
  type PythonDriver,
  type Raised,
} from "../support/python-client.ts";

const python = await pythonForClient();
const words = Array.from({ length: 12 }, (_, index) => `word${index} `);
const actor = { agent_id: "actor" };
const file = (name: string, content: string | Uint8Array) => ({
  $file: [name, Buffer.from(content).toString("base64")],
});

describe.skipIf(python === null).each(["async", "sync"] as const)("the %s client", (mode) => {
  let acted: ActedService;
  let proxy: EventCuttingProxy;
  let py: PythonDriver;
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
    py = await startPythonDriver(python as string, mode);
    await py.connect("ann", proxy.url, { user_id: "ann" });
  });
  afterEach(() => {
    proxy.cutStreamsAfter(null);
    proxy.loseAnswers(0, /^/);
    proxy.refuse(0, 0, {}, "");
  });
  afterAll(async () => {
    release();
    await py.close();
    proxy.close();
    await acted.close();
  });

  /** As a reader is told who loses nothing. */
  const told = async ({ messageId }: DrivenReply) =>
    (await (await acted.native.follow(messageId)).all()).map(({ id, ...event }) => ({
      ...event,
      seq: id,
    }));
  const raised = async (doing: Promise<unknown>): Promise<Raised> =>
    doing.then(
      () => Promise.reject(new Error("nothing was raised")),
      (error: Error) => error.cause as Raised,
    );

  it.each(["slow", "everything", "replaced"])(
    "gives a reply whole though every connection is cut behind one event: %s",
    async (message) => {
      proxy.cutStreamsAfter(1);
      const reply = await py.send("ann", message, actor);
      const events = await py.read<NumberedReplyEvent>(reply);
      expect(events).toEqual(await told(reply));
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
      const stored = await py.call<{ content: string }>("ann", "messages.get", [reply.messageId]);
      expect(events.reduce(textAfter, "")).toBe(stored.content);
    },
  );

  it("gives it whole though the first connection is cut behind any byte", async () => {
    const shape = (events: NumberedReplyEvent[]) => events.map(({ seq, type }) => `${seq} ${type}`);
    const whole = shape(await py.read(await py.send("ann", "everything", actor)));
    for (let bytes = 0; bytes < 4_000; bytes += 173) {
      const cutting = await startCuttingProxy(acted.url, bytes);
      const runs = acted.runs();
      await py.connect("cut", cutting.url, { user_id: "ann" });
      const events = await py.read<NumberedReplyEvent>(await py.send("cut", "everything", actor));
      expect(shape(events)).toEqual(whole);
      expect(acted.runs()).toBe(runs + 1);
      cutting.close();
    }
  });

  it("asks once, however often answers are lost", async () => {
    const runs = acted.runs();
    await py.noted();
    proxy.loseAnswers(3, /^POST .*\/stream/);
    const reply = await py.send("ann", "everything", { ...actor, on_retry: { $note: "retries" } });
    expect(await py.text(reply)).toBe("First. 你好, world.");
    expect((await py.noted()).retries).toHaveLength(3);
    expect(acted.runs()).toBe(runs + 1);
    const history = await py.call<{ messages: object[] }>("ann", "messages.history", [
      reply.sessionId,
    ]);
    expect(history.messages).toHaveLength(2);
  });

  it("reads on where a loop was left; the reply goes on without a reader", async () => {
    const reply = await py.send("ann", "held", actor);
    await py.read(reply, { until: "assistant_chunk" });
    release();
    const rest = await py.read<NumberedReplyEvent>(reply);
    expect(rest[0]?.seq).toBe(3);
    expect(rest.at(-1)).toMatchObject({ full_response: "One. Two." });
  });

  it("stops a reply by cancel, and by nothing else", async () => {
    const reply = await py.send("ann", "held", actor);
    // Somebody reads, and somebody else leaves.
    expect(await py.leave(reply)).toEqual({ alive: false, seen: 2 });
    const { messageId } = reply;
    const stored = await py.call<{ status: string }>("ann", "messages.get", [messageId]);
    expect(stored.status).toBe("streaming");
    await py.cancel(reply);
    const events = await py.read<NumberedReplyEvent>(
      await py.call("ann", "messages.follow", [messageId]),
    );
    expect(events.at(-1)).toMatchObject({ type: "cancelled" });
    await py.cancel(reply);
  });

  it("goes on behind a decision, once, though the answer to it is lost and streams are cut", async () => {
    for (const isKnown of [true, false]) {
      const asked = await py.send("ann", "confirm", actor);
      const before = await py.read<NumberedReplyEvent>(asked);
      const paused = before.at(-1);
      expect(paused?.type).toBe("paused");
      proxy.loseAnswers(1, /\/continue/);
      proxy.cutStreamsAfter(1);
      const decided = acted.decided.length;
      const rest = await py.read<NumberedReplyEvent>(
        await py.call(
          "ann",
          "messages.continue_",
          [asked.messageId, [{ id: "r1", approved: true }]],
          isKnown ? { after: paused?.seq } : {},
        ),
      );
      expect(acted.decided).toHaveLength(decided + 1);
      expect([...before, ...rest]).toEqual(await told(asked));
      expect(rest.at(-1)).toMatchObject({ type: "conversation_complete" });
      proxy.cutStreamsAfter(null);
    }
  });

  it("asks again, edits and shows branches", async () => {
    proxy.cutStreamsAfter(2);
    const first = await py.send("ann", "everything", actor);
    await py.read(first);
    proxy.loseAnswers(1, /regenerate/);
    const second = await py.call<DrivenReply>("ann", "messages.regenerate", [first.messageId]);
    expect(await py.text(second)).toBe("First. 你好, world.");
    const { reply_to: question } = await py.call<{ reply_to: string }>("ann", "messages.get", [
      first.messageId,
    ]);
    const third = await py.call<DrivenReply>("ann", "messages.edit", [question, "replaced"]);
    expect(await py.text(third)).toBe("Right words and more");
    const head = { head_message_id: first.messageId };
    const session = await py.call("ann", "sessions.update", [first.sessionId], head);
    expect(session).toMatchObject({ message_count: 2, total_message_count: 5 });
    const { messages: path } = await py.call<{ messages: { content: string }[] }>(
      "ann",
      "messages.history",
      [first.sessionId],
    );
    expect(path.map(({ content }) => content)).toEqual(["everything", "First. 你好, world."]);
  });

  it("waits when a service that refuses says so, with the same key, and tells what waiting does not mend", async () => {
    const body = (type: string, message: string) =>
      JSON.stringify({ success: false, error: { code: 503, type, message }, request_id: "r-1" });
    const json = { "Content-Type": "application/json", "Retry-After": "7" };
    await py.noted();
    proxy.refuse(2, 503, json, body("shutting_down", "Going down"));
    expect(await py.text(await py.send("ann", "replaced", actor))).toContain("Right");
    proxy.refuse(1, 429, json, body("rate_limited", "Slowly"));
    await py.call("ann", "agents");
    expect((await py.noted()).waits).toEqual([7, 7, 7]);
    const late = { ...json, "Retry-After": "90" };
    proxy.refuse(1, 429, late, body("budget_exceeded", "Used up"));
    expect(await raised(py.send("ann", "replaced", actor))).toMatchObject({
      kind: "ApiError",
      status: 429,
      type: "budget_exceeded",
      message: "Used up",
      request_id: "r-1",
      retry_after_seconds: 90,
    });
    // Later than anybody would wait.
    proxy.refuse(1, 503, late, body("overloaded", "Full"));
    expect(await raised(py.call("ann", "agents"))).toMatchObject({ type: "overloaded" });
    expect(await raised(py.send("ann", "hi", { agent_id: "nobody" }))).toMatchObject({
      status: 404,
      type: "agent_not_found",
    });
    const wrong = py.call("ann", "sessions.update", ["x"], { nonsense: 1 });
    expect(await raised(wrong)).toMatchObject({ status: 422, details: ["/nonsense"] });
    proxy.refuse(1, 502, { "Content-Type": "text/html" }, "<h1>Bad Gateway</h1>");
    await py.call("ann", "agents");
    const failed = await py.send("ann", "fails", actor);
    const fault = await raised(py.text(failed));
    expect(fault).toMatchObject({ kind: "ReplyError", message_id: failed.messageId });
  });

  it("gives up after its patience", async () => {
    await py.connect("nobody", "http://127.0.0.1:9", { user_id: "ann", patience: 0 });
    expect(await raised(py.send("nobody", "hi"))).toMatchObject({ kind: "ConnectionError" });
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await py.connect("hung", `http://127.0.0.1:${port}`, { timeout: 0.1, max_retries: 0 });
    expect(await raised(py.call("hung", "config"))).toMatchObject({
      kind: "ConnectionError",
      text: "The service does not answer in time",
    });
    silent.close();
    expect(await raised(py.connect("odd", "127.0.0.1:8001"))).toMatchObject({ kind: "ValueError" });
  });

  it("repeats calls where that is safe", async () => {
    proxy.loseAnswers(1, /^POST \/chat\/session/);
    const session = await py.call<{ session_id: string }>("ann", "sessions.create", [], actor);
    const count = async () =>
      (await py.call<{ total_sessions: number }>("ann", "sessions.stats", ["ann"])).total_sessions;
    const before = await count();
    const sent = await py.send("ann", "replaced", actor);
    await py.text(sent);
    proxy.loseAnswers(1, /fork/);
    const fork = await py.call<{ session_id: string }>("ann", "sessions.fork", [
      sent.sessionId,
      sent.messageId,
    ]);
    expect(await count()).toBe(before + 2);
    proxy.loseAnswers(1, /^DELETE/);
    await py.call("ann", "sessions.delete", [fork.session_id]);
    expect(await count()).toBe(before + 1);
    const gone = py.call("ann", "sessions.delete", [fork.session_id]);
    expect(await raised(gone)).toMatchObject({ status: 404 });
    proxy.loseAnswers(1, /batch/);
    const batch = py.call("ann", "sessions.batch", [[session.session_id], "archive"]);
    expect(await raised(batch)).toMatchObject({ kind: "ConnectionError" });
  });

  it("says how much of a file has gone, and the reply streams all the same", async () => {
    await py.noted();
    const reply = await py.send("ann", "replaced", {
      ...actor,
      attachments: [file("a.txt", new Uint8Array(300_000).fill(97))],
      on_progress: { $note: "shares" },
    });
    expect(await py.text(reply)).toBe("Right words and more");
    const { shares } = await py.noted();
    expect(shares.length).toBeGreaterThan(3);
    expect(shares).toEqual(shares.toSorted((left, right) => left - right));
    expect(shares.at(-1)).toBe(1);
    const history = await py.call<{ messages: { attachments?: { attachment_id: string }[] }[] }>(
      "ann",
      "messages.history",
      [reply.sessionId],
    );
    const attachment = history.messages[0]?.attachments?.[0];
    expect(attachment).toMatchObject({ name: "a.txt", size: 300_000, media_type: "text/plain" });
    const { bytes } = await py.call<{ bytes: string }>("ann", "messages.attachment", [
      attachment?.attachment_id,
    ]);
    expect(Buffer.from(bytes, "base64")).toHaveLength(300_000);
  });

  it("lists, searches, tags, rates, shares, exports and imports", async () => {
    await py.connect("bea", proxy.url, { user_id: "bea" });
    const sent = await py.send("bea", "replaced pineapple", actor);
    await py.text(sent);
    const { sessionId, messageId } = sent;
    await py.call("bea", "sessions.rename", [sessionId, "Fruit"]);
    await py.call("bea", "sessions.update", [sessionId], { pinned: true, tags: ["a", "b"] });
    const tagged = await py.call<{ sessions: object[] }>("bea", "sessions.list", [], {
      tag: ["a", "b"],
      order: "pinned",
    });
    expect(tagged.sessions).toMatchObject([
      { session_id: sessionId, title: "Fruit", pinned: true },
    ]);
    const { hits } = await py.call<{ hits: { session_id: string }[] }>("bea", "search", [
      "pineapple",
    ]);
    expect(hits.map(({ session_id: id }) => id)).toContain(sessionId);
    const rated = await py.call("bea", "messages.rate", [messageId, "up"], { comment: "so" });
    expect(rated).toMatchObject({ feedback: { rating: "up", comment: "so" } });
    expect(await py.call("bea", "sessions.queue", [sessionId])).toEqual([]);
    const share = await py.call<{ share_id: string }>("bea", "sessions.share", [sessionId]);
    expect(await py.call("bea", "sessions.shares", [sessionId])).toHaveLength(1);
    await py.call("bea", "sessions.end_share", [sessionId, share.share_id]);
    const { bytes } = await py.call<{ bytes: string }>("bea", "sessions.export");
    await py.noted();
    const imported = await py.call("ann", "sessions.import_", [{ $file: ["all.jsonl", bytes] }], {
      user_id: "cid",
      on_progress: { $note: "shares" },
    });
    expect(imported).toMatchObject({ imported: 1, failed: 0 });
    expect((await py.noted()).shares.at(-1)).toBe(1);
    const cid = { user_id: "cid", limit: 1 };
    const twins = await py.call<{ title: string; session_id: string }[]>(
      "ann",
      "sessions.all",
      [],
      cid,
    );
    expect(twins.map(({ title }) => title)).toEqual(["Fruit"]);
    const texts = await py.call<{ content: string }[]>(
      "ann",
      "messages.all",
      [twins[0]?.session_id],
      cid,
    );
    expect(texts.map(({ content }) => content)).toEqual([
      "replaced pineapple",
      "Right words and more",
    ]);
    expect(await py.call("bea", "usage")).toMatchObject({ total: { replies: 1 } });
    expect(await py.call("bea", "config")).toMatchObject({ version: expect.stringMatching(/^\d/) });
    expect(await py.call("bea", "memories.list")).toMatchObject({ memories: [] });
    expect(await py.call("bea", "knowledge.list")).toMatchObject({ success: true });
    expect(await py.call("bea", "request", ["GET", "/health"])).toMatchObject({
      status: "healthy",
    });
  });

  it("gives the events of sessions once each though every connection is cut behind two", async () => {
    proxy.cutStreamsAfter(2);
    const listener = await startPythonDriver(python as string, mode);
    await listener.connect("dora", proxy.url, { user_id: "dora", real_wait: true });
    const seen: string[] = [];
    const numbers: number[] = [];
    const ready = Promise.withResolvers<void>();
    type Told = { type: string; seq: number; role?: string; changed?: string[] };
    const listening = listener.listen("dora", "session_deleted", (event: Told) => {
      if (event.type === "ready") return ready.resolve();
      seen.push(`${event.type} ${event.role ?? event.changed?.join() ?? ""}`.trim());
      numbers.push(event.seq);
    });
    await ready.promise;
    await py.connect("direct", acted.url, { user_id: "dora" });
    const sent = await py.send("direct", "replaced", actor);
    await py.text(sent);
    await py.call("direct", "sessions.rename", [sent.sessionId, "New"]);
    await expect.poll(() => seen).toContain("session_updated title");
    await py.call("direct", "sessions.delete", [sent.sessionId]);
    await listening;
    await listener.close();
    expect(seen.filter((each) => each.startsWith("message_created"))).toHaveLength(2);
    expect(seen.filter((each) => each === "reply_ended assistant")).toHaveLength(1);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((left, right) => left - right));
  });
});
