import { rm } from "node:fs/promises";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createChatClient,
  type NumberedReplyEvent,
  type TalkEvent,
} from "../../packages/client/src/index.ts";
import { startEventCuttingProxy } from "../support/event-cutting-proxy.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

let model: OpenAiServer;
beforeAll(async () => {
  model = await startOpenAiServer();
});
afterAll(() => model.close());

describe("a service that is killed and begun again", () => {
  it("interrupts a reply visibly: no event lost, none twice, and what waited is answered", async () => {
    const dataDir = await createDataDir();
    const env = { MODELS_API_URL: model.url };
    let service = await startService({ dataDir, env });
    const { port } = new URL(service.url);
    const client = createChatClient({ baseUrl: service.url, userId: "ann" });
    model.enqueue({ tokens: ["One. ", "Two. "], fault: { kind: "hang" } });
    const running = client.send({ message: "go" });
    const { sessionId, messageId } = await running.accepted;
    const waiting = client.send({ message: "again", session_id: sessionId });
    await waiting.accepted;
    const events: NumberedReplyEvent[] = [];
    let wasKilled = false;
    for await (const event of running) {
      events.push(event);
      if (event.type !== "assistant_chunk" || wasKilled) continue;
      wasKilled = true;
      // What was seen for a moment is stored.
      const content = async () => (await client.messages.get(messageId)).content;
      await expect.poll(content).toBe("One. Two. ");
      await service.kill();
      service = await startService({ dataDir, env: { ...env, PORT: port } });
    }
    expect(events.at(-1)).toMatchObject({
      type: "error",
      error_type: "interrupted",
      full_response: "One. Two. ",
    });
    const numbers = events.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((left, right) => left - right));
    expect(await waiting.text()).toContain("again");
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe("tokens", () => {
  const secret = "a secret of the tests, long enough for HS256";
  let service: TestService;
  let isIssuing = true;
  const tokenFor = (life: string) =>
    new SignJWT({ user_id: "ann", roles: [] })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt()
      .setExpirationTime(life)
      .sign(new TextEncoder().encode(secret));

  beforeAll(async () => {
    service = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_CLOCK_SKEW_SECONDS: "0",
        SECURITY_SECRET_KEY: secret,
        MODELS_API_URL: model.url,
      },
    });
  });
  afterAll(() => service.stop());

  it("run out in the middle of a stream, and a fresh one is asked for once", async () => {
    const asked: (string | null)[] = [];
    let current = await tokenFor("3s");
    const first = current;
    const client = createChatClient({
      baseUrl: service.url,
      token: async (refused) => {
        asked.push(refused);
        if (refused !== null) current = await tokenFor("10m");
        return current;
      },
    });
    const over = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["One. ", "Two."],
      pace: (index) => (index === 0 ? undefined : over.promise),
    });
    const reply = client.send({ message: "go" });
    const events: NumberedReplyEvent[] = [];
    const reading = (async () => {
      for await (const event of reply) events.push(event);
    })();
    // The service ends the stream, and refuses the token with which it is taken up.
    await expect.poll(() => asked.filter((refused) => refused !== null)).toEqual([first]);
    over.resolve();
    await reading;
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ full_response: "One. Two." });
  });

  it("that are refused again are told to the caller", async () => {
    let times = 0;
    const client = createChatClient({
      baseUrl: service.url,
      token: () => {
        times += 1;
        return isIssuing ? `wrong ${times}` : null;
      },
    });
    await expect(client.send({ message: "hi" }).text()).rejects.toMatchObject({
      status: 401,
      type: "unauthorized",
    });
    expect(times).toBe(2);
    isIssuing = false;
    await expect(client.sessions.list()).rejects.toMatchObject({ status: 401 });
    expect(times).toBe(3);
  });
});

describe("real limits", () => {
  it("are waited for: a burst of messages is sent in the end, each once", async () => {
    const service = await startService({
      hasRates: true,
      env: { MODELS_API_URL: model.url, LIMITS_MESSAGE_RATE_LIMIT: "60" },
    });
    const waits: number[] = [];
    const client = createChatClient({ baseUrl: service.url, userId: "ann" });
    const replies = Array.from({ length: 62 }, (_, index) =>
      client.send(
        { message: `message ${index}` },
        { onRetry: (_error, { delayMs }) => waits.push(delayMs) },
      ),
    );
    await Promise.all(replies.map((reply) => reply.text()));
    expect(waits.length).toBeGreaterThan(0);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
    expect((await client.sessions.stats("ann")).total_messages).toBe(124);
    await service.stop();
  });
});

describe("a message that was to steer, and was not taken in", () => {
  it("is answered in the same stream, also when that is lost", async () => {
    const service = await startService({
      env: {
        MODELS_API_URL: model.url,
        MODELS_DEFAULT_MODEL: "test-model",
        MODELS_AGENTS: JSON.stringify([{ id: "worker", name: "Worker", tools: ["calculator"] }]),
      },
    });
    const proxy = await startEventCuttingProxy(() => service.url);
    const direct = createChatClient({ baseUrl: service.url, userId: "ann" });
    const cut = createChatClient({ baseUrl: proxy.url, userId: "ann", wait: async () => {} });
    const goOn = Promise.withResolvers<void>();
    model.enqueue(
      { tokens: ["First ", "answer."], pace: (index) => (index === 0 ? undefined : goOn.promise) },
      { tokens: ["Second ", "answer."] },
    );
    const running = direct.send({ message: "go", agent_id: "worker" });
    const { sessionId, messageId } = await running.accepted;
    for await (const { type } of running) if (type === "assistant_chunk") break;
    // The last connection, which is the same request once more, is let through.
    proxy.cutStreamsAfter(1);
    const steering = cut.send({ session_id: sessionId, message: "and this", on_busy: "steer" });
    expect((await steering.accepted).messageId).toBe(messageId);
    const events: NumberedReplyEvent[] = [];
    for await (const event of steering) {
      events.push(event);
      goOn.resolve();
      if (event.type === "conversation_complete") proxy.cutStreamsAfter(6);
    }
    const texts = events.flatMap((event) =>
      event.type === "conversation_complete" ? [event.full_response] : [],
    );
    expect(texts).toEqual(["First answer.", "Second answer."]);
    const keys = events.map(({ message_id: id, seq }) => `${id} ${seq}`);
    expect(new Set(keys).size).toBe(keys.length);
    proxy.close();
    await service.stop();
  });
});

describe("a spoken conversation", () => {
  it("says what it hears, and ends when it is closed or the service goes", async () => {
    const service = await startService({ env: { MODELS_API_URL: model.url } });
    const client = createChatClient({
      baseUrl: service.url,
      userId: "ann",
      WebSocket: WebSocket as never,
    });
    const refused = client.voice.talk({ sample_rate: 48_000 });
    // Nobody here can listen: that is said as it is over HTTP.
    const events: TalkEvent[] = [];
    const fault = await (async () => {
      for await (const event of refused) events.push(event);
    })().catch((error: unknown) => error);
    expect(fault).toMatchObject({ status: 503, type: "voice_unavailable" });
    expect((await client.voice.voices()).voices.length).toBeGreaterThan(0);
    const sound = await client.voice.synthesize({ text: "Hello.", format: "wav" });
    expect(sound.size).toBeGreaterThan(1_000);
    const said = client.voice.send({ audio: sound });
    await expect(said.text()).rejects.toMatchObject({ type: "voice_unavailable" });
    await service.stop();
  });
});
