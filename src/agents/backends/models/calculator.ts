import {
  ArithmeticFault,
  arithmeticNames,
  evaluateArithmetic,
  formatNumber,
} from "../../../lib/arithmetic.ts";
import { ToolFault, type Tool } from "./tool.ts";

const { functions, constants } = arithmeticNames;

/** Arithmetic with the numbers of the machine, to 14 digits. */
export const calculator: Tool = {
  definition: {
    type: "function",
    function: {
      name: "calculator",
      description: `Evaluates an arithmetic expression such as (3 + 4) * 2 ^ 5 / sqrt(7). Functions: ${functions.join(", ")}. Constants: ${constants.join(", ")}.`,
      parameters: {
        type: "object",
        properties: { expression: { type: "string" } },
        required: ["expression"],
      },
    },
  },
  async run({ expression }) {
    if (typeof expression !== "string") throw new ToolFault("expression must be a text");
    try {
      return { text: formatNumber(evaluateArithmetic(expression)) };
    } catch (error) {
      if (!(error instanceof ArithmeticFault)) throw error;
      throw new ToolFault(
        `this is not an arithmetic expression that I understand (${error.message}); only numbers, + - * / ^ % !, and the functions named are known`,
        { cause: error },
      );
    }
  },
};
