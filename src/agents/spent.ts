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

/** Nothing, or nothing that is known. */
export const nothingSpent = { input: 0, output: 0, cached: 0, reasoning: 0 };

/** With one more answer of a model. */
export function withUse(spent: readonly Spent[], { model = "", ...used }: Used): readonly Spent[] {
  const index = spent.findIndex((each) => each.model === model);
  const { input, output, cached, reasoning } = spent[index] ?? nothingSpent;
  const sum = {
    model,
    input: input + used.input,
    output: output + used.output,
    cached: cached + used.cached,
    reasoning: reasoning + used.reasoning,
  };
  return index < 0 ? [...spent, sum] : spent.with(index, sum);
}
