import { argumentPieces, done, events, wordPieces, type Dialect } from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
  object: "chat.completion.chunk",
  created: 1_741_569_952,
  model: "gpt-5.2-2025-12-11",
  service_tier: "default",
  system_fingerprint: "fp_b376dfbbd5",
  choices,
  usage: null,
  obfuscation: "d3Vk",
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([{ index: 0, delta: given, logprobs: null, finish_reason: reason }]);
const used = chunk([], {
  usage: {
    prompt_tokens: 12,
    completion_tokens: 34,
    total_tokens: 46,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 0 },
  },
});
const error = (
  message: string,
  type: string,
  code: string | null,
  param: string | null = null,
) => ({
  error: { message, type, param, code },
});

export const openai: Dialect = {
  name: "OpenAI",
  sources: [
    "https://platform.openai.com/docs/api-reference/chat-streaming/streaming",
    "https://platform.openai.com/docs/api-reference/models/list",
    "https://platform.openai.com/docs/guides/error-codes",
  ],
  basePath: "/v1",
  needsKey: true,
  models: {
    answer: {
      object: "list",
      data: ["gpt-5.2", "text-embedding-3-small", "whisper-1", "o4-mini", "gpt-image-1"].map(
        (id) => ({ id, object: "model", created: 1_686_935_002, owned_by: "system" }),
      ),
    },
    ids: ["gpt-5.2", "o4-mini"],
  },
  // Its models think, but do not tell it in this protocol.
  thinks: false,
  said: events(
    delta({ role: "assistant", content: "", refusal: null }),
    ...wordPieces.map((content) => delta({ content })),
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    delta({
      role: "assistant",
      content: null,
      tool_calls: [
        {
          index: 0,
          id: "call_DdmO9pD3xa9XTPNJ32zg2hcA",
          type: "function",
          function: { name: "current_time", arguments: "" },
        },
      ],
      refusal: null,
    }),
    ...argumentPieces.map((piece) =>
      delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] }),
    ),
    delta({}, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: {
      status: 401,
      body: error(
        "Incorrect API key provided: sk-abc. You can find your API key at https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        "invalid_api_key",
      ),
    },
    unknownModel: {
      status: 404,
      body: error(
        "The model `none` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
      ),
    },
    tooLong: {
      status: 400,
      body: error(
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130024 tokens. Please reduce the length of the messages.",
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
      ),
    },
    overloaded: {
      status: 503,
      body: error(
        "The engine is currently overloaded, please try again later.",
        "server_error",
        "overloaded",
      ),
    },
  },
};
