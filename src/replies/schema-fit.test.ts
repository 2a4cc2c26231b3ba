import { describe, expect, test } from "vitest";
import { fitOf } from "./schema-fit.ts";

const list = {
  $defs: {
    node: {
      type: "object",
      properties: { next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
      required: ["next"],
    },
  },
  $ref: "#/$defs/node",
};

test.each<[schema: object, value: unknown, fit: string]>([
  [{}, 1, "fits"],
  [{ type: ["string", "null"] }, null, "fits"],
  [{ enum: ["a", "b"] }, "c", "mismatch"],
  [{ type: "array", items: { type: "integer" }, minItems: 1 }, [1, "2"], "mismatch"],
  [{ type: "string", pattern: "^\\p{Lu}" }, "Ärger", "fits"],
  [{ type: "string", format: "email" }, "nobody", "mismatch"],
  [{ type: "string", format: "of-our-house" }, "nobody", "fits"],
  [list, { next: { next: null } }, "fits"],
  [list, { next: { next: 1 } }, "mismatch"],
  [{ type: "object", required: ["a"] }, {}, "mismatch"],
  [{ $ref: "https://example.com/elsewhere.json" }, 1, "mismatch"],
])("%j and %j: %s", (schema, value, fit) => {
  // However busy the machine is.
  expect(fitOf(schema, value, 20_000)).toBe(fit);
});

/** Each level asks for the next one twice. */
function doubling(levels: number): object {
  const defs: Record<string, object> = { [`d${levels}`]: { type: "string" } };
  for (let level = 0; level < levels; level++) {
    const next = { $ref: `#/$defs/d${level + 1}` };
    defs[`d${level}`] = { allOf: [next, next] };
  }
  return { $defs: defs, $ref: "#/$defs/d0" };
}

function deep(levels: number): object {
  let schema = {};
  for (let level = 0; level < levels; level++) schema = { not: schema };
  return schema;
}

describe("a schema made to harm", () => {
  test.each<[what: string, schema: object, value: unknown]>([
    ["a pattern that never ends", { pattern: "^(a+)+$" }, `${"a".repeat(60)}!`],
    [
      "a pattern for names",
      { patternProperties: { "^(a+)+$": {} } },
      { [`${"a".repeat(60)}!`]: 1 },
    ],
    ["references that double", doubling(60), "x"],
    ["a reference to itself", { $ref: "#" }, "x"],
    [
      "two that go round",
      { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
      1,
    ],
    ["depth", deep(20_000), 1],
    ["no pattern", { pattern: "(" }, "x"],
  ])("%s: nothing is known, and the next check works", (_, schema, value) => {
    expect(fitOf(schema, value)).toBe("unchecked");
    expect(fitOf({ type: "string" }, "x", 20_000)).toBe("fits");
  });
});
