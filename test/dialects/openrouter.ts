import {
  argumentPieces,
  done,
  events,
  thoughtPieces,
  wordPieces,
  type Dialect,
} from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "gen-1755000000-4MmKz9wY0nBdYb2Tq1cS",
  provider: "DeepInfra",
  model: "qwen/qwen3-8b",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  choices,
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([
    {
      index: 0,
      delta: { role: "assistant", content: "", ...given },
      finish_reason: reason,
      native_finish_reason: reason,
      logprobs: null,
    },
  ]);
/** The usage comes with a choice that says nothing. */
const used = {
  ...delta({}),
  usage: {
    prompt_tokens: 12,
    completion_tokens: 34,
    total_tokens: 46,
    cost: 0.000_007,
    cost_details: { upstream_inference_cost: null },
    completion_tokens_details: { reasoning_tokens: 20 },
  },
};
const waiting = ": OPENROUTER PROCESSING";
const thinking = thoughtPieces.map((text) =>
  delta({
    reasoning: text,
    reasoning_details: [{ type: "reasoning.text", text, format: "unknown", index: 0 }],
  }),
);

export const openrouter: Dialect = {
  name: "OpenRouter",
  sources: [
    "https://openrouter.ai/docs/api/reference/streaming",
    "https://openrouter.ai/docs/api/reference/errors-and-debugging",
    "https://openrouter.ai/docs/api-reference/list-available-models",
    "https://openrouter.ai/docs/use-cases/reasoning-tokens",
    "https://github.com/refly-ai/refly/issues/1177",
  ],
  basePath: "/api/v1",
  needsKey: true,
  models: {
    answer: {
      data: ["qwen/qwen3-8b", "openai/gpt-5.2"].map((id) => ({
        id,
        canonical_slug: id,
        hugging_face_id: "",
        name: id,
        created: 1_755_000_000,
        description: "A model.",
        context_length: 40_960,
        architecture: { modality: "text->text", input_modalities: ["text"] },
        pricing: { prompt: "0.000000035", completion: "0.000000138" },
        top_provider: { context_length: 40_960, max_completion_tokens: null },
        supported_parameters: ["tools", "temperature"],
      })),
    },
    ids: ["qwen/qwen3-8b", "openai/gpt-5.2"],
  },
  thinks: true,
  said: events(
    waiting,
    waiting,
    ...thinking,
    ...wordPieces.map((content) => delta({ content })),
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    waiting,
    ...thinking,
    delta({
      content: null,
      tool_calls: [
        {
          index: 0,
          id: "call_8f1c",
          type: "function",
          function: { name: "current_time", arguments: "" },
        },
      ],
    }),
    ...argumentPieces.map((piece) =>
      delta({
        content: null,
        tool_calls: [
          { index: 0, id: null, type: "function", function: { name: null, arguments: piece } },
        ],
      }),
    ),
    delta({}, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: { status: 401, body: { error: { message: "No auth credentials found", code: 401 } } },
    unknownModel: {
      status: 400,
      body: {
        error: { message: "none/none is not a valid model ID", code: 400 },
        user_id: "user_1",
      },
    },
    tooLong: {
      status: 400,
      body: {
        error: {
          message:
            'This endpoint\'s maximum context length is 32768 tokens. However, you requested about 42832 tokens (42832 of text input). Please reduce the length of either one, or use the "middle-out" transform to compress your prompt automatically.',
          code: 400,
          metadata: { provider_name: null },
        },
      },
    },
    overloaded: {
      status: 429,
      headers: { "retry-after": "1" },
      body: {
        error: {
          message: "Provider returned error",
          code: 429,
          metadata: {
            raw: "qwen/qwen3-8b is temporarily rate-limited upstream. Please retry shortly.",
            provider_name: "DeepInfra",
          },
        },
      },
    },
  },
};
