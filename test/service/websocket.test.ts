import { once } from "node:events";
import { connect as netConnect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket as connect } from "../support/web-socket-client.ts";

describe("the WebSocket", () => {
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

  it("shows the events of the stream with their number, and answers pings meanwhile", async () => {
    const sessionId = await client.session("alice");
    const chat = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
    expect(await chat.next(({ type }) => type === "connection_established")).toMatchObject({
      session_id: sessionId,
      user_id: "alice",
    });
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["one ", "two"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    chat.send({ type: "chat", message: "hi" });
    await chat.next((message) => message["chunk"] === "one ");
    chat.send({ type: "ping" });
    await chat.next(({ type }) => type === "pong");
    gate.resolve();
    const end = await chat.next(({ type }) => type === "conversation_complete");
    expect(end).toMatchObject({ full_response: "one two" });
    const events = chat.messages.filter((message) => message["seq"] !== undefined);
    expect(events.map((event) => event["seq"])).toEqual(events.map((_event, index) => index + 1));
    const overHttp = await (await client.follow(String(end["message_id"]))).all();
    expect(events.map(({ seq, ...event }) => ({ ...event, id: seq }))).toEqual(overHttp);
    chat.socket.close();
  });

  it("takes up a reply after a lost connection, and stops it", async () => {
    const sessionId = await client.session("alice");
    const first = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
    await first.next(({ type }) => type === "connection_established");
    model.enqueue({ tokens: ["so far "], fault: { kind: "hang" } });
    first.send({ type: "chat", message: "go" });
    const chunk = await first.next(({ type }) => type === "assistant_chunk");
    first.socket.terminate();
    const messageId = chunk["message_id"];
    const second = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
    await second.next(({ type }) => type === "connection_established");
    second.send({ type: "resume", message_id: messageId, after: 1 });
    expect(await second.next(({ type }) => type === "assistant_chunk")).toEqual(chunk);
    second.send({ type: "cancel", message_id: messageId });
    expect(await second.next(({ type }) => type === "cancelled")).toMatchObject({
      full_response: "so far ",
    });
    second.socket.close();
  });

  it("tells faults without closing, and does not know other people's things", async () => {
    const sessionId = await client.session("alice");
    const chat = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
    await chat.next(({ type }) => type === "connection_established");
    for (const [message, type] of [
      ["not json", "bad_request"],
      [{ type: "dance" }, "validation_failed"],
      [{ type: "chat", message: "  " }, "validation_failed"],
      [{ type: "chat", message: "nul \u0000" }, "validation_failed"],
      [{ type: "resume", message_id: "x" }, "message_not_found"],
      [{ type: "cancel", message_id: sessionId }, "message_not_found"],
    ] as const) {
      chat.messages.length = 0;
      chat.send(message);
      expect(await chat.next((answer) => answer.type === "error")).toMatchObject({
        error_type: type,
      });
    }
    chat.socket.send(Buffer.from([1, 2, 3]), { binary: true });
    chat.send({ type: "ping" });
    await chat.next(({ type }) => type === "pong");
    chat.socket.close();
    const foreign = connect(`${service.url}/chat/ws?session_id=${sessionId}&user_id=mallory`);
    expect(await foreign.closed()).toBe(4404);
    expect(foreign.messages).toMatchObject([{ type: "error", error_type: "session_not_found" }]);
  });

  it("is refused to pages of other sites", async () => {
    const socket = new WebSocket(`${service.url.replace("http", "ws")}/chat/ws`, {
      headers: { origin: "https://evil.example" },
    });
    const [, response] = (await once(socket, "unexpected-response")) as [
      unknown,
      { statusCode: number },
    ];
    expect(response.statusCode).toBe(403);
    socket.on("error", () => undefined);
    socket.terminate();
    const own = connect(`${service.url}/chat/ws`, { origin: service.url });
    await own.next(({ type }) => type === "connection_established");
    own.socket.close();
    expect((await client.get("/chat/ws/info")).body).toMatchObject({ websocket_enabled: true });
  });

  it("does not keep a service that stops: connections that do nothing, clients that do not answer", async () => {
    const stopping = await startService();
    const { hostname, port } = new URL(stopping.url);
    const ahead = netConnect(Number(port), hostname);
    await once(ahead, "connect");
    const mute = netConnect(Number(port), hostname);
    mute.write(
      "GET /chat/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await once(mute, "data");
    const polite = connect(`${stopping.url}/chat/ws`);
    await polite.next(({ type }) => type === "connection_established");
    const goodbye = polite.closed();
    expect(await stopping.stop()).toBe(0);
    expect(await goodbye).toBe(1001);
    // Left to itself, Node waits a minute for the first, and half a minute for the second.
  }, 25_000);

  it("wants a token in its first message where there is no header", async () => {
    const guarded = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_SECRET_KEY: "0123456789abcdef0123456789abcdef",
      },
    });
    const rude = connect(`${guarded.url}/chat/ws`);
    await once(rude.socket, "open");
    rude.send({ type: "chat", message: "hi" });
    expect(await rude.closed()).toBe(4401);
    const wrong = connect(`${guarded.url}/chat/ws`);
    await once(wrong.socket, "open");
    wrong.send({ type: "auth", token: "a.b.c" });
    expect(await wrong.closed()).toBe(4401);
    await guarded.stop();
  });
});
