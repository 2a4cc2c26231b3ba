import type { Tool } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { chosenTools, maxSchemaLength, maxToolsOfServer } from "./chosen-tools.ts";

const tool = (name: string, schema: object = {}): Tool => ({
  name,
  inputSchema: { type: "object", ...schema },
});
const tools = [
  tool("large", { description: "x".repeat(maxSchemaLength) }),
  ...Array.from({ length: maxToolsOfServer }, (_, index) => tool(`tool ${index}`)),
];

test("tools with a schema that is too large, and those beyond so many, are left out by name", () => {
  const { offered, leftOut } = chosenTools({}, tools);
  expect(offered.map(({ name }) => name)).toEqual(
    Array.from({ length: maxToolsOfServer - 1 }, (_, index) => `tool ${index}`),
  );
  expect(leftOut).toEqual(["large", `tool ${maxToolsOfServer - 1}`]);
});

test("only those that are named are wanted", () => {
  const named = chosenTools({ tools: ["tool 127", "tool 3", "none"] }, tools);
  expect(named.offered.map(({ name }) => name)).toEqual(["tool 3", "tool 127"]);
  expect(named.leftOut).toEqual([]);
  expect(chosenTools({ tools: ["large"] }, tools).leftOut).toEqual(["large"]);
});
