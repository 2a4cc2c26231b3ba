import { expect, test } from "vitest";
import { withUse, type Spent } from "../agents/spent.ts";
import { costOf, priced } from "./spent.ts";

const spent = (model: string, input: number, output: number, cached = 0, reasoning = 0): Spent => ({
  model,
  input,
  output,
  cached,
  reasoning,
});

test("what is used adds up by model", () => {
  const uses = [spent("a", 1, 2, 1, 1), spent("b", 10, 20), spent("a", 3, 4, 0, 2)];
  expect(uses.reduce<readonly Spent[]>(withUse, [])).toEqual([
    spent("a", 4, 6, 1, 3),
    spent("b", 10, 20),
  ]);
  expect(withUse([], { ...spent("", 1, 1), model: undefined })).toEqual([spent("", 1, 1)]);
});

test.each([
  [spent("a", 1_000_000, 0), { a: { input: 2.5, output: 10 } }, 2.5],
  [spent("a", 1000, 500), { a: { input: 0.15, output: 0.6 } }, 0.00045],
  [spent("a", 1000, 0, 400), { a: { input: 1, output: 1 } }, 0.001],
  [spent("a", 1000, 0, 400), { a: { input: 1, output: 1, cached: 0.1 } }, 0.00064],
  [spent("a", 0, 1000, 0, 400), { a: { input: 1, output: 1, reasoning: 2 } }, 0.0014],
  [spent("a", 0, 1000, 0, 400), { a: { input: 1, output: 1 } }, 0.001],
  [spent("a", 1, 1), { a: { input: 0, output: 0 } }, 0],
  // More of it cached than there was: servers count differently.
  [spent("a", 10, 0, 1_000_000), { a: { input: 1, output: 1, cached: 1 } }, 1],
])("%j at %j costs %d", (used, prices, cost) => {
  expect(Number(costOf(used, prices))).toBe(cost);
});

test.each(["b", "constructor", "__proto__", ""])("the model %j has no price", (model) => {
  expect(costOf(spent(model, 1, 1), { a: { input: 1, output: 1 } })).toBeNull();
});

test("a reply that says nothing of it has used nothing that is known", () => {
  const nothing = [{ ...spent("", 0, 0), cost: null }];
  expect(priced(undefined, {})).toEqual(nothing);
  expect(priced([], {})).toEqual(nothing);
});
