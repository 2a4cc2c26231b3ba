import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Problem } from "../../../problems/problem.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { readJson } from "../../../../test/support/openai-server.ts";
import { runRequest } from "../../agent-backend.contract.ts";
import { AgentInterrupted, type AgentEvent, type RunRequest } from "../../agent-backend.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import { createModelsBackend, type ModelsBackend } from "./models-backend.ts";
import { createResponseReader } from "./responses-stream.ts";

/** The Responses API; `test/dialects/openai-responses.ts` has what OpenAI sends. */

type Fields = Readonly<Record<string, unknown>>;
type Answer = readonly Fields[] | { readonly status: number; readonly error: Fields } | Fields;

let server: Server;
let backend: ModelsBackend;
let answers: Answer[];
let bodies: Fields[];
const never = new AbortController().signal;

beforeEach(async () => {
  answers = [];
  bodies = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    bodies.push(await readJson(request));
    const answer = answers.shift();
    if (Array.isArray(answer)) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of answer as readonly Fields[]) {
        response.write(`event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`);
      }
      response.end();
    } else {
      const { status = 200, ...body } = (answer ?? {}) as Fields;
      const isStatus = typeof status === "number";
      response.writeHead(isStatus ? status : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(isStatus ? body : answer));
    }
  };
  server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  backend = createModelsBackend({
    endpoint: {
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      apiKey: null,
      api: "responses",
    },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [{ id: "a", name: "A", instructions: "Be brief.", tools: ["current_time"] }],
    defaultAgents: false,
    defaultModel: "m",
    historyMessages: 0,
    timeoutMs: 60_000,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
});

afterEach(async () => {
  await backend.close();
  server.closeAllConnections();
  server.close();
});

const text = (delta: string, output_index = 0) => ({
  type: "response.output_text.delta",
  output_index,
  delta,
});
const ended = (status: string, more: Fields = {}) => ({
  type: `response.${status}`,
  response: { object: "response", status, error: null, output: [], ...more },
});
const message = (words: string, id = "msg_1") => ({
  type: "message",
  id,
  role: "assistant",
  content: [{ type: "output_text", text: words, annotations: [] }],
});

async function hear(changes: Partial<RunRequest> = {}) {
  const events: AgentEvent[] = [];
  let problem: unknown = null;
  try {
    for await (const event of backend.run(runRequest("a", changes), never)) events.push(event);
  } catch (error) {
    problem = error;
  }
  const said = (type: "text" | "reasoning") =>
    events.map((event) => (event.type === type ? event.text : "")).join("");
  const last = events.at(-1);
  return {
    events,
    text: said("text"),
    reasoning: said("reasoning"),
    reason: last?.type === "finish" ? last.reason : null,
    problem,
    words: problem instanceof Problem ? problem.text("en") : null,
  };
}

test("a turn is sent as items, without anything being kept at the server", async () => {
  answers = [[text("hi"), ended("completed")]];
  await hear({
    message: "what is this?",
    attachments: [{ name: "a.png", mediaType: "image/png", bytes: Buffer.from("png") }],
    settings: {
      temperature: 0,
      maxTokens: 9,
      topP: 0.5,
      reasoningEffort: "low",
      responseFormat: {
        type: "json_schema",
        json_schema: { name: "x", schema: { type: "object" }, strict: true },
      },
    },
    history: () =>
      Promise.resolve([
        { role: "user", content: "hello", agentId: null },
        { role: "assistant", content: "hi", agentId: "a" },
      ]),
  });
  const [body] = bodies;
  expect(body).toMatchObject({
    model: "m",
    stream: true,
    store: false,
    include: ["reasoning.encrypted_content"],
    instructions: "Be brief.",
    input: [
      { role: "user", content: "hello" },
      { role: "assistant", content: "hi" },
      {
        role: "user",
        content: [
          { type: "input_text", text: "what is this?" },
          { type: "input_image", image_url: "data:image/png;base64,cG5n" },
        ],
      },
    ],
    tools: [{ type: "function", name: "current_time", strict: false }],
    tool_choice: "auto",
    temperature: 0,
    max_output_tokens: 9,
    top_p: 0.5,
    reasoning: { effort: "low" },
    text: { format: { type: "json_schema", name: "x", schema: { type: "object" }, strict: true } },
  });
  for (const name of ["messages", "max_tokens", "response_format", "stream_options"]) {
    expect(body).not.toHaveProperty(name);
  }
});

