import {
  argumentPieces,
  done,
  events,
  thoughtPieces,
  wordPieces,
  type Dialect,
} from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "chatcmpl-4t7mdgpmw1d9b6pkbzmcz",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  model: "qwen/qwen3-8b",
  system_fingerprint: "qwen/qwen3-8b",
  choices,
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([{ index: 0, delta: given, logprobs: null, finish_reason: reason }]);
const used = chunk([], { usage: { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 } });
const thinking = thoughtPieces.map((text) => delta({ role: "assistant", reasoning_content: text }));
const overflow =
  "Trying to keep the first 6547 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input";

export const lmStudio: Dialect = {
  name: "LM Studio",
  sources: [
    "https://lmstudio.ai/docs/developer/openai-compat",
    "https://lmstudio.ai/docs/developer/openai-compat/tools",
    "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/546",
    "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2322",
    "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2139",
  ],
  basePath: "/v1",
  needsKey: false,
  models: {
    answer: {
      data: ["qwen/qwen3-8b", "text-embedding-nomic-embed-text-v1.5"].map((id) => ({
        id,
        object: "model",
        owned_by: "organization_owner",
      })),
      object: "list",
    },
    ids: ["qwen/qwen3-8b"],
  },
  thinks: true,
  said: events(
    ...thinking,
    ...wordPieces.map((content) => delta({ role: "assistant", content })),
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    ...thinking,
    delta({
      role: "assistant",
      tool_calls: [
        {
          index: 0,
          id: "365174485",
          type: "function",
          function: { name: "current_time", arguments: "" },
        },
      ],
    }),
    ...argumentPieces.map((piece) =>
      delta({ tool_calls: [{ index: 0, function: { name: null, arguments: piece } }] }),
    ),
    delta({}, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: {
      status: 401,
      body: {
        error: {
          message: "Malformed LM Studio API token provided.",
          type: "invalid_request_error",
          param: null,
          code: "invalid_api_key",
        },
      },
    },
    unknownModel: {
      status: 404,
      body: {
        error: {
          message: 'Model "none" not found. Please specify a valid model.',
          type: "invalid_request_error",
          param: "model",
          code: "model_not_found",
        },
      },
    },
    // With status 200, as an event of another name.
    tooLong: {
      status: 200,
      body: events(
        `event: error\ndata: ${JSON.stringify({ error: { message: overflow }, message: overflow })}`,
      ),
    },
    overloaded: {
      status: 503,
      body: { error: { message: "Model is loading, please retry", type: "server_error" } },
    },
  },
};
