import fc from "fast-check";
import { expect, it } from "vitest";
import { checkJson, checkRest, scanJson } from "./json-size.ts";

const count = (text: string, enough?: number) => scanJson(Buffer.from(text), enough).values;

function valuesIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + valuesIn(member), 1);
}

it("counts the values of any JSON, however it is written", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(0, 2, "\t"), (json, space) => {
      const value: unknown = JSON.parse(json);
      expect(count(json)).toBe(valuesIn(value));
      expect(count(JSON.stringify(value, null, space))).toBe(valuesIn(value));
    }),
    { numRuns: 1_000 },
  );
});

it.each([
  ['"a,b]c{"', 1],
  ['["\\"", "\\\\", "\\\\\\",\\"", ","]', 5],
  ['{"a,b": {"c:": []}, "d": "\\\\"}', 4],
  ["", 0],
  [" \n", 0],
  ['"without end', 1],
])("is not misled by texts: %s", (json, values) => {
  expect(count(json)).toBe(values);
});

it.each([
  ["objects", (times: number) => `[${"{},".repeat(times)}{}]`],
  ["numbers", (times: number) => `[${"0,".repeat(times)}0]`],
  ["depth", (times: number) => "[".repeat(times)],
  ["members", (times: number) => `{${'"a":1,'.repeat(times)}"a":1}`],
])("stops soon after there are enough: %s", (_what, make) => {
  expect(count(make(1_000), 100)).toBe(101);
});

it.each([
  ["texts", `{"a":"${'\\"'.repeat(5_000)}"}`],
  ["white space", `{"a":${" ".repeat(5_000)}1}`],
  ["digits", `{"a":${"1".repeat(5_000)}}`],
  ["names", `{${'"a":1,'.repeat(1_000)}"b":1}`],
])("looks at no more bytes one by one than there may be: %s", (_what, json) => {
  const bytes = Buffer.from(json);
  expect(scanJson(bytes, Infinity, 1_000).steps).toBeLessThan(1_010);
  expect(() => checkJson(bytes, 1_000)).toThrow(/limits.max_body_size/);
  expect(() => checkJson(bytes, bytes.length)).not.toThrow();
});

it("passes over files, with whatever is escaped in them", () => {
  for (const data of ["QUJD".repeat(5_000), "QU\\/D".repeat(5_000)]) {
    expect(() => checkJson(Buffer.from(`{"data":"${data}"}`), 1_000)).not.toThrow();
  }
});

it("leaves out the files of a message, and nothing else", () => {
  const large = "x".repeat(2_000);
  const sizes = (value: object) => () =>
    checkRest(value, Buffer.byteLength(JSON.stringify(value)), 1_000);
  const file = { name: "a", media_type: "a/b", data: large };
  expect(sizes({ message: "hi", attachments: [file, file] })).not.toThrow();
  for (const other of [
    { message: large },
    { unknown: large },
    { attachments: large },
    { attachments: [large] },
    { attachments: { data: large } },
    { attachments: [{ ...file, name: large }] },
    { attachments: [{ data: { data: large } }] },
    { metadata: { attachments: [file] } },
  ]) {
    expect(sizes(other), JSON.stringify(other).slice(0, 60)).toThrow(/too large/);
  }
});
