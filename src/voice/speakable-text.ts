import { languageOf } from "./language.ts";

/** Text to be spoken, and for each of its UTF-16 units the end of what it stands for in the written text. */
export interface SpokenText {
  readonly text: string;
  readonly sourceEnds: readonly number[];
}

/** Turns a growing Markdown text into what can be said, however it is sliced. */
export interface SpeakableText {
  push(delta: string): SpokenText;
  /** What was held back, once nothing follows. */
  flush(): SpokenText;
}

/** What is said instead of parts that cannot be. */
const remarks = {
  code: { en: "The code is in the text.", zh: "代码见文字。" },
  table: { en: "The table is in the text.", zh: "表格见文字。" },
  formula: { en: "The formula is in the text.", zh: "公式见文字。" },
  link: { en: "link", zh: "链接" },
};

const maxLabelLength = 500;
const maxTargetLength = 2_048;
const maxTagLength = 500;
/** Of runs of one mark, as the patterns below say it. */
const maxMarkerLength = 200;
const maxPlainLength = 1_000;

const tag = /^<\/?([a-z][\w-]*)(?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))*\s*\/?>$/i;
const unpronounceable =
  /[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\p{Cs}\p{Cc}\p{Cf}\u20e3\ufe0e\ufe0f]/u;
/** Runs of characters that mean nothing special anywhere in a line. */
const plain = /^[\p{L}\p{N} ,.;:?"'()，。！？；：、“”‘’（）《》…%$+=/-]+/u;
const entities: Record<string, string> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&#39;": "'",
  "&nbsp;": " ",
};
const longestEntity = 6;

/** Characters of the written text used up, and what is said for them; `need more` to decide. */
type Step = { readonly used: number; readonly say?: string };
const needMore = null;

/**
 * Leaves out what only the eye can read: code blocks, tables, formulas (each becomes a short remark), link targets,
 * images, emphasis marks, tags, thinking between `<think>` tags, emoji. Holds back at most a few kilobytes while it cannot
 * tell yet. `fallback` is the language of remarks before any text.
 */
