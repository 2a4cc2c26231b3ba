import type { MathNode, MathJsInstance, SymbolNode, FunctionNode } from "mathjs";
import type { Refusal } from "./evaluator-protocol.ts";
import { unitAlias } from "./unit-names.ts";

/** Raised inside the worker only; becomes an outcome. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

const allowedFunctions = new Set(
  (
    "abs acos acosh asin asinh atan atan2 atanh cbrt ceil combinations cos cosh cot cross csc det dot exp factorial " +
    "fix floor gcd hypot inv lcm log log10 log2 mad max mean median min mod mode norm nthRoot permutations pow prod " +
    "quantileSeq round sec sign sin sinh sqrt std sum tan tanh transpose variance"
  ).split(" "),
);
const allowedOperators = new Set(
  "add subtract multiply divide dotMultiply dotDivide pow dotPow mod factorial unaryMinus unaryPlus to equal unequal smaller larger smallerEq largerEq".split(
    " ",
  ),
);
const constants = new Set(["pi", "e", "tau", "phi", "i"]);
const maxNodes = 2_000;

/**
 * Checks a parsed expression against a list of what is allowed, and spells units as the library does. Everything
 * else (assignment, member access, ranges, strings, objects, functions that build or evaluate things) is refused.
 * Returns whether there is anything to work out: a lone number or quantity is none.
 */
export function secureExpression(
  math: MathJsInstance,
  parsed: MathNode,
): { node: MathNode; worksOut: boolean } {
  let nodes = 0;
  let worksOut = false;
  const node = parsed.transform((child, path, parent) => {
    nodes += 1;
    if (nodes > maxNodes) throw new Refused({ reason: "limit" });
    switch (child.type) {
      case "ConstantNode":
        if (typeof (child as { value?: unknown }).value === "string") {
          throw new Refused({ reason: "not_allowed", name: '"…"' });
        }
        return child;
      case "ParenthesisNode":
      case "ArrayNode":
        return child;
      case "OperatorNode": {
        const { fn, implicit, op } = child as unknown as {
          fn: string;
          implicit: boolean;
          op: string;
        };
        if (!allowedOperators.has(fn)) throw new Refused({ reason: "not_allowed", name: op });
        if (!implicit && !fn.startsWith("unary")) worksOut = true;
        return child;
      }
      case "RelationalNode":
        worksOut = true;
        return child;
      case "FunctionNode": {
        const { fn } = child as FunctionNode;
        const name = (fn as MathNode).type === "SymbolNode" ? fn.name : "";
        if (!allowedFunctions.has(name)) throw refusedName(math, name);
        worksOut = true;
        return child;
      }
      case "SymbolNode":
        if (path === "fn" && parent?.type === "FunctionNode") return child;
        return knownSymbol(math, child as SymbolNode);
      default:
        throw new Refused({ reason: "not_allowed", name: child.type.replace(/Node$/, "") });
    }
  });
  return { node, worksOut };
}

function knownSymbol(math: MathJsInstance, node: SymbolNode): MathNode {
  const { name } = node;
  if (constants.has(name)) return node;
  if (isUnit(math, name) && !(name in math)) return node;
  const alias = unitAlias(name) ?? (isUnit(math, name.toLowerCase()) ? name.toLowerCase() : name);
  if (isUnit(math, alias) && !(alias in math)) return new math.SymbolNode(alias);
  throw refusedName(math, name);
}

function isUnit(math: MathJsInstance, name: string): boolean {
  const { Unit } = math as unknown as { Unit: { isValuelessUnit(name: string): boolean } };
  return Unit.isValuelessUnit(name);
}

function refusedName(math: MathJsInstance, name: string): Refused {
  return new Refused({
    reason: name === "" || Object.hasOwn(math, name) ? "not_allowed" : "unknown_name",
    name: name.slice(0, 40),
  });
}
