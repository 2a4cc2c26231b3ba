/** Why a text has no value. `at`: where reading it failed, from 0. */
export type ArithmeticReason = "syntax" | "unknown_name" | "arguments" | "limit";

export class ArithmeticFault extends Error {
  override readonly name = "ArithmeticFault";
  readonly reason: ArithmeticReason;
  readonly at: number;
  /** The name that is not known, or the function that does not take what it is given. */
  readonly subject: string;

  constructor(reason: ArithmeticReason, at: number, subject = "") {
    super(`${reason} at ${at}${subject && `: ${subject}`}`);
    this.reason = reason;
    this.at = at;
    this.subject = subject;
  }
}

const maxLength = 500;

/** `deg` makes radians: sin(30 deg). */
const constants = new Map([
  ["e", Math.E],
  ["pi", Math.PI],
  ["tau", 2 * Math.PI],
  ["deg", Math.PI / 180],
]);

const sum = (...all: number[]) => all.reduce((total, each) => total + each, 0);
const mean = (...all: number[]) => sum(...all) / all.length;
const modulo = (a: number, b: number) => (b === 0 ? Number.NaN : a - b * Math.floor(a / b));

function median(...all: number[]): number {
  const sorted = all.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return mean(...sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1));
}

/** Halves away from zero, as people round; `places` may be left out. */
function round(value: number, places = 0): number {
  const [digits = "0", exponent = "0"] = String(Math.abs(value)).split("e");
  const shifted = Math.round(Number(`${digits}e${Number(exponent) + places}`));
  return Math.sign(value) * Number(`${shifted}e${-places}`);
}

function factorial(n: number): number {
  if (!Number.isInteger(n) || n < 0) return Number.NaN;
  let product = 1;
  for (let factor = 2; factor <= n && product < Infinity; factor++) product *= factor;
  return product;
}

/** Each with how many arguments it takes. */
const functions = new Map<string, readonly [(...all: number[]) => number, number, number]>([
  ["abs", [Math.abs, 1, 1]],
  ["acos", [Math.acos, 1, 1]],
  ["asin", [Math.asin, 1, 1]],
  ["atan", [Math.atan, 1, 1]],
  ["cbrt", [Math.cbrt, 1, 1]],
  ["ceil", [Math.ceil, 1, 1]],
  ["cos", [Math.cos, 1, 1]],
  ["exp", [Math.exp, 1, 1]],
  ["floor", [Math.floor, 1, 1]],
  ["hypot", [Math.hypot, 1, Infinity]],
  ["ln", [Math.log, 1, 1]],
  ["log", [(x, base = Math.E) => Math.log(x) / Math.log(base), 1, 2]],
  ["log10", [Math.log10, 1, 1]],
  ["log2", [Math.log2, 1, 1]],
  ["max", [Math.max, 1, Infinity]],
  ["mean", [mean, 1, Infinity]],
  ["median", [median, 1, Infinity]],
  ["min", [Math.min, 1, Infinity]],
  ["mod", [modulo, 2, 2]],
  ["pow", [Math.pow, 2, 2]],
  ["round", [round, 1, 2]],
  ["sign", [Math.sign, 1, 1]],
  ["sin", [Math.sin, 1, 1]],
  ["sqrt", [Math.sqrt, 1, 1]],
  ["sum", [sum, 1, Infinity]],
  ["tan", [Math.tan, 1, 1]],
]);

export const arithmeticNames = {
  functions: [...functions.keys()],
  constants: [...constants.keys()],
};

