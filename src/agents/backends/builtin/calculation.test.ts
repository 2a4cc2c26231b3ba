import { describe, expect, test } from "vitest";
import { planCalculation } from "./calculation.ts";
import { isCalculation } from "./calculator.ts";
import { convert } from "./units.ts";

describe("expressions", () => {
  test.each([
    ["(2+3)*4 等于多少", "(2+3)*4"],
    ["What's 15% of 80?", "15% * 80"],
    ["80的15%是多少", "80 * 15%"],
    ["15% 的 80 是多少", "15% * 80"],
    ["what's 5 factorial", "(5)!"],
    ["factorial of 5", "(5)!"],
    ["5的阶乘", "(5)!"],
    ["请帮我算一下 12.5 × 8 ÷ 3", "12.5 * 8 / 3"],
    ["２＋３＝？", "2+3"],
    ["3加5等于几", "3+5"],
    ["百分之20乘以50", "20%*50"],
    ["2的10次方", "2^10"],
    ["5²", "5^2"],
    ["根号2", "sqrt(2)"],
    ["the square root of (2 + 7)", "sqrt((2 + 7))"],
    ["5!", "5!"],
    ["1,234.5 + 2", "1234.5 + 2"],
    ["max(1,200) + 1", "max(1,200) + 1"],
    ["mean 3 5 8", "mean(3, 5, 8)"],
    ["average of 90, 85, and 77.5", "mean(90, 85, 77.5)"],
    ["1、4、2 和 8 的中位数是多少？", "median(1, 4, 2, 8)"],
  ])("%s", (message, expression) => {
    expect(planCalculation(message)).toEqual({ kind: "expression", expression });
    expect(isCalculation(message)).toBe(true);
  });
});

test.each([
  ["3 km to miles", "3", "km", "miles"],
  ["3公里等于多少英里", "3", "公里", "英里"],
  ["把5千克换算成磅", "5", "千克", "磅"],
  ["(2+3) ft in m", "(2+3)", "ft", "m"],
  ["100 degrees F in C", "100", "degrees F", "C"],
])("conversion: %s", (message, value, from, to) => {
  expect(planCalculation(message)).toEqual({ kind: "conversion", value, from, to });
});

test.each([
  [3, "km", "miles", 1.864_113_576_712],
  [-40, "F", "degC", -40],
  [20, "摄氏度", "华氏度", 68],
  [60, "mph", "km/h", 96.560_64],
  [3, "斤", "克", 1_500],
  [1, "GiB", "MB", 1_073.741_824],
])("%d %s in %s", (value, from, to, expected) => {
  expect(convert(value, from, to)).toBeCloseTo(expected, 9);
});

test.each([
  ["hello"],
  ["你好"],
  ["2024-11-22"],
  ["How do I resume a stream?"],
  ["POST /chat/session"],
  ["3 days in Paris"],
  ["I have 2 questions"],
  ["42"],
  [""],
])("no calculation: %s", (message) => expect(isCalculation(message)).toBe(false));

test("hostile texts are planned in bounded time", () => {
  for (const part of ["是多少", "the ", "等于", "1 ", "a to ", "=", "(", " in ", "1a ", "和 1"]) {
    isCalculation(part.repeat(300));
    isCalculation(`1${part.repeat(200)}x`);
  }
});
