import type { ModelDelta } from "./chat-protocol.ts";

/** No prompt and no answer has more. */
const mostTokens = 1_000_000_000;

/** What a request has used, as servers tell it; null where they tell nothing. */
export function usageOf(usage: Readonly<Record<string, unknown>>): ModelDelta | null {
  const inputTokens = count(usage["prompt_tokens"] ?? usage["input_tokens"]);
  const outputTokens = count(usage["completion_tokens"] ?? usage["output_tokens"]);
  if (inputTokens + outputTokens === 0) return null;
  const cachedTokens = count(
    detail(usage, ["prompt_tokens_details", "input_tokens_details"], "cached_tokens") ??
      usage["prompt_cache_hit_tokens"],
  );
  const reasoningTokens = count(
    detail(usage, ["completion_tokens_details", "output_tokens_details"], "reasoning_tokens"),
  );
  return {
    type: "usage",
    inputTokens,
    outputTokens,
    ...(cachedTokens > 0 && { cachedTokens }),
    ...(reasoningTokens > 0 && { reasoningTokens }),
  };
}

function detail(
  usage: Readonly<Record<string, unknown>>,
  groups: readonly string[],
  name: string,
): unknown {
  for (const group of groups) {
    const details = usage[group];
    if (typeof details === "object" && details !== null) {
      return (details as Readonly<Record<string, unknown>>)[name];
    }
  }
  return undefined;
}

/** Whatever is no count of tokens is none; some send it as a text. */
function count(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !(number > 0)) return 0;
  return number <= mostTokens ? Math.round(number) : 0;
}