test("what the protocol cannot say is refused, before a reply and in it", async () => {
  expect(backend.settings).not.toContain("stop");
  expect(backend.settings).toContain("maxTokens");
  expect((await hear({ settings: { seed: 1 } })).words).toMatch(/does not take seed/);
  expect(bodies).toEqual([]);
});

test("models that do not think are not asked for sealed thoughts again", async () => {
  const refusal = {
    status: 400,
    error: {
      message: "Encrypted content is not supported with this model.",
      type: "invalid_request_error",
      param: "include",
      code: null,
    },
  };
  answers = [refusal, [text("a"), ended("completed")], [text("b"), ended("completed")]];
  expect((await hear()).text).toBe("a");
  expect((await hear()).text).toBe("b");
  expect(bodies.map((body) => "include" in body)).toEqual([true, false, false]);
});

test("thoughts that a server does not want back are left out, the calls stay", async () => {
  const call = {
    type: "function_call",
    id: "fc",
    call_id: "c1",
    name: "current_time",
    arguments: "",
  };
  const items = [{ type: "reasoning", id: "rs_1", summary: [] }, call];
  answers = [
    [ended("completed", { output: items })],
    {
      status: 400,
      error: { message: "Item 'rs_1' of type 'reasoning' was not found.", code: null },
    },
    [text("noon"), ended("completed")],
  ];
  expect(await hear()).toMatchObject({ text: "noon", reason: "stop" });
  const sent = bodies.map(({ input }) => (input as Fields[]).map(({ type, role }) => type ?? role));
  expect(sent.slice(1)).toEqual([
    ["user", "reasoning", "function_call", "function_call_output"],
    ["user", "function_call", "function_call_output"],
  ]);
  const [, given] = (bodies.at(-1) as Fields)["input"] as Fields[];
  expect(given).toMatchObject({ arguments: "{}", call_id: "c1" });
});

describe("an answer", () => {
  test.each<[what: string, answer: Answer, expected: object]>([
    ["in pieces", [text("a"), text("b"), ended("completed")], { text: "ab", reason: "stop" }],
    [
      "that is only in its last event",
      [ended("completed", { output: [message("whole")] })],
      { text: "whole", reason: "stop" },
    ],
    [
      "as plain JSON",
      { object: "response", status: "completed", error: null, output: [message("whole")] },
      { text: "whole", reason: "stop" },
    ],
    [
      "of two messages",
      [text("one", 0), text("two", 1), ended("completed")],
      { text: "one\n\ntwo", reason: "stop" },
    ],
    [
      "cut at its limit",
      [text("a"), ended("incomplete", { incomplete_details: { reason: "max_output_tokens" } })],
      { text: "a", reason: "length" },
    ],
    [
      "cut by a filter",
      [text("a"), ended("incomplete", { incomplete_details: { reason: "content_filter" } })],
      { text: "a", reason: "content_filter" },
    ],
    [
      "that refuses",
      [
        { type: "response.refusal.delta", output_index: 0, delta: "I cannot." },
        ended("completed", {
          output: [{ type: "message", content: [{ type: "refusal", refusal: "I cannot." }] }],
        }),
      ],
      { text: "I cannot.", reason: "content_filter" },
    ],
    [
      "with a summary of its thoughts",
      [
        { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "Hm" },
        { type: "response.reasoning_summary_part.added", output_index: 0, summary_index: 1 },
        { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "Ah" },
        text("a", 1),
        ended("completed"),
      ],
      { text: "a", reasoning: "Hm\n\nAh", reason: "stop" },
    ],
    [
      "with its thoughts and a summary of them",
      [
        { type: "response.reasoning_text.delta", output_index: 0, delta: "Hm" },
        { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "Short" },
        text("a", 1),
        ended("completed"),
      ],
      { text: "a", reasoning: "Hm", reason: "stop" },
    ],
    [
      "with events that nobody knows",
      [
        { type: "response.web_search_call.searching", output_index: 0 },
        { type: "keepalive", sequence_number: 3 },
        text("a", 1),
        { type: "response.something.new", delta: "no text" },
        ended("completed"),
      ],
      { text: "a", reason: "stop" },
    ],
    [
      "without anything",
      [ended("completed")],
      { text: "", words: expect.stringMatching(/without an answer/) as string },
    ],
    [
      "of thinking until its limit",
      [ended("incomplete", { incomplete_details: { reason: "max_output_tokens" } })],
      { words: expect.stringMatching(/output limit/) as string },
    ],
    [
      "that fails",
      [text("a"), ended("failed", { error: { code: "server_error", message: "secret" } })],
      { text: "a", words: expect.not.stringMatching(/secret/) as string },
    ],
    [
      "that fails for length",
      [
        ended("failed", {
          error: {
            code: "context_length_exceeded",
            message: "Your input exceeds the context window of this model.",
          },
        }),
      ],
      { words: expect.stringMatching(/too long/) as string },
    ],
    [
      "that is an error",
      [{ type: "error", code: "insufficient_quota", message: "You exceeded your current quota" }],
      { words: expect.stringMatching(/no credit/) as string },
    ],
    [
      "that breaks off",
      [text("a")],
      { text: "a", problem: expect.any(AgentInterrupted) as AgentInterrupted },
    ],
    [
      "that was cancelled over there",
      [text("a"), ended("cancelled")],
      { text: "a", problem: expect.any(AgentInterrupted) as AgentInterrupted },
    ],
  ])("%s", async (_what, answer, expected) => {
    answers = Array.from({ length: 5 }, () => answer);
    expect(await hear()).toMatchObject(expected);
  });

  test("with a picture that was made", async () => {
    const item = { type: "image_generation_call", id: "ig", result: "AAAA", output_format: "webp" };
    answers = [
      [
        { type: "response.output_item.done", output_index: 0, item },
        text("x", 1),
        ended("completed"),
      ],
    ];
    const { events } = await hear();
    expect(events.find(({ type }) => type === "media")).toMatchObject({
      kind: "image",
      url: "data:image/webp;base64,AAAA",
    });
  });

  test("of a model that is only there in the other protocol is said to be that", async () => {
    const message = "This model is not supported in the v1/responses endpoint.";
    answers = [{ status: 404, error: { message, code: null } }];
    expect((await hear()).words).toMatch(/MODELS_API/);
  });
});

