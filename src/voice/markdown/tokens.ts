/**
 * A stretch of a Markdown text, as the ear needs to know it. `end` is where it ends in the source that was scanned; tokens
 * follow each other without gaps. `text` is what is written, without its marks.
 */
export type Token =
  | { readonly kind: "words"; readonly end: number; readonly text: string }
  | { readonly kind: "formula"; readonly end: number; readonly text: string }
  | { readonly kind: "alert"; readonly end: number; readonly text: string }
  | { readonly kind: "code" | "table" | "display" | "link" | "silent"; readonly end: number };

/** `indent`: columns its content stands to the right of what holds it; null for a quotation. */
export type Container = { readonly indent: number | null };

/** What the lines of a block have in common. */
export type Block =
  /** Nothing is open; in a paragraph, table or HTML block the next line may go on with it. */
  | {
      readonly kind:
        | "none"
        | "paragraph"
        | "definition"
        | "heading"
        | "indented"
        | "table"
        | "html";
    }
  /** Silent to a closing line, or to the end of its containers. `kept`: see `Kept`. */
  | { readonly kind: "fence"; readonly mark: string; readonly kept: Kept }
  /** Silent to a closing tag. */
  | { readonly kind: "thinking"; readonly kept: Kept };

/**
 * The way out of what is never closed: the prose in it, from the first paragraph that reads like prose up to where the
 * scanner stands. `blank`: the line before is, or there is none.
 */
export interface Kept {
  readonly text: string;
  readonly blank: boolean;
}

export interface MarkdownState {
  /** Before a line's containers; after them; within its text; in what is silent to the line's end; in an address. */
  readonly place: "line" | "block" | "text" | "rest" | "address";
  readonly containers: readonly Container[];
  readonly block: Block;
  /** Columns before the block's text, beyond its containers'. */
  readonly indentation: number;
  /** The containers of a paragraph that this line goes on with, if it begins nothing else. */
  readonly lazy: readonly Container[] | null;
  /** The line begins a list item. */
  readonly item: boolean;
  /** A fence has closed that may have been meant to open: until one names its language, bare ones silence nothing. */
  readonly doubtful: boolean;
  /** Link labels that are open, innermost last; all of each link is in the source. */
  readonly labels: readonly { readonly end: number; readonly linkEnd: number }[];
  /** Rescued from what was never closed: lines of code are silent. */
  readonly rescued: boolean;
}

/** A token and the state after it; null: what follows decides. */
export type Step = { readonly token: Token; readonly state: MarkdownState } | null;

export const startState: MarkdownState = {
  place: "line",
  containers: [],
  block: { kind: "none" },
  indentation: 0,
  lazy: null,
  item: false,
  doubtful: false,
  labels: [],
  rescued: false,
};

export const silent = (end: number): Token => ({ kind: "silent", end });
export const words = (end: number, text: string): Token => ({ kind: "words", end, text });

/** Whether an indented line is more of it. */
export function goesOnAsText({ kind }: Block): boolean {
  return kind === "paragraph" || kind === "definition";
}
