import { argumentPieces, done, events, wordPieces, type Dialect } from "./dialect.ts";

const safe = {
  hate: { filtered: false, severity: "safe" },
  self_harm: { filtered: false, severity: "safe" },
  sexual: { filtered: false, severity: "safe" },
  violence: { filtered: false, severity: "safe" },
};
/** The verdict on the prompt comes first, in a chunk of its own. */
const first = {
  choices: [],
  created: 0,
  id: "",
  model: "",
  object: "",
  prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
};
const chunk = (choices: readonly unknown[], more: object = {}) => ({
  choices,
  created: 1_741_569_952,
  id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
  model: "gpt-4.1-2025-04-14",
  object: "chat.completion.chunk",
  system_fingerprint: "fp_b376dfbbd5",
  usage: null,
  ...more,
});
const delta = (given: object, reason: string | null = null) =>
  chunk([
    {
      content_filter_results: "content" in given ? safe : {},
      delta: given,
      finish_reason: reason,
      index: 0,
      logprobs: null,
    },
  ]);
const used = chunk([], { usage: { completion_tokens: 34, prompt_tokens: 12, total_tokens: 46 } });
/** Of the asynchronous filter: a verdict on what was said before, without any delta. */
const verdict = chunk([
  {
    content_filter_offsets: { check_offset: 44, start_offset: 44, end_offset: 198 },
    content_filter_results: safe,
    finish_reason: null,
    index: 0,
  },
]);

export const azure: Dialect = {
  name: "Azure OpenAI",
  sources: [
    "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-streaming",
    "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/latest",
    "https://learn.microsoft.com/en-us/rest/api/azureopenai/models/list",
  ],
  basePath: "/openai/v1",
  needsKey: true,
  models: {
    answer: {
      data: [
        ["gpt-4.1-2025-04-14", true],
        ["text-embedding-3-large", false],
        ["gpt-4o-realtime-preview", false],
        ["o4-mini-2025-04-16", true],
      ].map(([id, chat]) => ({
        status: "succeeded",
        capabilities: {
          fine_tune: false,
          inference: true,
          completion: false,
          chat_completion: chat,
          embeddings: !chat,
        },
        lifecycle_status: "generally-available",
        deprecation: { inference: 1_760_054_400 },
        id,
        created_at: 1_749_081_600,
        object: "model",
      })),
      object: "list",
    },
    ids: ["gpt-4.1-2025-04-14", "o4-mini-2025-04-16"],
  },
  thinks: false,
  said: events(
    first,
    delta({ content: "", refusal: null, role: "assistant" }),
    ...wordPieces.map((content) => delta({ content })),
    verdict,
    delta({}, "stop"),
    used,
    done,
  ),
  called: events(
    first,
    delta({
      content: null,
      refusal: null,
      role: "assistant",
      tool_calls: [
        {
          function: { arguments: "", name: "current_time" },
          id: "call_DdmO9pD3xa9XTPNJ32zg2hcA",
          index: 0,
          type: "function",
        },
      ],
    }),
    ...argumentPieces.map((piece) =>
      delta({ tool_calls: [{ function: { arguments: piece }, index: 0 }] }),
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
          code: "401",
          message:
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        },
      },
    },
    unknownModel: {
      status: 404,
      body: {
        error: {
          code: "DeploymentNotFound",
          message:
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
        },
      },
    },
    tooLong: {
      status: 400,
      body: {
        error: {
          message:
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300012 tokens. Please reduce the length of the messages.",
          type: "invalid_request_error",
          param: "messages",
          code: "context_length_exceeded",
        },
      },
    },
    overloaded: {
      status: 429,
      headers: { "retry-after": "1" },
      body: {
        error: {
          code: "429",
          message:
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current pricing tier. Please retry after 1 second.",
        },
      },
    },
  },
};
