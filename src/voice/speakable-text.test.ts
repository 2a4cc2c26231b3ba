import * as fc from "fast-check";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { describe, expect, test } from "vitest";
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
  ["3 &times; 4 &copy; &#8217; &#x4f60; &mdash; &hellip; &nosuch;", "3 × 4 © ’ 你 — … &nosuch;"],
  ["C:\\Users\\me\\file.txt", "C:\\Users\\me\\file.txt"],
  ["Code `__proto__`, `a*b*c`, `[x](y)`, `<div>`.", "Code __proto__, a*b*c, [x](y), <div>."],
  ["[https://a.example/b](https://a.example/b)", "link"],
  ["ftp://x.example/z and matrix[i][j]", "link and matrix[i][j]"],
  ['See [a].\n\n[a]: https://a.example "Title"\n[b]: <x>\n', "See [a].\n\n\n\n"],
  ["[^1]: A note.\n\n    More of it.", " A note.\n\nMore of it."],
  ["True【4†source】. Big [1]. Both [2, 3][4]; see [5].", "True. Big . Both ; see [5]."],
  ["> [!WARNING]\n> Careful.", "Warning.\nCareful."],
  ["<!-- a\n b --> c <style>a{b:c}</style>d<input disabled>", " c d"],
  ["a <!-- b --> c <style>x{y:z}</style>d", "a  c d"],
  ["Name | Age\n--- | ---\nBob | 5\n\nDone.", "The table is in the text.\n\nDone."],
  ["> | a |\n> |---|\n> | 1 |\n\nDone.", "The table is in the text.\n\nDone."],
  ["a | b\nno table", "a   b\nno table"],
  ["Text:\n\n    code\n\n    more\n\nAfter", "Text:\n\nThe code is in the text.\n\n\nAfter"],
  ["- item\n\n    its paragraph\n", "item\n\nits paragraph\n"],
  ["<tr><td>one</td><td>two</td></tr> three<hr>four<b>five</b>", "one\ntwo\n three\nfourfive"],
  ["<pre class='x'>\nnever closed", "\nnever closed"],
])("%j", (source, expected) => {
  expect(spoken(source)).toBe(expected);
});

describe("formulas", () => {
  test.each<[string, string]>([
    ["So $E = mc^2$ and $x$.", "So E equals mc squared and x."],
    ["It is \\(x = \\frac{-b}{2a}\\).", "It is x equals minus b over 2a."],
    ["Then $\\sqrt{x_1} \\le \\pi^3$.", "Then the square root of x 1 is at most pi cubed."],
    ["The sum $\\sum_{i=0}^n i$ grows.", "The sum the formula in the text grows."],
    ["质能方程$E=mc^2$，和$\\oint x$。", "质能方程E等于mc的平方，和文中的公式。"],
    ["\\begin{align*}\na &= b\n\\end{align*}\nDone.", "The formula is in the text. \nDone."],
    ["$$\n\\int\n\n x\n$$\nDone.", "The formula is in the text. \nDone."],
    ["It costs $5, or $6 with tax; 7$ there.", "It costs $5, or $6 with tax; 7$ there."],
    ["An \\(escaped\\) and an \\[escaped\\] word", "An (escaped) and an [escaped] word"],
  ])("%j", (source, expected) => {
    expect(spoken(source)).toBe(expected);
  });
});

