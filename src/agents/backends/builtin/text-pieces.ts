import { setImmediate } from "node:timers/promises";
import type { AgentEvent } from "../../agent-backend.ts";

/** A few Han characters with their punctuation, a word with the space after it, or what lies between. */
const piece =
  /[\p{Script=Han}]{1,4}[，。！？；：、）」』》]*\s*|[^\s\p{Script=Han}]{1,40}\s*|\s+/gu;

/** Pieces after which other work of the process gets its turn. */
const piecesPerTurn = 64;

/** Cuts a text where a reader would not mind; the pieces joined are the text. */
export function cutIntoPieces(text: string): string[] {
  return text.match(piece) ?? [];
}

/** The text as events, as fast as they are read; throws the abort reason between two of them. */
export async function* streamText(
  text: string,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  for (const [index, part] of cutIntoPieces(text).entries()) {
    if (index % piecesPerTurn === piecesPerTurn - 1) await setImmediate();
    signal.throwIfAborted();
    yield { type: "text", text: part };
  }
}