export function createSpeakableText(fallback: string): SpeakableText {
  let held = "";
  /** Where `held` begins in the written text. */
  let position = 0;
  let mode: "text" | "code" | "line" | "formula" | "think" | "url" = "text";
  let atLineStart = true;
  let inTable = false;
  /** Last character of the written text before `held`. */
  let before = "\n";
  let fence = "";
  let fenceLineDead = true;
  let formulaEnd = "$$";
  let urlTail = "";
  let said = "";
  let text = "";
  let ends: number[] = [];

  function say(words: string, used: number): void {
    const own = words.length === used;
    for (let index = 0; index < words.length; index++) {
      ends.push(position + (own ? index + 1 : used));
    }
    text += words;
    said = (said + words).slice(-400);
  }

  function remark(kind: keyof typeof remarks): string {
    return remarks[kind][languageOf(said, fallback) === "zh" ? "zh" : "en"];
  }

  function use(step: Step): void {
    if (step.say) say(step.say, step.used);
    if (step.used > 0) before = lastCharacter(held.slice(0, step.used));
    held = held.slice(step.used);
    position += step.used;
  }

  /** Block marks; null also while the line's kind is open. `undefined`: an ordinary line. */
  function lineStart(final: boolean): Step | null | undefined {
    const indent = /^[ \t]{0,100}/.exec(held)?.[0].length ?? 0;
    const rest = held.slice(indent);
    if (rest === "") return final ? { used: indent } : needMore;
    if (rest[0] !== "|") inTable = false;
    switch (rest[0]) {
      case "`":
      case "~": {
        const run = /^(`{1,200}|~{1,200})/.exec(rest)?.[0] ?? "";
        if (isOpen(run, rest) && !final) return needMore;
        if (run.length < 3) return undefined;
        mode = "code";
        fence = run;
        fenceLineDead = true;
        return { used: indent + run.length, say: `${remark("code")}\n` };
      }
      case "|": {
        mode = "line";
        const first = !inTable;
        inTable = true;
        return { used: indent + 1, ...(first ? { say: `${remark("table")}\n` } : {}) };
      }
      case "$":
        if (rest.length < 2 && !final) return needMore;
        if (rest[1] !== "$") return undefined;
        mode = "formula";
        formulaEnd = "$$";
        return { used: indent + 2, say: `${remark("formula")} ` };
      case ">":
        return { used: indent + 1 };
      case "#": {
        const run = /^#{1,7}[ \t]?/.exec(rest)?.[0] ?? "";
        if (isOpen(run, rest) && !final) return needMore;
        if (!/^#{1,6}[ \t]/.test(run)) return undefined;
        atLineStart = false;
        return { used: indent + run.length };
      }
      case "-":
      case "*":
      case "_":
      case "=":
      case "+": {
        const run = /^[-*_=+ \t]{1,200}/.exec(rest)?.[0] ?? "";
        if (isOpen(run, rest) && !final) return needMore;
        const next = run.length < maxMarkerLength ? rest[run.length] : undefined;
        const rule = /^([-*_=])\1{2,}$/.test(run.replaceAll(/[ \t]/g, ""));
        if (rule && (next === undefined || next === "\n" || next === "\r")) {
          atLineStart = false;
          return { used: indent + run.length };
        }
        if (!/^[-*+][ \t]/.test(run)) return undefined;
        return { used: indent + 2 };
      }
      default:
        return undefined;
    }
  }

  /** A link, an image, a footnote mark, a box of a task list, or just a bracket. */
  function bracket(start: number, final: boolean): Step | null {
    const image = start > 0;
    const literal: Step = { used: start + 1, say: held.slice(0, start + 1) };
    const close = closing(held, start, "[", "]", maxLabelLength);
    if (close === "open") return final ? literal : needMore;
    if (close === "none") return literal;
    const label = held.slice(start + 1, close);
    const next = held[close + 1];
    if (next === undefined && !final) return needMore;
    const words = image || /^[!^]/.test(label) ? "" : label.replaceAll(/[*_`~[\]]/g, "");
    const spoken = withoutPictures(words);
    if (next === "(" || next === "[") {
      const target = closing(held, close + 1, next, next === "(" ? ")" : "]", maxTargetLength);
      if (target === "open" && !final) return needMore;
      if (typeof target === "number") return { used: target + 1, say: spoken };
    }
    if (label.startsWith("^")) return { used: close + 1 };
    if (/^[ xX]$/.test(label)) return { used: close + 1 };
    return literal;
  }

  /** A tag, an address in angle brackets, or just "less than". */
  function angle(final: boolean): Step | null {
    const literal: Step = { used: 1, say: "<" };
    const next = held[1];
    if (next === undefined) return final ? literal : needMore;
    if (!/[a-z/!]/i.test(next)) return literal;
    const line = held.slice(0, maxTagLength);
    const close = line.search(/[>\n]/);
    if (close < 0) return final || line.length === maxTagLength ? literal : needMore;
    const inside = held.slice(0, close + 1);
    if (inside.startsWith("<!--")) return { used: close + 1 };
    if (/^<(https?:|mailto:)[^\s]*>$/i.test(inside)) {
      return { used: close + 1, say: remark("link") };
    }
    const name = tag.exec(inside)?.[1]?.toLowerCase();
    if (name === undefined) return literal;
    if (/^<think(ing)?\b/i.test(inside)) mode = "think";
    return { used: close + 1, ...(name === "br" ? { say: "\n" } : {}) };
  }

  /** One of the marks around emphasised words; kept between numbers and between blanks, where it means itself. */
  function emphasis(mark: "*" | "_" | "~", final: boolean): Step | null {
    const run = /^(\*{1,200}|_{1,200}|~{1,200})/.exec(held)?.[0] ?? mark;
    if (isOpen(run, held) && !final) return needMore;
    const next = run.length < maxMarkerLength ? held[run.length] : undefined;
    const kept: Step = { used: run.length, say: run };
    if (mark === "~" && run.length === 1) return kept;
    const [left, right] = [before, next ?? "\n"];
    if (mark === "_" && /[\p{L}\p{N}]/u.test(left) && /[\p{L}\p{N}]/u.test(right)) return kept;
    if (mark === "*" && /\d/.test(left) && /\d/.test(right)) return kept;
    if (run.length === 1 && /\s/.test(left) && /\s/.test(right)) return kept;
    return { used: run.length };
  }

  function inline(final: boolean): Step | null {
    const first = held[0] ?? "";
    const run = plain.exec(withoutAddress(held))?.[0];
    if (run) return { used: run.length, say: run };
    switch (first) {
      case "\n":
        atLineStart = true;
        return { used: 1, say: "\n" };
      case "\t":
        return { used: 1, say: " " };
      case "`":
        return { used: 1 };
      case "|":
        return { used: 1, say: " " };
      case "*":
      case "_":
      case "~":
        return emphasis(first, final);
      case "[":
        return bracket(0, final);
      case "!":
        if (held.length < 2 && !final) return needMore;
        return held[1] === "[" ? bracket(1, final) : { used: 1, say: "!" };
      case "<":
        return angle(final);
      case "\\": {
        const next = held[1];
        if (next === undefined) return final ? { used: 1 } : needMore;
        if (next === "[") {
          mode = "formula";
          formulaEnd = "\\]";
          return { used: 2, say: `${remark("formula")} ` };
        }
        return /[!-/:-@[-`{-~]/.test(next) ? { used: 2, say: next } : { used: 1 };
      }
      case "&": {
        const entity = /^&#?\w+;/.exec(held.slice(0, longestEntity))?.[0];
        const known = entity === undefined ? undefined : entities[entity];
        if (entity !== undefined && known !== undefined) return { used: entity.length, say: known };
        const open = held.length < longestEntity && /^&#?\w*$/.test(held);
        return open && !final ? needMore : { used: 1, say: "&" };
      }
      case "h":
      case "H":
      case "w":
      case "W": {
        const address = /^(https?:\/\/|www\.)/i.exec(held)?.[0];
        if (address) {
          mode = "url";
          urlTail = "";
          return { used: address.length, say: remark("link") };
        }
        const short = held.slice(0, 8).toLowerCase();
        const open = ["https://", "http://", "www."].some((start) => start.startsWith(short));
        return open && !final ? needMore : { used: 1, say: first };
      }
      default: {
        const point = String.fromCodePoint(held.codePointAt(0) ?? 0);
        const half = point.length === 1 && /^[\ud800-\udbff]$/.test(point);
        if (half && held.length < 2 && !final) return needMore;
        return unpronounceable.test(point)
          ? { used: point.length }
          : { used: point.length, say: point };
      }
    }
  }

  /** Plain text must stop before a word that may turn out to be an address. */
  function withoutAddress(all: string): string {
    const rest = all.slice(0, maxPlainLength);
    const place = /(?<![\p{L}\p{N}])[hw]/iu;
    if (/^[hw]/i.test(rest) && !/[\p{L}\p{N}]/u.test(before)) return "";
    const at = rest.slice(1).search(place);
    if (at < 0) return rest;
    // The look-behind cannot see `before`; position 0 was judged above.
    return rest.slice(0, at + 1);
  }

  function code(final: boolean): Step | null {
    const end = held.indexOf("\n");
    if (end < 0) {
      const mayClose = !fenceLineDead && /^[ \t]*(`*|~*)[ \t]*$/.test(held);
      if (mayClose && held.length < maxMarkerLength && !final) return needMore;
      fenceLineDead = true;
      if (final && closes(held)) mode = "text";
      return { used: held.length };
    }
    if (!fenceLineDead && closes(held.slice(0, end))) {
      mode = "text";
      atLineStart = true;
    }
    fenceLineDead = false;
    return { used: end + 1 };
  }

  function closes(line: string): boolean {
    const run = /^[ \t]{0,3}(`{3,}|~{3,})[ \t\r]*$/.exec(line)?.[1];
    return run !== undefined && run[0] === fence[0] && run.length >= fence.length;
  }

  /** Everything up to one of the marks is silent. */
  function skip(marks: readonly string[], after: () => void): Step | null {
    const found = marks
      .map((mark) => ({ mark, at: held.indexOf(mark) }))
      .filter(({ at }) => at >= 0)
      .toSorted((a, b) => a.at - b.at)[0];
    if (found) {
      after();
      return { used: found.at + found.mark.length };
    }
    const longest = Math.max(...marks.map((mark) => mark.length));
    const sure = held.length - longest + 1;
    return sure > 0 ? { used: sure } : needMore;
  }

  function url(): Step {
    const first = held[0] ?? "";
    if (/[\s<>"`|，。！？；：、（）【】「」《》“”]/.test(first) || /[^\p{ASCII}]/u.test(first)) {
      mode = "text";
      return { used: 0, say: tailOfAddress() };
    }
    // Marks at its end belong to the sentence.
    urlTail = /[.,;:!?)*_\]']/.test(first) ? (urlTail + first).slice(-8) : "";
    return { used: 1 };
  }

  function tailOfAddress(): string {
    const tail = urlTail.replaceAll(/[*_\]]/g, "");
    urlTail = "";
    return tail;
  }

  function step(final: boolean): Step | null {
    switch (mode) {
      case "code":
        return code(final);
      case "line": {
        const end = held.indexOf("\n");
        if (end < 0) return { used: held.length };
        mode = "text";
        atLineStart = true;
        return { used: end + 1 };
      }
      case "formula":
        return skip([formulaEnd], () => {
          mode = "text";
          atLineStart = false;
        });
      case "think":
        return skip(["</think>", "</thinking>"], () => {
          mode = "text";
        });
      case "url":
        return url();
      case "text": {
        if (!atLineStart) return inline(final);
        const marks = lineStart(final);
        if (marks !== undefined) return marks;
        atLineStart = false;
        const indent = /^[ \t]+/.exec(held)?.[0].length ?? 0;
        return indent > 0 ? { used: indent } : inline(final);
      }
    }
  }

  function run(final: boolean): SpokenText {
    text = "";
    ends = [];
    while (held !== "") {
      const next = step(final);
      if (next === needMore) break;
      use(next);
    }
    if (final && mode === "url") say(tailOfAddress(), 0);
    return { text, sourceEnds: ends };
  }

  return {
    push(delta) {
      held += delta;
      return run(false);
    },
    flush: () => run(true),
  };
}

/** Whether a run of marks may go on with what comes next. */
function isOpen(run: string, rest: string): boolean {
  return run.length === rest.length && run.length < maxMarkerLength;
}

function lastCharacter(characters: string): string {
  const pair = characters.slice(-2);
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(pair) ? pair : pair.slice(-1);
}

function withoutPictures(words: string): string {
  return Array.from(words, (each) => (unpronounceable.test(each) ? "" : each)).join("");
}

/** Where the bracket opened at `start` closes: `open` while it may still, `none` when it does not in its line or in time. */
function closing(
  text: string,
  start: number,
  opener: string,
  closer: string,
  maxLength: number,
): number | "open" | "none" {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (character === "\n" || index - start > maxLength) return "none";
    if (character === "\\") index++;
    else if (character === opener) depth++;
    else if (character === closer && --depth === 0) return index;
  }
  return text.length - start > maxLength ? "none" : "open";
}
