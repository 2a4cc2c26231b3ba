import { estimateTokenCount } from "tokenx";
import { expect, test } from "vitest";
import { tokensOfText } from "./tokens-of-text.ts";

const texts = [
  "",
  "short",
  "A text that is long enough to be kept, with some words in it and an end.",
  "A text that is long enough to be kept, with some words in it; and an end",
  "这是一个测试。".repeat(30),
  "const x = { a: 1 };\n".repeat(40),
  "x".repeat(24 * 1024),
];

test("each text has its own estimate, however often it is asked for and whatever was in between", () => {
  const estimates = texts.map((text) => estimateTokenCount(text));
  expect(texts.map(tokensOfText)).toEqual(estimates);
  expect(texts.map(tokensOfText)).toEqual(estimates);
  for (let other = 0; other < 21_000; other += 1) tokensOfText(`${other} `.padEnd(64, "."));
  expect(texts.map(tokensOfText)).toEqual(estimates);
});

test("a text is estimated in proportion beyond what is looked at", () => {
  const whole = "twelve words of a sentence that is said again and again here. ".repeat(4_000);
  const ratio = tokensOfText(whole) / estimateTokenCount(whole);
  expect(ratio).toBeGreaterThan(0.9);
  expect(ratio).toBeLessThan(1.1);
});
