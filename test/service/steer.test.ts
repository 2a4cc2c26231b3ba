import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

interface Message {
  readonly message_id: string;
  readonly parent_id: string | null;
  readonly role: string;
  readonly content: string;
  readonly status: string;
  readonly reply_to?: string;
  readonly steered?: { readonly message_id: string; readonly text_start: number }[];
}
interface Answer {
  readonly message_id: string;
  readonly user_message_id: string;
  readonly response: string;
  readonly original_message: string;
  readonly status: string;
}
interface Told {
  readonly role: string;
  readonly content: unknown;
}

/** An MCP server with one tool, which works until it is released. */
async function startHeldTool() {
  const called = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    void (async () => {
      let text = "";
      for await (const piece of request) text += String(piece);
      const { id, method } = JSON.parse(text === "" ? "{}" : text) as {
        id?: number;
        method?: string;
      };
      if (id === undefined) {
        response.writeHead(request.method === "POST" ? 202 : 405).end();
        return;
      }
      const inputSchema = { type: "object", properties: {} };
      const results: Record<string, object> = {
        initialize: {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "held", version: "1" },
        },
        "tools/list": { tools: [{ name: "look", description: "Looks", inputSchema }] },
        "tools/call": { content: [{ type: "text", text: "seen" }] },
      };
      if (method === "tools/call") {
        called.resolve();
        await released.promise;
      }
      const result = results[method ?? ""] ?? {};
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    called: called.promise,
    release: () => released.resolve(),
    close: () => server.closeAllConnections(),
  };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "messages that steer, on %s",
  (kind) => {
    let model: OpenAiServer;
    let held: Awaited<ReturnType<typeof startHeldTool>>;
    let service: TestService;
    let client: Client;
    let from: number;

    beforeAll(async () => {
      [model, held] = await Promise.all([startOpenAiServer(), startHeldTool()]);
      const database = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
      const agents = [
        { id: "worker", name: "Worker", tools: ["calculator"] },
        {
          id: "looker",
          name: "Looker",
          mcp: [{ name: "held", url: held.url, require_approval: "none" }],
        },
        { id: "plain", name: "Plain" },
      ];
      service = await startService({
        env: {
          MODELS_API_URL: model.url,
          MODELS_DEFAULT_MODEL: "test-model",
          MODELS_AGENTS: JSON.stringify(agents),
          ...(database && { DATABASE_URL: database }),
        },
      });
      client = createClient(service.url);
    });
    beforeEach(() => {
      from = model.requests.length;
    });
    afterAll(async () => {
      held.release();
      held.close();
      await service.stop();
      await model.close();
    });

    const call = { id: "sum", name: "calculator", arguments: { expression: "2+3" } };
    const told = (index: number) => model.requests[from + index]?.body["messages"] as Told[];
    const history = async (sessionId: string) =>
      (await client.get<{ messages: Message[] }>(`/chat/history/${sessionId}?limit=200`)).body
        .messages;
    const texts = (messages: readonly Message[]) =>
      messages.map(({ role, status, content }) => `${role} ${status} ${content}`);

    /** A reply whose model is about to call a tool when it is released. */
    async function working(more: object = {}) {
      const sessionId = await client.session("ann", { agent_id: "worker", ...more });
      const gate = Promise.withResolvers<void>();
      model.enqueue(
        { tokens: ["Let me see."], toolCalls: [call], pace: () => gate.promise },
        { tokens: ["Five, ", "in short."] },
      );
      const stream = await client.stream({ session_id: sessionId, message: "add" });
      await model.request(from);
      const replyId = stream.headers.get("x-message-id") ?? "";
      return { sessionId, replyId, stream, release: gate.resolve };
    }

    it("are taken in after a tool: the model is told its result, then the message, once", async () => {
      const { sessionId, replyId, stream, release } = await working();
      const steering = await client.stream({
        session_id: sessionId,
        message: "in short, please",
        on_busy: "steer",
      });
      expect(steering.headers.get("x-message-id")).toBe(replyId);
      release();
      const events = await stream.all();
      const kinds = events.map(({ type, status }) =>
        status === undefined ? type : `${type} ${status as string}`,
      );
      const at = kinds.indexOf("steered");
      expect(kinds.indexOf("tool_call completed")).toBe(at - 1);
      expect(kinds.indexOf("assistant_chunk", at)).toBeGreaterThan(at);
      expect(events[at]).toMatchObject({
        message: "in short, please",
        text_start: "Let me see.".length,
      });
      // Both streams are of the one reply, from its first event to its end.
      expect(await steering.all()).toEqual(events);
      expect(model.requests).toHaveLength(from + 2);
      expect(
        told(1)
          .slice(-3)
          .map(({ role, content }) => [role, content]),
      ).toEqual([
        ["assistant", "Let me see."],
        ["tool", "5"],
        ["user", "in short, please"],
      ]);
      const messages = await history(sessionId);
      expect(texts(messages)).toEqual([
        "user complete add",
        "user complete in short, please",
        "assistant complete Let me see.\n\nFive, in short.",
      ]);
      const [first, second, reply] = messages;
      expect(second?.parent_id).toBe(first?.message_id);
      expect([reply?.parent_id, reply?.reply_to]).toEqual([second?.message_id, second?.message_id]);
      expect(reply?.steered).toEqual([
        { message_id: second?.message_id, text_start: "Let me see.".length },
      ]);
      const usage = await client.get<{ total: { replies: number } }>(
        `/usage?user_id=ann&group_by=agent`,
      );
      expect(usage.body.total.replies).toBeGreaterThan(0);
      // What follows is told all of it in its order, and asking again answers both messages.
      await client.send("POST", "/chat/message", { session_id: sessionId, message: "next" });
      const next = JSON.stringify(told(2).filter(({ role }) => role !== "system"));
      expect(next.match(/in short, please/g)).toHaveLength(1);
      expect(next.indexOf("in short, please")).toBeLessThan(next.indexOf("Let me see."));
      await client.send(
        "POST",
        `/chat/message/${replyId}/regenerate`,
        {},
        { accept: "application/json" },
      );
      expect(told(3).at(-1)?.content).toBe("add\n\nin short, please");
    });

    it("come while a tool of an MCP server is at work", async () => {
      // Servers of tools are connected in the background.
      await expect
        .poll(async () => JSON.stringify((await client.get("/chat/agents")).body), {
          timeout: 20_000,
        })
        .toContain("held__look");
      const sessionId = await client.session("ann", { agent_id: "looker" });
      model.enqueue(
        { toolCalls: [{ id: "look", name: "held__look", arguments: {} }] },
        { tokens: ["done"] },
      );
      const stream = await client.stream({ session_id: sessionId, message: "look" });
      await held.called;
      const answer = client.send<Answer>("POST", "/chat/message", {
        session_id: sessionId,
        message: "and hurry",
        on_busy: "steer",
      });
      await expect
        .poll(async () => texts(await history(sessionId)).at(-1))
        .toBe("assistant queued ");
      held.release();
      const events = await stream.all();
      expect(events.map(({ type }) => type)).toContain("steered");
      expect(
        told(1)
          .slice(-2)
          .map(({ role, content }) => [role, content]),
      ).toEqual([
        ["tool", "seen"],
        ["user", "and hurry"],
      ]);
      const [, steering] = await history(sessionId);
      expect((await answer).body).toMatchObject({
        message_id: stream.headers.get("x-message-id"),
        user_message_id: steering?.message_id,
        original_message: "and hurry",
        response: "done",
        status: "complete",
      });
    });

    it.each(["the session", "the request"])(
      "stop an agent without steps, said by %s",
      async (by) => {
        const own = by === "the request" ? { on_busy: "steer" } : {};
        const config = by === "the session" ? { session_config: { on_busy: "steer" } } : {};
        const sessionId = await client.session("ann", { agent_id: "plain", ...config });
        const gate = Promise.withResolvers<void>();
        model.enqueue({
          tokens: ["half", "whole"],
          pace: (index) => (index === 0 ? undefined : gate.promise),
        });
        const stream = await client.stream({ session_id: sessionId, message: "tell" });
        await stream.next(({ type }) => type === "assistant_chunk");
        model.enqueue({ tokens: ["both"] });
        const answer = await client.send<Answer>("POST", "/chat/message", {
          session_id: sessionId,
          message: "shorter",
          ...own,
        });
        gate.resolve();
        const end = (await stream.all()).at(-1);
        expect(end).toMatchObject({ type: "cancelled", reason: "steered", full_response: "half" });
        expect(answer.body).toMatchObject({ response: "both", original_message: "shorter" });
        expect(texts(await history(sessionId))).toEqual([
          "user complete tell",
          "assistant cancelled half",
          "user complete shorter",
          "assistant complete both",
        ]);
        expect(
          told(1)
            .filter(({ role }) => role !== "system")
            .map(({ content }) => content),
        ).toEqual(["tell", "half", "shorter"]);
      },
    );

    it("are answered next where the reply has no step left, and by the reply that answers them", async () => {
      const sessionId = await client.session("ann", { agent_id: "worker" });
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["last words"], pace: () => gate.promise }, { tokens: ["own"] });
      const running = await client.stream({ session_id: sessionId, message: "say" });
      await model.request(from);
      const body = { session_id: sessionId, message: "more", on_busy: "steer" };
      const key = { "idempotency-key": crypto.randomUUID() };
      const steering = await client.stream(body, key);
      const accepted = await client.send<Answer>("POST", "/chat/message", body, {
        prefer: "respond-async",
        "idempotency-key": crypto.randomUUID(),
      });
      expect([accepted.status, accepted.body.message_id]).toEqual([
        202,
        running.headers.get("x-message-id"),
      ]);
      gate.resolve();
      const events = await steering.all();
      expect(events.filter(({ type }) => type === "conversation_complete")).toMatchObject([
        { full_response: "last words" },
        { full_response: "own" },
      ]);
      const again = await client.stream(body, key);
      expect((await again.all()).at(-1)).toMatchObject({ full_response: "own" });
      const asked = await history(sessionId);
      expect(asked[2]).toMatchObject({ role: "user", content: "more" });
      expect(accepted.body.user_message_id).toBe(asked[4]?.message_id);
    });

    it("come over a WebSocket, whose streams are side by side", async () => {
      const { sessionId, replyId, stream, release } = await working();
      const chat = connectSocket(`${service.url}/chat/ws?session_id=${sessionId}`);
      await chat.next(({ type }) => type === "connection_established");
      chat.send({ type: "chat", message: "quick", on_busy: "steer" });
      const queued = await chat.next(({ type }) => type === "queued");
      expect(queued["waits_for"]).toBe(replyId);
      release();
      const steered = await chat.next(({ type }) => type === "steered");
      expect(steered).toMatchObject({ message_id: replyId, message: "quick" });
      await chat.next(({ type }) => type === "conversation_complete");
      await chat.next(({ type, reason }) => type === "cancelled" && reason === "taken_in");
      await stream.all();
      chat.socket.close();
    });

    it("are refused where a message stands for itself", async () => {
      const sessionId = await client.session("ann", { agent_id: "plain" });
      const { body } = await client.send<Answer>("POST", "/chat/message", {
        session_id: sessionId,
        message: "one",
      });
      for (const [id, what, more] of [
        [body.message_id, "regenerate", {}],
        [body.user_message_id, "edit", { message: "two" }],
      ] as const) {
        const refused = await client.send<{ error: { details: { path: string }[] } }>(
          "POST",
          `/chat/message/${id}/${what}`,
          { ...more, on_busy: "steer" },
        );
        expect([refused.status, refused.body.error.details[0]?.path]).toEqual([422, "/on_busy"]);
      }
    });
  },
);
