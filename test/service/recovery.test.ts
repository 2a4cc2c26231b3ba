import { rm } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { textOf } from "../support/reply-stream.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

describe("a process that is killed", () => {
  let model: OpenAiServer;
  let dataDir: string;

  beforeAll(async () => {
    model = await startOpenAiServer();
    dataDir = await createDataDir();
  });
  afterAll(async () => {
    await model.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  // One that outlives its test has the data of the next.
  let running: TestService[] = [];
  afterEach(async () => {
    await Promise.all(running.map((service) => service.kill()));
    running = [];
  });
  const start = async (env: Record<string, string> = {}) => {
    const service = await startService({ dataDir, env: { OPENAI_BASE_URL: model.url, ...env } });
    running.push(service);
    return service;
  };

  // Every start of the embedded database takes a second or two: twenty of them are for the long form.
  const tries = process.env["FAULTS"] === "long" ? 20 : 7;
  it(`loses nothing acknowledged in ${tries} tries, and leaves half replies as interrupted`, async () => {
    const sent: { sessionId: string; messageId: string; shown: string }[] = [];
    let service = await start();
    model.setRespond(() => ({
      tokens: ["one ", "two ", "three "],
      delayMs: 5,
      fault: { kind: "hang" },
    }));
    for (let round = 0; round < tries; round += 1) {
      const client = createClient(service.url);
      const sessionId = await client.session("alice");
      const stream = await client.stream({ session_id: sessionId, message: `round ${round}` });
      // Killed at different moments: at once, after the first words, after a while.
      const wanted = round % 3;
      await stream.next((event) =>
        wanted === 0 ? event.id === 1 : event.type === "assistant_chunk" && event.id >= wanted + 1,
      );
      await service.kill();
      sent.push({
        sessionId,
        messageId: stream.headers.get("x-message-id") ?? "",
        shown: textOf(stream.events),
      });
      service = await start();
    }
    const client = createClient(service.url);
    for (const { sessionId, messageId } of sent) {
      const { body } = await client.get<{
        messages: { role: string; status: string; content: string }[];
        session_info: { active_message_id: null };
      }>(`/chat/history/${sessionId}`);
      expect(body.messages.map(({ role, status }) => `${role}:${status}`)).toEqual([
        "user:complete",
        "assistant:interrupted",
      ]);
      expect("one two three ".startsWith(body.messages[1]?.content ?? "?")).toBe(true);
      expect(body.session_info.active_message_id).toBeNull();
      const events = await (await client.follow(messageId)).all();
      expect(events.at(-1)).toMatchObject({ type: "error", error_type: "interrupted" });
    }
    // The session is usable.
    model.setRespond(() => ({ tokens: ["well"] }));
    const stream = await client.stream({
      session_id: sent[0]?.sessionId,
      message: "still there?",
    });
    expect(textOf(await stream.all())).toBe("well");
    await service.stop();
  }, 300_000);

  // 0.3 s: the first text is stored before any beat. Then between the beats.
  it.each([300, 1_100, 1_700, 2_300])(
    "keeps what a reader has seen for a second, killed %i ms after that",
    async (killedMs) => {
      let service = await start();
      let client = createClient(service.url);
      const sessionId = await client.session("alice");
      const tokens = Array.from({ length: 200 }, (_, index) => `${index} `);
      model.enqueue({ tokens, delayMs: 20 });
      const stream = await client.stream({ session_id: sessionId, message: "count" });
      const seen: { atMs: number; length: number }[] = [];
      await stream.next((event) => {
        if (event.type !== "assistant_chunk") return false;
        const atMs = performance.now();
        seen.push({ atMs, length: textOf(stream.events).length });
        return atMs - (seen[0]?.atMs ?? 0) >= 1_000 + killedMs;
      });
      const before = seen.findLast(({ atMs }) => atMs <= performance.now() - 1_000);
      await service.kill();
      service = await start();
      client = createClient(service.url);
      const { body } = await client.get<{ messages: { content: string }[] }>(
        `/chat/history/${sessionId}`,
      );
      const stored = body.messages[1]?.content ?? "";
      expect(tokens.join("").startsWith(stored)).toBe(true);
      expect(stored.length).toBeGreaterThanOrEqual(before?.length ?? Number.NaN);
      await service.stop();
    },
  );

  it("gives a reader that comes back with its cursor the rest of the reply", async () => {
    let service = await start();
    let client = createClient(service.url);
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["a ", "b ", "c "], delayMs: 40, fault: { kind: "hang" } });
    const stream = await client.stream({ session_id: sessionId, message: "x" });
    // Words that come close to each other are told together.
    await stream.next(() => textOf(stream.events) === "a b c ");
    await service.kill();
    service = await start();
    client = createClient(service.url);
    const messageId = stream.headers.get("x-message-id") ?? "";
    const cursor = stream.events.at(-1)?.id ?? 0;
    const rest = await (await client.follow(messageId, cursor)).all();
    expect(rest.at(-1)?.type).toBe("error");
    expect(rest.every((event) => event.id > cursor)).toBe(true);
    await service.stop();
  });

  it("starts what was waiting", async () => {
    model.setRespond(() => ({ tokens: ["an answer"] }));
    let service = await start();
    let client = createClient(service.url);
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["never "], fault: { kind: "hang" } });
    const first = await client.stream({ session_id: sessionId, message: "first" });
    await first.next((event) => event.type === "assistant_chunk");
    const second = await client.stream({ session_id: sessionId, message: "second" });
    await second.next((event) => event.type === "queued");
    await service.kill();
    service = await start();
    client = createClient(service.url);
    const events = await (await client.follow(second.headers.get("x-message-id") ?? "")).all();
    expect(events.map((event) => event.id)).toEqual(events.map((_event, index) => index + 1));
    expect(events[0]).toMatchObject({ type: "user_message", message: "second" });
    expect(events.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "an answer",
    });
    await service.stop();
  });

  it("marks running replies when it is told to stop, and ends their streams properly", async () => {
    const service = await start({ SERVER_DRAIN_SECONDS: "0.1" });
    const client = createClient(service.url);
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["half "], fault: { kind: "hang" } });
    const stream = await client.stream({ session_id: sessionId, message: "x" });
    await stream.next((event) => event.type === "assistant_chunk");
    expect(await service.stop()).toBe(0);
    expect((await stream.all()).at(-1)).toMatchObject({
      type: "error",
      error_type: "interrupted",
      code: 503,
      full_response: "half ",
    });
    expect(stream.isDone()).toBe(true);
  });
});

describe("the data directory", () => {
  it("belongs to one process: a second one is refused at once and says why", async () => {
    const dataDir = await createDataDir();
    const owner = await startService({ dataDir });
    await expect(startService({ dataDir })).rejects.toThrow(
      new RegExp(`in use by process ${owner.process.pid} .*DATABASE_URL`),
    );
    // The owner is not disturbed.
    expect((await createClient(owner.url).get("/chat/agents")).status).toBe(200);
    await owner.kill();
    const next = await startService({ dataDir });
    expect(await next.stop()).toBe(0);
    await rm(dataDir, { recursive: true, force: true });
  });
});
