import { argumentPieces, wordPieces, type Dialect } from "./dialect.ts";
import { openai } from "./openai.ts";

type Fields = Readonly<Record<string, unknown>>;

const responseId = "resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654";

const response = (status: string, more: Fields = {}) => ({
  id: responseId,
  object: "response",
  created_at: 1_741_290_958,
  status,
  background: false,
  error: null,
  incomplete_details: null,
  instructions: "You are a helpful assistant.",
  max_output_tokens: null,
  model: "gpt-5.2-2025-12-11",
  output: [],
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: "medium", summary: null },
  store: false,
  temperature: 1,
  text: { format: { type: "text" }, verbosity: "medium" },
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  truncation: "disabled",
  usage: null,
  user: null,
  metadata: {},
  ...more,
});

const used = {
  input_tokens: 12,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 34,
  output_tokens_details: { reasoning_tokens: 20 },
  total_tokens: 46,
};

/** Named and numbered, as this protocol sends them; there is no `[DONE]`. */
function stream(...values: readonly Fields[]): string {
  return values
    .map((value, index) => {
      const data = JSON.stringify({ ...value, sequence_number: index });
      return `event: ${String(value["type"])}\ndata: ${data}\n\n`;
    })
    .join("");
}

const messageId = "msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654";
const message = (status: string, content: readonly Fields[]) => ({
  id: messageId,
  type: "message",
  status,
  role: "assistant",
  content,
});
const part = (text: string) => ({
  type: "output_text",
  annotations: [],
  logprobs: [],
  text,
});
const whole = wordPieces.join("");
const reasoning = (sealed: string | null) => ({
  id: "rs_6820f383d7c08191846711c5df8233bc0ac5ba57aafcbac7",
  type: "reasoning",
  summary: [],
  ...(sealed !== null && { encrypted_content: sealed }),
});
const call = (status: string, text: string) => ({
  id: "fc_67ca09c6bedc8190a7abfec07b1a1332096610f474011cc0",
  type: "function_call",
  status,
  arguments: text,
  call_id: "call_unLAR8MvFNptuiZK6K6HCy5k",
  name: "current_time",
});
const begun = [
  { type: "response.created", response: response("in_progress") },
  { type: "response.in_progress", response: response("in_progress") },
  { type: "response.output_item.added", output_index: 0, item: reasoning(null) },
  { type: "response.output_item.done", output_index: 0, item: reasoning("gAAAAABsealed") },
];
const place = { item_id: messageId, output_index: 1, content_index: 0 };

/** OpenAI's other protocol. Its models think, and seal their thoughts. */
export const openaiResponses: Dialect = {
  name: "OpenAI, Responses API",
  api: "responses",
  sources: [
    "https://platform.openai.com/docs/api-reference/responses-streaming",
    "https://platform.openai.com/docs/guides/function-calling?api-mode=responses",
    "https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items",
    "https://github.com/openai/openai-openapi (ResponseStreamEvent)",
  ],
  basePath: "/v1",
  needsKey: true,
  models: openai.models,
  thinks: false,
  said: stream(
    ...begun,
    { type: "response.output_item.added", output_index: 1, item: message("in_progress", []) },
    { type: "response.content_part.added", ...place, part: part("") },
    ...wordPieces.map((delta) => ({
      type: "response.output_text.delta",
      ...place,
      delta,
      logprobs: [],
      obfuscation: "x7Ks",
    })),
    { type: "response.output_text.done", ...place, text: whole, logprobs: [] },
    { type: "response.content_part.done", ...place, part: part(whole) },
    {
      type: "response.output_item.done",
      output_index: 1,
      item: message("completed", [part(whole)]),
    },
    {
      type: "response.completed",
      response: response("completed", {
        output: [reasoning("gAAAAABsealed"), message("completed", [part(whole)])],
        usage: used,
      }),
    },
  ),
  called: stream(
    ...begun,
    { type: "response.output_item.added", output_index: 1, item: call("in_progress", "") },
    ...argumentPieces.map((delta) => ({
      type: "response.function_call_arguments.delta",
      item_id: call("", "").id,
      output_index: 1,
      delta,
    })),
    {
      type: "response.function_call_arguments.done",
      item_id: call("", "").id,
      output_index: 1,
      arguments: argumentPieces.join(""),
    },
    {
      type: "response.output_item.done",
      output_index: 1,
      item: call("completed", argumentPieces.join("")),
    },
    {
      type: "response.completed",
      response: response("completed", {
        output: [reasoning("gAAAAABsealed"), call("completed", argumentPieces.join(""))],
        usage: used,
      }),
    },
  ),
  wantsBack: {
    items: [
      { type: "reasoning", encrypted_content: "gAAAAABsealed" },
      { type: "function_call", call_id: "call_unLAR8MvFNptuiZK6K6HCy5k" },
    ],
  },
  refusals: {
    ...openai.refusals,
    tooLong: {
      status: 400,
      body: {
        error: {
          message:
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
          type: "invalid_request_error",
          param: "input",
          code: "context_length_exceeded",
        },
      },
    },
  },
};
