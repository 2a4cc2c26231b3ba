import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, expect, test } from "vitest";
import { excerpt } from "../../web/src/chat/highlight-words.ts";
import { readable } from "../../web/src/chat/words.ts";
import type { Markdown as MarkdownComponent } from "../../web/src/markdown/markdown.tsx";
import { normaliseMaths } from "../../web/src/markdown/normalise-maths.ts";
import { splitBlocks } from "../../web/src/markdown/split-blocks.ts";
import { isTooMuch } from "../../src/lib/too-much.ts";
import { growFaster } from "../support/grows-with-length.ts";

let draw: (text: string) => string;

beforeAll(async () => {
  // Its modules listen to changes of other tabs.
  Reflect.set(globalThis, "window", new EventTarget());
  const { Markdown } = await import("../../web/src/markdown/markdown.tsx");
  draw = (text) =>
    renderToStaticMarkup(
      createElement(Markdown as typeof MarkdownComponent, {
        text,
        isGrowing: false,
        id: "message",
      }),
    );
});

test.each<readonly [name: string, read: (text: string) => unknown, length: number]>([
  ["drawn", (text) => draw(text), 12_000],
  ["cut into blocks", splitBlocks, 200_000],
  ["looked over", isTooMuch, 200_000],
  ["searched", (text) => excerpt(text, "the a * recording"), 200_000],
  ["formatted", readable, 200_000],
  ["with formulas, as a whole", (text) => normaliseMaths(`$${text}`), 200_000],
  ["with formulas, by block", (text) => text.match(/[^]{1,9000}/g)?.map(normaliseMaths), 200_000],
])(
  "text of any kind is %s in a time that goes with its length",
  (_name, read, length) => {
    expect(growFaster(read, length)).toEqual([]);
  },
  400_000,
);

const table = (rows: number, columns: number) =>
  [
    "| a ".repeat(columns) + "|",
    "|---".repeat(columns) + "|",
    ...Array.from(
      { length: rows },
      () => "| **b** [c](https://example.com) ".repeat(columns) + "|",
    ),
  ].join("\n");

test.each([
  ["a long list", "- **a**: see [b](https://example.com/c_d) and `e`\n".repeat(400)],
  [
    "numbered steps",
    Array.from({ length: 300 }, (_, at) => `${at + 1}. Call \`f_${at}()\`, *then* [wait](#x)`).join(
      "\n",
    ),
  ],
  ["a list in lists", "- a\n  - *b*\n    1. `c`\n       - **d**\n".repeat(150)],
  ["a table", table(100, 6)],
  [
    "code",
    "Look:\n\n```js\n" +
      "const a = [b[0], c[1] * d['e']]; // **no** `f`\n".repeat(800) +
      "```\n\nDone.",
  ],
  ["a quoted letter", "> Dear **all**,\n> this is _fine_.\n>\n".repeat(100)],
  ["chapters", "## A\n\nSome *words* and [links](https://example.com) & more.\n\n".repeat(500)],
])("%s is drawn as it is meant", (_name, text) => {
  expect(isTooMuch(text)).toBe(false);
});

test.each([
  ["quotes in quotes", ">".repeat(4_000)],
  ["lists in lists", "- ".repeat(4_000) + "a"],
  ["brackets", "]".repeat(4_000)],
  ["emphasis behind what looks like code", "<!--\n```\n-->\n" + "*_".repeat(4_000)],
  ["emphasis in lines that only look like items", "a\n" + "      - *a_\n".repeat(4_000)],
  ["rows for a table that is none", "|a|\n|-|-|\n" + "|*a_|\n".repeat(4_000)],
  ["emphasis behind a table", "|a|\n|-|\n# b\n" + "*a_\n".repeat(4_000)],
  [
    "cells that nobody wrote",
    "|a".repeat(300) + "\n" + "|-".repeat(300) + "\n" + "|\n".repeat(1_000),
  ],
])("%s are shown as they were written, what is beside them is not", (_name, text) => {
  const html = draw(`# Before\n\n${text}`);
  expect(html).toContain("<h3>Before</h3>");
  expect(html).toContain('<div class="plain">');
});
