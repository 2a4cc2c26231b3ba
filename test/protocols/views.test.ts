import { randomUUID } from "node:crypto";
import type OpenAI from "openai";
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { faultsOf } from "../support/openai-schemas.ts";
import { openAiClient } from "../support/protocol-service.ts";

let acted: ActedService;
let openai: OpenAI;
beforeAll(async () => {
  acted = await startActedService(scripts);
  openai = openAiClient(acted.url, "viewer");
});
afterAll(() => acted.close());

const model = "actor";
const nativeOf = async (messageId: string) =>
  (await (await acted.native.follow(messageId)).all()).at(-1);

async function streamed(input: string, more: object = {}) {
  const stream = await openai.responses.create({ model, input, ...more, stream: true });
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  const end = events.at(-1) as { type: string; response: Response };
  return { events, end: end.response, type: end.type };
}

/** The text and the items that a reader has who takes the events one by one. */
function read(events: readonly ResponseStreamEvent[]) {
  const text: Record<number, string> = {};
  for (const event of events) {
    if (event.type === "response.output_text.delta") {
      text[event.output_index] = (text[event.output_index] ?? "") + event.delta;
    }
  }
  return text;
}

describe("one reply through every view", () => {
  it("has the same text, tools and usage", async () => {
    const { events, end } = await streamed("everything");
    const messageId = end.id.replace("resp_", "");
    const told = await nativeOf(messageId);
    expect(told).toMatchObject({
      type: "conversation_complete",
      full_response: "First. 你好, world.",
    });
    const texts = end.output.flatMap((item) =>
      item.type === "message" ? item.content.map((part) => ("text" in part ? part.text : "")) : [],
    );
    expect(texts.join("")).toBe(told?.["full_response"]);
    expect(Object.values(read(events))).toEqual(texts);
    expect(end.usage).toMatchObject({ input_tokens: 7, output_tokens: 11, total_tokens: 18 });
    expect(end.output.map(({ type }) => type)).toEqual([
      "reasoning",
      "message",
      "mcp_call",
      "mcp_call",
      "message",
    ]);
    expect(end.output[2]).toMatchObject({
      name: "look",
      arguments: '{"at":"x"}',
      output: '{"seen":1}',
      status: "completed",
    });
    expect(end.output[3]).toMatchObject({
      name: "fail",
      arguments: "{}",
      output: null,
      status: "failed",
    });
    // Items come, change and end under one id and in one place.
    for (const [index, item] of end.output.entries()) {
      const ofItem = events.filter(
        (event) => "output_index" in event && event.output_index === index,
      );
      expect(ofItem[0]).toMatchObject({
        type: "response.output_item.added",
        item: { id: item.id },
      });
      expect(ofItem.at(-1)).toMatchObject({ type: "response.output_item.done", item });
    }

    const completion = await openai.chat.completions.create({
      model,
      messages: [{ role: "user", content: "everything" }],
    });
    const [choice] = completion.choices;
    expect(choice?.message).toMatchObject({
      content: told?.["full_response"],
      reasoning_content: "Let me think.",
    });
    expect(choice?.message.tool_calls).toBeUndefined();
    expect(completion.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 11 });
  });

  it("is right in the end where the agent took something back", async () => {
    const { events, end } = await streamed("replaced");
    expect(end.output).toMatchObject([
      { type: "message", content: [{ text: "Right words and more" }] },
    ]);
    expect(Object.values(read(events))).toEqual(["Wrong words", "Right words and more"]);
    const helper = openai.responses.stream({ model, input: "replaced" });
    expect((await helper.finalResponse()).output_text).toBe("Right words and more");
    const whole = await openai.chat.completions.create({
      model,
      messages: [{ role: "user", content: "replaced" }],
    });
    expect(whole.choices[0]?.message.content).toBe("Right words and more");
    const longer = await streamed("extended");
    expect(Object.values(read(longer.events))).toEqual(["Right words"]);
    expect(longer.end).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    });
  });

  it("resumes behind each of its events as if nothing had been", async () => {
    for (const input of ["everything", "replaced"]) {
      const { events, end } = await streamed(input);
      for (const [index, { sequence_number: after }] of events.entries()) {
        const stream = await openai.responses.retrieve(end.id, {
          stream: true,
          starting_after: after,
        });
        const rest: ResponseStreamEvent[] = [];
        for await (const event of stream) rest.push(event);
        expect(rest).toEqual(events.slice(index + 1));
      }
    }
  });
});

