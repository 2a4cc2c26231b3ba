/**
 * Why a model ended, in one word: `stop`, `length`, `content_filter`, `error`, or the server's own word where that says
 * something else (`insufficient_system_resource`, `timeout`). Null for what is no reason: many servers send an empty
 * text, or the word null, with everything that is not the end.
 */
export function finishReasonOf(given: unknown): string | null {
  if (typeof given !== "string") return null;
  const word = given.trim().toLowerCase();
  if (unfinished.has(word)) return null;
  const known = reasons.find(([, pattern]) => pattern.test(word));
  if (known) return known[0];
  // An end it is, but the word may be anything.
  return /^[a-z][a-z0-9]*(?:[_.-][a-z0-9]+)*$/.test(word) && word.length <= 64 ? word : "stop";
}

const unfinished: ReadonlySet<string> = new Set([
  "",
  "null",
  "none",
  "undefined",
  "unfinished",
  "not_finished",
  "in_progress",
  "generating",
  "streaming",
  "finish_reason_unspecified",
  "unspecified",
]);

/** Calls of tools are known from the calls themselves: servers disagree on the reason they give. */
const reasons: readonly (readonly [reason: string, pattern: RegExp])[] = [
  [
    "length",
    /^(length|length_limit|(model|max|context)_(length|tokens?)|max_(output|new|completion)_tokens|max_length|token_limit|model_context_window_exceeded|incomplete)$/,
  ],
  [
    "content_filter",
    /^(content[_-]?filter(ed)?|sensitive|(image_)?safety|(image_)?recitation|blocklist|blocked|prohibited_content|spii|refusal|moderation|guardrail_intervened|language)$/,
  ],
  ["error", /^((network|server|internal|engine|model)_)?error$|ended in error/],
  [
    "stop",
    /^(stop(ped|_sequence|_token)?|eos(_token)?|end(_turn|_of_text)?|complete[d]?|finish(ed)?|done|tool_(calls?|use)|function_call)$/,
  ],
];
