import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type OpenAI from "openai";
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Client } from "../support/client.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { lastUserText, type OpenAiServer } from "../support/openai-server.ts";
import { faultsOf } from "../support/openai-schemas.ts";
import {
  openAiClient,
  startProtocolService,
  type ProtocolService,
} from "../support/protocol-service.ts";
import { eventually } from "../support/stage.ts";

let service: ProtocolService;
let model: OpenAiServer;
let native: Client;
beforeAll(async () => {
  service = await startProtocolService({
    MODELS_AGENTS: JSON.stringify([{ id: "reckoner", name: "Reckoner", tools: ["calculator"] }]),
  });
  ({ model, native } = service);
});
afterAll(() => service.close());

/** Every test has a user of its own. */
let user: string;
let openai: OpenAI;
beforeEach(() => {
  user = randomUUID();
  openai = openAiClient(service.url, user);
});

const agent = "general-chat";
async function eventsOf(
  stream: AsyncIterable<ResponseStreamEvent>,
): Promise<ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

const create = (input: string, more: object = {}) =>
  openai.responses.create({ model: agent, input, ...more }) as Promise<Response>;

describe("a response", () => {
  it("comes whole, and is there to be had again", async () => {
    const response = await create("one two", { metadata: { topic: "x" }, instructions: "Brief." });
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_[0-9a-f-]{36}$/),
      object: "response",
      status: "completed",
      model: agent,
      output_text: "You said: one two",
      metadata: { topic: "x" },
      instructions: "Brief.",
      error: null,
      incomplete_details: null,
      parallel_tool_calls: true,
      tools: [],
    });
    expect(response.usage?.total_tokens).toBeGreaterThan(0);
    const again = await openai.responses.retrieve(response.id);
    expect(again).toEqual(response);
    const items = await openai.responses.inputItems.list(response.id);
    expect(items.data).toMatchObject([
      { type: "message", role: "user", content: [{ type: "input_text", text: "one two" }] },
    ]);
    const messageId = response.id.replace("resp_", "");
    const { body } = await native.get<{ content: string }>(`/chat/message/${messageId}`);
    expect(body.content).toBe("You said: one two");
  });

  it("streams in the order of the protocol, and resumes behind every event", async () => {
    model.enqueue({ reasoning: ["hm ", "so"], tokens: ["Hel", "lo ", "你好"] });
    const stream = await openai.responses.create({ model: agent, input: "go", stream: true });
    const events = await eventsOf(stream);
    const types = events.map(({ type }) => type);
    expect([...new Set(types)]).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.reasoning_text.delta",
      "response.reasoning_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_text.delta",
      "response.output_text.done",
      "response.completed",
    ]);
    const end = events.at(-1);
    if (end?.type !== "response.completed") throw new Error("no end");
    const numbers = events.map(({ sequence_number: number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const { id } = end.response;
    for (const [index, event] of events.entries()) {
      const rest = await eventsOf(
        await openai.responses.retrieve(id, {
          stream: true,
          starting_after: event.sequence_number,
        }),
      );
      expect(rest).toEqual(events.slice(index + 1));
    }
    const helper = openai.responses.stream({ response_id: id, starting_after: numbers[5] ?? 0 });
    const final = await helper.finalResponse();
    expect(final.output_text).toBe("Hello 你好");
    expect(await openai.responses.retrieve(id)).toMatchObject({ output: end.response.output });
  });

  it("shows tools that run here as calls that are not the client's to run", async () => {
    model.enqueue({
      tokens: ["Let me see. "],
      toolCalls: [{ id: "c1", name: "calculator", arguments: { expression: "2 + 2" } }],
    });
    model.enqueue({ tokens: ["It is ", "4."] });
    const stream = openai.responses.stream({ model: "reckoner", input: "2 + 2?" });
    const response = await stream.finalResponse();
    expect(response.output.map(({ type }) => type)).toEqual(["message", "mcp_call", "message"]);
    expect(response.output[1]).toMatchObject({
      server_label: "reckoner",
      name: "calculator",
      status: "completed",
      output: expect.stringContaining("4"),
      error: null,
    });
    expect(JSON.parse((response.output[1] as { arguments: string }).arguments)).toEqual({
      expression: "2 + 2",
    });
    const messageId = response.id.replace("resp_", "");
    const { body } = await native.get<{ content: string }>(`/chat/message/${messageId}`);
    expect(response.output_text).toBe(body.content);
    expect(body.content).toMatch(/^Let me see\.\s+It is 4\.$/);
  });

  it("goes on from another one, and branches where that has been followed", async () => {
    const first = await create("a");
    const second = await create("b", { previous_response_id: first.id });
    const other = await create("c", { previous_response_id: first.id });
    expect(second.conversation).toEqual(first.conversation);
    expect(other.previous_response_id).toBe(first.id);
    const sessionId = first.conversation?.id.replace("conv_", "");
    const { body } = await native.get<{ messages: { content: string }[] }>(
      `/chat/history/${sessionId}`,
    );
    expect(body.messages.map(({ content }) => content)).toEqual([
      "a",
      "You said: a",
      "c",
      "You said: c",
    ]);
    const further = await create("d", { conversation: first.conversation?.id });
    expect(further.conversation).toEqual(first.conversation);
    const request = model.requests.findLast((each) => lastUserText(each) === "d");
    const told = ((request?.body["messages"] ?? []) as { content: string }[]).slice(-5);
    expect(told.map(({ content }) => content)).toEqual([
      "a",
      "You said: a",
      "c",
      "You said: c",
      "d",
    ]);
    const both = create("e", {
      conversation: first.conversation?.id,
      previous_response_id: first.id,
    });
    await expect(both).rejects.toMatchObject({ status: 400 });
  });

  it("runs in the background, and stops when that is asked for", async () => {
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["a ", "b"],
      pace: (index) => (index === 1 ? gate.promise : undefined),
    });
    const begun = await create("background", { background: true });
    expect(["queued", "in_progress"]).toContain(begun.status);
    expect(begun.background).toBe(true);
    await eventually("it has begun to speak", async () => {
      const { output_text: text } = await openai.responses.retrieve(begun.id);
      return text === "a ";
    });
    const stopped = await openai.responses.cancel(begun.id);
    gate.resolve();
    expect(stopped).toMatchObject({
      status: "cancelled",
      output: [{ status: "incomplete", content: [{ text: "a " }] }],
    });
    expect(await openai.responses.cancel(begun.id)).toMatchObject({ status: "cancelled" });
    const events = await eventsOf(await openai.responses.retrieve(begun.id, { stream: true }));
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: { status: "cancelled" },
    });
  });

  it("tells of a failure with what had come", async () => {
    model.enqueue({ tokens: ["half "], fault: { kind: "die" } });
    const events = await eventsOf(
      await openai.responses.create({ model: agent, input: "fail", stream: true }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: {
        status: "failed",
        error: { code: "server_error" },
        output: [{ type: "message" }],
      },
    });
  });

  it("is incomplete where the model had to stop", async () => {
    model.enqueue({ tokens: ["long"], finishReason: "length" });
    expect(await create("much")).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    });
  });

  it("has no parts but those that it came to", async () => {
    const { id } = await create("whole");
    for (const part of [`${id}_2`, `${id}_99`]) {
      await expect(openai.responses.retrieve(part)).rejects.toMatchObject({ status: 404 });
      const further = create("more", { previous_response_id: part });
      await expect(further).rejects.toMatchObject({ status: 404 });
    }
    const asked = id.replace("resp_", "").toUpperCase();
    expect(await openai.responses.retrieve(`resp_${asked}`)).toMatchObject({ id });
  });

  it.each<[string, number, object]>([
    ["conversation", 400, { conversation: 4 }],
    ["text", 400, { text: 5 }],
    ["text.format", 400, { text: { format: { type: "zz" } } }],
    ["text.format", 400, { text: { format: { type: "json_schema" } } }],
    ["metadata", 400, { metadata: { key: "x".repeat(513) } }],
  ])("%s is refused where it is none", async (param, status, more) => {
    await expect(create("Hi", more)).rejects.toMatchObject({ status, param });
  });

  it("is deleted with its question", async () => {
    const response = await create("gone");
    await openai.responses.delete(response.id);
    await expect(openai.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
    await expect(openai.responses.retrieve("resp_1")).rejects.toMatchObject({ status: 404 });
  });

  it("leaves nothing behind where nothing is to be stored", async () => {
    const secret = await create("secret", { store: false });
    const next = await create("go on", { previous_response_id: secret.id });
    expect([secret, next]).toMatchObject([{ store: false }, { store: false }]);
    const { body } = await native.get<{ sessions: object[] }>(`/sessions?user_id=${user}`);
    expect(body.sessions).toEqual([]);
  });

  it("belongs to a conversation, which is made, noted on, read and deleted", async () => {
    const made = await openai.conversations.create({ metadata: { topic: "x" } });
    expect(made).toMatchObject({ object: "conversation", metadata: { topic: "x" } });
    for (const text of ["a", "b"]) await create(text, { conversation: made.id });
    const texts: string[] = [];
    for await (const item of openai.conversations.items.list(made.id, { limit: 3 })) {
      if (item.type !== "message") continue;
      texts.push(...item.content.map((part) => ("text" in part ? part.text : "")));
    }
    expect(texts).toEqual(["You said: b", "b", "You said: a", "a"]);
    const noted = await openai.conversations.update(made.id, { metadata: { more: "y" } });
    expect(noted.metadata).toEqual({ more: "y" });
    expect(await openai.conversations.retrieve(made.id)).toEqual(noted);
    expect(await openai.conversations.delete(made.id)).toMatchObject({ deleted: true });
    await expect(openai.conversations.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  });

  it("follows what was put into its conversation, which nobody answered", async () => {
    const said = (role: "user" | "assistant", content: string) => ({
      type: "message" as const,
      role,
      content,
    });
    const made = await openai.conversations.create({ items: [said("user", "My name is Ann.")] });
    const added = await openai.conversations.items.create(made.id, {
      items: [said("assistant", "Hello Ann."), said("user", "And I am seven.")],
      include: ["message.output_text.logprobs"],
    });
    expect(faultsOf("ConversationItemList", added)).toBe("");
    expect(added.data).toMatchObject([
      { role: "assistant", content: [{ text: "Hello Ann." }] },
      { role: "user", content: [{ text: "And I am seven." }] },
    ]);
    await create("Who am I?", { conversation: made.id });
    const request = model.requests.findLast((each) => lastUserText(each).includes("Who am I?"));
    // Messages of one role that follow one another are told as one.
    const told = JSON.stringify(request?.body["messages"]);
    expect(told).toMatch(/name is Ann\..*Hello Ann\..*I am seven\..*Who am I\?/);
    const [first] = added.data;
    const itemId = first?.id ?? "";
    const item = await openai.conversations.items.retrieve(itemId, { conversation_id: made.id });
    expect(item).toEqual(first);
    const after = { after: itemId, order: "asc" } as const;
    const behind = await openai.conversations.items.list(made.id, after);
    expect(behind.data.map(({ id }) => id)[0]).toBe(added.data[1]?.id);
    const left = await openai.conversations.items.delete(itemId, { conversation_id: made.id });
    expect(left.id).toBe(made.id);
    expect((await openai.conversations.items.list(made.id)).data).toHaveLength(1);
  });

  it("has items that are put once, where the answer was lost", async () => {
    const { id } = await openai.conversations.create({});
    for (const bytes of ["request", 0] as const) {
      const proxy = await startCuttingProxy(service.url, bytes);
      const content = `Once, ${bytes}.`;
      await openAiClient(proxy.url, user).conversations.items.create(id, {
        items: [{ type: "message", role: "user", content }],
      });
      proxy.close();
    }
    expect((await openai.conversations.items.list(id)).data).toHaveLength(2);
  });

  it("refuses items and places in lists that are none", async () => {
    const { id } = await openai.conversations.create({});
    const put = (items: unknown) => openai.conversations.items.create(id, { items: items as [] });
    const message = { type: "message", role: "user", content: "x" };
    const call = { type: "function_call", call_id: "1", name: "f", arguments: "{}" };
    for (const items of [[call], [{ ...message, role: "system" }], [{ ...message, content: "" }]]) {
      await expect(put(items)).rejects.toMatchObject({ status: 400 });
    }
    await expect(put(Array.from({ length: 21 }, () => message))).rejects.toMatchObject({
      status: 422,
    });
    await expect(put([])).rejects.toMatchObject({ status: 422 });
    const gone = { status: 404, code: "message_not_found" };
    const { id: responseId } = await create("Hi");
    for (const after of ["msg_none", `msg_${randomUUID()}`]) {
      await expect(openai.conversations.items.list(id, { after })).rejects.toMatchObject(gone);
      const items = openai.responses.inputItems.list(responseId, { after });
      await expect(items).rejects.toMatchObject(gone);
      const item = openai.conversations.items.retrieve(after, { conversation_id: id });
      await expect(item).rejects.toMatchObject(gone);
      const deleted = openai.conversations.items.delete(after, { conversation_id: id });
      await expect(deleted).rejects.toMatchObject(gone);
    }
  });

  it("says what is not served here, over a WebSocket too", async () => {
    const unsupported = { status: 400, code: "unsupported", type: "invalid_request_error" };
    await expect(openai.responses.compact({ model: agent })).rejects.toMatchObject(unsupported);
    await expect(openai.responses.inputTokens.count({})).rejects.toMatchObject(unsupported);
    const socket = new WebSocket(`${service.url.replace("http", "ws")}/v1/responses`);
    const [, refusal] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    expect(refusal.statusCode).toBe(405);
    expect(JSON.parse(await text(refusal))).toMatchObject({
      error: { code: "method_not_allowed" },
    });
  });

  it.each(["request", 0, 1] as const)("cut after %s bytes is made once", async (bytes) => {
    const text = `cut ${randomUUID()}`;
    const proxy = await startCuttingProxy(service.url, bytes);
    const client = openAiClient(proxy.url, user);
    const response = await client.responses.create({ model: agent, input: text });
    proxy.close();
    expect(response.output_text).toBe(`You said: ${text}`);
    expect(service.callsFor(text)).toBe(1);
  });

  it.each([
    ["tools", { tools: [{ type: "web_search" }] }, "unsupported_parameter"],
    ["input", { input: [] }, "bad_request"],
    ["input[0]", { input: [1] }, "bad_request"],
  ])("%s is refused by its name", async (param, more, code) => {
    await expect(create("x", more)).rejects.toMatchObject({ status: 400, code, param });
  });
});
