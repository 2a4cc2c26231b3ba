import { begin, enter } from "./columns.ts";
import { lineAhead, lineEnd, reach } from "./look-ahead.ts";
import { isClosing, scanFence, scanThinking } from "./scan-silent.ts";
import {
  goesOnAsText,
  silent,
  words,
  type Block,
  type MarkdownState,
  type Step,
} from "./tokens.ts";

/** The containers of a line: quotations and list items. */
export function scanContainers(
  source: string,
  at: number,
  state: MarkdownState,
  final: boolean,
): Step {
  if (state.block.kind === "thinking")
    return scanThinking(source, at, state, state.block.kept, final);
  const line = lineAhead(source, at, final);
  if (!line.complete && line.text.length < reach.line && !isSure(line.text, state)) return null;
  const entered = enter(line.text, state.containers);
  const lost = entered.matched < state.containers.length;
  if (state.block.kind === "fence") {
    if (!lost) return scanFence(source, at, state, state.block, line, entered.cursor);
    if (isClosing(line.text, state.block.mark)) {
      // Written less far in than it was opened: strictly it opens another, as people write it it closes this one.
      return {
        token: silent(lineEnd(source, at, line)),
        state: { ...state, containers: [], block: { kind: "none" }, doubtful: true },
      };
    }
  }
  const inParagraph = goesOnAsText(state.block);
  const matched = state.containers.slice(0, entered.matched);
  const begun =
    state.block.kind === "html" && !lost
      ? { cursor: entered.cursor, containers: [], numbers: "" }
      : begin(line.text, entered.cursor, inParagraph && !lost);
  const blank = begun.cursor.offset === line.text.length;
  const begins = begun.containers.length > 0;
  const goesOn = !lost && !begins;
  const next: MarkdownState = {
    ...state,
    place: "block",
    containers: [...matched, ...begun.containers],
    block: goesOn || inParagraph ? state.block : { kind: "none" },
    indentation: begun.cursor.column - begun.cursor.base,
    lazy: inParagraph && lost && !begins && !blank ? state.containers : null,
    item: begins && begun.containers.at(-1)?.indent !== null,
  };
  // Within the paragraph of another container nothing goes on.
  const block: Block = inParagraph && begins ? { kind: "none" } : next.block;
  return { token: words(at + begun.cursor.offset, begun.numbers), state: { ...next, block } };
}

/** Containers, then what neither begins one nor may be a rule. */
const sure =
  /^[ \t\r>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t][ \t>]*)*(?:[^\s\d>*_`~=#+-]|\d{10}|\d+[^\d.)]|\d+[.)]\S|[-+*_]+[^\s*_+-]|[`~=#]+[^`~=#])/;

/** Whether the first thing that is no container has come, whole enough to tell what it is. */
function isSure(line: string, state: MarkdownState): boolean {
  if (state.block.kind === "fence") return false;
  return sure.test(line);
}
