import { expect, test } from "vitest";
import { instant } from "./instant.ts";

test.each([
  ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000Z"],
  ["2026-11-22T10:00:00.5+08:00", "2026-11-22T02:00:00.500Z"],
  // PostgreSQL takes no offset of 16 hours and more.
  ["2026-11-22T10:00:00+23:59", "2026-11-21T10:01:00.000Z"],
  ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"],
  ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
])("%s is %s", (text, utc) => {
  expect(instant(text)).toBe(utc);
});

test.each(["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2026-13-01T00:00:00Z", "soon"])(
  "%s is none",
  (text) => {
    expect(instant(text)).toBeNull();
  },
);
