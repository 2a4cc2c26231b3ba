import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ArithmeticFault, evaluateArithmetic, formatNumber } from "./arithmetic.ts";

test.each([
  ["2 + 3 * 4", "14"],
  ["0.1 + 0.2", "0.3"],
  ["10 - 2 - 3", "5"],
  ["2 ^ 3 ^ 2", "512"],
  ["-2 ^ 2", "-4"],
  ["2 ^ -1", "0.5"],
  ["2(3 + 4)pi", "43.982297150257"],
  ["80 + 10%", "88"],
  ["80 - 10%", "72"],
  ["15% * 80", "12"],
  ["5 % 3 + -7 mod 3", "4"],
  ["5! + 3!", "126"],
  ["sin(30 deg)", "0.5"],
  ["log(8, 2) + ln(e)", "4"],
  ["round(2.675, 2)", "2.68"],
  ["round(-2.5)", "-3"],
  ["median(1, 4, 2, 8)", "3"],
  ["2 ^ 100", "1.2676506002282e+30"],
  ["1 / 0", "Infinity"],
  ["0 / 0", "NaN"],
  ["(-3)!", "NaN"],
  ["1e9!", "Infinity"],
  ["-0", "0"],
])("%s = %s", (text, expected) => {
  expect(formatNumber(evaluateArithmetic(text))).toBe(expected);
});

test.each([
  ["", "syntax"],
  ["3 +", "syntax"],
  ["1 2", "syntax"],
  ["2 +* 3", "syntax"],
  ["(1", "syntax"],
  ["sqrt", "syntax"],
  ["sqrt()", "syntax"],
  ["a = 5", "syntax"],
  ["a", "unknown_name"],
  ["constructor", "unknown_name"],
  ["__proto__", "syntax"],
  ["sqrt(1, 2)", "arguments"],
  ["[1]", "syntax"],
  ["1+".repeat(300), "limit"],
])("%s is refused: %s", (text, reason) => {
  expect(() => evaluateArithmetic(text)).toThrow(expect.objectContaining({ reason }));
});

test("whatever the text, there is a number or a refusal", () => {
  const token = fc.constantFrom(
    ..."1 2.5 9e99 pi e + - * / ^ % ! ( ) , sqrt( max( mod [ ] = : x . i".split(" "),
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
      try {
        expect(typeof evaluateArithmetic(tokens.join(""))).toBe("number");
      } catch (error) {
        expect(error).toBeInstanceOf(ArithmeticFault);
      }
    }),
    { numRuns: 2_000 },
  );
  for (const text of ["(".repeat(249), "-".repeat(499) + "1", "2^".repeat(249) + "2"]) {
    try {
      evaluateArithmetic(text);
    } catch (error) {
      expect(error).toBeInstanceOf(ArithmeticFault);
    }
  }
});
