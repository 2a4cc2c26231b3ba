import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, expect, test } from "vitest";
import type { Markdown as MarkdownComponent } from "../../web/src/markdown/markdown.tsx";

let Markdown: typeof MarkdownComponent;

beforeAll(async () => {
  // Its modules listen to changes of other tabs.
  Reflect.set(globalThis, "window", new EventTarget());
  ({ Markdown } = await import("../../web/src/markdown/markdown.tsx"));
});

const levels = (text: string, isGrowing = false) =>
  [
    ...renderToStaticMarkup(createElement(Markdown, { text, isGrowing, id: "x" })).matchAll(
      /<h([1-6])/g,
    ),
  ]
    .map(([, level]) => level)
    .join("");

const cases = [
  ["# one\n\n## two\n\n### three", "345"],
  ["### begins low\n\n### on\n\n#### below", "334"],
  ["## b\n\n#### skips\n\n## b\n\n# a\n\n###### deep", "34334"],
  ["# a\n\n```md\n# none\n```\n\n## b", "34"],
  ["# 1\n\n## 2\n\n### 3\n\n#### 4\n\n##### 5\n\n###### 6", "345666"],
] as const;

test.each(cases)("no level of %j is left out, grown or growing", (text, expected) => {
  expect(levels(text)).toBe(expected);
  expect(levels(text, true)).toBe(expected);
});
