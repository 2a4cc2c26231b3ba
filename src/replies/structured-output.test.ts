import { expect, test } from "vitest";
import { formOf, outputOf } from "./structured-output.ts";

const said = { status: "complete", finishReason: "stop" } as const;
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

test.each<[content: string, format: "json_object" | "json_schema", output: object]>([
  ['{"a":1}', "json_object", { output: { a: 1 } }],
  [' \n{"a": [1, null]}\n', "json_schema", { output: { a: [1, null] } }],
  ['```json\n{"a":1}\n```', "json_object", { output: { a: 1 } }],
  ['```\n{"a":1}```\n', "json_schema", { output: { a: 1 } }],
  ["[1]", "json_schema", { output: [1] }],
  ["null", "json_schema", { output: null }],
  ["0", "json_schema", { output: 0 }],
  ["[1]", "json_object", { output: null, output_error: "not_an_object" }],
  ["null", "json_object", { output: null, output_error: "not_an_object" }],
  ["Sure: {}", "json_object", { output: null, output_error: "not_json" }],
  ['{"a":1', "json_schema", { output: null, output_error: "not_json" }],
  ["", "json_schema", { output: null, output_error: "not_json" }],
  [nested(64), "json_schema", { output: JSON.parse(nested(64)) as object }],
  [nested(66), "json_schema", { output: null, output_error: "too_deep" }],
  [nested(100_000), "json_schema", { output: null, output_error: "too_deep" }],
])("%.20j as %s", (content, outputFormat, output) => {
  expect(outputOf({ ...said, content, outputFormat })).toEqual(output);
});

test("why there is none is told by how the reply ended", () => {
  const of = (finishReason: string) =>
    outputOf({ ...said, finishReason, content: '{"a', outputFormat: "json_object" })?.output_error;
  expect([of("length"), of("content_filter"), of("stop"), of("toString")]).toEqual([
    "incomplete",
    "refused",
    "not_json",
    "not_json",
  ]);
});

test("a reply that was not asked for a form, or did not come to its end, has none", () => {
  expect(outputOf({ ...said, content: "{}", outputFormat: null })).toBeNull();
  for (const status of ["cancelled", "failed", "interrupted", "paused", "streaming"]) {
    expect(outputOf({ ...said, status, content: "{}", outputFormat: "json_object" })).toBeNull();
  }
});

test("what a model says cannot reach into the service", () => {
  const content = '{"__proto__": {"polluted": 1}}';
  const output = outputOf({ ...said, content, outputFormat: "json_object" });
  expect(JSON.stringify(output)).toBe('{"output":{"__proto__":{"polluted":1}}}');
  expect({}).not.toHaveProperty("polluted");
});

test.each<[content: string, output: object]>([
  ['{"a":1}', { output: { a: 1 } }],
  ['```json\n{"a":1}\n```', { output: { a: 1 } }],
  ['{"a":"1"}', { output: null, output_error: "schema_mismatch" }],
  ['{"a":1,"b":1}', { output: null, output_error: "schema_mismatch" }],
  ["null", { output: null, output_error: "schema_mismatch" }],
  ['{"__proto__":{"a":1}}', { output: null, output_error: "schema_mismatch" }],
  ["Sure", { output: null, output_error: "not_json" }],
  [nested(100_000), { output: null, output_error: "too_deep" }],
])("%.20j is held to its schema", (content, output) => {
  const schema = {
    type: "object",
    properties: { a: { type: "integer" } },
    required: ["a"],
    additionalProperties: false,
  };
  const outputFormat = formOf({ type: "json_schema", json_schema: { name: "x", schema } }, content);
  expect(outputOf({ ...said, content, outputFormat })).toEqual(output);
});

test("what could not be checked is told with the value", () => {
  const schema = { pattern: "(" };
  const outputFormat = formOf({ type: "json_schema", json_schema: { name: "x", schema } }, '"x"');
  expect(outputOf({ ...said, content: '"x"', outputFormat })).toEqual({
    output: "x",
    output_error: "schema_unchecked",
  });
});

test.each([undefined, { type: "text" } as const, { type: "json_object" } as const])(
  "%j has no schema",
  (asked) => {
    expect(formOf(asked, "{}")).toBe(asked?.type === "json_object" ? "json_object" : null);
  },
);
