import { expect, test } from "vitest";
import { titleFrom } from "./title.ts";

test.each([
  ["Whales of the north", "Whales of the north"],
  ["  “Whales”\n", "Whales"],
  ["**Title:** Whales", "Whales"],
  ["# Whales\n\nMore about it", "Whales"],
  ["\n\n标题：《鲸鱼》的故事。", "《鲸鱼》的故事"],
  ["What is C#?", "What is C#?"],
  ["tabs\tand\u0007bells", "tabs and bells"],
  ["x".repeat(60), "x".repeat(60)],
  ["x".repeat(61), `${"x".repeat(59)}…`],
  ["😀".repeat(61), `${"😀".repeat(59)}…`],
  ['"" ', null],
  ["", null],
])("of %j the title is %j", (text, title) => {
  expect(titleFrom(text)).toBe(title);
});
