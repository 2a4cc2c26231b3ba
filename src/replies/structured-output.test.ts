import { expect, test } from "vitest";
import { outputOf } from "./structured-output.ts";

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
