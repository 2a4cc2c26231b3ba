import { done, events, thoughtPieces, wordPieces, type Dialect } from "./dialect.ts";

/** Every chunk has the usage so far. */
const chunk = (given: object, completionTokens: number, reason?: string) => ({
  choices: [
    {
      delta: { role: "assistant", ...given },
      ...(reason === undefined ? {} : { finish_reason: reason }),
      index: 0,
    },
  ],
  created: 1_755_000_000,
  id: "wzSbaMWsLp2jmtkP-IXGsQ8",
  model: "gemini-3-pro-preview",
  object: "chat.completion.chunk",
  usage: {
    completion_tokens: completionTokens,
    prompt_tokens: 12,
    total_tokens: 12 + completionTokens,
  },
});
/** Thoughts stand in the text, in tags. */
const [firstThought, lastThought] = thoughtPieces;
const thinking = [
  chunk({ content: `<thought>${firstThought}`, extra_content: { google: { thought: true } } }, 1),
  chunk({ content: `${lastThought}</thought>`, extra_content: { google: { thought: true } } }, 2),
];
const signature = { google: { thought_signature: "CiQB0e2Kb8s3vXb1Zk9p" } };
/** Errors come in a list. */
const error = (code: number, message: string, status: string) => [
  { error: { code, message, status } },
];

export const gemini: Dialect = {
  name: "Gemini",
  sources: [
    "https://ai.google.dev/gemini-api/docs/openai",
    "https://ai.google.dev/gemini-api/docs/thought-signatures",
    "https://ai.google.dev/gemini-api/docs/troubleshooting",
    "https://github.com/langgenius/dify/issues/29187",
  ],
  basePath: "/v1beta/openai",
  needsKey: true,
  models: {
    answer: {
      object: "list",
      data: [
        "models/gemini-3-pro-preview",
        "models/text-embedding-004",
        "models/gemini-2.5-flash",
        "models/veo-3.0-generate-preview",
      ].map((id) => ({ id, object: "model", owned_by: "google", display_name: id })),
    },
    ids: ["models/gemini-3-pro-preview", "models/gemini-2.5-flash"],
  },
  thinks: true,
  said: events(
    ...thinking,
    ...wordPieces.map((content, index) => chunk({ content }, 10 + index)),
    chunk({}, 34, "stop"),
    done,
  ),
  called: events(
    ...thinking,
    chunk(
      {
        tool_calls: [
          {
            extra_content: signature,
            function: { arguments: '{"time_zone":"Asia/Tokyo"}', name: "current_time" },
            id: "function-call-12345678901234567890",
            type: "function",
            index: 0,
          },
        ],
      },
      30,
    ),
    chunk({}, 34, "stop"),
    done,
  ),
  // Without it the second round is refused with 400.
  wantsBack: { call: { extra_content: signature } },
  refusals: {
    badKey: {
      status: 400,
      body: error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"),
    },
    unknownModel: {
      status: 404,
      body: error(
        404,
        "models/none is not found for API version v1main, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
        "NOT_FOUND",
      ),
    },
    tooLong: {
      status: 400,
      body: error(
        400,
        "The input token count (1200012) exceeds the maximum number of tokens allowed (1048576).",
        "INVALID_ARGUMENT",
      ),
    },
    overloaded: {
      status: 503,
      body: error(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"),
    },
  },
};
