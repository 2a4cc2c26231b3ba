import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedAgentOs, type ScriptedAgentOs } from "../agno/scripted-agent-os.ts";
import { createClient, type Client } from "../support/client.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket as connect } from "../support/web-socket-client.ts";

interface Message {
  readonly message_id: string;
  readonly parent_id: string | null;
  readonly reply_to?: string;
  readonly role: string;
  readonly content: string;
  readonly status: string;
}
interface Answer {
  readonly message_id: string;
  readonly user_message_id: string;
  readonly original_message: string;
  readonly response: string;
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "messages that are answered together, on %s",
  (kind) => {
    let model: OpenAiServer;
    let agentOs: ScriptedAgentOs;
    let service: TestService;
    let client: Client;

    beforeAll(async () => {
      [model, agentOs] = await Promise.all([startOpenAiServer(), startScriptedAgentOs()]);
      const database = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
      service = await startService({
        env: {
          OPENAI_BASE_URL: model.url,
          AGNO_API_URL: agentOs.url,
          ...(database && { DATABASE_URL: database }),
        },
      });
      client = createClient(service.url);
    });
    afterAll(async () => {
      await service.stop();
      await model.close();
      await agentOs.unplug();
    });

    /** A session whose reply waits until it is released. */
    const busy = async (config: object = {}) => {
      const sessionId = await client.session("ann", { session_config: config });
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["held"], pace: () => gate.promise });
      const held = await client.stream({ session_id: sessionId, message: "hold" });
      return { sessionId, held, release: gate.resolve };
    };
    const merge = async (session: string, message: string, more: object = {}) => {
      const body = { session_id: session, message, on_busy: "merge", ...more };
      const stream = await client.stream(body);
      const queued = await stream.next(({ type }) => type === "queued");
      const opening = await stream.next(({ type }) => type === "user_message");
      const { user_message_id: question } = opening as unknown as { user_message_id: string };
      return { stream, queued, opening, question, id: stream.headers.get("x-message-id") ?? "" };
    };
    const messages = async (path: string) =>
      (await client.get<{ messages: Message[] }>(path)).body.messages;
    const history = (sessionId: string) => messages(`/chat/history/${sessionId}?limit=200`);
    const texts = (list: readonly Message[]) =>
      list.map(({ role, content }) => `${role} ${content}`);

    it("are told the model as one, in their order and once, and stay what they are", async () => {
      const { sessionId, release } = await busy();
      const one = await merge(sessionId, "one");
      const two = await merge(sessionId, "two");
      const three = await merge(sessionId, "three");
      expect([two.id, three.id]).toEqual([one.id, one.id]);
      expect(two.opening).toMatchObject({ id: 3, message: "two" });
      expect(three.queued).toMatchObject({
        id: 6,
        position: 1,
        joins: [one.question, two.question],
      });
      expect(texts(await messages(`/sessions/${sessionId}/queue`))).toEqual([
        "user one",
        "user two",
        "user three",
        "assistant ",
      ]);
      const before = model.requests.length;
      release();
      for (const { stream } of [one, two, three]) {
        expect((await stream.all()).at(-1)).toMatchObject({
          type: "conversation_complete",
          full_response: "You said: one\n\ntwo\n\nthree",
        });
      }
      const told = model.requests.slice(before).map((request) => lastUserText(request));
      expect(told.filter((text) => text.includes("two"))).toEqual(["one\n\ntwo\n\nthree"]);
      const shown = (await history(sessionId)).slice(2);
      expect(texts(shown)).toEqual([
        "user one",
        "user two",
        "user three",
        "assistant You said: one\n\ntwo\n\nthree",
      ]);
      expect(shown.map(({ parent_id: parent }) => parent).slice(1)).toEqual(
        shown.map(({ message_id: id }) => id).slice(0, 3),
      );
      expect(shown[3]?.reply_to).toBe(three.question);
      // What comes next follows all of it.
      const next = await client.stream({ session_id: sessionId, message: "next" });
      await next.all();
      const asked = JSON.stringify(model.requests.at(-1)?.body["messages"]);
      expect(asked.match(/two/g)).toHaveLength(2);
    });

    it("are answered to each caller by his own message, and to a repeat too", async () => {
      const { sessionId, release } = await busy({ on_busy: "merge" });
      const first = await merge(sessionId, "one", { on_busy: undefined });
      const body = { session_id: sessionId, message: "two" };
      const send = (key: string) =>
        client.send<Answer>("POST", "/chat/message", body, { "idempotency-key": key });
      const second = send("key");
      await expect
        .poll(async () => (await messages(`/sessions/${sessionId}/queue`)).length)
        .toBe(3);
      const again = send("key");
      release();
      for (const { status, body: answer } of await Promise.all([second, again])) {
        expect(status).toBe(200);
        expect(answer).toMatchObject({
          message_id: first.id,
          original_message: "two",
          response: "You said: one\n\ntwo",
        });
      }
      expect(await history(sessionId)).toHaveLength(5);
      expect((await client.get<Message>(`/chat/message/${first.id}`)).body.status).toBe("complete");
    });

    it("are changed, withdrawn and cancelled while they wait", async () => {
      const { sessionId, release, held } = await busy();
      const one = await merge(sessionId, "one");
      const two = await merge(sessionId, "two");
      await merge(sessionId, "three");
      const change = { message: "first" };
      expect((await client.send("PATCH", `/chat/message/${one.question}`, change)).status).toBe(
        200,
      );
      expect((await client.send("DELETE", `/chat/message/${two.question}`)).status).toBe(200);
      release();
      expect((await two.stream.all()).at(-1)).toMatchObject({
        full_response: "You said: first\n\nthree",
      });
      await held.all();
      const later = await busy();
      const waits = await merge(later.sessionId, "a");
      await merge(later.sessionId, "b");
      expect((await client.send("POST", `/chat/message/${waits.id}/cancel`)).status).toBe(200);
      later.release();
      expect(texts(await history(later.sessionId)).slice(2)).toEqual([
        "user a",
        "user b",
        "assistant ",
      ]);
    });

    it("are told an agent of AgentOS as one, too", async () => {
      const { sessionId, release } = await busy();
      const { stream } = await merge(sessionId, "2 +", { agent_id: "assistant" });
      await merge(sessionId, "3", { agent_id: "assistant" });
      release();
      expect((await stream.all()).at(-1)?.["full_response"]).toBe("Hello");
      const runs = agentOs.requests.filter(({ path }) => path.endsWith("/runs"));
      expect(runs.map(({ form }) => String(form["message"]))).toEqual([
        expect.stringContaining("2 +\n\n3"),
      ]);
    });

    it("follow the WebSocket as well", async () => {
      const { sessionId, release } = await busy();
      const chat = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
      await chat.next(({ type }) => type === "connection_established");
      chat.send({ type: "chat", message: "one", on_busy: "merge" });
      const first = await chat.next(({ type }) => type === "queued");
      chat.send({ type: "chat", message: "two", on_busy: "merge" });
      const second = await chat.next((message) => message["joins"] !== undefined);
      expect(second["message_id"]).toBe(first["message_id"]);
      release();
      const end = await chat.next(
        (message) =>
          message["type"] === "conversation_complete" &&
          message["message_id"] === first["message_id"],
      );
      expect(end["full_response"]).toBe("You said: one\n\ntwo");
      const seen = chat.messages.filter(({ message_id: id }) => id === first["message_id"]);
      expect(seen.map((event) => event["seq"])).toEqual(seen.map((_event, at) => at + 1));
      chat.socket.close();
    });

    it.each(["regenerate", "edit"])("is refused for %s", async (what) => {
      const sessionId = await client.session("ann");
      const { body } = await client.send<Answer>("POST", "/chat/message", {
        session_id: sessionId,
        message: "hi",
      });
      const refused = await client.send<{ error: { details: { path: string }[] } }>(
        "POST",
        `/chat/message/${body.user_message_id}/${what}`,
        { on_busy: "merge", ...(what === "edit" && { message: "x" }) },
      );
      expect(refused.status).toBe(422);
      expect(refused.body.error.details.map(({ path }) => path)).toEqual(["/on_busy"]);
    });

    it("survive the death of their node", async () => {
      if (kind === "embedded") {
        const { sessionId } = await busy();
        const { id } = await merge(sessionId, "one");
        await merge(sessionId, "two");
        await service.kill();
        service = await startService({
          dataDir: service.dataDir,
          env: { OPENAI_BASE_URL: model.url },
        });
        client = createClient(service.url);
        const end = (await (await client.follow(id)).all()).at(-1);
        // A reply that had said nothing was cut off: its question stands before them.
        expect(String(end?.["full_response"])).toMatch(/one\n\ntwo$/);
        expect(texts(await history(sessionId)).filter((each) => each === "user two")).toHaveLength(
          1,
        );
      }
    });
  },
);
