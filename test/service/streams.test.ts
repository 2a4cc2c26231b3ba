import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { eventually } from "../support/stage.ts";
import { startService, type TestService } from "../support/start-service.ts";

/** Bytes of a followed stream, cut off after `cutAfter` bytes, parsed as a client would. */
async function cutStream(url: string, after: number, cutAfter: number) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: { "last-event-id": String(after) } }, resolve).on("error", reject);
  });
  let bytes = Buffer.alloc(0);
  const isWhole = await new Promise<boolean>((resolve) => {
    response.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < cutAfter) return;
      bytes = bytes.subarray(0, cutAfter);
      response.destroy();
      resolve(false);
    });
    response.on("end", () => resolve(true));
    response.on("error", () => resolve(false));
  });
  const events: SeenEvent[] = [];
  const blocks = bytes.toString("utf8").split("\n\n");
  // What follows the last blank line has not arrived whole and does not count.
  for (const block of blocks.slice(0, -1)) {
    const id = /^id: (\d+)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (id !== undefined && data !== undefined) {
      events.push({ ...(JSON.parse(data) as { type: string }), id: Number(id) });
    }
  }
  return { events, isDone: isWhole && bytes.toString().endsWith("data: [DONE]\n\n") };
}

describe("following a reply", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, SERVER_HEARTBEAT_SECONDS: "0.2" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const words = Array.from({ length: 40 }, (_each, index) => `词${index}😀 `);

  it("gives every event once and in order, however often the stream is cut", async () => {
    const sessionId = await client.session("alice");
    const cuts = fc.sample(fc.integer({ min: 30, max: 1_500 }), { numRuns: 400, seed: 7 });
    let used = 0;
    // Half of the rounds cut a reply that runs, half one that is over.
    for (const delayMs of [4, 0]) {
      for (let round = 0; round < 12; round += 1) {
        model.enqueue({ tokens: words, delayMs });
        const asked = await client.stream({ session_id: sessionId, message: "go" });
        const messageId = asked.headers.get("x-message-id") ?? "";
        if (delayMs === 0) await asked.all();
        const seen: SeenEvent[] = [];
        const url = `${service.url}/chat/message/${messageId}/stream`;
        for (let isDone = false; !isDone;) {
          const cut = cuts[used % cuts.length] ?? 100;
          used += 1;
          // The shortest cuts are shorter than any event: such an attempt sees nothing at all.
          const part = await cutStream(url, seen.at(-1)?.id ?? 0, cut);
          seen.push(...part.events);
          isDone = part.isDone;
        }
        expect(seen.map((event) => event.id)).toEqual(seen.map((_event, index) => index + 1));
        const { body } = await client.get<{ content: string }>(`/chat/message/${messageId}`);
        expect(body.content).toBe(words.join(""));
        expect(textOf(seen)).toBe(body.content);
        expect(seen.at(-1)).toMatchObject({ full_response: body.content });
        expect(seen).toEqual(await asked.all());
      }
    }
    expect(used).toBeGreaterThan(100);
  }, 60_000);

  it("keeps silent streams awake with comments", async () => {
    const sessionId = await client.session("alice");
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["a", "b"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    const response = await fetch(`${service.url}/chat/message/stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ session_id: sessionId, message: "wait" }),
    });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes(": heartbeat")) gate.resolve();
    }
    expect(text.startsWith("retry: 1000\n\n")).toBe(true);
    expect(text).toContain(": heartbeat\n\n");
    expect(text).not.toMatch(/^event:/m);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("takes a cursor from the header before the query, and nothing but digits", async () => {
    const sessionId = await client.session("alice");
    const events = await (await client.stream({ session_id: sessionId, message: "hi" })).all();
    const messageId = events[0]?.["message_id"] as string;
    const path = `/chat/message/${messageId}/stream`;
    const after2 = await client.get<string>(`${path}?after=0`, { "last-event-id": "2" });
    expect(after2.body).not.toContain("id: 2\n");
    expect(after2.body).toContain("id: 3\n");
    for (const cursor of ["-1", "abc", "1.5", "1e3", "9".repeat(20)]) {
      const { status, body } = await client.get(`${path}?after=${cursor}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ error: { type: "bad_request" } });
    }
    const nothingNew = await client.get<string>(`${path}?after=${events.at(-1)?.id}`);
    expect(nothingNew.body.trim().endsWith("data: [DONE]")).toBe(true);
    expect(nothingNew.body).not.toContain("id:");
  });

  it("shows two tabs the same", async () => {
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: words, delayMs: 3 });
    const first = await client.stream({ session_id: sessionId, message: "both" });
    const second = await client.follow(first.headers.get("x-message-id") ?? "");
    expect(await second.all()).toEqual(await first.all());
  });

  it("moves a reader to a snapshot when the events it asks for are no longer kept", async () => {
    const small = await startService({
      env: { OPENAI_BASE_URL: model.url, STREAMS_MAX_REPLY_BYTES: "4KB" },
    });
    const other = createClient(small.url);
    const sessionId = await other.session("alice");
    model.enqueue({ tokens: Array.from({ length: 200 }, (_each, n) => `${n} `), delayMs: 2 });
    const asked = await other.stream({ session_id: sessionId, message: "long" });
    const all = await asked.all();
    expect(textOf(all)).toBe(Array.from({ length: 200 }, (_each, n) => `${n} `).join(""));
    const late = await (await other.follow(asked.headers.get("x-message-id") ?? "")).all();
    expect(late.map((event) => event.type)).toEqual(["snapshot", "conversation_complete"]);
    expect(textOf(late)).toBe(textOf(all));
    expect(late.at(-1)?.id).toBe(all.at(-1)?.id);
    await small.stop();
  });

  it("does not let a stalled reader hold up the others", async () => {
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: Array.from({ length: 300 }, () => "x".repeat(2_000)) });
    const asked = await client.stream({ session_id: sessionId, message: "much" });
    const messageId = asked.headers.get("x-message-id") ?? "";
    const stalled = await new Promise<IncomingMessage>((resolve) => {
      get(`${service.url}/chat/message/${messageId}/stream`, resolve);
    });
    stalled.pause();
    expect((await asked.all()).at(-1)?.type).toBe("conversation_complete");
    // It gets everything when it reads again.
    let bytes = 0;
    for await (const chunk of stalled) bytes += (chunk as Buffer).length;
    expect(bytes).toBeGreaterThan(600_000);
  });
});