describe("a reply that waits", () => {
  it("for a confirmation asks for it, and goes on as the next response", async () => {
    const { end } = await streamed("confirm");
    expect(end.status).toBe("completed");
    expect(end.output).toMatchObject([
      { type: "message", content: [{ text: "May I? " }] },
      {
        type: "mcp_approval_request",
        id: `mcpr_${end.id.slice(5)}_1_r1`,
        name: "erase",
        arguments: '{"what":"all"}',
      },
    ]);
    const before = acted.runs();
    const next = await openai.responses.create({
      model,
      previous_response_id: end.id,
      input: [
        {
          type: "mcp_approval_response",
          approval_request_id: "mcpr_r1",
          approve: false,
          reason: "no",
        },
      ],
    });
    expect(acted.decided.at(-1)).toEqual([{ id: "r1", approved: false, note: "no" }]);
    expect(next).toMatchObject({ id: `${end.id}_2`, status: "completed", output_text: "Done." });
    expect(await openai.responses.retrieve(next.id)).toMatchObject({ output_text: "Done." });
    expect(await openai.responses.retrieve(end.id)).toMatchObject({ output: end.output });
    expect(acted.runs()).toBe(before);
    const again = openai.responses.create({
      model,
      previous_response_id: end.id,
      input: [{ type: "mcp_approval_response", approval_request_id: "mcpr_r1", approve: true }],
    });
    await expect(again).rejects.toMatchObject({ status: 409, code: "message_not_running" });
  });

  it("for its client is answered by that, and a repeated answer is one", async () => {
    const { end } = await streamed("external");
    expect(end.output.slice(1)).toMatchObject([
      { type: "function_call", call_id: "e1", name: "open_door", arguments: '{"door":2}' },
      { type: "function_call", call_id: "i1", name: "form" },
    ]);
    const answer = {
      model,
      previous_response_id: end.id,
      input: [
        { type: "function_call_output" as const, call_id: "e1", output: "open" },
        { type: "function_call_output" as const, call_id: "i1", output: '{"age": 7}' },
      ],
    };
    const next = await openai.responses.create(answer);
    expect(next.output_text).toBe("Done.");
    expect(acted.decided.at(-1)).toEqual([
      { id: "e1", approved: true, result: "open" },
      { id: "i1", approved: true, result: { age: 7 } },
    ]);
    const count = acted.decided.length;
    const repeat = await openai.responses.create(answer, {
      headers: { "x-stainless-retry-count": "1" },
    });
    expect(repeat).toEqual(next);
    expect(acted.decided).toHaveLength(count);
  });

  it("says so in a completion: calls for its client, and nothing to call for a confirmation", async () => {
    const confirm = await openai.chat.completions.create({
      model,
      messages: [{ role: "user", content: "confirm" }],
    });
    expect(confirm).toMatchObject({
      choices: [{ finish_reason: "stop", message: { content: "May I? " } }],
      chat_service: {
        message_id: confirm.id.replace("chatcmpl-", ""),
        requirements: [{ id: "r1" }],
      },
    });
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "external" }];
    const stream = openai.chat.completions.stream({ model, messages });
    const called = await stream.finalChatCompletion();
    const [choice] = called.choices;
    expect(choice?.finish_reason).toBe("tool_calls");
    const calls = choice?.message.tool_calls ?? [];
    expect(calls).toMatchObject([
      { type: "function", function: { name: "open_door", arguments: '{"door":2}' } },
      { type: "function", function: { name: "form" } },
    ]);
    const answers = calls.map(({ id }) => ({
      role: "tool" as const,
      tool_call_id: id,
      content: "7",
    }));
    const next = await openai.chat.completions.create({
      model,
      messages: [...messages, { role: "assistant", tool_calls: calls }, ...answers],
    });
    expect(next.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "Done." } });
    expect(acted.decided.at(-1)?.map(({ id, result }) => [id, result])).toEqual([
      ["e1", "7"],
      ["i1", 7],
    ]);
  });

  it("gives way to a new message, which nobody would answer otherwise", async () => {
    const { end } = await streamed("confirm", { metadata: { test: randomUUID() } });
    const next = await openai.responses.create({
      model,
      input: "extended",
      previous_response_id: end.id,
    });
    expect(next.output_text).toBe("Right words");
  });
});

