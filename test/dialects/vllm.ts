import {
  argumentPieces,
  done,
  events,
  thoughtPieces,
  wordPieces,
  type Dialect,
} from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "chatcmpl-5f2a6f1c3b7e4f53b5a7c1a6e0b0a9c7",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  model: "Qwen/Qwen3-8B",
  choices,
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([
    {
      index: 0,
      delta: given,
      logprobs: null,
      finish_reason: reason,
      ...(reason === null ? { token_ids: null } : { stop_reason: null }),
    },
  ]);
/** Some versions send no list at all with the usage. */
const used = {
  ...chunk([]),
  choices: null,
  usage: {
    prompt_tokens: 12,
    total_tokens: 46,
    completion_tokens: 34,
    prompt_tokens_details: null,
  },
};
const begin = delta({ role: "assistant", content: "" });
const thinking = thoughtPieces.map((text) =>
  // Under its old name and its new one.
  delta({ reasoning: text, reasoning_content: text }),
);
const error = (message: string, type: string, code: number, param: string | null = null) => ({
  error: { message, type, param, code },
});

export const vllm: Dialect = {
  name: "vLLM",
  sources: [
    "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    "https://docs.vllm.ai/en/latest/features/reasoning_outputs.html",
    "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/protocol.py",
    "https://github.com/vllm-project/vllm/pull/37011",
    "https://docs.rs/crate/openai-interface/0.12.0/source/src/chat/create/response.rs",
  ],
  basePath: "/v1",
  needsKey: false,
  models: {
    answer: {
      object: "list",
      data: [
        {
          id: "Qwen/Qwen3-8B",
          object: "model",
          created: 1_755_000_000,
          owned_by: "vllm",
          root: "Qwen/Qwen3-8B",
          parent: null,
          max_model_len: 32_768,
          permission: [{ id: "modelperm-1", object: "model_permission", allow_sampling: true }],
        },
      ],
    },
    ids: ["Qwen/Qwen3-8B"],
  },
  thinks: true,
  said: events(
    begin,
    ...thinking,
    ...wordPieces.map((content) => delta({ content })),
    delta({ content: "" }, "stop"),
    used,
    done,
  ),
  called: events(
    begin,
    ...thinking,
    delta({
      tool_calls: [
        {
          id: "chatcmpl-tool-2f1e8d9b0c7a4e5d",
          type: "function",
          index: 0,
          function: { name: "current_time" },
        },
      ],
    }),
    ...argumentPieces.map((piece) =>
      delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] }),
    ),
    delta({}, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: { status: 401, body: { error: "Unauthorized" } },
    unknownModel: {
      status: 404,
      body: error("The model `none` does not exist.", "NotFoundError", 404, "model"),
    },
    tooLong: {
      status: 400,
      // Older versions had no `error` around it.
      body: {
        object: "error",
        message:
          "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the messages, 10000 in the completion). Please reduce the length of the messages or completion.",
        type: "BadRequestError",
        param: null,
        code: 400,
      },
    },
    overloaded: {
      status: 503,
      body: { error: "The model is currently scaling. Please try again later." },
    },
  },
};
