import assert from "node:assert/strict";
import { test } from "vitest";
import { readChineseNumbers } from "./chinese-numbers.ts";

test.each([
  ["三十五", "35"],
  ["十", "10"],
  ["一百零三", "103"],
  ["两百五十", "250"],
  ["一万二千", "12000"],
  ["三亿五千万", "350000000"],
  ["一万亿", "1000000000000"],
  ["万", "10000"],
  ["三点一四", "3.14"],
  ["二〇二六", "2026"],
  ["三加五", "3加5"],
  ["3.5万", "(3.5*10000)"],
  ["2百", "(2*100)"],
  ["五千克", "5千克"],
  ["三两", "3两"],
  ["3两", "3两"],
  ["百分之二十", "百分之20"],
  ["没有数字", "没有数字"],
  ["千", "1000"],
])("%s → %s", (text, expected) => {
  assert.equal(readChineseNumbers(text), expected);
});
