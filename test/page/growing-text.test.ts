import assert from "node:assert/strict";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, test } from "vitest";
import type { Markdown as MarkdownComponent } from "../../web/src/markdown/markdown.tsx";
import { hostileStrings } from "./hostile-strings.ts";

let draw: (props: Parameters<typeof MarkdownComponent.type>[0]) => string;

beforeAll(async () => {
  // Its modules listen to changes of other tabs.
  Reflect.set(globalThis, "window", new EventTarget());
  const { Markdown } = await import("../../web/src/markdown/markdown.tsx");
  draw = (props) => renderToStaticMarkup(createElement(Markdown, props));
});

/** All that text may become. Images are buttons until they are clicked. */
const elements = new Set(
  "div p a code span button svg path strong em del pre table thead tbody tr th td ul ol li input h3 h4 h5 h6 blockquote hr br sup section".split(
    " ",
  ),
);
const attributes =
  /^(?:class|type|title|tabindex|id|target|rel|href|start|checked|disabled|readOnly|width|height|viewBox|fill|stroke|stroke-\w+|d|dir|aria-\w+|data-footnote(?:s|-ref|-backref))$/;
const addresses = /^(?:https?:|mailto:|#)/;

function faultsOf(html: string): string[] {
  const faults: string[] = [];
  for (const [tag, name = "", rest = ""] of html.matchAll(/<(\w+)((?:\s[^<>]*)?)>/g)) {
    if (!elements.has(name)) faults.push(tag);
    for (const [, attribute = "", value = ""] of rest.matchAll(/\s([^\s=]+)(?:="([^"]*)")?/g)) {
      if (!attributes.test(attribute)) faults.push(tag);
      if (attribute === "href" && !addresses.test(value)) faults.push(tag);
    }
  }
  return faults;
}

test("whatever part of a hostile text has arrived, it is nothing but text, links and layout", () => {
  for (const text of hostileStrings) {
    for (let length = 1; length <= text.length; length += 1) {
      // Within a word nothing changes but the word.
      if (/^[a-z]{2}/.test(text.slice(length - 1))) continue;
      const part = text.slice(0, length);
      const html = draw({ text: part, isGrowing: length < text.length, id: "message" });
      assert.deepEqual(faultsOf(html), [], part);
    }
  }
});
