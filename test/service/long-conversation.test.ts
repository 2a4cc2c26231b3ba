import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Context {
  readonly messages: number;
  readonly estimated_tokens: number;
  readonly dropped: number;
}

describe("a conversation that is longer than its model's window", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer({ respond: () => ({ tokens: ["ok"], usage: null }) });
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, MODELS_CONTEXT_TOKENS: "4000" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const said = (index: number) =>
    (model.requests.at(index)?.body["messages"] ?? []) as { role: string; content: unknown }[];

  it("goes on, and the answer, the stream and the history say how much was sent", async () => {
    const sessionId = await client.session("alice");
    for (let turn = 0; turn < 6; turn += 1) {
      const message = `turn ${turn} ${"word ".repeat(800)}`;
      const { status } = await client.send("POST", "/chat/message", {
        session_id: sessionId,
        message,
      });
      expect(status).toBe(200);
    }
    const stream = await client.stream({ session_id: sessionId, message: "and now?" });
    const end = (await stream.all()).at(-1) as unknown as { context: Context; message_id: string };
    const messages = said(-1).slice(1);
    expect(end.context).toMatchObject({ messages: messages.length, dropped: 13 - messages.length });
    expect(end.context.dropped).toBeGreaterThan(4);
    expect(end.context.estimated_tokens).toBeLessThanOrEqual(3_000);
    expect(messages.at(-3)?.content).toMatch(/^turn 5 /);
    const { body } = await client.get<{ context: Context }>(`/chat/message/${end.message_id}`);
    expect(body.context).toEqual(end.context);
    const answer = await client.send<{ context: Context }>("POST", "/chat/message", {
      session_id: sessionId,
      message: "once more",
    });
    expect(answer.body.context.messages).toBeGreaterThan(3);
    expect(answer.body.context.dropped).toBeGreaterThan(4);
  });

  it("ends in context_too_long where the message alone is refused, and goes on after it", async () => {
    const sessionId = await client.session("alice");
    model.enqueue({
      fault: { kind: "status", status: 400, body: { error: { message: "prompt is too long" } } },
    });
    const refused = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "long",
    });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ error: { type: "context_too_long" } });
    const next = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "x",
    });
    expect(next.status).toBe(200);
  });

  it("keeps the pictures and texts of earlier turns in sight", async () => {
    const sessionId = await client.session("alice");
    const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "what is this?",
      attachments: [{ name: "notes.md", media_type: "text/markdown", data: btoa("# Notes") }],
    });
    const first = JSON.stringify(said(-1));
    expect(first).toContain("```md\\n# Notes\\n```");
    await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "and this?",
      attachments: [{ name: "a.png", media_type: "image/png", data: picture.toString("base64") }],
    });
    await client.send("POST", "/chat/message", { session_id: sessionId, message: "go on" });
    const [question] = said(-1).slice(1);
    expect(question?.content).toContain("# Notes");
    // A window of 4,000 tokens has no room for earlier pictures.
    expect(said(-1).at(-3)?.content).toContain("a.png (image/png), not shown to you now");
  });
});
