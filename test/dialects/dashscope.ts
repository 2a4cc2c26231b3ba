import {
  argumentPieces,
  done,
  events,
  thoughtPieces,
  wordPieces,
  type Dialect,
} from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  choices,
  object: "chat.completion.chunk",
  usage: null,
  created: 1_755_000_000,
  system_fingerprint: null,
  model: "qwen-plus",
  id: "chatcmpl-e30f5ae7-3063-93c4-90fe-beb5f900bd57",
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([{ delta: given, finish_reason: reason, index: 0, logprobs: null }]);
const used = chunk([], { usage: { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 } });
const begin = delta({ content: null, role: "assistant", reasoning_content: "" });
const thinking = thoughtPieces.map((text) => delta({ content: null, reasoning_content: text }));
const error = (message: string, type: string, code: string) => ({
  error: { message, type, param: null, code },
  request_id: "c9e1c1a5-7f8c-9b8a-8f3e-0d3a2d5e1f11",
});

export const dashscope: Dialect = {
  name: "DashScope",
  sources: [
    "https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions",
    "https://help.aliyun.com/zh/model-studio/deep-thinking",
    "https://help.aliyun.com/zh/model-studio/error-code",
  ],
  basePath: "/compatible-mode/v1",
  needsKey: true,
  models: {
    answer: {
      object: "list",
      data: ["qwen-plus", "text-embedding-v4", "qwen3-max", "qwen3-tts-flash"].map((id) => ({
        id,
        object: "model",
        created: 1_755_000_000,
        owned_by: "system",
      })),
    },
    ids: ["qwen-plus", "qwen3-max"],
  },
  thinks: true,
  said: events(
    begin,
    ...thinking,
    ...wordPieces.map((content) => delta({ content, reasoning_content: null })),
    delta({ content: "", reasoning_content: null }, "stop"),
    used,
    done,
  ),
  called: events(
    begin,
    ...thinking,
    delta({
      content: null,
      tool_calls: [
        {
          index: 0,
          id: "call_5507104cabae4f64a0fdd3",
          type: "function",
          function: { name: "current_time", arguments: "" },
        },
      ],
    }),
    // The id of the rest is empty.
    ...argumentPieces.map((piece) =>
      delta({
        content: null,
        tool_calls: [{ index: 0, id: "", type: "function", function: { arguments: piece } }],
      }),
    ),
    delta({ content: "", reasoning_content: null }, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: {
      status: 401,
      body: error(
        "Incorrect API key provided. For details, see: https://help.aliyun.com/zh/model-studio/error-code#apikey-error",
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
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
        "invalid_request_error",
        "invalid_parameter_error",
      ),
    },
    overloaded: {
      status: 429,
      body: error(
        "Requests rate limit exceeded, please try again later.",
        "limit_requests",
        "limit_requests",
      ),
    },
  },
};
