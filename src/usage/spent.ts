import type { ModelPrice } from "../config/sections/agents.ts";
import { nothingSpent, type Spent } from "../agents/spent.ts";

/** By model. */
export type Prices = Readonly<Record<string, ModelPrice>>;

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
  const known =
    spent === undefined || spent.length === 0 ? [{ model: "", ...nothingSpent }] : spent;
  return known.map((each) => ({
    ...each,
    cost: each.input + each.output === 0 ? null : costOf(each, prices),
  }));
}
