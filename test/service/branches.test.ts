import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { openStream } from "../support/reply-stream.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

interface Message {
  readonly message_id: string;
  readonly parent_id: string | null;
  readonly role: string;
  readonly content: string;
  readonly status: string;
  readonly attachments?: { readonly url: string; readonly name: string }[];
  readonly siblings?: { readonly ids: string[]; readonly index: number };
}
interface Answer {
  readonly session_id: string;
  readonly message_id: string;
  readonly user_message_id: string;
  readonly response: string;
}
interface Info {
  readonly session_id: string;
  readonly head_message_id: string | null;
  readonly message_count: number;
  readonly total_message_count: number;
}
interface Failure {
  readonly error: { readonly type: string; readonly details?: { readonly path: string }[] };
}

const json = { accept: "application/json" };
const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "branches of a conversation, on %s",
  (kind) => {
    let model: OpenAiServer;
    let service: TestService;
    let client: Client;

    beforeAll(async () => {
      model = await startOpenAiServer();
      const database = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
      service = await startService({
        env: { OPENAI_BASE_URL: model.url, ...(database && { DATABASE_URL: database }) },
      });
      client = createClient(service.url);
    });
    afterAll(async () => {
      await service.stop();
      await model.close();
    });

    /** The model answers each question with the next of these. */
    const say = async (sessionId: string, message: string, answer: string, more: object = {}) => {
      model.enqueue({ tokens: [answer] });
      const { body } = await client.send<Answer>("POST", "/chat/message", {
        session_id: sessionId,
        message,
        ...more,
      });
      expect(body.response).toBe(answer);
      return body;
    };
    const at = async <T = Answer>(id: string, what: string, body: object, headers = {}) =>
      client.send<T>("POST", `/chat/message/${id}/${what}`, body, { ...json, ...headers });
    const again = async (id: string, answer: string, body: object = {}) => {
      model.enqueue({ tokens: [answer] });
      const done = await at(id, "regenerate", body);
      expect(done.body.response).toBe(answer);
      return done.body;
    };
    const edit = async (id: string, message: string, answer: string, body: object = {}) => {
      model.enqueue({ tokens: [answer] });
      const done = await at(id, "edit", { message, ...body });
      expect(done.body.response).toBe(answer);
      return done.body;
    };
    const info = async (sessionId: string) =>
      (await client.get<Info>(`/sessions/${sessionId}`)).body;
    const history = async (sessionId: string, query = "") =>
      (
        await client.get<{ messages: Message[]; pagination: { total: number } }>(
          `/chat/history/${sessionId}?limit=200${query}`,
        )
      ).body;
    const path = async (sessionId: string, query = "") =>
      (await history(sessionId, query)).messages.map(({ content }) => content);
    const show = (sessionId: string, messageId: string) =>
      client.send<Info & Failure>("PATCH", `/sessions/${sessionId}`, {
        head_message_id: messageId,
      });
    /** What the model was told last, without the system's text. */
    const told = () => {
      const messages = model.requests.at(-1)?.body["messages"] as {
        role: string;
        content: unknown;
      }[];
      return messages
        .filter(({ role }) => role !== "system")
        .map(({ content }) => (typeof content === "string" ? content : JSON.stringify(content)));
    };
    /** Two turns: q1 a1 q2 a2. */
    const talk = async (user = "ann") => {
      const sessionId = await client.session(user);
      const first = await say(sessionId, "q1", "a1");
      const second = await say(sessionId, "q2", "a2");
      return { sessionId, first, second };
    };
    const held = async (sessionId: string, message: string) => {
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["so ", "far"], pace: (n) => (n === 0 ? undefined : gate.promise) });
      const stream = await client.stream({ session_id: sessionId, message });
      await stream.next((event) => event.type === "assistant_chunk");
      return {
        stream,
        release: gate.resolve,
        messageId: stream.headers.get("x-message-id") ?? "",
      };
    };

    it("without branches each message follows the one before it", async () => {
      const { sessionId, first, second } = await talk();
      const { messages, pagination } = await history(sessionId);
      expect(messages.map(({ parent_id }) => parent_id)).toEqual([
        null,
        ...messages.slice(0, -1).map(({ message_id }) => message_id),
      ]);
      expect(messages.every(({ siblings }) => siblings === undefined)).toBe(true);
      expect(pagination.total).toBe(4);
      expect(await info(sessionId)).toMatchObject({
        head_message_id: second.message_id,
        message_count: 4,
        total_message_count: 4,
      });
      const page = await history(sessionId, `&after=${first.user_message_id}`);
      expect(page.messages[0]?.parent_id).toBe(first.user_message_id);
    });

    it("asked again: another reply beside the first, made from the same path", async () => {
      const { sessionId, first, second } = await talk();
      const other = await again(first.message_id, "b1", {
        temperature: 0.5,
        instructions: "Brief.",
      });
      expect(told()).toEqual(["q1"]);
      expect(model.requests.at(-1)?.body).toMatchObject({ temperature: 0.5 });
      expect(JSON.stringify(model.requests.at(-1)?.body)).toContain("Brief.");
      expect(other.user_message_id).toBe(first.user_message_id);
      expect(await path(sessionId)).toEqual(["q1", "b1"]);
      await say(sessionId, "q3", "a3");
      expect(told()).toEqual(["q1", "b1", "q3"]);
      const { messages } = await history(sessionId, `&path=${second.message_id}`);
      expect(messages.map(({ content }) => content)).toEqual(["q1", "a1", "q2", "a2"]);
      const siblings = [first.message_id, other.message_id];
      expect(messages[1]?.siblings).toEqual({ ids: siblings, index: 0 });
      expect((await client.get<Message>(`/chat/message/${other.message_id}`)).body).toMatchObject({
        parent_id: first.user_message_id,
        siblings: { ids: siblings, index: 1 },
      });
      expect(await info(sessionId)).toMatchObject({ message_count: 4, total_message_count: 7 });
      expect(await path(sessionId, "&path=all")).toEqual("q1 a1 q2 a2 b1 q3 a3".split(" "));
      // Settings held for that turn only.
      expect(model.requests.at(-1)?.body["temperature"]).not.toBe(0.5);
    });

    it("edited: a message beside the first with its files, and what came after is not told", async () => {
      const sessionId = await client.session("ann");
      const file = { name: "n.txt", media_type: "text/plain", data: btoa("from the file") };
      await say(sessionId, "q0", "a0");
      const first = await say(sessionId, "read it", "a1", { attachments: [file] });
      await say(sessionId, "q2", "a2");
      const other = await edit(first.user_message_id, "read it well", "b1");
      expect(told()).toHaveLength(3);
      expect(told()[2]).toContain("from the file");
      expect(await path(sessionId)).toEqual(["q0", "a0", "read it well", "b1"]);
      const { messages } = await history(sessionId);
      const copy = messages[2]?.attachments?.[0];
      const original = (await history(sessionId, "&path=all")).messages[2]?.attachments?.[0];
      expect(copy?.name).toBe("n.txt");
      expect(copy?.url).not.toBe(original?.url);
      expect((await client.get(copy?.url ?? "")).body).toBe("from the file");
      await edit(other.user_message_id, "read nothing", "b2", { attachments: [] });
      expect(told()[2]).toBe("read nothing");
      // The first message of all may be edited too.
      const root = (await history(sessionId)).messages[0]?.message_id ?? "";
      await edit(root, "q00", "a00");
      expect(told()).toEqual(["q00"]);
      expect((await history(sessionId)).messages[0]?.siblings).toMatchObject({ index: 1 });
    });

    it("a head that is moved: shown, told, counted and gone on with", async () => {
      const { sessionId, first, second } = await talk();
      const other = await again(first.message_id, "b1");
      expect((await show(sessionId, first.message_id)).body).toMatchObject({
        head_message_id: second.message_id,
        message_count: 4,
      });
      expect(await path(sessionId)).toEqual(["q1", "a1", "q2", "a2"]);
      await say(sessionId, "q3", "a3");
      expect(told()).toEqual(["q1", "a1", "q2", "a2", "q3"]);
      const { body } = await show(sessionId, other.message_id);
      expect(body).toMatchObject({ head_message_id: other.message_id, message_count: 2 });
      await say(sessionId, "q4", "a4", { parent_message_id: second.message_id });
      expect(told()).toEqual(["q1", "a1", "q2", "a2", "q4"]);
      await say(sessionId, "q5", "a5", { parent_message_id: null });
      expect(told()).toEqual(["q5"]);
      expect(await info(sessionId)).toMatchObject({ message_count: 2, total_message_count: 11 });
      const elsewhere = await talk();
      for (const id of [elsewhere.first.message_id, "nonsense", crypto.randomUUID()]) {
        const refused = await show(sessionId, id);
        expect([refused.status, refused.body.error.type]).toEqual([404, "message_not_found"]);
      }
    });

    it("positions and filters of a history count within its path", async () => {
      const { sessionId, first, second } = await talk();
      await again(first.message_id, "b1");
      const off = await client.get<Failure>(
        `/chat/history/${sessionId}?before=${second.message_id}`,
      );
      expect([off.status, off.body.error.type]).toEqual([404, "message_not_found"]);
      const on = `&path=${second.message_id}`;
      expect(await path(sessionId, `${on}&before=${second.message_id}`)).toEqual([
        "q1",
        "a1",
        "q2",
      ]);
      expect(await path(sessionId, `${on}&offset=3`)).toEqual(["a2"]);
      expect(await path(sessionId, `&offset=1`)).toEqual(["b1"]);
      expect((await history(sessionId, "&role=assistant")).pagination.total).toBe(1);
      expect((await history(sessionId, `${on}&role=assistant`)).pagination.total).toBe(2);
      expect(await path(sessionId, "&q=a2")).toEqual([]);
      expect(await path(sessionId, "&path=all&q=a2")).toEqual(["a2"]);
      expect((await client.get(`/chat/history/${sessionId}?path=nonsense`)).status).toBe(404);
    });

    it("a search tells whether a message is on the path that is shown", async () => {
      const user = `searcher on ${kind}`;
      const sessionId = await client.session(user);
      const first = await say(sessionId, "marmalade", "a1");
      await edit(first.user_message_id, "honey", "b1");
      const hits = async () => {
        const query = `q=marmalade&user_id=${encodeURIComponent(user)}&role=user`;
        const { body } = await client.get<{ hits: { in_active_path: boolean }[] }>(
          `/chat/search?${query}`,
        );
        return body.hits.map(({ in_active_path }) => in_active_path);
      };
      expect(await hits()).toEqual([false]);
      await show(sessionId, first.message_id);
      expect(await hits()).toEqual([true]);
      expect(await path(sessionId, "&q=marmalade")).toEqual(["marmalade"]);
    });

    it("a deleted message goes with everything below it, and its files", async () => {
      const sessionId = await client.session("ann");
      const first = await say(sessionId, "q1", "a1");
      const file = { name: "n.txt", media_type: "text/plain", data: btoa("secret") };
      const second = await say(sessionId, "q2", "a2", { attachments: [file] });
      const third = await say(sessionId, "q3", "a3");
      const url = (await history(sessionId)).messages[2]?.attachments?.[0]?.url ?? "";
      const other = await again(third.message_id, "b3");
      // The head was below: it moves to what is left beside.
      const remove = (id: string) => client.send("DELETE", `/chat/message/${id}`);
      expect((await remove(other.message_id)).status).toBe(200);
      expect((await info(sessionId)).head_message_id).toBe(third.message_id);
      expect((await remove(second.user_message_id)).status).toBe(200);
      expect(await path(sessionId, "&path=all")).toEqual(["q1", "a1"]);
      expect(await info(sessionId)).toMatchObject({
        head_message_id: first.message_id,
        message_count: 2,
        total_message_count: 2,
      });
      expect((await client.get(url)).status).toBe(404);
      expect((await remove(second.user_message_id)).status).toBe(404);
      expect((await client.get(`/chat/message/${third.message_id}`)).status).toBe(404);
      await say(sessionId, "q4", "a4");
      expect(told()).toEqual(["q1", "a1", "q4"]);
      // A reply alone: then the head is a user's message, and can be answered or followed.
      await remove(first.message_id);
      expect((await info(sessionId)).head_message_id).toBe(first.user_message_id);
      await say(sessionId, "and", "b1");
      expect(told().join(" ")).toMatch(/q1\s+and/);
      await again(first.user_message_id, "c1");
      expect(await path(sessionId)).toEqual(["q1", "c1"]);
      await remove(first.user_message_id);
      expect(await info(sessionId)).toMatchObject({
        head_message_id: null,
        message_count: 0,
        total_message_count: 0,
      });
      await say(sessionId, "anew", "yes");
      expect(told()).toEqual(["anew"]);
    });

    it("a fork holds the path up to a message, and goes its own way", async () => {
      const sessionId = await client.session("ann", {
        session_config: { title: "Plans", temperature: 0.3 },
      });
      const file = { name: "n.txt", media_type: "text/plain", data: btoa("from the file") };
      const first = await say(sessionId, "q1", "a1", { attachments: [file] });
      await say(sessionId, "q2", "a2");
      await again(first.message_id, "b1");
      const fork = (key: string) =>
        client.send<{ session_id: string; session_info: Info & Record<string, unknown> }>(
          "POST",
          `/sessions/${sessionId}/fork`,
          { message_id: first.message_id },
          { "idempotency-key": key },
        );
      const key = crypto.randomUUID();
      const [made, repeated] = [await fork(key), await fork(key)];
      expect(made.status).toBe(200);
      expect(repeated.body.session_id).toBe(made.body.session_id);
      expect(made.body.session_info).toMatchObject({
        title: "Plans",
        config: { temperature: 0.3 },
        message_count: 2,
        total_message_count: 2,
      });
      const forked = made.body.session_id;
      const { messages } = await history(forked);
      expect(messages.map(({ content, parent_id }) => [content, parent_id])).toEqual([
        ["q1", null],
        ["a1", messages[0]?.message_id],
      ]);
      await client.send("DELETE", `/sessions/${sessionId}`);
      expect((await client.get(messages[0]?.attachments?.[0]?.url ?? "")).body).toBe(
        "from the file",
      );
      await say(forked, "q3", "a3");
      expect(told()).toHaveLength(3);
      const followed = await (await client.follow(messages[1]?.message_id ?? "")).all();
      expect(followed.at(-1)).toMatchObject({ type: "conversation_complete", full_response: "a1" });
      const unknown = await client.send("POST", `/sessions/${forked}/fork`, {
        message_id: first.message_id,
      });
      expect(unknown.status).toBe(404);
    });

    it("what runs cannot be asked again, edited, forked or hidden, and is stopped by deleting it", async () => {
      const { sessionId, first } = await talk();
      const running = await held(sessionId, "hold");
      const queued = await client.stream({ session_id: sessionId, message: "waits" });
      const waiting = client.send("POST", "/chat/message", {
        session_id: sessionId,
        message: "waits too",
      });
      await queued.next((event) => event.type === "queued");
      const { messages } = await history(sessionId, "&path=all");
      const question = messages[4]?.message_id ?? "";
      expect(messages[6]?.parent_id).toBe(running.messageId);
      const refusals = [
        await at<Failure>(running.messageId, "regenerate", {}),
        await at<Failure>(question, "regenerate", {}),
        await at<Failure>(question, "edit", { message: "x" }),
        await client.send<Failure>("POST", `/sessions/${sessionId}/fork`, {
          message_id: running.messageId,
        }),
      ];
      for (const { status, body } of refusals) {
        expect([status, body.error.type]).toEqual([409, "message_running"]);
      }
      const branch = await client.send<Failure>("POST", "/chat/message", {
        session_id: sessionId,
        message: "q9",
        parent_message_id: first.message_id,
        on_busy: "reject",
      });
      expect([branch.status, branch.body.error.type]).toEqual([409, "session_busy"]);
      const back = await show(sessionId, running.messageId);
      expect(back.status).toBe(200);
      const removed = await client.send("DELETE", `/chat/message/${question}`);
      expect(removed.status).toBe(200);
      expect((await running.stream.all()).at(-1)).toMatchObject({
        type: "cancelled",
        reason: "message_deleted",
      });
      expect((await queued.all()).at(-1)).toMatchObject({ type: "cancelled" });
      expect((await waiting).status).toBe(404);
      running.release();
      expect(await path(sessionId, "&path=all")).toEqual(["q1", "a1", "q2", "a2"]);
      await say(sessionId, "q3", "a3");
      expect(told()).toEqual(["q1", "a1", "q2", "a2", "q3"]);
    });

    it("a branch is hidden while a reply is made on another only if that is on it", async () => {
      const { sessionId, first } = await talk();
      const other = await again(first.message_id, "b1");
      const running = await held(sessionId, "hold");
      const refused = await show(sessionId, first.message_id);
      expect([refused.status, refused.body.error.type]).toEqual([409, "session_busy"]);
      expect((await show(sessionId, other.message_id)).status).toBe(200);
      running.release();
      await running.stream.all();
      expect((await show(sessionId, first.message_id)).status).toBe(200);
    });

    it("on_busy holds for asking again and editing; what is not known is refused", async () => {
      const { sessionId, first, second } = await talk();
      const running = await held(sessionId, "hold");
      const rejected = await at<Failure>(second.message_id, "regenerate", { on_busy: "reject" });
      expect([rejected.status, rejected.body.error.type]).toEqual([409, "session_busy"]);
      model.enqueue({ tokens: ["b1"] });
      const interrupting = at(first.user_message_id, "edit", {
        message: "q1b",
        on_busy: "interrupt",
      });
      expect((await running.stream.all()).at(-1)?.type).toBe("cancelled");
      expect((await interrupting).body.response).toBe("b1");
      running.release();
      for (const [what, body, where] of [
        ["regenerate", { on_busy: "steer" }, "/on_busy"],
        ["regenerate", { message: "x" }, "/message"],
        ["edit", { message: "x", on_busy: "merge" }, "/on_busy"],
        ["edit", { message: "x", session_id: sessionId }, "/session_id"],
        ["edit", { message: "x", user_id: "ann" }, "/user_id"],
        ["edit", { message: "x", parent_message_id: null }, "/parent_message_id"],
        ["edit", {}, "/message"],
      ] as const) {
        const { status, body: failure } = await at<Failure>(first.user_message_id, what, body);
        expect([status, failure.error.details?.[0]?.path]).toEqual([422, where]);
      }
      expect((await at(first.message_id, "edit", { message: "x" })).status).toBe(422);
      const parent = await client.send<Failure>("POST", "/chat/message", {
        session_id: sessionId,
        message: "x",
        parent_message_id: first.user_message_id,
      });
      expect([parent.status, parent.body.error.details?.[0]?.path]).toEqual([
        422,
        "/parent_message_id",
      ]);
      const strange = await talk();
      for (const id of ["nonsense", crypto.randomUUID(), strange.first.message_id]) {
        const { status } = await client.send("POST", "/chat/message", {
          session_id: sessionId,
          message: "x",
          parent_message_id: id,
        });
        expect(status).toBe(404);
      }
    });

    it("as a stream, and a repeat with the same key is the same reply; gone, it is 404", async () => {
      const { sessionId, first } = await talk();
      const headers = {
        "content-type": "application/json",
        "idempotency-key": crypto.randomUUID(),
      };
      const ask = () =>
        openStream(`${service.url}/chat/message/${first.message_id}/regenerate`, {
          method: "POST",
          headers,
          body: "{}",
        });
      model.enqueue({ tokens: ["b1"] });
      const stream = await ask();
      const events = await stream.all();
      expect(events[0]).toMatchObject({ id: 1, type: "user_message", message: "q1" });
      expect(events.at(-1)).toMatchObject({ type: "conversation_complete", full_response: "b1" });
      const replyId = stream.headers.get("x-message-id") ?? "";
      const repeated = await ask();
      expect(repeated.headers.get("x-message-id")).toBe(replyId);
      expect(await repeated.all()).toEqual(events);
      const conflict = await at<Failure>(
        first.message_id,
        "regenerate",
        { temperature: 1 },
        { "idempotency-key": headers["idempotency-key"] },
      );
      expect([conflict.status, conflict.body.error.type]).toEqual([409, "idempotency_conflict"]);
      const asked = model.requests.length;
      await client.send("DELETE", `/chat/message/${replyId}`);
      await expect(ask()).rejects.toThrow("404");
      expect(model.requests).toHaveLength(asked);
      expect(await path(sessionId)).toEqual(["q1", "a1", "q2", "a2"]);
    });

    it("over a WebSocket", async () => {
      const { sessionId, first } = await talk();
      const socket = connectSocket(`${service.url}/chat/ws?session_id=${sessionId}`);
      await socket.next(({ type }) => type === "connection_established");
      model.enqueue({ tokens: ["b1"] }, { tokens: ["c1"] });
      socket.send({ type: "regenerate", message_id: first.message_id });
      await socket.next((event) => event["full_response"] === "b1");
      socket.send({ type: "edit", message_id: first.user_message_id, message: "q1b" });
      await socket.next((event) => event["full_response"] === "c1");
      expect(told()).toEqual(["q1b"]);
      socket.send({ type: "regenerate", message_id: first.message_id, pinned: true });
      const error = await socket.next(({ type }) => type === "error");
      expect(error).toMatchObject({ error_type: "validation_failed" });
      socket.socket.close();
      expect(await path(sessionId)).toEqual(["q1b", "c1"]);
    });
  },
);
