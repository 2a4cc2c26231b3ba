import assert from "node:assert/strict";
import { assert as assertProperty, constantFrom, oneof, property, string } from "fast-check";
import { test } from "vitest";
import { cutIntoPieces, streamText } from "./text-pieces.ts";

test("the pieces of any text are the text", () => {
  const text = oneof(
    string({ unit: "binary", maxLength: 200 }),
    string({ unit: constantFrom("你", "好", "，", "a", " ", "\n", "👋🏽", "-", "。") }),
  );
  assertProperty(property(text, (given) => assert.equal(cutIntoPieces(given).join(""), given)));
});

test("pieces are small, in both languages and without spaces", () => {
  const given = `An answer in English. ${"中文回答没有空格".repeat(20)} ${"x".repeat(500)}`;
  for (const part of cutIntoPieces(given)) assert.ok([...part.trim()].length <= 40, part);
  assert.ok(cutIntoPieces("Hello there, Alice").length === 3);
});

test("an abort ends the text between two pieces, with its reason", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const event of streamText("one two three four", stop.signal)) {
        if (event.type === "text") seen.push(event.text);
        if (seen.length === 2) stop.abort(reason);
      }
    },
    (error) => error === reason,
  );
  assert.deepEqual(seen, ["one ", "two "]);
});
