import { expect, test } from "vitest";
import { wantsJson } from "./wants-json.ts";

test.each([
  [undefined, false],
  ["*/*", false],
  ["text/event-stream", false],
  ["application/json", true],
  ["application/json, text/plain, */*", true],
  ["Application/JSON;q=0.5", true],
  ["application/json;q=0", false],
  ["text/event-stream, application/json;q=0.9", false],
  ["text/event-stream;q=0.1, application/json", true],
])("Accept: %s", (accept, expected) => {
  expect(wantsJson(accept)).toBe(expected);
});
