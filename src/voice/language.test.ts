import { expect, test } from "vitest";
import { isSpeakable, languageOf, latinShare, primaryLanguage, widthOf } from "./language.ts";

test.each<[string, string, string]>([
  ["What time is it?", "zh", "en"],
  ["现在几点了？", "en", "zh"],
  ["请打开 PowerPoint 和 Excel 文件", "en", "en"],
  ["请打开这个 Excel 文件", "en", "zh"],
  ["これは日本語です", "en", "ja"],
  ["안녕하세요", "en", "ko"],
  ["Wie spät ist es?", "de", "de"],
  ["Который час?", "ru", "ru"],
  ["Который час?", "en", "en"],
  ["42", "zh", "zh"],
  ["", "en", "en"],
])("%s beside %s is %s", (text, fallback, expected) => {
  expect(languageOf(text, fallback)).toBe(expected);
});

test("small judgements", () => {
  expect(primaryLanguage("zh-CN")).toBe("zh");
  expect(primaryLanguage("EN_us")).toBe("en");
  expect(latinShare("ab中文")).toBe(0.5);
  expect(latinShare("12")).toBe(0);
  expect(widthOf("ab中文，")).toBe(7);
  expect(isSpeakable("…!？ ")).toBe(false);
  expect(isSpeakable("…1")).toBe(true);
});
