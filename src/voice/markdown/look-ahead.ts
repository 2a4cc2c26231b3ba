import { blockElements } from "./block-elements.ts";

/** Text ahead, and whether nothing can come to it any more. */
export interface Ahead {
  readonly text: string;
  readonly complete: boolean;
}

/** How many characters a construct may take to close; what is longer is none. */
export const reach = { construct: 2_000, label: 500, line: 400 } as const;

/** The line from here, without its end. */
export function lineAhead(source: string, at: number, final: boolean): Ahead {
  const end = source.indexOf("\n", at);
  return end < 0
    ? { text: source.slice(at), complete: final }
    : { text: source.slice(at, end), complete: true };
}

/** Where the line ends that was looked at, its line break included. */
export function lineEnd(source: string, at: number, line: Ahead): number {
  const end = at + line.text.length;
  return source[end] === "\n" ? end + 1 : end;
}

export function textAhead(source: string, at: number, length: number, final: boolean): Ahead {
  const text = source.slice(at, at + length);
  return { text, complete: final || text.length === length };
}

/** Lines that end a paragraph, as far as the first characters tell. */
const interruption =
  /^[ \t\r]*(?:\n|$)|^ {0,3}(?:>|`{3,}[^`\n]*(?:\n|$)|~~~|[-+*](?:\s|$)|(?:-+|=+|\*[* \t]+)[ \t\r]*(?:\n|$)|<!--|<(?:pre|script|style|textarea)[\s>]|#{1,6}(?:\s|$)|\d{1,9}[.)](?:\s|$))/i;
const undecided =
  /^[ \t\r]*(?:[-+*=][-+*= \t\r]*|#{1,6}|\d{1,9}[.)]?|`{1,2}|`{3,}[^`\n]*|~{1,2}|<[!/]?[a-z0-9-]*)?$/i;
const longestStart = 24;

function interrupts(line: string): boolean {
  if (interruption.test(line)) return true;
  const element = /^ {0,3}<\/?([a-z][a-z0-9]*)(?=[\s>]|\/>)/i.exec(line)?.[1];
  return element !== undefined && blockElements.has(element.toLowerCase());
}

/**
 * What is left of the paragraph; inline constructs do not reach beyond it. `nested`: within a list or a quotation, where
 * lines may stand further in.
 */
export function paragraphAhead(
  source: string,
  at: number,
  length: number,
  { final, nested }: { final: boolean; nested: boolean },
): Ahead {
  const limit = at + length;
  for (let end = source.indexOf("\n", at); end >= 0 && end < limit;) {
    const next = source.slice(end + 1, end + 1 + longestStart);
    const cut = next.length < longestStart;
    if (cut && !final && undecided.test(next))
      return { text: source.slice(at, end), complete: false };
    if (interrupts(next) || (nested && /^[ \t]*(?:`{3,}[^`\n]*(?:\n|$)|~~~)/.test(next)))
      return { text: source.slice(at, end), complete: true };
    end = source.indexOf("\n", end + 1);
  }
  return textAhead(source, at, length, final);
}
