import {
  argumentPieces,
  done,
  events,
  thought,
  thoughtPieces,
  wordPieces,
  type Dialect,
} from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "f4a1d2c3-7e9f-4f1b-8a41-1c8a2f8c1c1e",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  model: "deepseek-reasoner",
  system_fingerprint: "fp_393bca965e_prod0623_fp8_kvcache",
  choices,
  ...more,
});
const delta = (given: object, reason: string | null = null, more: object = {}) =>
  chunk([{ index: 0, delta: given, logprobs: null, finish_reason: reason }], more);
/** The usage comes with the last choice. */
const end = (reason: string) =>
  delta({ content: "", reasoning_content: null }, reason, {
    usage: {
      prompt_tokens: 12,
      completion_tokens: 34,
      total_tokens: 46,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 20 },
      prompt_cache_hit_tokens: 0,
      prompt_cache_miss_tokens: 12,
    },
  });
const begin = delta({ role: "assistant", content: null, reasoning_content: "" });
const thinking = thoughtPieces.map((text) => delta({ content: null, reasoning_content: text }));
const error = (message: string, type: string, code: string) => ({
  error: { message, type, param: null, code },
});

export const deepseek: Dialect = {
  name: "DeepSeek",
  sources: [
    "https://api-docs.deepseek.com/api/create-chat-completion",
    "https://api-docs.deepseek.com/api/list-models",
    "https://api-docs.deepseek.com/guides/thinking_mode",
    "https://api-docs.deepseek.com/quick_start/error_codes",
    "https://api-docs.deepseek.com/quick_start/rate_limit",
  ],
  basePath: "/v1",
  needsKey: true,
  models: {
    answer: {
      object: "list",
      data: ["deepseek-chat", "deepseek-reasoner"].map((id) => ({
        id,
        object: "model",
        owned_by: "deepseek",
      })),
    },
    ids: ["deepseek-chat", "deepseek-reasoner"],
  },
  thinks: true,
  said: events(
    ": keep-alive",
    ": keep-alive",
    begin,
    ...thinking,
    ...wordPieces.map((content) => delta({ content, reasoning_content: null })),
    end("stop"),
    done,
  ),
  called: events(
    ": keep-alive",
    begin,
    ...thinking,
    delta({
      content: null,
      reasoning_content: null,
      tool_calls: [
        {
          index: 0,
          id: "call_00_AbCdEf",
          type: "function",
          function: { name: "current_time", arguments: "" },
        },
      ],
    }),
    ...argumentPieces.map((piece) =>
      delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] }),
    ),
    end("tool_calls"),
    done,
  ),
  // Without its thoughts the second round is refused with 400.
  wantsBack: { message: { reasoning_content: thought } },
  refusals: {
    badKey: {
      status: 401,
      body: error(
        "Authentication Fails, Your api key: ****abcd is invalid",
        "authentication_error",
        "invalid_request_error",
      ),
    },
    unknownModel: {
      status: 400,
      body: error("Model Not Exist", "invalid_request_error", "invalid_request_error"),
    },
    tooLong: {
      status: 400,
      body: error(
        "This model's maximum context length is 131072 tokens. However, you requested 250012 tokens (250012 in the messages, 0 in the completion). Please reduce the length of the messages or completion.",
        "invalid_request_error",
        "invalid_request_error",
      ),
    },
    overloaded: {
      status: 503,
      body: error(
        "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
        "service_unavailable_error",
        "service_unavailable_error",
      ),
    },
  },
};
