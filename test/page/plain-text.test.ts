import * as fc from "fast-check";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, describe, expect, test } from "vitest";
import type { Markdown as MarkdownComponent } from "../../web/src/markdown/markdown.tsx";
import { plainParts, plainText } from "../../web/src/markdown/plain-text.ts";
import { snippetParts } from "../../web/src/chat/snippet-parts.ts";
import { en } from "../../web/src/text/en.ts";
import { hostileStrings } from "./hostile-strings.ts";

let draw: (text: string) => string;

beforeAll(async () => {
  // Its modules listen to changes of other tabs.
  Reflect.set(globalThis, "window", new EventTarget());
  const { Markdown } = await import("../../web/src/markdown/markdown.tsx");
  draw = (text) =>
    renderToStaticMarkup(
      createElement(Markdown as unknown as typeof MarkdownComponent, {
        text,
        isGrowing: false,
        id: "m",
      }),
    );
});

describe("what leaves the renderer is read, and not spelt", () => {
  test.each<[markdown: string, read: string, said: string]>([
    [
      "# Title\n\nSome **bold**, *soft* and ~~old~~ text.",
      "Title\nSome bold, soft and old text.",
      "",
    ],
    ["Use `npm start` now.", "Use npm start now.", ""],
    ["- one\n- two\n\n1. three", "one\ntwo\nthree", ""],
    ["- [x] done\n- [ ] to do", "done\nto do", ""],
    ["> quoted\n> on", "quoted\non", ""],
    ["| a | b |\n|:-:|--:|\n| 1 | 2 |", "a, b\n1, 2", ""],
    [
      "See [the docs](https://a.example) and ![a picture](b.png).",
      "See the docs and a picture.",
      "",
    ],
    [
      "```ts\nconst x = 1;\nx;\n```\nDone.",
      "const x = 1;\nx;\nDone.",
      "Code in ts, 2 lines.\nDone.",
    ],
    ["So $E = mc^2$ holds.", "So E = mc^2 holds.", "So formula holds."],
    ["$$\n\\int_0^\\infty x\n$$", "\\int_0^\\infty x", "formula"],
    ["It costs $5, or $10 there.", "It costs $5, or $10 there.", ""],
    ["a &amp; b, \\*not\\* emphasis", "a & b, *not* emphasis", ""],
    ["one[^1]\n\n[^1]: a note", "one\na note", ""],
    ["above\n\n---\n\nbelow", "above\nbelow", ""],
    ["**中文**，`代码`。", "中文，代码。", ""],
  ])("%j", (markdown, read, said) => {
    expect(plainText(markdown)).toBe(read);
    expect(plainText(markdown, en.remarks)).toBe(said === "" ? read : said);
  });

  const word = fc.stringMatching(/^[a-z]{3,7}$/);
  const words = fc.array(word, { minLength: 1, maxLength: 4 }).map((all) => all.join(" "));
  const inline = fc.oneof(
    words,
    words.map((all) => `**${all}**`),
    words.map((all) => `*${all}*`),
    words.map((all) => `\`${all}\``),
    words.map((all) => `[${all}](https://a.example)`),
    words.map((all) => `~~${all}~~`),
  );
  const line = fc.array(inline, { minLength: 1, maxLength: 4 }).map((all) => all.join(" "));
  const block = fc.oneof(
    line,
    line.map((all) => `## ${all}`),
    line.map((all) => `> ${all}`),
    fc.array(line, { minLength: 1, maxLength: 3 }).map((all) => `- ${all.join("\n- ")}`),
    words.map((all) => `\`\`\`js\n${all}\n\`\`\``),
    words.map((all) => `| ${all} | b |\n|---|---|\n| c | d |`),
  );
  const document = fc.array(block, { minLength: 1, maxLength: 5 }).map((all) => all.join("\n\n"));

  test("it has the words that are drawn, in their order, and none of the marks", () => {
    fc.assert(
      fc.property(document, (markdown) => {
        const drawn = draw(markdown)
          // The head of a code block.
          .replaceAll(/<div class="code-head">.*?<\/div>/g, " ")
          .replaceAll(/<[^>]*>/g, " ");
        const read = plainText(markdown);
        expect(read.match(/[a-z]+/g)).toEqual(drawn.match(/[a-z]+/g));
        expect(read).not.toMatch(/[*`#>|~[\]]/);
      }),
      { numRuns: 300 },
    );
  });

  test("hostile and enormous texts come out as text, in time", () => {
    for (const text of hostileStrings) expect(typeof plainText(text)).toBe("string");
    expect(plainText("[".repeat(50_000)).length).toBeGreaterThan(0);
  });

  test("parts of what was cut out of Markdown know their places in it", () => {
    fc.assert(
      fc.property(document, fc.nat(60), fc.nat(120), (markdown, from, length) => {
        const fragment = markdown.slice(from, from + length);
        for (const { text, start, end } of plainParts(fragment)) {
          if (text === "\n" || text === ", ") continue;
          expect(fragment.slice(start, end)).toContain(text);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("places that were found", () => {
  const shown = (snippet: string, ...found: string[]) => {
    const matches = found.map((each): [number, number] => {
      const at = snippet.indexOf(each);
      return [at, at + each.length];
    });
    return snippetParts({ snippet, matches, role: "assistant" })
      .map(({ text, isFound }) => (isFound ? `<${text}>` : text))
      .join("");
  };

  test.each<[snippet: string, found: string[], expected: string]>([
    ["the **bold** word", ["bold"], "the <bold> word"],
    ["the **bold word", ["bold"], "the <bold> word"],
    ["## A title\n\nand text", ["title"], "A <title> and text"],
    ["use `npm start`", ["npm", "start"], "use <npm> <start>"],
    ["a | b | c |\n|---|---|---|\n| found | d | e", ["found"], "a, b, c <found>, d, e"],
    ["[the label](https://a.example/found) x", ["label"], "the <label> x"],
    ["half **bo", ["bo"], "half <bo>"],
    ["C++ and c", ["C++"], "<C++> and c"],
  ])("%j", (snippet, found, expected) => {
    expect(shown(snippet, ...found)).toBe(expected);
  });

  test("what is marked in an address alone is shown there", () => {
    expect(shown("[label](https://a.example/found)", "found")).toContain("<found>");
  });

  test("what a user wrote stays as it is", () => {
    expect(snippetParts({ snippet: "2 ** 3", matches: [[0, 1]], role: "user" })).toEqual([
      { text: "2", isFound: true },
      { text: " ** 3", isFound: false },
    ]);
  });
});
