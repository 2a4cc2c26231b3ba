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
  created: 1_755_000_000,
  id: "chatcmpl-Xy2v0yJyTSYkq7b8eFh4C0g9mJb3lX1k",
  model: "qwen3-8b-q4_k_m.gguf",
  system_fingerprint: "b6123-79c1160b",
  object: "chat.completion.chunk",
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([{ finish_reason: reason, index: 0, delta: given }]);
const used = chunk([], {
  usage: { completion_tokens: 34, prompt_tokens: 12, total_tokens: 46 },
  timings: { prompt_n: 12, prompt_ms: 81.3, predicted_n: 34, predicted_ms: 803.1 },
});
const begin = delta({ role: "assistant", content: null });
const thinking = thoughtPieces.map((text) => delta({ reasoning_content: text }));

export const llamaCpp: Dialect = {
  name: "llama.cpp",
  sources: [
    "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
    "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server.cpp",
    "https://github.com/ggml-org/llama.cpp/issues/15780",
  ],
  basePath: "/v1",
  needsKey: false,
  models: {
    // Twice: as Ollama lists them, and as OpenAI does.
    answer: {
      models: [
        {
          name: "qwen3-8b-q4_k_m.gguf",
          model: "qwen3-8b-q4_k_m.gguf",
          type: "model",
          capabilities: ["completion"],
        },
      ],
      object: "list",
      data: [
        {
          id: "qwen3-8b-q4_k_m.gguf",
          object: "model",
          created: 1_755_000_000,
          owned_by: "llamacpp",
          meta: { vocab_type: 2, n_vocab: 151_936, n_ctx_train: 40_960, n_embd: 4096 },
        },
      ],
    },
    ids: ["qwen3-8b-q4_k_m.gguf"],
  },
  thinks: true,
  said: events(
    begin,
    ...thinking,
    ...wordPieces.map((content) => delta({ content })),
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    begin,
    ...thinking,
    delta({
      tool_calls: [
        {
          index: 0,
          id: "fqMGdlFxdRZ3bVqGNLcW5e0k3mDcpXlA",
          type: "function",
          function: { name: "current_time", arguments: "" },
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
    badKey: {
      status: 401,
      body: { error: { code: 401, message: "Invalid API Key", type: "authentication_error" } },
    },
    unknownModel: null,
    tooLong: {
      status: 400,
      body: {
        error: {
          code: 400,
          message:
            "the request exceeds the available context size. try increasing the context size or enable context shift",
          type: "exceed_context_size_error",
          n_prompt_tokens: 4476,
          n_ctx: 4096,
        },
      },
    },
    overloaded: {
      status: 503,
      body: { error: { code: 503, message: "Loading model", type: "unavailable_error" } },
    },
  },
};
