import fc from "fast-check";
import { expect, it } from "vitest";
import { isMoment, isRowNumber } from "./cursor.ts";

it("takes the moments that a database writes, to the microsecond", () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date("0001-01-01T00:00:00Z"),
        max: new Date("9999-12-31T23:59:59.999Z"),
        noInvalidDate: true,
      }),
      fc.integer({ min: 0, max: 999 }),
      (date, micros) => {
        const text = `${date.toISOString().slice(0, 23)}${String(micros).padStart(3, "0")}Z`;
        expect(isMoment(text)).toBe(true);
      },
    ),
  );
});

it.each([
  "1",
  "foo 1",
  "2026-01-01 (x)",
  "+275760-09-13T00:00:00.000Z",
  "-000001-01-01T00:00:00Z",
  "0000-01-01T00:00:00.000000Z",
  "2026-02-30T00:00:00.000000Z",
  "2026-13-01T00:00:00.000000Z",
  "2026-01-01T24:00:00.000000Z",
  "2026-01-01T00:00:60.000000Z",
  "2026-01-01T00:00:00.000Z",
  "2026-01-01T00:00:00.000000Z\n",
  5,
  null,
])("takes no %j for a moment", (value) => {
  expect(isMoment(value)).toBe(false);
});

it("takes numbers that fit a column", () => {
  for (const number of [0, 1, 2 ** 31 - 1]) expect(isRowNumber(number)).toBe(true);
  for (const number of [-1, 0.5, 2 ** 31, 2 ** 53, NaN, "1", null, undefined]) {
    expect(isRowNumber(number)).toBe(false);
  }
});
