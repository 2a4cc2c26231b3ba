import { once } from "node:events";
import { connect as netConnect } from "node:net";
import { SignJWT } from "jose";
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
    expect(events.map(({ seq, stream: _stream, ...event }) => ({ ...event, id: seq }))).toEqual(
      overHttp,
    );
    expect(new Set(events.map(({ stream }) => stream))).toEqual(new Set(["reply"]));
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

  it("leaves no connection behind where it is refused", async () => {
    const { hostname, port } = new URL(service.url);
    for (const [path, more] of [
      ["/chat/ws", "Host: evil.example\r\n"],
      ["/chat/ws", "Host: localhost\r\nOrigin: http://evil.example\r\n"],
      ["/chat/ws?user_id=", "Host: localhost\r\n"],
      ["/health", "Host: localhost\r\n"],
      ["/nowhere", "Host: localhost\r\n"],
    ]) {
      const socket = netConnect(Number(port), hostname);
      socket.write(
        `GET ${path} HTTP/1.1\r\n${more}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      socket.resume();
      await once(socket, "close");
    }
  });

  it("does not keep a service that stops: connections that do nothing, clients that do not answer", async () => {
    const stopping = await startService();
    const { hostname, port } = new URL(stopping.url);
    const ahead = netConnect(Number(port), hostname);
    await once(ahead, "connect");
    const mute = netConnect(Number(port), hostname);
    mute.write(
      "GET /chat/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
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
});

describe("a WebSocket of somebody who is not known", () => {
  let service: TestService;
  let url: string;
  let token: string;
  beforeAll(async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    service = await startService({
      env: { AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret, LIMITS_MAX_VIEWERS: "400" },
    });
    url = `${service.url}/chat/ws`;
    token = await new SignJWT({ sub: "alice" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(secret));
  });
  afterAll(() => service.stop());

  const opened = async () => {
    const client = connect(url);
    await once(client.socket, "open");
    return client;
  };
  /** The status with which a connection is refused; 101 when it is not. */
  const statusOf = async (headers: Record<string, string> = {}): Promise<number> => {
    const socket = new WebSocket(url.replace("http", "ws"), { headers });
    socket.on("error", () => undefined);
    const status = await Promise.race([
      once(socket, "open").then(() => 101),
      once(socket, "unexpected-response").then(([, response]) => response.statusCode as number),
    ]);
    socket.terminate();
    return status;
  };

  it("wants a token in its first message where there is no header", async () => {
    for (const first of [
      { type: "chat", message: "hi" },
      { type: "ping" },
      { type: "auth", token: "a.b.c" },
      "no JSON",
    ]) {
      const rude = await opened();
      rude.send(first);
      expect(await rude.closed(), JSON.stringify(first)).toBe(4401);
    }
    const binary = await opened();
    binary.socket.send(Buffer.alloc(10), { binary: true });
    expect(await binary.closed()).toBe(4401);
  });

  it("lets what follows the token wait for it", async () => {
    const hasty = await opened();
    hasty.send({ type: "auth", token });
    hasty.send({ type: "resume", message_id: "x" });
    await hasty.next(({ type }) => type === "error");
    expect(hasty.messages).toMatchObject([
      { type: "connection_established", user_id: "alice" },
      { type: "error", error_type: "message_not_found" },
    ]);
    hasty.socket.close();
  });

  it("holds no more than a token needs: not in a message, nor in one that never ends, nor in pings", async () => {
    for (const send of [
      (socket: WebSocket) => socket.send("x".repeat(100_000)),
      (socket: WebSocket) => socket.send("x".repeat(10_000), { fin: false }),
      (socket: WebSocket) => socket.ping("x".repeat(100)),
    ]) {
      const { socket } = await opened();
      const closed = once(socket, "close");
      const more = () => {
        if (socket.readyState === socket.OPEN) send(socket);
        if (socket.readyState === socket.OPEN) setImmediate(more);
      };
      more();
      expect((await closed)[0]).toBe(1006);
    }
    // Who is known may send what a message may hold.
    const known = connect(url, { authorization: `Bearer ${token}` });
    await known.next(({ type }) => type === "connection_established");
    known.send({ type: "chat", message: "x".repeat(100_000) });
    const answer = await known.next(({ type }) => type === "error");
    expect(answer).toMatchObject({ error_type: "validation_failed" });
    known.socket.close();
  });

  it("is one of a few from its address, and takes no place of those who are known", async () => {
    const strangers = await Promise.all(Array.from({ length: 32 }, opened));
    expect(await statusOf()).toBe(429);
    expect(await statusOf({ authorization: `Bearer ${token}` })).toBe(101);
    const [first] = strangers;
    first?.send({ type: "auth", token });
    await first?.next(({ type }) => type === "connection_established");
    const next = await opened();
    for (const { socket } of [...strangers, next]) socket.terminate();
  });

  it("does not linger when it is refused and says no goodbye", async () => {
    const { hostname, port } = new URL(service.url);
    const mute = netConnect(Number(port), hostname);
    mute.write(
      "GET /chat/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await once(mute, "data");
    // A masked text frame with `{}`.
    mute.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]));
    mute.resume();
    await once(mute, "close");
    // Left to itself, the library waits half a minute.
  }, 15_000);
});