describe("viewers of a node", () => {
  const limit = 10;
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;
  const silence = Promise.withResolvers<void>();

  beforeAll(async () => {
    model = await startOpenAiServer({
      respond: () => ({ tokens: ["a", "b"], pace: () => silence.promise }),
    });
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, LIMITS_MAX_VIEWERS: String(limit) },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    silence.resolve();
    await service.kill();
    await model.close();
  });

  /** How many streams are open, replies followed by whomever, and replies made. */
  const counts = async () => {
    const figures = await client.get<{ viewers: number; replies: { running: number } }>(
      "/health/metrics",
    );
    const detailed = await client.get<{
      components: { streams: { details: { followers: number } } };
    }>("/health/detailed");
    return {
      viewers: figures.body.viewers,
      running: figures.body.replies.running,
      followers: detailed.body.components.streams.details.followers,
    };
  };

  it("are gone whenever they have left: before the stream began, or later", async () => {
    const { hostname, port } = new URL(service.url);
    const leave = async (path: string, index: number) => {
      const body = JSON.stringify({ user_id: `user-${index}`, message: "hi" });
      const socket = connect(Number(port), hostname);
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      // Somewhere between what the service reads, stores and sends.
      await setTimeout(index / 2);
      socket.resetAndDestroy();
    };
    const paths = ["/chat/message/stream", "/chat/message"];
    await Promise.all(Array.from({ length: 40 }, (_, i) => leave(paths[i % 2] ?? "", i)));
    const isEmpty = async () => {
      const { viewers, followers, running } = await counts();
      return viewers === 0 && followers === 0 && running > 0;
    };
    await eventually("nobody follows what goes on", isEmpty, 10_000);
  });

  it("are never one too many, however many come at once, and leave room when they go", async () => {
    const ask = (index: number) =>
      client.stream({ user_id: `user-${index}`, message: "hi" }).catch((error: Error) => error);
    const asked = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(index)));
    const refused = asked.flatMap((each) => (each instanceof Error ? [each] : []));
    const shown = asked.flatMap((each) => (each instanceof Error ? [] : [each]));
    expect(shown).toHaveLength(limit);
    for (const { message } of refused) expect(message).toContain('503 {"success":false');
    expect((await counts()).viewers).toBe(limit);
    const [first] = shown;
    first?.close();
    await eventually("one has gone", async () => (await counts()).viewers === limit - 1);
    const next = await ask(60);
    expect(next).not.toBeInstanceOf(Error);
    expect(await ask(61)).toBeInstanceOf(Error);
  });
});
