import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { isTooMuch } from "../../../src/lib/too-much.ts";
import { mapMaths } from "./normalise-maths.ts";

type Root = ReturnType<typeof fromMarkdown>;
type Nodes = Root | Root["children"][number];

/** What stands for that which cannot be said in a sentence. */
export interface Remarks {
  readonly code: (language: string | null, lines: number) => string;
  readonly formula: string;
}

/** A part of a text, and where in the Markdown it is written. */
export interface PlainPart {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * A text of an agent without its Markdown, as one reads it: for whatever is not the renderer (screen readers, notifications,
 * places that were found). With `remarks`, code and formulas are named and not recited.
 */
export function plainText(markdown: string, remarks?: Remarks): string {
  const source = mapMaths(markdown, (tex) =>
    literally(remarks === undefined ? tex.trim() : remarks.formula),
  );
  return partsOfMarkdown(source, remarks)
    .map(({ text }) => text)
    .join("")
    .replaceAll(/[^\S\n]+/g, " ")
    .replaceAll(/ ?\n[\s]*/g, "\n")
    .trim();
}

/** The same for a piece that was cut out of Markdown somewhere, with the place of each part in it. */
export function plainParts(fragment: string): PlainPart[] {
  return partsOfMarkdown(fragment).flatMap(withoutRests);
}

function partsOfMarkdown(source: string, remarks?: Remarks): PlainPart[] {
  if (isTooMuch(source)) return [{ text: source, start: 0, end: source.length }];
  const tree = fromMarkdown(source, {
    extensions: [gfm()],
    mdastExtensions: [gfmFromMarkdown()],
  });
  return [...walk(tree, { source, remarks })];
}

interface Walk {
  readonly source: string;
  readonly remarks: Remarks | undefined;
}

function* walk(node: Nodes, about: Walk): Generator<PlainPart> {
  switch (node.type) {
    case "text":
    case "html":
    case "inlineCode":
      yield partOf(node, node.value, about);
      return;
    case "code": {
      const lines = node.value.split("\n").length;
      yield partOf(node, about.remarks?.code(node.lang ?? null, lines) ?? node.value, about);
      yield breakAfter(node);
      return;
    }
    case "image":
    case "imageReference":
      yield partOf(node, node.alt ?? "", about);
      return;
    case "break":
      yield breakAfter(node);
      return;
    case "thematicBreak":
    case "definition":
    case "footnoteReference":
      return;
    case "tableRow":
      for (const [index, cell] of node.children.entries()) {
        if (index > 0) yield { ...breakAfter(cell), text: ", " };
        yield* walk(cell, about);
      }
      yield breakAfter(node);
      return;
    default:
      if (!("children" in node)) return;
      for (const child of node.children) yield* walk(child, about);
      if (node.type === "paragraph" || node.type === "heading") yield breakAfter(node);
  }
}

function partOf({ position }: Nodes, text: string, { source }: Walk): PlainPart {
  const [start, end] = [position?.start.offset ?? 0, position?.end.offset ?? 0];
  // Between its marks, unless it is written otherwise (with escapes, in several lines).
  const at = source.slice(start, end).indexOf(text);
  return at === -1
    ? { text, start, end }
    : { text, start: start + at, end: start + at + text.length };
}

function breakAfter({ position }: Nodes): PlainPart {
  const end = position?.end.offset ?? 0;
  return { text: "\n", start: end, end };
}

/** Marks whose other half was cut off. */
const rests =
  /\*{2,}|~{2,}|`+|(?<![\w])\*(?=\w)|(?<=\w)\*(?!\w)|\|(?:[\s|:]*-{2,}[\s|:-]*)?|^\s*#{1,6}\s/gm;

function withoutRests(part: PlainPart): PlainPart[] {
  // Escapes and entities have another length than what they stand for.
  if (part.text.length !== part.end - part.start) return [part];
  const parts: PlainPart[] = [];
  let at = 0;
  const put = (end: number) => {
    if (end <= at) return;
    parts.push({ text: part.text.slice(at, end), start: part.start + at, end: part.start + end });
  };
  for (const { 0: rest, index } of part.text.matchAll(rests)) {
    put(index);
    at = index + rest.length;
  }
  put(part.text.length);
  return parts;
}

/** So that none of it is taken for Markdown. */
function literally(text: string): string {
  return text.replaceAll(/[!-/:-@[-`{-~]/g, String.raw`\$&`).replaceAll(/\s*\n\s*/g, " ");
}
