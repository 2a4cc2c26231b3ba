import { done, events, thoughtPieces, wordPieces, type Dialect } from "./dialect.ts";

const chunk = (choices: readonly unknown[], more: object = {}) => ({
  id: "chatcmpl-392",
  object: "chat.completion.chunk",
  created: 1_755_000_000,
  model: "qwen3:8b",
  system_fingerprint: "fp_ollama",
  choices,
  ...more,
});
/** Each delta has the role, and a content, if an empty one. */
const delta = (given: object, reason: string | null = null) =>
  chunk([{ index: 0, delta: { role: "assistant", content: "", ...given }, finish_reason: reason }]);
const used = chunk([], { usage: { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 } });
const thinking = thoughtPieces.map((reasoning) => delta({ reasoning }));
const error = (message: string, type: string) => ({
  error: { message, type, param: null, code: null },
});

export const ollama: Dialect = {
  name: "Ollama",
  sources: [
    "https://docs.ollama.com/api/openai-compatibility",
    "https://github.com/ollama/ollama/blob/main/openai/openai.go",
    "https://github.com/ollama/ollama/blob/main/server/routes.go",
    "https://github.com/dirac-run/dirac/pull/227",
  ],
  basePath: "/v1",
  needsKey: false,
  models: {
    answer: {
      object: "list",
      data: ["qwen3:8b", "nomic-embed-text:latest", "llama3.2:latest"].map((id) => ({
        id,
        object: "model",
        created: 1_755_000_000,
        owned_by: "library",
      })),
    },
    ids: ["qwen3:8b", "llama3.2:latest"],
  },
  thinks: true,
  said: events(
    ...thinking,
    ...wordPieces.map((content) => delta({ content })),
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    ...thinking,
    // Calls come whole.
    delta({
      tool_calls: [
        {
          id: "call_9hz2k1qv",
          index: 0,
          type: "function",
          function: { name: "current_time", arguments: '{"time_zone":"Asia/Tokyo"}' },
        },
      ],
    }),
    delta({}, "tool_calls"),
    used,
    done,
  ),
  refusals: {
    badKey: null,
    unknownModel: {
      status: 404,
      body: error('model "none" not found, try pulling it first', "not_found_error"),
    },
    tooLong: {
      status: 400,
      body: error(
        "prompt too long; exceeded max context length by 2048 tokens",
        "invalid_request_error",
      ),
    },
    overloaded: {
      status: 503,
      body: error("server busy, please try again.  maximum pending requests exceeded", "api_error"),
    },
  },
};
