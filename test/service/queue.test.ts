import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Message {
  readonly message_id: string;
  readonly parent_id: string | null;
  readonly role: string;
  readonly content: string;
  readonly status: string;
  readonly attachments?: { readonly name: string }[];
}
interface Failure {
  readonly error: { readonly type: string };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "messages that wait, on %s",
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

    /** A session whose reply waits until it is released, and messages behind it. */
    const busy = async (...messages: string[]) => {
      const sessionId = await client.session("ann");
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["held"], pace: () => gate.promise });
      const held = await client.stream({ session_id: sessionId, message: "hold" });
      const waiting = [];
      for (const message of messages) {
        const stream = await client.stream({ session_id: sessionId, message });
        await stream.next(({ type }) => type === "queued");
        waiting.push({ stream, id: stream.headers.get("x-message-id") ?? "" });
      }
      return { sessionId, held, release: gate.resolve, waiting };
    };
    const queue = async (sessionId: string) =>
      (await client.get<{ messages: Message[] }>(`/sessions/${sessionId}/queue`)).body.messages;
    const texts = (messages: readonly Message[]) =>
      messages.map(({ role, status, content }) => `${role} ${status} ${content}`);
    const history = async (sessionId: string) =>
      texts(
        (await client.get<{ messages: Message[] }>(`/chat/history/${sessionId}?limit=200`)).body
          .messages,
      );

    it("are listed in their order, each with what it will answer", async () => {
      const { sessionId, release, held, waiting } = await busy("one", "two");
      const shown = await queue(sessionId);
      expect(texts(shown)).toEqual([
        "user complete one",
        "assistant queued ",
        "user complete two",
        "assistant queued ",
      ]);
      expect([shown[1]?.message_id, shown[3]?.message_id]).toEqual(waiting.map(({ id }) => id));
      release();
      await held.all();
      await waiting[1]?.stream.all();
      expect(await queue(sessionId)).toEqual([]);
    });

    it.each(["the user's message", "its reply"])(
      "are said otherwise by the id of %s",
      async (which) => {
        const { sessionId, release, waiting } = await busy("one", "two");
        const before = model.requests.length;
        const [question, reply] = await queue(sessionId);
        const id = (which === "its reply" ? reply : question)?.message_id;
        const file = { name: "a.txt", media_type: "text/plain", data: "aGk=" };
        const changed = await client.send<Message>("PATCH", `/chat/message/${id}`, {
          message: "other",
          attachments: [file],
        });
        expect(changed.status).toBe(200);
        expect(changed.body).toMatchObject({ message_id: question?.message_id, content: "other" });
        expect(changed.body.attachments?.map(({ name }) => name)).toEqual(["a.txt"]);
        // What is absent stays as it is.
        const again = await client.send<Message>("PATCH", `/chat/message/${id}`, {
          message: "another",
        });
        expect(again.body.attachments?.map(({ name }) => name)).toEqual(["a.txt"]);
        release();
        await waiting[1]?.stream.all();
        const told = model.requests
          .slice(before)
          .map(({ body }) => JSON.stringify(body["messages"]))
          .filter((asked) => asked.includes("another") || asked.includes('"one"'));
        expect(told.map((asked) => [asked.includes("another"), asked.includes('"one"')])).toEqual([
          [true, false],
          [true, false],
        ]);
        const late = await client.send<Failure>("PATCH", `/chat/message/${id}`, {
          message: "late",
        });
        expect([late.status, late.body.error.type]).toEqual([409, "message_not_queued"]);
        expect((await history(sessionId))[2]).toBe("user complete another");
      },
    );

    it.each(["the user's message", "its reply"])(
      "are withdrawn by the id of %s, and what waits behind them stays",
      async (which) => {
        const { sessionId, release, waiting } = await busy("one");
        const answer = client.send<{ status: string; finish_reason: string; response: string }>(
          "POST",
          "/chat/message",
          { session_id: sessionId, message: "two" },
        );
        let shown = await queue(sessionId);
        while (shown.length < 4) shown = await queue(sessionId);
        const last = await client.stream({ session_id: sessionId, message: "three" });
        await last.next(({ type }) => type === "queued");
        for (const at of [0, 2]) {
          const id = shown[which === "its reply" ? at + 1 : at]?.message_id;
          expect((await client.send("DELETE", `/chat/message/${id}`)).status).toBe(200);
        }
        const end = (await waiting[0]?.stream.all())?.at(-1);
        expect(end).toMatchObject({ type: "cancelled", reason: "withdrawn" });
        const { status, body } = await answer;
        expect([status, body.status, body.finish_reason, body.response]).toEqual([
          200,
          "cancelled",
          "withdrawn",
          "",
        ]);
        expect(texts(await queue(sessionId))).toEqual(["user complete three", "assistant queued "]);
        release();
        await last.all();
        expect(await history(sessionId)).toEqual([
          "user complete hold",
          "assistant complete held",
          "user complete three",
          "assistant complete You said: three",
        ]);
        const { body: info } = await client.get<{ message_count: number }>(
          `/sessions/${sessionId}`,
        );
        expect(info.message_count).toBe(4);
      },
    );

    it("an answer that is asked for again waits, and goes without what it answers", async () => {
      const { sessionId, release, held, waiting } = await busy();
      expect(waiting).toEqual([]);
      release();
      const { messageId } = { messageId: held.headers.get("x-message-id") };
      await held.all();
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["held"], pace: () => gate.promise });
      const other = await client.stream({ session_id: sessionId, message: "hold again" });
      const again = client.send<{ status: string }>(
        "POST",
        `/chat/message/${messageId}/regenerate`,
        {},
        { accept: "application/json" },
      );
      let shown = await queue(sessionId);
      while (shown.length < 2) shown = await queue(sessionId);
      expect(texts(shown)).toEqual(["user complete hold", "assistant queued "]);
      const patched = await client.send<Failure>("PATCH", `/chat/message/${shown[0]?.message_id}`, {
        message: "other",
      });
      expect([patched.status, patched.body.error.type]).toEqual([409, "message_not_queued"]);
      await client.send("DELETE", `/chat/message/${shown[1]?.message_id}`);
      expect((await again).body.status).toBe("cancelled");
      gate.resolve();
      await other.all();
      expect(await history(sessionId)).toEqual([
        "user complete hold",
        "assistant complete held",
        "user complete hold again",
        "assistant complete held",
      ]);
    });

    it("members that nobody knows, and what does not wait, are refused", async () => {
      const { sessionId, release, held } = await busy("one");
      const [question] = await queue(sessionId);
      const path = `/chat/message/${question?.message_id}`;
      const wrong = await client.send<Failure>("PATCH", path, { message: "x", on_busy: "reject" });
      expect([wrong.status, wrong.body.error.type]).toEqual([422, "validation_failed"]);
      const strange = await client.send<Failure>("PATCH", `${path}?user_id=bob`, { message: "x" });
      expect([strange.status, strange.body.error.type]).toEqual([404, "message_not_found"]);
      const running = held.headers.get("x-message-id");
      const late = await client.send<Failure>("PATCH", `/chat/message/${running}`, {
        message: "x",
      });
      expect([late.status, late.body.error.type]).toEqual([409, "message_not_queued"]);
      release();
      await held.all();
    });
  },
);