describe("speech never falls silent", () => {
  const warning = "Never delete the database directory.";
  /** Each silences something; the warning follows it, with and without its end. */
  test.each([
    ["1. Install it:\n\n    ```bash\n    npm install\n    ```\n\n2. "],
    ["- a\n    - b\n      ```py\n      x=1\n      ```\n    - "],
    ["> ```sh\n> rm -rf build\n> ```\n\n"],
    ["> ```sh\n> rm -rf build\n\n"],
    ["1. Do:\n   > ```\n   > a\n   > ```\n2. "],
    ["1. Do:\n   ```bash\n   npm i\n```\n2. "],
    ["1. Do:\n   ```bash\n   npm i\n```\n2. Run:\n   ```\n   x\n```\n"],
    ["- ```\n  a\n```\nb\n```\n"],
    ["- ```\n  never closed\n- "],
    ["```npm install foo```\n\n"],
    ["```markdown\n```js\nx\n```\n```\n\n"],
    ["```\nx = 1\n\n"],
    ["~~~js\nlet x;\n```\n\ny()\n\n"],
    ["\t```\n\n"],
    ["$$ is the symbol for money. "],
    ["$$\nx + 1\n\n"],
    ["It costs $5. "],
    ["\\[ x = 1\n\n"],
    ["\\( and \\begin{equation} open them. "],
    ["The tag <think> is used. "],
    ["<think>\nunfinished\n\n"],
    ["<!-- unfinished\n\n"],
    ["<script> and <style>: "],
    ["<pre>\n\n"],
    ["<a href='x\n"],
    ["| a |\n|---|\n| 1 |\n\n"],
    ["| a | b |\n"],
    ["[a](b\n\n"],
    ["![a](b "],
    ["[a]: b c d "],
    ["【1†source "],
    ["`unfinished "],
    ["<div>\n```\n</div>\n\n"],
    ["```js\nx = 1\n``` Then restart the server. "],
    ["```js\nx = 1\n```Then restart the server.\nDo it now.\n"],
    ["see https://a.example/b "],
    ["    code\n\n"],
  ])("%j", (before) => {
    expect(spoken(`${before}${warning}`)).toContain(warning);
  });

  type Root = ReturnType<typeof fromMarkdown>;

  /** The words of the prose of a document, as CommonMark and GitHub read it. */
  function proseOf(node: Root | Root["children"][number]): string[] {
    switch (node.type) {
      case "text":
      case "inlineCode":
        return node.value.match(/[a-z]+/g) ?? [];
      case "code":
      case "html":
      case "table":
      case "image":
      case "imageReference":
      case "definition":
        return [];
      case "link":
        if (node.children.some((each) => "value" in each && each.value.includes("://"))) return [];
        return node.children.flatMap(proseOf);
      default:
        return "children" in node ? node.children.flatMap(proseOf) : [];
    }
  }

  function expectAllProse(source: string) {
    const extensions = [gfm()];
    const tree = fromMarkdown(source, { extensions, mdastExtensions: [gfmFromMarkdown()] });
    const said = spoken(source);
    let from = 0;
    for (const word of proseOf(tree)) {
      const at = said.indexOf(word, from);
      if (at < 0) expect.fail(`${JSON.stringify(word)} of ${JSON.stringify(source)}: ${said}`);
      from = at + word.length;
    }
  }

  const nested = fc.letrec<Record<"blocks" | "block", string>>((tie) => {
    const word = fc.stringMatching(/^[a-z]{3,7}$/);
    const text = fc.array(word, { minLength: 1, maxLength: 5 }).map((all) => all.join(" "));
    const inline = fc.oneof(
      text,
      text.map((all) => `**${all}**`),
      text.map((all) => `*${all}*`),
      text.map((all) => `\`${all}\``),
      text.map((all) => `[${all}](https://a.example)`),
      fc.constantFrom("![x](y)", "<b>", "&amp;", "$5", "a < b", "*", "[", "https://a.example"),
    );
    const line = fc.array(inline, { minLength: 1, maxLength: 5 }).map((all) => all.join(" "));
    const fence = fc.constantFrom("```", "~~~", "````");
    const further = (by: string, all: string) => all.replaceAll(/\n(?=.)/g, `\n${by}`);
    return {
      blocks: fc
        .array(tie("block"), { minLength: 1, maxLength: 4 })
        .map((all) => `${all.join("\n\n")}\n`),
      block: fc.oneof(
        { maxDepth: 3 },
        fc.array(line, { minLength: 1, maxLength: 3 }).map((all) => all.join("\n")),
        line.map((all) => `## ${all}`),
        fc.tuple(fence, line).map(([mark, all]) => `${mark}js\n${all}\n\n${all}\n${mark}`),
        text.map((all) => `    ${all}`),
        text.map((all) => `| ${all} | b |\n|---|---|\n| c | d |`),
        text.map((all) => `<div>\n${all}\n</div>`),
        tie("blocks").map((all) => `> ${further("> ", all.trim())}`),
        tie("blocks").map((all) => `- ${further("  ", all.trim())}`),
        tie("blocks").map((all) => `1. ${further("   ", all.trim())}`),
      ),
    };
  }).blocks;

  const scraps = fc
    .array(
      fc.constantFrom(
        ..."```|\n|\n\n|    |  |> |- |1. |ab|cd|ef|`|``|[|](|](u)|)|<div>|<b>|</div>|~~~|## |\t|---|**|_|\\|```js\n"
          .split("|")
          .concat("|", "|---|", "𐊀", "a\u0300", "|-|-|\n", "\n```\n", "x\n\n"),
      ),
      { maxLength: 22 },
    )
    .map((all) => all.join(""));

  test("all prose of a document is spoken, in order", () => {
    fc.assert(fc.property(nested, expectAllProse), { numRuns: 1_000 });
    // Where people and parsers differ about scraps, they differ rarely: the same ones each time.
    fc.assert(fc.property(scraps, expectAllProse), { numRuns: 3_000, seed: 1 });
  });

  const addresses = fc
    .array(
      fc.constantFrom(..."www. http:// https://x ftp:// a\u0300 𐊀 x . ) _ ** &amp; &".split(" ")),
      {
        maxLength: 9,
      },
    )
    .map((all) => all.join(""));

  test("any slicing gives the same speech, and the same places in the text", () => {
    const by = (source: string, length: number) => {
      const speakable = createSpeakableText("en");
      let text = "";
      const ends: number[] = [];
      for (let at = 0; at <= source.length; at += length) {
        const said =
          at + length > source.length
            ? [speakable.push(source.slice(at)), speakable.flush()]
            : [speakable.push(source.slice(at, at + length))];
        text += said.map((each) => each.text).join("");
        ends.push(...said.flatMap((each) => each.sourceEnds));
      }
      return { text, ends };
    };
    fc.assert(
      fc.property(
        fc.oneof(nested, scraps, addresses),
        fc.integer({ min: 1, max: 9 }),
        (source, length) => {
          expect(by(source, length)).toEqual(by(source, source.length + 1));
        },
      ),
      { numRuns: 1_000 },
    );
  });
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
