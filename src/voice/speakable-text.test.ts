import { expect, test } from "vitest";
import { createSpeakableText } from "./speakable-text.ts";

function spoken(source: string, fallback = "en"): string {
  const speakable = createSpeakableText(fallback);
  return speakable.push(source).text + speakable.flush().text;
}

test.each<[string, string]>([
  ["# Title\n\nSome **bold**, *soft* and ~~old~~ text.", "Title\n\nSome bold, soft and old text."],
  ["***both*** and __under__ and snake_case_name", "both and under and snake_case_name"],
  ["2 * 3 = 6 and 2*3 too, ~5 of them", "2 * 3 = 6 and 2*3 too, ~5 of them"],
  ["- one\n* two\n+ three\n- [x] done\n> quoted", "one\ntwo\nthree\n done\nquoted"],
  ["1. first\n2. second", "1. first\n2. second"],
  ["above\n\n---\n\nbelow", "above\n\n\n\nbelow"],
  ["Use `npm start` now.", "Use npm start now."],
  ["See [the *docs*](https://a.example/x_(y)) and [more][ref].", "See the docs and more."],
  ["![a picture](x.png)[![badge](b.svg)](u)Text[^1].", "Text."],
  ["Array[0] and [brackets] stay", "Array[0] and [brackets] stay"],
  ["Go to https://a.example/b?c=d, then on.", "Go to link, then on."],
  ["请看 https://a.example/b。好的", "请看 链接。好的"],
  ["(www.a.example) or <https://b.example>", "(link) or link"],
  ["Which height? Why www? http: no", "Which height? Why www? http: no"],
  ["<think>secret <b>thoughts</b></think>Answer<br>two", "Answer\ntwo"],
  ["<thinking>\nlong\n</thinking>\n\nAnswer", "\n\nAnswer"],
  ["if a < b and c > d, x <- y", "if a < b and c > d, x <- y"],
  ["Tom &amp; Jerry &lt;3 &unknown; R&D", "Tom & Jerry <3 &unknown; R&D"],
  ["Fine 👍🏽 family 👩‍👩‍👧 flag 🇩🇪 key 1️⃣!", "Fine  family  flag  key 1!"],
  ["Code:\n```js\nconst a = 1;\n```\nDone.", "Code:\nThe code is in the text.\nDone."],
  ["代码如下：\n~~~\nx\n~~~\n完。", "代码如下：\n代码见文字。\n完。"],
  ["````\n```\ninner\n```\n````\nout", "The code is in the text.\nout"],
  ["```\nnever closed", "The code is in the text.\n"],
  ["| a | b |\n|---|---|\n| 1 | 2 |\n\nAfter", "The table is in the text.\n\nAfter"],
  [
    "$$\nx^2\n$$\nand \\[ y \\] end",
    "The formula is in the text. \nand The formula is in the text.  end",
  ],
  ["It is \\*not\\* bold, costs $5", "It is *not* bold, costs $5"],
  ["a\r\nb\tc\u0000d\u200be", "a\nb cde"],
  ["tail [never closed", "tail [never closed"],
  ["tail **", "tail "],
  ["end https://a.example/x.", "end link."],
])("%j", (source, expected) => {
  expect(spoken(source)).toBe(expected);
});

test("remarks before any text are in the fallback language", () => {
  expect(spoken("```\nx\n```\n", "zh")).toBe("代码见文字。\n");
});

test("what is held back while it cannot be told stays small", () => {
  for (const start of [
    "[",
    "[label](",
    "<a href=",
    "https://",
    "```",
    "```\n",
    "$$",
    "<think>",
    "|",
    "*",
    "&",
  ]) {
    const speakable = createSpeakableText("en");
    speakable.push(start);
    let length = 0;
    for (let index = 0; index < 400; index++) length += speakable.push("x".repeat(100)).text.length;
    const last = speakable.flush().text.length;
    expect(last, start).toBeLessThanOrEqual(2_600);
    expect(length + last, start).toBeLessThanOrEqual(40_100);
  }
});
