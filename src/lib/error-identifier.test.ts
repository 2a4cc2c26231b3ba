import { expect, test } from "vitest";
import { errorIdentifier } from "./error-identifier.ts";

test.each(["context_length_exceeded", "BadRequestError", "Throttling.RateQuota", "1210"])(
  "%s names an error",
  (code) => {
    expect(errorIdentifier(code)).toBe(code);
  },
);

test.each(["sk-proj-a1b2c3", "not a code", "", "x".repeat(65), "12345678", "a__b", null, {}, 400])(
  "%j could be anything",
  (code) => {
    expect(errorIdentifier(code)).toBeNull();
  },
);
