import type { Cursor } from "./columns.ts";
import { lineAhead, lineEnd, reach, type Ahead } from "./look-ahead.ts";
import { isProse } from "./prose.ts";
import { silent, type Block, type Kept, type MarkdownState, type Step } from "./tokens.ts";

/** Of text that is kept in case its block is never closed. */
const maxKept = 64 * 1024;
const closingTags = /<\/think(?:ing)?>/i;
const longestClosingTag = "</thinking>".length;

/** Whether a line ends a block of code that was opened with this mark. */
export function isClosing(line: string, mark: string): boolean {
  const run = /^[ \t]*(`{3,}|~{3,})[ \t\r]*$/.exec(line)?.[1];
  return run !== undefined && run[0] === mark[0] && run.length >= mark.length;
}

export function scanFence(
  source: string,
  at: number,
  state: MarkdownState,
  fence: Block & { kind: "fence" },
  line: Ahead,
  cursor: Cursor,
): Step {
  const content = line.text.slice(cursor.offset);
  const end = lineEnd(source, at, line);
  if (cursor.column - cursor.base <= 3 && isClosing(content, fence.mark)) {
    return { token: silent(end), state: { ...state, block: { kind: "none" } } };
  }
  const kept = keep(fence.kept, line.text, source.slice(at, end));
  const place = source[end - 1] === "\n" ? "line" : "rest";
  return { token: silent(end), state: { ...state, place, block: { ...fence, kept } } };
}

/** What is silent to the end of its line. */
export function scanRest(source: string, at: number, state: MarkdownState): Step {
  const line = source.indexOf("\n", at) + 1;
  const end = line > 0 ? line : source.length;
  const { block } = state;
  const keeps = block.kind === "fence" && block.kept.text !== "";
  const kept = keeps ? keep(block.kept, "x", source.slice(at, end)) : null;
  return {
    token: silent(end),
    state: {
      ...state,
      place: line > 0 ? "line" : "rest",
      block: keeps && kept ? { ...block, kept } : block,
    },
  };
}

/** Behind a closing mark that CommonMark takes for none. */
const afterMark = /^[ \t]*(?:`{3,}|~{3,})[ \t]*(?=\S+[ \t,.:!?])/;

function keep(kept: Kept, line: string, written: string): Kept {
  const blank = line.trim() === "";
  const mark = afterMark.exec(line)?.[0];
  const begins =
    mark === undefined ? kept.blank && isProse(line) : isProse(line.slice(mark.length));
  if (kept.text === "" && !begins) return { text: "", blank };
  const text = kept.text + (kept.text === "" ? written.slice(mark?.length ?? 0) : written);
  return { text: text.length > maxKept ? "" : text, blank };
}

export function scanThinking(
  source: string,
  at: number,
  state: MarkdownState,
  kept: Kept,
  final: boolean,
): Step {
  const line = lineAhead(source, at, final);
  const closing = closingTags.exec(line.text);
  if (closing) {
    const end = at + closing.index + closing[0].length;
    return { token: silent(end), state: { ...state, place: "text", block: { kind: "paragraph" } } };
  }
  const newLine = line.complete && at + line.text.length < source.length;
  const surely =
    newLine || final ? lineEnd(source, at, line) : at + line.text.length - longestClosingTag;
  if (!newLine && !final && line.text.length < reach.line) return null;
  const next = keep(kept, line.text, source.slice(at, surely));
  return { token: silent(surely), state: { ...state, block: { kind: "thinking", kept: next } } };
}
