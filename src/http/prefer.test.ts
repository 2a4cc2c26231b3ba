import { expect, test } from "vitest";
import { prefersAsync } from "./prefer.ts";

test.each([
  [undefined, false],
  ["", false],
  ["respond-async", true],
  ["Respond-Async", true],
  ["  respond-async  ", true],
  ["respond-async, wait=10", true],
  ["return=minimal, respond-async", true],
  ["respond-async; foo=bar", true],
  ["wait=10", false],
  ["respond-asynchronously", false],
  ["x-respond-async", false],
  ['handling="a, respond-async"', false],
  ['handling="a, \\", respond-async"', false],
  ['handling="a, b", respond-async', true],
  [["return=minimal", "respond-async"], true],
])("Prefer: %j", (prefer, expected) => {
  expect(prefersAsync({ headers: prefer === undefined ? {} : { prefer } })).toBe(expected);
});
