import { expect, test } from "vitest";
import { usageOf } from "./usage.ts";

test.each<[usage: object, counts: readonly [number, number] | null]>([
  [{ prompt_tokens: 3, completion_tokens: 5 }, [3, 5]],
  [{ input_tokens: 3, output_tokens: 5 }, [3, 5]],
  [{ prompt_tokens: "3", completion_tokens: "5" }, [3, 5]],
  [{ prompt_tokens: 2.6, completion_tokens: 0 }, [3, 0]],
  [{ prompt_tokens: 1e300, completion_tokens: 5 }, [0, 5]],
  [{ prompt_tokens: -4, completion_tokens: 5 }, [0, 5]],
  [{ prompt_tokens: Number.NaN, completion_tokens: Infinity }, null],
  [{ prompt_tokens: "1e9", completion_tokens: "-1" }, null],
  [{ prompt_tokens: [3], completion_tokens: { n: 5 } }, null],
  [{ prompt_tokens: null, completion_tokens: true }, null],
  [{}, null],
])("%j", (usage, counts) => {
  const expected =
    counts === null ? null : { type: "usage", inputTokens: counts[0], outputTokens: counts[1] };
  expect(usageOf({ ...usage })).toEqual(expected);
});

test.each<[usage: object, more: object]>([
  [{ prompt_tokens_details: { cached_tokens: 2 } }, { cachedTokens: 2 }],
  [{ input_tokens_details: { cached_tokens: 2 } }, { cachedTokens: 2 }],
  [{ prompt_cache_hit_tokens: 2 }, { cachedTokens: 2 }],
  [{ completion_tokens_details: { reasoning_tokens: "4" } }, { reasoningTokens: 4 }],
  [{ output_tokens_details: { reasoning_tokens: 4 } }, { reasoningTokens: 4 }],
  [{ prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: 0 } }, {}],
])("with %j", (details, more) => {
  expect(usageOf({ prompt_tokens: 3, completion_tokens: 5, ...details })).toEqual({
    type: "usage",
    inputTokens: 3,
    outputTokens: 5,
    ...more,
  });
});
