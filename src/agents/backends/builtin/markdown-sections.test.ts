import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { separateCode, splitMarkdown, trimMarkdown } from "./markdown-sections.ts";

const page = `# The \`page\`

Intro.

## First [part](x.md)

Text.

\`\`\`sh
# no heading
\`\`\`

### Below

Deeper.

## Empty

## Last

End.
`;

test("a page is split by its headings, and code blocks stay whole", () => {
  assert.deepEqual(splitMarkdown(page), [
    { headings: ["The page"], text: "Intro." },
    { headings: ["The page", "First part"], text: "Text.\n\n```sh\n# no heading\n```" },
    { headings: ["The page", "First part", "Below"], text: "Deeper." },
    { headings: ["The page", "Last"], text: "End." },
  ]);
});

test("headings may skip levels and be missing", () => {
  assert.deepEqual(splitMarkdown("text\n### Deep\r\nmore"), [
    { headings: [], text: "text" },
    { headings: ["Deep"], text: "more" },
  ]);
});

test("prose and code are told apart", () => {
  assert.deepEqual(separateCode("Text.\n\n```sh\nrun\n\nme\n```\n\nMore."), [
    "Text.\n\nMore.",
    "```sh\nrun\n\nme\n```",
  ]);
});

describe("trimming", () => {
  const none = () => false;

  test("keeps what fits as it is", () => {
    assert.equal(trimMarkdown("One.\n\nTwo.", 100, none), "One.\n\nTwo.");
  });

  test("leaves out whole blocks, never half a code block", () => {
    const text = `One.\n\n\`\`\`sh\nline 1\n\nline 2\n\`\`\`\n\n${"long ".repeat(50)}`;
    assert.equal(trimMarkdown(text, 60, none), "One.\n\n```sh\nline 1\n\nline 2\n```\n\n…");
    assert.equal(trimMarkdown(text, 20, none), "One.\n\n…");
  });

  test("tears a first block that is too long at a line and closes its fence", () => {
    const code = `\`\`\`sh\n${"command\n".repeat(50)}\`\`\``;
    const trimmed = trimMarkdown(code, 40, none);
    assert.match(trimmed, /^```sh\n(?:command\n){4}```\n\n…$/);
  });

  test("never tears a character", () => {
    assert.ok(trimMarkdown("😀".repeat(100), 51, none).isWellFormed());
  });

  test("of a long table the head and the rows that matter remain", () => {
    const rows = Array.from({ length: 50 }, (_, index) => `| key${index} | meaning |`);
    const table = ["| Key | Meaning |", "| --- | --- |", ...rows].join("\n");
    const trimmed = trimMarkdown(table, 200, (line) => line.includes("key33"));
    assert.equal(trimmed, "| Key | Meaning |\n| --- | --- |\n| key33 | meaning |\n\n…");
  });
});
