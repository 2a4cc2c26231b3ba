/** The text under one heading, up to the next heading of any level. */
export interface MarkdownSection {
  /** Headings from the page's title down to this one, without markup. */
  readonly headings: readonly string[];
  /** As written, without the heading line. */
  readonly text: string;
}

const heading = /^(#{1,6})\s+(.+?)\s*#*\s*$/;
const fence = /^\s{0,3}(`{3,}|~{3,})/;

/** Splits a page by its headings; a `#` inside a code block is no heading. Sections without text are left out. */
export function splitMarkdown(page: string): MarkdownSection[] {
  const sections: MarkdownSection[] = [];
  const path: string[] = [];
  let lines: string[] = [];
  let openFence: string | undefined;
  const finish = () => {
    const text = lines.join("\n").trim();
    lines = [];
    if (text === "") return;
    sections.push({ headings: path.filter((name) => name !== undefined), text });
  };
  for (const line of page.split(/\r?\n/)) {
    const mark = fence.exec(line)?.[1];
    if (openFence === undefined) openFence = mark;
    else if (mark !== undefined && mark.startsWith(openFence)) openFence = undefined;
    const found = openFence === undefined ? heading.exec(line) : null;
    if (found?.[1] === undefined || found[2] === undefined) {
      lines.push(line);
      continue;
    }
    finish();
    path.length = Math.min(path.length, found[1].length - 1);
    path[found[1].length - 1] = plainHeading(found[2]);
  }
  finish();
  return sections;
}

function plainHeading(text: string): string {
  return text.replace(/[`*]/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}

/** The text without its code blocks, and the code blocks. */
export function separateCode(text: string): readonly [prose: string, code: string] {
  const blocks = blocksOf(text);
  const isCode = (block: string) => block.split("\n").some((line) => fence.test(line));
  return [
    blocks.filter((block) => !isCode(block)).join("\n\n"),
    blocks.filter(isCode).join("\n\n"),
  ];
}

/** Tables with more rows than this are cut down to the rows that matter, when space is short. */
const maxFullTableRows = 6;

/**
 * The first paragraphs and code blocks of a text that fit into `maxCharacters`, none of them torn where that can
 * be avoided; ends in an ellipsis when something was left out. Of a long table only its head and the rows that
 * `matters` says are kept.
 */
export function trimMarkdown(
  text: string,
  maxCharacters: number,
  matters: (line: string) => boolean,
): string {
  if (text.length <= maxCharacters) return text;
  const kept: string[] = [];
  let length = 0;
  for (const block of blocksOf(text)) {
    const shown = trimTable(block, matters);
    if (length + shown.length > maxCharacters) {
      if (kept.length === 0) kept.push(tearBlock(shown, maxCharacters));
      break;
    }
    kept.push(shown);
    length += shown.length + 2;
  }
  return `${kept.join("\n\n")}\n\n…`;
}

function trimTable(block: string, matters: (line: string) => boolean): string {
  const lines = block.split("\n");
  if (lines.length <= maxFullTableRows + 2 || !/^\|[ :|-]+\|$/.test(lines[1] ?? "")) return block;
  const rows = lines.slice(2);
  const wanted = rows.filter(matters);
  return [
    ...lines.slice(0, 2),
    ...(wanted.length > 0 ? wanted : rows).slice(0, maxFullTableRows),
  ].join("\n");
}

/** Paragraphs, lists, tables and code blocks, as separated by blank lines outside of fences. */
function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let lines: string[] = [];
  let openFence: string | undefined;
  for (const line of text.split("\n")) {
    const mark = fence.exec(line)?.[1];
    if (openFence === undefined) openFence = mark;
    else if (mark !== undefined && mark.startsWith(openFence)) openFence = undefined;
    if (line.trim() === "" && openFence === undefined) {
      if (lines.length > 0) blocks.push(lines.join("\n"));
      lines = [];
    } else lines.push(line);
  }
  if (lines.length > 0) blocks.push(lines.join("\n"));
  return blocks;
}

/** Whole lines as far as they fit, else whole characters; an opened fence is closed again. */
function tearBlock(block: string, maxCharacters: number): string {
  const cut = block.slice(0, maxCharacters);
  const end = cut.lastIndexOf("\n");
  const kept = end > 0 ? cut.slice(0, end) : cut.replace(/[\uD800-\uDBFF]$/, "");
  const mark = fence.exec(block)?.[1];
  return mark === undefined ? kept : `${kept}\n${mark}`;
}
