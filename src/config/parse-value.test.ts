import { describe, expect, test } from "vitest";
import { parseValue } from "./parse-value.ts";
import { webUrl } from "./rules.ts";
import {
  boolean,
  bytes,
  choice,
  integer,
  json,
  list,
  number,
  secret,
  text,
  type Setting,
} from "./setting.ts";

function parse(setting: Setting, given: string): unknown {
  const parsed = parseValue(setting, { type: "text", text: given });
  return parsed.ok ? parsed.value : { fault: parsed.fault };
}

const fault = { fault: expect.stringMatching(/^must be /) as string };
const port = integer("", 1, { maximum: 65_535 });
const ratio = number("", 1, { minimum: 0.5, maximum: 2 });
const size = bytes("", 1, { minimum: 1024 });
const level = choice("", ["INFO", "WARN"], "INFO");
const anyList = list("", []);
const structure = json<unknown>("", [], (value) =>
  Array.isArray(value) ? null : "must be a list",
);

test.each<[string, Setting, string, unknown]>([
  ["integer", port, " 80 ", 80],
  ["integer", port, "65535", 65_535],
  ["integer above", port, "65536", fault],
  ["integer below", port, "-1", fault],
  ["integer with fraction", port, "8.0", fault],
  ["integer with exponent", port, "1e3", fault],
  ["integer in hex", port, "0x10", fault],
  ["integer with rest", port, "80 # web", fault],
  ["integer beyond exactness", integer("", 0), "9007199254740993", fault],
  ["number", ratio, ".5", 0.5],
  ["number", ratio, "1.5e0", 1.5],
  ["number below", ratio, "0.49", fault],
  ["number that is none", ratio, "NaN", fault],
  ["number without end", number("", 0), "1e999", fault],
  ["bytes", size, "10MB", 10_485_760],
  ["bytes", size, "1.5 kb", 1536],
  ["bytes", size, "2GiB", 2_147_483_648],
  ["bytes below", size, "1023", fault],
  ["bytes in an unknown unit", size, "10 apples", fault],
  ["bytes not whole", size, "1024.5", fault],
  ["choice", level, "warn", "WARN"],
  ["choice unknown", level, "LOUD", fault],
  ["text", text("", null), " a b ", " a b "],
  ["secret", secret(""), " a b \r\n", "a b"],
  ["key for a header", secret("", { isHeader: true }), " sk-a_b.~+/= \n", "sk-a_b.~+/="],
  ["key that no header carries", secret("", { isHeader: true }), "sk-密钥", fault],
  ["text with a rule", text("", null, { rule: webUrl }), " http://h ", "http://h"],
  ["text against its rule", text("", null, { rule: webUrl }), "h", fault],
  ["list", anyList, "a, b,,c ", ["a", "b", "c"]],
  ["list in JSON", anyList, ' ["a,b", 1, "", true]', ["a,b", "1", "", "true"]],
  ["list that is empty", anyList, "[]", []],
  ["list with an address", anyList, "[::1],[fe80::1]", ["[::1]", "[fe80::1]"]],
  ["list in broken JSON", anyList, "[a, b]", fault],
  ["list of lists", anyList, "[[1]]", fault],
  ["list against its rule", list("", [], { rule: webUrl }), "http://a,b", fault],
  ["structure", structure, '[{"a":1}]', [{ a: 1 }]],
  ["structure refused by its check", structure, "{}", { fault: "must be a list" }],
])("%s", (_, setting, given, expected) => {
  expect(parse(setting, given)).toEqual(expected);
});

test("booleans have several words", () => {
  for (const word of ["true", "TRUE", "1", "yes", "on"])
    expect(parse(boolean("", false), word)).toBe(true);
  for (const word of ["false", "0", "No", "off"])
    expect(parse(boolean("", true), word)).toBe(false);
  for (const word of ["maybe", "2", "", "constructor"])
    expect(parse(boolean("", true), word)).toEqual(fault);
});

test("broken JSON is not quoted", () => {
  expect(JSON.stringify(parse(structure, '[{"api_key":"s3cret"'))).not.toContain("s3cret");
});

describe("values of the wrong shape", () => {
  const raw = { type: "structure", value: { a: 1 } } as const;
  test.each<[string, Setting]>([
    ["text", text("", null)],
    ["secret", secret("")],
    ["integer", port],
    ["boolean", boolean("", true)],
    ["list", anyList],
  ])("a group of keys is no %s", (_, setting) => {
    expect(parseValue(setting, raw).ok).toBe(false);
  });

  test("a list is no text", () => {
    expect(parseValue(text("", null), { type: "items", items: ["a"] }).ok).toBe(false);
  });

  test("items of a list are checked one by one", () => {
    const urls = list("", [], { rule: webUrl });
    expect(parseValue(urls, { type: "items", items: ["http://a"] }).ok).toBe(true);
    expect(parseValue(urls, { type: "items", items: ["http://a", "b"] }).ok).toBe(false);
  });
});
