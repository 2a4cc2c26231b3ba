import assert from "node:assert/strict";
import { test } from "vitest";
import { messageLanguage } from "./message-language.ts";

test("the message's own language wins over the one asked for", () => {
  assert.equal(messageLanguage("如何连接 PostgreSQL？", "en"), "zh");
  assert.equal(messageLanguage("How do I connect it?", "zh"), "en");
});

test("a message without a language of its own is answered as asked for", () => {
  for (const message of ["2+2", "👋", "3 5 8", "こんにちは、元気ですか 日本", "안녕하세요"]) {
    assert.equal(messageLanguage(message, "zh"), "zh", message);
    assert.equal(messageLanguage(message, "en"), "en", message);
  }
});
