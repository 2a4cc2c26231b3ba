import type { ModelDelta } from "./chat-protocol.ts";

/** No prompt and no answer has more. */
const mostTokens = 1_000_000_000;

/** What a request has used, as servers tell it; null where they tell nothing. */
export function usageOf(usage: Readonly<Record<string, unknown>>): ModelDelta | null {
  const inputTokens = count(usage["prompt_tokens"] ?? usage["input_tokens"]);
  const outputTokens = count(usage["completion_tokens"] ?? usage["output_tokens"]);
  return inputTokens + outputTokens === 0 ? null : { type: "usage", inputTokens, outputTokens };
}

/** Whatever is no count of tokens is none; some send it as a text. */
function count(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !(number > 0)) return 0;
  return number <= mostTokens ? Math.round(number) : 0;
}
