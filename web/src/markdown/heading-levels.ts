import type { Root, RootContent } from "hast";

/** Levels of the headings that a heading stands below, in the text's own counting, outermost first. */
export type Outline = readonly number[];

/** The page has headings of its own above those of a text. */
const firstLevel = 3;
const lastLevel = 6;

/** The outline behind a heading of this level. */
function withHeading(outline: Outline, level: number): Outline {
  return [...outline.filter((above) => above < level), level];
}

/** The outline behind a piece of Markdown, near enough: a heading in a quotation or a list counts for none. */
export function outlineAfter(outline: Outline, text: string): Outline {
  let fence: string | null = null;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined) {
      if (fence === null) fence = mark;
      else if (mark.startsWith(fence)) fence = null;
      continue;
    }
    const level = fence === null ? /^ {0,3}(#{1,6})(?:\s|$)/.exec(line)?.[1]?.length : undefined;
    if (level !== undefined) outline = withHeading(outline, level);
  }
  return outline;
}

/** A plugin: no level is left out, whichever the text begins with. */
export function headingLevels({ outline }: { readonly outline: Outline }) {
  return (tree: Root): void => {
    let current = outline;
    const visit = (node: Root | RootContent) => {
      if (node.type !== "root" && node.type !== "element") return;
      const level = node.type === "element" ? /^h([1-6])$/.exec(node.tagName)?.[1] : undefined;
      if (node.type === "element" && level !== undefined) {
        current = withHeading(current, Number(level));
        node.tagName = `h${Math.min(lastLevel, firstLevel - 1 + current.length)}`;
      }
      for (const child of node.children) {
        if (child.type !== "doctype") visit(child);
      }
    };
    visit(tree);
  };
}