/** One thought, some messages and calls, as servers tell them: in deltas, in `done`, in the last event or in several. */
test("whatever a server repeats or leaves out is told once", () => {
  const carrier = fc.record({
    deltas: fc.boolean(),
    itemDone: fc.boolean(),
    inLast: fc.boolean(),
    isShifted: fc.boolean(),
    keys: fc.constantFrom("output_index", "item_id", "both"),
  });
  const words = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .map((word) => `w${word}.`);
  fc.assert(
    fc.property(
      fc.array(words, { minLength: 1, maxLength: 3 }),
      fc.array(words, { maxLength: 2 }),
      carrier,
      ([...texts], names, { deltas, itemDone, inLast, isShifted, keys }) => {
        const isTold = deltas || itemDone || inLast;
        const reader = createResponseReader();
        const found: ModelDelta[] = [];
        const read = (value: Fields) => found.push(...reader.read({ event: null, value }));
        const items = [
          ...texts.map((each, index) => message(`${index}${each}`, `msg_${index}`)),
          ...names.map((each, index) => ({
            type: "function_call",
            id: `fc_${index}`,
            call_id: `call_${index}`,
            name: "f",
            arguments: JSON.stringify({ each }),
          })),
        ];
        for (const [index, item] of items.entries()) {
          const place = {
            ...(keys !== "item_id" && { output_index: index }),
            ...(keys !== "output_index" && { item_id: item.id }),
          };
          const isCall = "arguments" in item;
          const begun = isCall ? { ...item, arguments: "" } : { ...item, content: [] };
          read({ type: "response.output_item.added", ...place, item: begun });
          const whole = isCall ? item.arguments : (item.content[0]?.text ?? "");
          const type = isCall
            ? "response.function_call_arguments.delta"
            : "response.output_text.delta";
          if (deltas || !isTold) {
            for (const delta of whole.match(/.{1,4}/gsu) ?? []) read({ type, ...place, delta });
          }
          if (itemDone) read({ type: "response.output_item.done", ...place, item });
        }
        read(
          ended("completed", inLast ? { output: items.slice(isShifted && deltas ? 1 : 0) } : {}),
        );
        found.push(...reader.end());
        const text = found.map((each) => (each.type === "text" ? each.text : "")).join("");
        const end = found.at(-1);
        expect(text).toBe(texts.map((each, index) => `${index}${each}`).join("\n\n"));
        expect(end?.type === "end" && end.toolCalls.map((call) => call.argumentsText)).toEqual(
          names.map((each) => JSON.stringify({ each })),
        );
      },
    ),
    { numRuns: 1_000 },
  );
});
