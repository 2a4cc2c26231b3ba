import assert from "node:assert/strict";
import { test } from "vitest";
import { indexTerms, questionTerms, stem } from "./search-terms.ts";

test("forms of an English word meet", () => {
  for (const forms of [
    ["session", "sessions"],
    ["stream", "streams", "streaming", "streamed"],
    ["cache", "caching", "cached"],
    ["cancel", "cancelled", "cancelling"],
    ["reply", "replies"],
    ["connect", "connection", "connecting"],
  ]) {
    assert.equal(new Set(forms.map(stem)).size, 1, `${forms.join()} → ${forms.map(stem).join()}`);
  }
});

test("identifiers are found whole and by their parts", () => {
  const terms = indexTerms("Set DATABASE_URL or `Last-Event-ID`.");
  for (const term of ["database_url", "url", "last-event-id", "event"]) {
    assert.ok(terms.includes(stem(term)), term);
  }
});

test("Chinese text is indexed by words and by pairs of characters", () => {
  const terms = indexTerms("断线续传");
  assert.ok(terms.includes("断线续传"));
  assert.ok(terms.includes("线续"));
});

test("a question asks for its own words only, and Chinese terms also in English", () => {
  assert.deepEqual(questionTerms("How do I do this with you?"), []);
  assert.deepEqual(questionTerms("请问怎么使用？"), []);
  const [first] = questionTerms("如何取消？");
  assert.ok(first?.terms.includes("取消") && first.terms.includes("cancel"));
});

test("names of JavaScript's own objects are words like others", () => {
  assert.doesNotThrow(() => questionTerms("constructor __proto__ toString hasOwnProperty"));
});
