import { scanAddress, scanInline } from "./scan-inline.ts";
import { scanBlock } from "./scan-block.ts";
import { scanContainers } from "./scan-containers.ts";
import { scanRest } from "./scan-silent.ts";
import { isCode } from "./prose.ts";
import { startState, silent, type MarkdownState, type Step } from "./tokens.ts";

/**
 * The token at `at` of a Markdown text that may go on after `source` unless `final`; null when what follows decides. How
 * the text is sliced makes no difference. It agrees with CommonMark and GitHub's tables on what is prose, and takes more
 * for prose, never less, where people and models write otherwise: whatever silences text must close, in time, or is none.
 */
export function scanMarkdown(
  source: string,
  at: number,
  state: MarkdownState,
  final: boolean,
): Step {
  switch (state.place) {
    case "line":
      if (state.rescued) return scanRescued(source, at, state);
      return scanContainers(source, at, state, final);
    case "block":
      return scanBlock(source, at, state, final);
    case "text":
      return scanInline(source, at, state, final);
    case "address":
      return scanAddress(source, at, state, final);
    case "rest":
      return scanRest(source, at, state);
  }
}

/** At the end of the text: what an unclosed block has swallowed and where to go on; null when it is nothing. */
export function rescue(state: MarkdownState): { text: string; state: MarkdownState } | null {
  const { block } = state;
  if (block.kind !== "fence" && block.kind !== "thinking") return null;
  return block.kept.text === ""
    ? null
    : { text: block.kept.text, state: { ...startState, rescued: true } };
}

/** All of it is there: lines of code stay silent. */
function scanRescued(source: string, at: number, state: MarkdownState): Step {
  const end = source.indexOf("\n", at);
  const line = source.slice(at, end < 0 ? undefined : end);
  if (!isCode(line)) return scanContainers(source, at, state, true);
  return { token: silent(at + line.length), state: { ...state, place: "text" } };
}
