/**
 * Cuts growing Markdown where a new top-level block begins, so that only the last piece is parsed again with each
 * token. Lists, indented parts, code and formulas stay whole.
 */
export function splitBlocks(text: string): string[] {
  const blocks: string[] = [];
  let current: string[] = [];
  let fence: string | null = null;
  let wasBlank = false;
  let hasItems = false;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,}|\$\$)/.exec(line)?.[1];
    if (fence === null && wasBlank && current.length > 0 && isNewBlock(line, hasItems)) {
      blocks.push(current.join("\n"));
      current = [];
      hasItems = false;
    }
    if (mark !== undefined) {
      if (fence === null) {
        // A formula may end on its own line.
        if (mark !== "$$" || !/\$\$\s*$/.test(line.trim().slice(2))) fence = mark;
      } else if (mark.startsWith(fence)) fence = null;
    } else if (fence === "$$" && line.trimEnd().endsWith("$$")) fence = null;
    current.push(line);
    hasItems ||= listItem.test(line);
    wasBlank = line.trim() === "";
  }
  blocks.push(current.join("\n"));
  return blocks;
}

const listItem = /^ {0,3}([-*+]|\d{1,9}[.)])\s/;

function isNewBlock(line: string, hasItems: boolean): boolean {
  if (/^(\s|$)/.test(line)) return false;
  // The next item of the same list.
  return !(listItem.test(line) && hasItems);
}
