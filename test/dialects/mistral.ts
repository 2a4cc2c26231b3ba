import { done, events, thoughtPieces, wordPieces, type Dialect } from "./dialect.ts";

const chunk = (given: object, reason: string | null = null, more: object = {}) => ({
  id: "cmpl-e5cc70bb28c444948073e77776eb30ef",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  model: "magistral-medium-latest",
  choices: [{ index: 0, delta: given, finish_reason: reason }],
  ...more,
});
/** The usage comes with the last choice. */
const usage = { prompt_tokens: 12, total_tokens: 46, completion_tokens: 34 };
const begin = chunk({ role: "assistant", content: "" });
/** Thoughts are parts of the content. */
const thinking = thoughtPieces.map((text) =>
  chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text }] }] }),
);
const error = (message: string, type: string, code: string) => ({
  object: "error",
  message,
  type,
  param: null,
  code,
});

export const mistral: Dialect = {
  name: "Mistral",
  sources: [
    "https://docs.mistral.ai/api/endpoint/chat",
    "https://docs.mistral.ai/api/endpoint/models",
    "https://docs.mistral.ai/capabilities/reasoning",
    "https://docs.rs/crate/mistral-openapi-client/latest/source/docs/CompletionResponseStreamChoice.md",
  ],
  basePath: "/v1",
  needsKey: true,
  models: {
    answer: {
      object: "list",
      data: [
        ["magistral-medium-latest", true],
        ["mistral-embed", false],
        ["mistral-ocr-latest", false],
        ["mistral-small-latest", true],
      ].map(([id, chat]) => ({
        id,
        object: "model",
        created: 1_755_000_000,
        owned_by: "mistralai",
        capabilities: { completion_chat: chat, function_calling: chat, vision: false },
        name: id,
        max_context_length: 131_072,
        aliases: [],
        type: "base",
      })),
    },
    ids: ["magistral-medium-latest", "mistral-small-latest"],
  },
  thinks: true,
  said: events(
    begin,
    ...thinking,
    ...wordPieces.map((content) => chunk({ content })),
    chunk({ content: "" }, "stop", { usage }),
    done,
  ),
  called: events(
    begin,
    ...thinking,
    // Whole, in the last chunk, without a type.
    chunk(
      {
        content: "",
        tool_calls: [
          {
            id: "D681PevKs",
            function: { name: "current_time", arguments: '{"time_zone": "Asia/Tokyo"}' },
            index: 0,
          },
        ],
      },
      "tool_calls",
      { usage },
    ),
    done,
  ),
  refusals: {
    badKey: { status: 401, body: { detail: "Unauthorized" } },
    unknownModel: { status: 400, body: error("Invalid model: none", "invalid_model", "1500") },
    tooLong: {
      status: 400,
      body: error(
        "Prompt contains 150012 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
        "invalid_request_prompt",
        "3051",
      ),
    },
    overloaded: {
      status: 429,
      body: error(
        "Service tier capacity exceeded for this model.",
        "service_tier_capacity_exceeded",
        "3505",
      ),
    },
  },
};
