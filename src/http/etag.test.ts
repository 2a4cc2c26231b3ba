import { expect, it } from "vitest";
import { isCurrent } from "./etag.ts";

it("knows its tag among others, weak or strong, and no other", () => {
  for (const condition of ['"a"', 'W/"a"', '"b", "a"', "*"]) {
    expect(isCurrent(condition, '"a"')).toBe(true);
  }
  for (const condition of [undefined, "", '"b"', "a"]) {
    expect(isCurrent(condition, '"a"')).toBe(false);
  }
});
