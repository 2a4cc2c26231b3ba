import { parentPort } from "node:worker_threads";
import {
  create,
  all,
  type BigNumber,
  type FactoryFunctionMap,
  type MathJsInstance,
  type MathNode,
} from "mathjs";
import { maxExpressionCharacters, type Calculation, type Measure } from "./calculation.ts";
import type { Answer, Refusal, Result, Task } from "./evaluator-protocol.ts";
import { Refused, secureExpression } from "./safe-expression.ts";
import { additionalUnits } from "./unit-names.ts";

/**
 * Runs in a thread of its own, with little memory, and is ended from outside when it takes too long. Decimal
 * arithmetic with 64 digits: 0.1 + 0.2 is 0.3, and whole numbers stay whole far beyond what a double holds.
 */
const digits = 64;
const maxResultCharacters = 2_000;
const maxFactorial = 5_000;

const math = createMath();

function createMath(): MathJsInstance {
  const instance = create(all as FactoryFunctionMap, { number: "BigNumber", precision: digits });
  for (const [name, definition] of additionalUnits) instance.createUnit(name, definition);
  const { factorial, mod, gcd, lcm, combinations, permutations } = instance;
  // Beyond 64 digits a remainder would be wrong, and a large factorial takes minutes.
  instance.import(
    {
      factorial: (n: BigNumber) => factorial(atMost(n, maxFactorial)),
      combinations: (n: BigNumber, k: BigNumber) =>
        combinations(atMost(n, 100_000), atMost(k, 100_000)),
      permutations: (n: BigNumber, k: BigNumber) =>
        permutations(atMost(n, 100_000), atMost(k, 100_000)),
      mod: (x: BigNumber, y: BigNumber) => mod(atMost(x, "1e60"), atMost(y, "1e60")),
      gcd: (...values: BigNumber[]) => gcd(exactWholes(values)),
      lcm: (...values: BigNumber[]) =>
        exactWholes(values).reduce((multiple, value) => lcm(atMost(multiple, "1e60"), value)),
    },
    { override: true },
  );
  return instance;
}

function exactWholes(values: readonly BigNumber[]): BigNumber[] {
  if (values.length < 2) throw new Refused({ reason: "arguments" });
  return values.map((value) => atMost(value, "1e60"));
}

function atMost(value: unknown, maximum: number | string): BigNumber {
  if (!math.isBigNumber(value)) throw new Refused({ reason: "arguments" });
  if (value.abs().gt(maximum)) throw new Refused({ reason: "limit" });
  return value;
}

function answerTask({ id, ask, calculation }: Task): Answer {
  try {
    const work = prepare(calculation);
    return {
      id,
      outcome: { ok: true, results: ask === "understands" ? [] : work() },
      spoilt: false,
    };
  } catch (error) {
    const spoilt = error instanceof Error && error.message.includes("[DecimalError]");
    return { id, outcome: { ok: false, refusal: refusalOf(error) }, spoilt };
  }
}

/** Everything that can be refused without working anything out; then the work. */
function prepare(calculation: Calculation): () => Result[] {
  if (calculation.kind === "statistics") {
    return () => measure(calculation.measures, calculation.numbers);
  }
  if (calculation.kind === "conversion") {
    const source = read(calculation.source).node;
    const target = read(calculation.target).node;
    return () => [{ name: "value", text: convert(evaluate(source), evaluate(target)) }];
  }
  const { node, worksOut } = read(calculation.expression);
  if (!worksOut) throw new Refused({ reason: "syntax", at: null });
  return () => [{ name: "value", text: formatValue(evaluate(node)) }];
}

function read(expression: string): { node: MathNode; worksOut: boolean } {
  if (expression.length > maxExpressionCharacters) throw new Refused({ reason: "limit" });
  return secureExpression(math, math.parse(expression));
}

function evaluate(node: MathNode): unknown {
  return node.compile().evaluate(new Map());
}

function convert(source: unknown, target: unknown): string {
  if (!math.isUnit(source) || !math.isUnit(target) || !source.equalBase(target)) {
    throw new Refused({ reason: "units" });
  }
  return formatValue(source.toNumeric(target.formatUnits()));
}

function measure(measures: readonly Measure[], texts: readonly string[]): Result[] {
  const numbers = texts.map((text) => math.bignumber(text));
  return measures.map((name) => ({ name, text: formatMeasure(name, numbers) }));
}

function formatMeasure(name: Measure, numbers: BigNumber[]): string {
  switch (name) {
    case "count":
      return String(numbers.length);
    case "mode": {
      const modes = math.mode(numbers);
      // Where every number is as frequent as the others, none stands out.
      return modes.length === numbers.length ? "—" : modes.slice(0, 20).map(formatValue).join(", ");
    }
    case "range":
      return formatValue(math.subtract(math.max(numbers), math.min(numbers)));
    case "product":
      return formatValue(math.prod(numbers));
    case "sum":
    case "mean":
    case "median":
    case "std":
    case "variance":
    case "min":
    case "max":
      return formatValue(math[name](numbers));
  }
}

function formatValue(value: unknown): string {
  if (math.isBigNumber(value)) {
    if (!value.isFinite()) throw new Refused({ reason: "no_value" });
    if (value.isInteger() && value.abs().lt(`1e${digits}`)) return value.toFixed();
  }
  if (typeof value === "number" && !Number.isFinite(value))
    throw new Refused({ reason: "no_value" });
  const known =
    typeof value === "number" ||
    typeof value === "boolean" ||
    math.isBigNumber(value) ||
    math.isComplex(value) ||
    math.isUnit(value) ||
    math.isMatrix(value);
  if (!known) throw new Refused({ reason: "arguments" });
  const text = math.format(value, { precision: 14, lowerExp: -6, upperExp: 15 });
  if (/NaN|Infinity/.test(text)) throw new Refused({ reason: "no_value" });
  return text.length > maxResultCharacters ? `${text.slice(0, maxResultCharacters)}…` : text;
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal;
  if (error instanceof SyntaxError) {
    const { char } = error as SyntaxError & { char?: unknown };
    return { reason: "syntax", at: typeof char === "number" ? char - 1 : null };
  }
  // Too deep for the stack, or too many digits.
  if (error instanceof RangeError && /call stack|length/.test(error.message)) {
    return { reason: "limit" };
  }
  const message = error instanceof Error ? error.message : "";
  if (/Precision limit/.test(message)) return { reason: "limit" };
  if (/[Uu]nits? (?:do|does|don't|must|not)|not contain a unit|Unit/.test(message)) {
    return { reason: "units" };
  }
  return { reason: "arguments" };
}

parentPort?.on("message", (task: Task) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(answerTask(task));
});
