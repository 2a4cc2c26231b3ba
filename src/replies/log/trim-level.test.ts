import fc from "fast-check";
import { expect, test } from "vitest";
import { trimLevel } from "./trim-level.ts";

test.each([
  { sizes: [], total: 0, level: Infinity },
  { sizes: [3, 1, 2], total: 6, level: Infinity },
  { sizes: [10, 1, 1], total: 6, level: 4 },
  { sizes: [10, 9, 1], total: 5, level: 2 },
  { sizes: [5, 5], total: 0, level: 0 },
])("$sizes within $total: the largest give way down to $level", ({ sizes, total, level }) => {
  expect(trimLevel(sizes, total)).toBe(level);
});

test("what stays is within the total, and no more goes than has to", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1_000 })), fc.nat({ max: 20_000 }), (sizes, total) => {
      const level = trimLevel(sizes, total);
      const sum = (values: number[]) => values.reduce((left, right) => left + right, 0);
      const left = sum(sizes.map((size) => Math.min(size, level)));
      expect(left).toBeLessThan(total + 0.001);
      expect(left).toBeGreaterThan(Math.min(total, sum(sizes)) - 0.001);
    }),
  );
});
