import type { ModelPrice } from "../config/settings.ts";

/** By model. */
export type Prices = Readonly<Record<string, ModelPrice>>;

/** What a reply has used of one model. */
export interface Spent {
  /** '': not known. */
  readonly model: string;
  readonly input: number;
  readonly output: number;
  /** Of the input, read from a cache. */
  readonly cached: number;
  /** Of the output. */
  readonly reasoning: number;
}

type Used = Omit<Spent, "model"> & { readonly model?: string | undefined };

const none = { input: 0, output: 0, cached: 0, reasoning: 0 };

/** With one more answer of a model. */
export function withUse(spent: readonly Spent[], { model = "", ...used }: Used): readonly Spent[] {
  const index = spent.findIndex((each) => each.model === model);
  const { input, output, cached, reasoning } = spent[index] ?? none;
  const sum = {
    model,
    input: input + used.input,
    output: output + used.output,
    cached: cached + used.cached,
    reasoning: reasoning + used.reasoning,
  };
  return index < 0 ? [...spent, sum] : spent.with(index, sum);
}

/** In the currency of the prices; null: the model has none. */
export function costOf(
  { model, input, output, cached, reasoning }: Spent,
  prices: Prices,
): string | null {
  const price = Object.hasOwn(prices, model) ? prices[model] : undefined;
  if (price === undefined) return null;
  const fresh = Math.max(0, input - cached);
  const said = Math.max(0, output - reasoning);
  const millions =
    fresh * price.input +
    cached * (price.cached ?? price.input) +
    said * price.output +
    reasoning * (price.reasoning ?? price.output);
  // As a decimal, which adds up exactly.
  return (millions / 1_000_000).toFixed(12);
}

export interface PricedSpent extends Spent {
  /** In the currency of the prices; null: the model has none. */
  readonly cost: string | null;
}

/** As the statement that ends a reply takes it. A model that says nothing of it has used nothing that is known. */
export function priced(
  spent: readonly Spent[] | undefined,
  prices: Prices,
): readonly PricedSpent[] {
  const known = spent === undefined || spent.length === 0 ? [{ model: "", ...none }] : spent;
  return known.map((each) => ({
    ...each,
    cost: each.input + each.output === 0 ? null : costOf(each, prices),
  }));
}
