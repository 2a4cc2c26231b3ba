import type { Calculation } from "./calculation.ts";

/** What the worker is asked: whether it would work this out, or to do it. */
export interface Task {
  readonly id: number;
  readonly ask: "understands" | "evaluate";
  readonly calculation: Calculation;
}

export type Refusal =
  /** Does not read as a formula; `at` is the place in the expression, from 0, where known. */
  | { readonly reason: "syntax"; readonly at: number | null }
  /** A name that is neither a number, a unit nor a function. */
  | { readonly reason: "unknown_name"; readonly name: string }
  /** Exists in formula languages, but not here: assignments, ranges, member access, code. */
  | { readonly reason: "not_allowed"; readonly name: string }
  /** Units that do not fit together, or are missing. */
  | { readonly reason: "units" }
  /** Division by zero, logarithm of zero, and what grows beyond all bounds. */
  | { readonly reason: "no_value" }
  /** Arguments that the function does not take. */
  | { readonly reason: "arguments" }
  /** Too long, too large or too slow. */
  | { readonly reason: "limit" };

export type Outcome =
  | { readonly ok: true; readonly results: readonly Result[] }
  | { readonly ok: false; readonly refusal: Refusal };

export interface Result {
  /** `value` for a formula, a measure's name for statistics. */
  readonly name: string;
  readonly text: string;
}

export interface Answer {
  readonly id: number;
  readonly outcome: Outcome;
  /** The library gave up half-way and may calculate with the wrong precision from now on. */
  readonly spoilt: boolean;
}
