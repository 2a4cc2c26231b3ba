import { isSpeakable, widthOf } from "./language.ts";
import type { SpokenText } from "./speakable-text.ts";

/** A piece of a reply that is spoken in one go. */
export interface Sentence {
  /** As it stands in the speakable text, blanks included: all pieces together are that text. */
  readonly text: string;
  /** How much of the written text it covers, counted from its start in UTF-16 units. */
  readonly sourceEnd: number;
}

/** Widths are those of `widthOf`. */
export interface SentenceLimits {
  /** The first piece is short, so that speech starts early. */
  readonly firstMinWidth?: number;
  /** From here on the first piece may end at a comma. */
  readonly clauseMinWidth?: number;
  readonly minWidth?: number;
  /** At most 250. */
  readonly maxWidth?: number;
  /** Of the engine, in UTF-16 units. */
  readonly maxCharacters?: number;
}

/** Cuts a growing text into pieces to speak; where it cuts does not depend on how the text arrives. */
export interface SentenceCutter {
  push(spoken: SpokenText): Sentence[];
  /** Nothing has come for a while: what can be spoken is, although it might have gone on. */
  idle(): Sentence[];
  /** Nothing follows. */
  flush(): Sentence[];
}

/** The whole of what a decision may look at: the longest piece, and what follows it. */
const windowLength = 640;

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
/** Words whose full stop ends no sentence; the segmenter does not know them. */
const abbreviation =
  /(?:^|[\s("'“‘])(?:Dr|Mr|Mrs|Ms|Prof|Rev|St|Sr|Jr|Mt|vs|cf|No|Nos|Fig|Figs|Eq|Sec|Ch|Vol|pp?|ca|approx|e\.g|i\.e|[A-Z])\.\s*$/;
/** The number of a list item. */
const ordinal = /(?:^|\n)\s*\d{1,3}\.\s*$/;
/** After one of these the segmenter does not change its mind about a boundary before it. */
const decisive = /[\p{L}.?!。！？…\n]/u;
/** Commas between digits end no clause. */
const clauseMark = /[，、；：]\s*|[,;:](?=\s)\s*|\s[—–-]\s/gu;

interface Boundary {
  readonly at: number;
  readonly kind: "sentence" | "clause";
  readonly decided: boolean;
}

/** Where sentences end in the window. `complete`: nothing beyond it is to be waited for. */
function sentenceEnds(window: string, complete: boolean): Boundary[] {
  const boundaries: Boundary[] = [];
  for (const { index, segment } of segmenter.segment(window)) {
    // An opening quotation mark or bracket belongs to what follows it.
    const at = index + (segment.replace(/[\p{Ps}\p{Pi}]+$/u, "") || segment).length;
    const before = window.slice(0, at);
    if (!segment.endsWith("\n") && (abbreviation.test(before) || ordinal.test(before))) continue;
    const decided = complete || segment.endsWith("\n") || decisive.test(window.slice(at));
    boundaries.push({ at, kind: "sentence", decided });
  }
  return boundaries;
}

function clauseEnds(window: string): Boundary[] {
  return Array.from(window.matchAll(clauseMark), (match) => {
    const at = match.index + match[0].length;
    return { at, kind: "clause" as const, decided: at < window.length };
  });
}

export function createSentenceCutter(limits: SentenceLimits = {}): SentenceCutter {
  const firstMinWidth = limits.firstMinWidth ?? 8;
  const clauseMinWidth = limits.clauseMinWidth ?? 12;
  const minWidth = limits.minWidth ?? 24;
  const maxWidth = Math.min(limits.maxWidth ?? 200, 250);
  const maxCharacters = Math.max(2, limits.maxCharacters ?? 4_096);
  let held = "";
  let sourceEnds: number[] = [];
  let first = true;

  /** The longest prefix that is no longer than a piece may be. */
  function longest(window: string): number {
    let width = 0;
    let length = 0;
    for (const character of window) {
      width += widthOf(character);
      if (width > maxWidth || length + character.length > maxCharacters) return length;
      length += character.length;
    }
    return length;
  }

  /** Where the next piece ends; null to wait for more text. */
  function nextCut(text: string, final: boolean): number | null {
    const window = text.slice(0, windowLength);
    const full = window.length === windowLength;
    const limit = longest(window);
    const boundaries = sentenceEnds(window, full || final);
    if (first) boundaries.push(...clauseEnds(window));
    boundaries.sort((a, b) => a.at - b.at);
    for (const { at, kind, decided } of boundaries) {
      if (at > limit) break;
      const least = kind === "clause" ? clauseMinWidth : first ? firstMinWidth : minWidth;
      const piece = text.slice(0, at);
      // A comma at the very end is the end.
      if (at === text.length && kind === "clause") continue;
      if (widthOf(piece) < least || !isSpeakable(piece)) continue;
      // An earlier boundary that is still open may win: wait, so that slicing makes no difference.
      return decided ? at : null;
    }
    if (limit < window.length) return hardCut(window, limit);
    return final ? text.length : null;
  }

  /** While nothing comes: after the last sentence, else the last comma, else the last blank. */
  function idleCut(text: string): number | null {
    const window = text.slice(0, longest(text.slice(0, windowLength)));
    const sentence = sentenceEnds(window, true).findLast(
      ({ at }) => at < window.length || endsSentence(window),
    )?.at;
    if (sentence !== undefined && isSpeakable(text.slice(0, sentence))) return sentence;
    const clause = Math.min(clauseEnds(`${window} `).at(-1)?.at ?? 0, window.length);
    if (widthOf(text.slice(0, clause)) >= clauseMinWidth) return clause;
    const blank = window.search(/\s\S*$/) + 1;
    return widthOf(text.slice(0, blank)) >= minWidth ? blank : null;
  }

  /** Within a sentence that is too long: after a comma, else a blank, else anywhere. */
  function hardCut(window: string, limit: number): number {
    const head = window.slice(0, limit);
    const clause = clauseEnds(head).findLast(({ at }) => at >= limit / 4 && at <= limit)?.at;
    if (clause !== undefined) return clause;
    const blank = head.search(/\s\S*$/);
    return blank >= limit / 4 ? blank + 1 : limit;
  }

  function drain(cut: (text: string) => number | null): Sentence[] {
    const pieces: Sentence[] = [];
    let done = 0;
    while (done < held.length) {
      const at = cut(held.slice(done));
      if (at === null) break;
      const text = held.slice(done, done + at);
      done += at;
      pieces.push({ text, sourceEnd: sourceEnds[done - 1] ?? 0 });
      first = false;
    }
    held = held.slice(done);
    sourceEnds = sourceEnds.slice(done);
    return pieces;
  }

  return {
    push(spoken) {
      held += spoken.text;
      sourceEnds = sourceEnds.concat(spoken.sourceEnds);
      return drain((text) => nextCut(text, false));
    },
    idle: () => drain(idleCut),
    flush: () => drain((text) => nextCut(text, true)),
  };
}

function endsSentence(text: string): boolean {
  return /[.?!。！？…][\p{Pe}\p{Pf}"'\s]*$|\n\s*$/u.test(text);
}
