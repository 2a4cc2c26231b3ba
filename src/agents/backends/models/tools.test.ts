import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentToolNames } from "../../../config/cross-rules.ts";
import { ToolFault } from "./tool.ts";
import { findTool, knownToolNames } from "./tools.ts";

const run = (name: string, args: Record<string, unknown>) => {
  const tool = findTool(name);
  if (!tool) throw new Error(`no tool ${name}`);
  return (async () => (await tool.run(args, new AbortController().signal)).text)();
};

test("the configuration knows the same tools", () => {
  expect(agentToolNames).toEqual(knownToolNames);
});

test("the tools have the names under which they are found", () => {
  expect(knownToolNames).toEqual(["current_time", "calculator"]);
  for (const name of knownToolNames) expect(findTool(name)?.definition.function.name).toBe(name);
  expect(findTool("shell")).toBeNull();
});

describe("current_time", () => {
  test("tells the time in a zone", async () => {
    const now = new Date().toISOString().slice(0, 13);
    expect(await run("current_time", { time_zone: "Asia/Shanghai" })).toContain("GMT+8");
    expect(await run("current_time", {})).toContain(now);
  });

  test("says what it does not know", async () => {
    await expect(run("current_time", { time_zone: "Mars/Olympus" })).rejects.toThrow(ToolFault);
    await expect(run("current_time", { time_zone: 8 })).rejects.toThrow(ToolFault);
  });
});

describe("calculator", () => {
  test.each([
    ["2 + 3 * 4", "14"],
    ["(1/3) * 3", "1"],
    ["0.1 + 0.2", "0.3"],
    ["2 ^ 10 / sqrt(16)", "256"],
    ["-7 % 3", "2"],
    ["sum(1, 2, 3) + round(pi, 2)", "9.14"],
    ["20!", "2.4329020081766e+18"],
    ["1 / 0", "Infinity"],
  ])("%s = %s", async (expression, result) => {
    expect(await run("calculator", { expression })).toBe(result);
  });

  test.each([
    "a = 5",
    "f(x) = x",
    "import({})",
    "evaluate('1')",
    "parse('1')",
    "[1, 2, 3]",
    "zeros(100000, 100000)",
    "1:1000000000",
    "{a: 1}",
    "'text'",
    "x.constructor",
    "1; 2",
    "true ? 1 : 2",
    "sqrt",
    "range(1, 1e9)",
    "combinations(1e9, 5e8)",
    "2 +",
    "",
    "1+".repeat(300),
  ])("refuses %s", async (expression) => {
    await expect(run("calculator", { expression })).rejects.toThrow(ToolFault);
  });

  test("wants a text", async () => {
    await expect(run("calculator", { expression: 5 })).rejects.toThrow(ToolFault);
  });

  test("answers with a number or refuses, whatever it is given", async () => {
    const token = fc.constantFrom(
      ..."1 2.5 9e99 pi e + - * / ^ % ! ( ) , sqrt( max( factorial( [ ] = : ; ' x . i".split(" "),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 25 }), async (tokens) => {
        try {
          const result = await run("calculator", { expression: tokens.join("") });
          expect(result).toMatch(/^(-?(\d|Infinity)|NaN)/);
        } catch (error) {
          expect(error).toBeInstanceOf(ToolFault);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
