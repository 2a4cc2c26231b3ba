import { randomUUID } from "node:crypto";
import { DefaultChatTransport, type UIMessage } from "ai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlainChat } from "../support/ai-chat.ts";
import { lastUserText } from "../support/openai-server.ts";
import { startStage, type Stage } from "../support/stage.ts";

const started = await startStage({ nodes: 2, env: { MODELS_DEFAULT_MODEL: "test-model" } });

describe.skipIf(started === null)("chats of the AI SDK at two nodes", () => {
  let stage: Stage;
  let user: string;
  let id: string;
  let text: string;
  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    user = randomUUID();
    id = randomUUID();
    text = `said by ${user}`;
  });
  afterAll(() => stage.stop());

  const api = (index: number) => `${stage.node(index).url}/ai/chat`;
  const headers = () => ({ "X-User-Id": user });
  const calls = () =>
    stage.model.requests.filter((request) => lastUserText(request).includes(text)).length;

  const chatAt = (index: number, messages: UIMessage[] = []) =>
    new PlainChat({
      id,
      messages,
      transport: new DefaultChatTransport({ api: api(index), headers: headers() }),
    });

  const keptAt = async (index: number) => {
    const response = await fetch(`${api(index)}/${id}/messages`, { headers: headers() });
    return (await response.json()) as UIMessage[];
  };

  const streamAt = async (index: number, messageId: string) => {
    const path = `${api(index)}/${id}/stream?message_id=${messageId}`;
    return (await fetch(path, { headers: headers() })).text();
  };

  const textOf = (message: UIMessage | undefined) =>
    (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");

  /** The next answer of the model, which stands still behind its first word until it is let go on. */
  function standStill() {
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({
      tokens: ["one ", "two ", "three"],
      pace: (index) => (index === 1 ? gate.promise : undefined),
    });
    return { goOn: () => gate.resolve() };
  }

  test("what is made at one is shown from its start at the other, and goes on there", async () => {
    const { goOn } = standStill();
    const chat = chatAt(0);
    const sending = chat.sendMessage({ text });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("one ");
    const other = chatAt(1, await keptAt(1));
    const following = other.resumeStream();
    // What was kept may hold the first word already: then there is nothing to follow once the reply has ended.
    await expect.poll(() => other.status).toBe("streaming");
    await expect.poll(() => textOf(other.lastMessage)).toBe("one ");
    goOn();
    await Promise.all([sending, following]);
    expect(textOf(other.lastMessage)).toBe("one two three");
    expect(other.lastMessage?.id).toBe(chat.lastMessage?.id);
    await other.sendMessage({ text: `${text} again` });
    expect((await keptAt(0)).map(textOf)).toEqual([
      text,
      "one two three",
      `${text} again`,
      "one two three",
    ]);
    expect(calls()).toBe(2);
  });

  test("a message that comes again at the other is the same run, also after both have begun anew", async () => {
    const messages = [{ id: "m1", role: "user", parts: [{ type: "text", text }] }];
    const ask = async (index: number) => {
      const response = await fetch(api(index), {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers() },
        body: JSON.stringify({ id, messages, trigger: "submit-message" }),
      });
      return response.text();
    };
    const { goOn } = standStill();
    const [first, second] = [ask(0), ask(1)];
    await expect.poll(calls).toBe(1);
    goOn();
    const told = await first;
    expect(told).toContain('"type":"finish"');
    expect(await second).toBe(told);
    for (const index of [0, 1]) {
      await stage.node(index).kill();
      await stage.startNode(index);
    }
    for (const index of [0, 1]) expect(await ask(index)).toBe(told);
    expect(calls()).toBe(1);
  });

  test("a reply is there from its row when its log is gone, at either", async () => {
    const chat = chatAt(0);
    await chat.sendMessage({ text });
    const reply = chat.lastMessage;
    await stage.redis?.command("FLUSHALL");
    for (const index of [0, 1]) {
      const told = await streamAt(index, reply?.id ?? "");
      expect(told).toContain(`"messageId":"${reply?.id}"`);
      expect(told).toContain('"delta":"one two three"');
      expect((await keptAt(index)).at(-1)).toEqual(JSON.parse(JSON.stringify(reply)));
    }
  });

  test("a stop at one stops what is made at the other", async () => {
    const { goOn } = standStill();
    const chat = chatAt(0);
    const sending = chat.sendMessage({ text });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("one ");
    const stopped = await fetch(`${api(1)}/${id}/stop`, { method: "POST", headers: headers() });
    expect(await stopped.json()).toEqual({ stopped: true });
    await sending;
    goOn();
    expect(textOf(chat.lastMessage)).toBe("one ");
    expect(chat.lastMessage?.metadata).toMatchObject({ finish_reason: "cancelled" });
  });
});
