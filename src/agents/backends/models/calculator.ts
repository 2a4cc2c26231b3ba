import type { MathNode } from "mathjs";
import { ToolFault, type Tool } from "./tool.ts";

const maxLength = 500;

/** Only what works on single numbers in constant time: no assignments, loops, matrices or big numbers. */
const operators = new Set([
  "add",
  "subtract",
  "multiply",
  "divide",
  "pow",
  "mod",
  "unaryMinus",
  "unaryPlus",
  "factorial",
]);
const functions = new Set(
  "abs cbrt ceil cos exp floor hypot log log10 log2 max mean min mod pow round sign sin sqrt sum tan".split(
    " ",
  ),
);
const constants = new Set(["e", "pi", "tau"]);

/** Arithmetic with the numbers of the machine, to 14 digits. */
export const calculator: Tool = {
  definition: {
    type: "function",
    function: {
      name: "calculator",
      description: `Evaluates an arithmetic expression such as (3 + 4) * 2 ^ 5 / sqrt(7). Functions: ${[...functions].join(", ")}. Constants: ${[...constants].join(", ")}.`,
      parameters: {
        type: "object",
        properties: { expression: { type: "string" } },
        required: ["expression"],
      },
    },
  },
  async run(args) {
    const { expression } = args;
    if (typeof expression !== "string") throw new ToolFault("expression must be a text");
    if (expression.length > maxLength) {
      throw new ToolFault(`expression must have at most ${maxLength} characters`);
    }
    // A large library, loaded by the first call.
    const { parse, format } = await import("mathjs/number");
    let result: unknown;
    try {
      const node = parse(expression);
      node.traverse(assertAllowed);
      result = node.evaluate() as unknown;
    } catch (error) {
      if (error instanceof ToolFault) throw error;
      throw new ToolFault("this is not an arithmetic expression that I understand");
    }
    if (typeof result !== "number") throw new ToolFault("the result is not a number");
    return format(result, { precision: 14 });
  },
};

function assertAllowed(node: MathNode): void {
  const named = node as MathNode & { readonly name?: string; readonly fn?: unknown };
  const allowed = (() => {
    switch (node.type) {
      case "ParenthesisNode":
        return true;
      case "ConstantNode":
        return typeof (node as MathNode & { readonly value: unknown }).value === "number";
      case "OperatorNode":
        return typeof named.fn === "string" && operators.has(named.fn);
      case "FunctionNode":
        return functions.has(named.name ?? "");
      case "SymbolNode":
        return constants.has(named.name ?? "") || functions.has(named.name ?? "");
      default:
        return false;
    }
  })();
  if (!allowed)
    throw new ToolFault("only numbers, + - * / ^ % !, and the functions named are known");
}
