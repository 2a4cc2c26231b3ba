import * as fc from "fast-check";
import { expect, test } from "vitest";
import { toolNameOf } from "./tool-names.ts";

test("a name that models take stays readable", () => {
  expect(toolNameOf("github", "create-issue", new Set())).toBe("github__create-issue");
});

test("no two tools have one name, whatever they are called, and none that is taken", () => {
  const tool = fc.string({ unit: "binary", minLength: 1, maxLength: 70 });
  const close = fc.stringMatching(/^[ab._]{1,4}$/);
  const tools = fc.uniqueArray(fc.oneof(tool, close), { maxLength: 6 });
  fc.assert(
    fc.property(tools, fc.constantFrom("a", "a_", "s".repeat(32)), (names, server) => {
      const known = names.map((name) => toolNameOf(server, name, new Set(["a__a"])));
      const isApart = new Set(known).size === names.length && !known.includes("a__a");
      return isApart && known.every((each) => /^[\w-]{1,64}$/.test(each));
    }),
  );
});

test("a name does not depend on the other tools", () => {
  expect(toolNameOf("s", "a.b", new Set(["x"]))).toBe(toolNameOf("s", "a.b", new Set()));
  expect(toolNameOf("s", "a.b", new Set())).not.toBe(toolNameOf("s", "a_b", new Set()));
});
