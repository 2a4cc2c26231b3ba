import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { planCalculation } from "./calculation.ts";

describe("statistics", () => {
  test.each<[string, string[], string[]]>([
    ["平均值 3 5 8", ["mean"], ["3", "5", "8"]],
    ["1、4、2 和 8 的中位数是多少？", ["median"], ["1", "4", "2", "8"]],
    ["mean: 3, 5, 8", ["mean"], ["3", "5", "8"]],
    ["what is the average of these scores: 90, 85, and 77.5", ["mean"], ["90", "85", "77.5"]],
    ["max(3, -5, 8e3)", ["max"], ["3", "-5", "8e3"]],
    ["Standard deviation and variance of [1, 2, 4]", ["std", "variance"], ["1", "2", "4"]],
    ["sum of 1,200 3,400", ["sum"], ["1200", "3400"]],
    ["sum 1,200", ["sum"], ["1", "200"]],
  ])("%s", (message, measures, numbers) => {
    assert.deepEqual(planCalculation(message), { kind: "statistics", measures, numbers });
  });

  test("a bare list asks for everything", () => {
    const planned = planCalculation("12\n15\n18.5\n20\n");
    assert.ok(planned?.kind === "statistics");
    assert.ok(planned.measures.length > 5);
    assert.deepEqual(planned.numbers, ["12", "15", "18.5", "20"]);
  });

  test("numbers in a sentence are no list", () => {
    const planned = planCalculation("average number of messages in 2 sessions over 3 days");
    assert.notEqual(planned?.kind, "statistics");
  });
});

describe("conversions", () => {
  test.each([
    ["3公里等于多少英里", "3 km", "mile"],
    ["把5千克换算成磅", "5 kg", "lb"],
    ["100公里每小时是多少米每秒？", "100 km / hour", "m / second"],
    ["3 km to miles", "3 km", "miles"],
    ["how many feet are in 2 m?", "2 m", "feet"],
    ["how many km in a mile", "1 mile", "km"],
    ["5 feet 3 inches in cm", "5 feet + 3 inches", "cm"],
    ["2小时30分钟等于多少秒", "2 hour + 30 minute", "second"],
    ["20 C to F", "20 degC", "degF"],
    ["20°C in °F", "20degC", "degF"],
    ["20度等于多少华氏度", "20 degC", "degF"],
    ["一百二十平方米是多少亩", "120 m^2", "shimu"],
  ])("%s", (message, source, target) => {
    const planned = planCalculation(message);
    assert.ok(planned?.kind === "conversion", planned?.kind);
    assert.deepEqual([planned.source, planned.target], [source, target]);
  });
});

describe("expressions", () => {
  test.each([
    ["(2+3)*4 等于多少", "(2+3)*4"],
    ["What's 15% of 80?", "(15/100) * 80"],
    ["80的15%是多少", "80 * (15/100)"],
    ["请帮我算一下 12.5 × 8 ÷ 3", "12.5 * 8 / 3"],
    ["２＋３＝？", "2+3"],
    ["三加五等于几", "3+5"],
    ["百分之二十乘以50", "(20/100)*50"],
    ["2的10次方", "2^10"],
    ["根号2", "sqrt(2)"],
    ["square root of 2", "sqrt(2)"],
    ["5!", "5!"],
    ["1,234.5 + 2", "1234.5 + 2"],
    ["max(1,200) + 1", "max(1,200) + 1"],
  ])("%s", (message, expression) => {
    assert.deepEqual(planCalculation(message), { kind: "expression", expression });
  });
});

test.each(["hello", "你好", "2024-11-22", "How do I resume a stream?", "POST /chat/session", ""])(
  "no calculation: %s",
  (message) => assert.equal(planCalculation(message), null),
);

test("hostile texts are planned in bounded time", () => {
  for (const part of ["是多少", "the value of ", "等于", "1 ", "a to ", "换成", "=", "(", " in "]) {
    planCalculation(part.repeat(20_000));
    planCalculation(`${part.repeat(300)}x`);
    planCalculation(`1${part.repeat(60)}x`);
  }
});