/** How tightly each holds; `^` takes its right side first. */
const strengths: Record<string, number> = {
  "+": 1,
  "-": 1,
  "*": 2,
  "/": 2,
  "%": 2,
  mod: 2,
  "^": 4,
};
const unaryStrength = 3;
const implicitStrength = 2;
const tokenPattern =
  /\s*(?:(\d+(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?)|([a-z][a-z\d]*)|([-+*/^%!(),]))/iy;

interface Operand {
  readonly value: number;
  /** 10 % of what stands before it, after + and -. */
  readonly percent: boolean;
}

/**
 * The value of an expression with the numbers of the machine: + - * / ^ % ! mod, percentages (80 + 10% is 88), functions and
 * constants. Not finite where mathematics has no value for it. Linear in the length of the text, which is bounded; raises
 * `ArithmeticFault` for everything else.
 */
export function evaluateArithmetic(text: string): number {
  if (text.length > maxLength) throw new ArithmeticFault("limit", maxLength);
  let at = 0;
  let next = read();

  function read() {
    tokenPattern.lastIndex = at;
    const found = tokenPattern.exec(text);
    if (!found) {
      if (text.slice(at).trim() !== "") throw new ArithmeticFault("syntax", at);
      return { kind: "end", text: "", at } as const;
    }
    const [all, number, name, mark] = found;
    const token = { text: number ?? name?.toLowerCase() ?? mark ?? "", at: at + all.search(/\S/) };
    at += all.length;
    return { ...token, kind: number ? "number" : name ? "name" : "mark" } as const;
  }

  function take(): string {
    const { text: taken } = next;
    next = read();
    return taken;
  }

  function expect(mark: string): void {
    if (next.text !== mark) throw new ArithmeticFault("syntax", next.at);
    take();
  }

  function startsOperand(): boolean {
    return (
      next.kind === "number" || next.text === "(" || (next.kind === "name" && next.text !== "mod")
    );
  }

  function operand(): number {
    const start = next;
    if (start.text === "-") return -(take(), binary(unaryStrength).value);
    if (start.text === "+") return (take(), binary(unaryStrength).value);
    if (start.text === "(") {
      take();
      const { value } = binary(0);
      expect(")");
      return value;
    }
    if (start.kind === "number") return Number(take());
    if (start.kind !== "name") throw new ArithmeticFault("syntax", start.at);
    take();
    const constant = constants.get(start.text);
    if (constant !== undefined) return constant;
    const known = functions.get(start.text);
    if (known === undefined) throw new ArithmeticFault("unknown_name", start.at, start.text);
    const [calculate, least, most] = known;
    expect("(");
    const values = [binary(0).value];
    while (next.text === ",") values.push((take(), binary(0).value));
    expect(")");
    if (values.length < least || values.length > most) {
      throw new ArithmeticFault("arguments", start.at, start.text);
    }
    return calculate(...values);
  }

  /** A percent sign that is no remainder: nothing follows that it could divide. */
  function postfix(value: number): Operand {
    if (next.text === "!") return (take(), postfix(factorial(value)));
    if (next.text !== "%") return { value, percent: false };
    const [before, sign] = [at, next];
    take();
    if (!startsOperand()) return { value: value / 100, percent: true };
    [at, next] = [before, sign];
    return { value, percent: false };
  }

  function binary(least: number): Operand {
    let left = postfix(operand());
    for (;;) {
      const implicit = next.kind !== "number" && startsOperand();
      const strength = implicit ? implicitStrength : strengths[next.text];
      if (
        strength === undefined ||
        strength < least ||
        (strength === least && least > 0 && next.text !== "^")
      ) {
        return left;
      }
      const sign = implicit ? "*" : take();
      const right = binary(sign === "^" ? strength - 0.5 : strength);
      left = { value: apply(sign, left.value, right), percent: false };
    }
  }

  function apply(sign: string, left: number, { value, percent }: Operand): number {
    switch (sign) {
      case "+":
        return left + (percent ? left * value : value);
      case "-":
        return left - (percent ? left * value : value);
      case "*":
        return left * value;
      case "/":
        return left / value;
      case "^":
        return left ** value;
      default:
        return modulo(left, value);
    }
  }

  const { value } = binary(0);
  if (next.kind !== "end") throw new ArithmeticFault("syntax", next.at);
  return value;
}

/** To 14 digits, so that 0.1 + 0.2 is 0.3; whole numbers as they are while the machine holds them. */
export function formatNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value + 0);
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(14));
  return Math.abs(rounded) < 1e15 ? String(rounded) : rounded.toExponential();
}
