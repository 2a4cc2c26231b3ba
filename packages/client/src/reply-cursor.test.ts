import { expect, it } from "vitest";
import { createCursor } from "./reply-cursor.ts";

it("takes each event of each reply once, and knows where it is", () => {
  const cursor = createCursor(null, 0);
  expect([cursor.messageId(), cursor.after()]).toEqual([null, 0]);
  cursor.begin("a");
  expect([1, 2, 2, 1, 3].map((id) => cursor.take("a", id))).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  expect([cursor.messageId(), cursor.after()]).toEqual(["a", 3]);
  expect(cursor.take("b", 1)).toBe(true);
  expect([cursor.messageId(), cursor.after()]).toEqual(["b", 1]);
  // Told once more from the start.
  expect([cursor.take("a", 3), cursor.take("b", 1), cursor.take("b", 2)]).toEqual([
    false,
    false,
    true,
  ]);
  expect(createCursor("c", 7).take("c", 7)).toBe(false);
});