describe("what clients of other makers test", () => {
  const post = async (body: object): Promise<Response> => {
    const answer = await fetch(`${acted.url}/v1/responses`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-user-id": "viewer" },
      body: JSON.stringify({ model, ...body }),
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as Response;
  };

  // The six cases of Open Responses' compliance tester.
  it.each<[string, () => Promise<Response>]>([
    ["a basic response", () => post({ input: "replaced" })],
    ["a streaming response", async () => (await streamed("everything")).end],
    [
      "a system prompt",
      () =>
        post({
          input: [
            { type: "message", role: "system", content: "Be brief." },
            { type: "message", role: "user", content: "replaced" },
          ],
        }),
    ],
    ["the call of a tool", () => post({ input: "external" })],
    [
      "several turns",
      () =>
        post({
          input: [
            { type: "message", role: "user", content: "Hi" },
            { type: "message", role: "assistant", content: "Hello" },
            { type: "message", role: "user", content: "replaced" },
          ],
        }),
    ],
    [
      "a previous response",
      async () => {
        const { id } = await post({ input: "replaced" });
        const next = await post({ input: "everything", previous_response_id: id });
        expect(next.previous_response_id).toBe(id);
        return next;
      },
    ],
  ])("%s is as OpenAI's document has it", async (_name, made) => {
    const response = await made();
    expect(response.status).toBe("completed");
    expect(faultsOf("Response", response)).toBe("");
    const again = (await openaiJson(`/v1/responses/${response.id}`)) as Response;
    expect(faultsOf("Response", again)).toBe("");
    expect(again.output).toEqual(response.output);
  });

  const openaiJson = async (path: string, init: RequestInit = {}): Promise<unknown> =>
    (
      await fetch(acted.url + path, {
        ...init,
        headers: { "x-user-id": "viewer", ...init.headers },
      })
    ).json();

  it("every other object is as OpenAI's document has it", async () => {
    const { id, conversation } = await post({ input: "replaced" });
    const named = `/v1/conversations/${conversation?.id}`;
    const completion = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "everything" }] }),
    };
    for (const [schema, path, init] of [
      ["ListModelsResponse", "/v1/models"],
      ["Model", `/v1/models/${model}`],
      ["ResponseItemList", `/v1/responses/${id}/input_items`],
      ["ConversationResource", named],
      ["ConversationItemList", `${named}/items`],
      ["CreateChatCompletionResponse", "/v1/chat/completions", completion],
      ["ErrorResponse", "/v1/models/nobody"],
      ["ErrorResponse", "/v1/nothing"],
      ["DeletedConversationResource", named, { method: "DELETE" }],
    ] as const) {
      expect(faultsOf(schema, await openaiJson(path, init)), path).toBe("");
    }
  });
});

it("nothing of it is there where it is switched off", async () => {
  const elsewhere = await startActedService(scripts, { PROTOCOLS_OPENAI: "false" });
  const { body } = await elsewhere.native.get("/v1/models");
  expect(body).toMatchObject({ success: false, error: { code: 404, type: "not_found" } });
  await elsewhere.close();
});
