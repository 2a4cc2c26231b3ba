import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatByteSize, parseByteSize } from "./byte-size.ts";

test.each([
  ["0", 0],
  ["1", 1],
  ["1B", 1],
  ["1k", 1024],
  ["64KB", 65_536],
  ["0.5 MB", 524_288],
  ["1GiB", 1_073_741_824],
  ["1tb", 1_099_511_627_776],
  ["", null],
  ["KB", null],
  ["-1", null],
  ["1.5", null],
  ["1 PB", null],
  ["9999999TB", null],
])("%s", (text, size) => {
  expect(parseByteSize(text)).toBe(size);
});

test.each([
  [0, "0"],
  [1000, "1000"],
  [1024, "1KB"],
  [1536, "1536"],
  [10_485_760, "10MB"],
  [1_073_741_824, "1GB"],
  [5 * 1024 ** 5, "5120TB"],
])("%d is written %s", (size, text) => {
  expect(formatByteSize(size)).toBe(text);
});

test("what is written is read as the same size", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (size) => parseByteSize(formatByteSize(size)) === size));
});
