import { decodeNamedCharacterReference } from "decode-named-character-reference";
import { blockElements } from "./block-elements.ts";
import { lineAhead, paragraphAhead, reach, type Ahead } from "./look-ahead.ts";
import { silent, words, type MarkdownState, type Step, type Token } from "./tokens.ts";

/** What begins with one character inside a line. */
interface Place {
  readonly source: string;
  readonly at: number;
  /** The character before; a line break at the start. */
  readonly before: string;
  readonly state: MarkdownState;
  /** Nothing follows the source. */
  readonly final: boolean;
}

/** `undefined`: the character stands for itself; null: what follows decides. */
type InlineRule = (place: Place) => Step | undefined;

const wordCharacters = /(?:[\p{L}\p{N}]|(?![\u20e3\ufe00-\ufe0f])\p{M})+/uy;
/** Runs of characters that mean nothing special anywhere. */
const plainCharacters = /[ ,.;:?"'()，。！？；：、“”‘’（）《》…%+=/-]+/uy;
const addressStart = /(?:https?:\/\/|ftps?:\/\/|www\.)[^\s<]/iy;
const addressStarts = ["https://", "http://", "ftps://", "ftp://", "www."];
const addressCharacters = /[!#-;=?-_a-z{}~]+/iy;
const unpronounceable =
  /(?![©®™])[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\p{Cs}\p{Cc}\p{Cf}\u20e3\ufe0e\ufe0f]/u;
const tag =
  /^<\/?([a-z][\w-]*)(?:\s+[\w:@.-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*\/?>$/i;
/** A link's target and title, in brackets. */
const target = /^\(\s*(?:<[^<>\n]*>|[^\s<][^\s]*)?(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)$/;

/** The next token of a line's text. */
export function scanInline(source: string, at: number, state: MarkdownState, final: boolean): Step {
  const label = state.labels.at(-1);
  if (label && at >= label.end) {
    return step(state, silent(label.linkEnd), { labels: state.labels.slice(0, -1) });
  }
  const place: Place = label
    ? {
        source: source.slice(0, label.end),
        at,
        before: characterBefore(source, at),
        state,
        final: true,
      }
    : { source, at, before: characterBefore(source, at), state, final };
  const word = match(wordCharacters, place.source, at);
  if (word !== "") return scanWord(place, word);
  const plain = match(plainCharacters, place.source, at);
  if (plain !== "") return step(state, words(at + plain.length, plain));
  const first = source[at] ?? "";
  const found = rules[first]?.(place);
  return found === undefined ? scanCharacter(place) : found;
}

/** In an address: all of it but the marks at its end, which belong to the sentence. */
export function scanAddress(
  source: string,
  at: number,
  state: MarkdownState,
  final: boolean,
): Step {
  const limit = state.labels.at(-1)?.end;
  const within = limit === undefined ? source : source.slice(0, limit);
  const run = match(addressCharacters, within, at);
  const end = at + run.length;
  const isOpen = end === within.length && limit === undefined && !final;
  const tail = /[.,;:!?)*_\]']{0,8}$/.exec(run)?.[0] ?? "";
  if (run.length > tail.length) return step(state, silent(end - tail.length));
  if (isOpen && tail.length < 8) return null;
  const spoken = tail.replaceAll(/[*_\]]/g, "");
  return step(state, words(end, spoken), isOpen ? {} : { place: "text" });
}

function step(state: MarkdownState, token: Token, changes: Partial<MarkdownState> = {}): Step {
  return { token, state: { ...state, ...changes } };
}

function match(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? "";
}

function characterBefore(source: string, at: number): string {
  const pair = source.slice(Math.max(0, at - 2), at);
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(pair) ? pair : pair.slice(-1) || "\n";
}

function ahead({ source, at, state, final }: Place, length: number): Ahead {
  const line = state.block.kind === "heading" || state.block.kind === "html";
  if (line) return within(lineAhead(source, at, final), length);
  return paragraphAhead(source, at, length, { final, nested: state.containers.length > 0 });
}

function within({ text, complete }: Ahead, length: number): Ahead {
  return { text: text.slice(0, length), complete: complete || text.length >= length };
}

const isWord = (character: string) => /(?![\u20e3\ufe00-\ufe0f])[\p{L}\p{M}\p{N}]/u.test(character);

function scanWord({ source, at, before, state, final }: Place, word: string): Step {
  if (/^[hfw]/i.test(word) && !isWord(before)) {
    if (match(addressStart, source, at) !== "") {
      return step(state, { kind: "link", end: at + word.length }, { place: "address" });
    }
    const rest = source.slice(at, at + 9).toLowerCase();
    const isOpen = rest.length < 9 && addressStarts.some((start) => start.startsWith(rest));
    if (isOpen && !final) return null;
  }
  return step(state, words(at + word.length, word));
}

function scanCharacter({ source, at, state, final }: Place): Step {
  const point = String.fromCodePoint(source.codePointAt(at) ?? 0);
  const half = point.length === 1 && /^[\ud800-\udbff]$/.test(point);
  if (half && at + 1 === source.length && !final) return null;
  const end = at + point.length;
  return step(state, unpronounceable.test(point) ? silent(end) : words(end, point));
}

function withoutPictures(text: string): string {
  return Array.from(text, (each) => (unpronounceable.test(each) ? " " : each)).join("");
}

const newLine: InlineRule = ({ at, state }) =>
  step(state, words(at + 1, "\n"), state.labels.length > 0 ? {} : { place: "line" });

const blank: InlineRule = ({ at, state }) => step(state, words(at + 1, " "));

/** Code is read as it is written, its marks included. */
const codeSpan: InlineRule = (place) => {
  const { at, state } = place;
  const { text, complete } = ahead(place, reach.construct);
  const run = /^`+/.exec(text)?.[0] ?? "`";
  if (run.length === text.length && !complete) return null;
  for (const each of text.matchAll(/`+/g)) {
    if (each.index === 0 || each[0].length !== run.length) continue;
    const end = each.index + run.length;
    if (end === text.length && !complete) return null;
    return step(state, words(at + end, withoutPictures(text.slice(run.length, each.index))));
  }
  if (!complete) return null;
  const end = at + run.length;
  const joins = isWord(place.before) && isWord(text[run.length] ?? "");
  return step(state, joins ? words(end, " ") : silent(end));
};

/** Marks around emphasised words; kept between numbers and between blanks, where they mean themselves. */
const emphasis: InlineRule = (place) => {
  const { source, at, before, state, final } = place;
  const mark = source[at] ?? "";
  const run = match(
    mark === "*" ? /\*{1,200}/y : mark === "_" ? /_{1,200}/y : /~{1,200}/y,
    source,
    at,
  );
  const after = source.codePointAt(at + run.length);
  // Half of a character, whose other half is yet to come.
  const half = after !== undefined && after >= 0xd800 && after < 0xdc00;
  const open = half
    ? at + run.length + 1 === source.length
    : after === undefined && run.length < 200;
  if (open && !final) return null;
  const next = after === undefined ? "\n" : String.fromCodePoint(after);
  const end = at + run.length;
  const itself =
    (mark === "~" && run.length === 1) ||
    (mark === "_" && isWord(before) && isWord(next)) ||
    (mark === "*" && /\d/.test(before) && /\d/.test(next)) ||
    (run.length === 1 && /\s/.test(before) && /\s/.test(next));
  return step(state, itself ? words(end, run) : silent(end));
};

/** A link, the mark of a footnote or of a source, or just a bracket. */
const bracket: InlineRule = (place) => {
  const { at, before, state } = place;
  const { text, complete } = ahead(place, reach.construct);
  const close = closing(text, 0, "[", "]", complete);
  if (close === "open" && !complete) return null;
  if (typeof close !== "number") return undefined;
  const label = text.slice(1, close);
  const next = text[close + 1];
  if (next === undefined && !complete) return null;
  if (label.startsWith("^")) return step(state, silent(at + close + 1));
  // A link holds no other.
  const holdsLink = label.replaceAll(/!\[[^\]]*\]\([^)]*\)/g, "").includes("](");
  const isNumber = /^\d{1,3}(?:[,–-] ?\d{1,3})*$/.test(label);
  const isReference = next === "[" && !isWord(before) && !isNumber;
  if ((next === "(" || isReference) && !holdsLink) {
    const end = closing(text, close + 1, next, next === "(" ? ")" : "]", complete);
    if (end === "open" && !complete) return null;
    if (typeof end === "number" && (next === "[" || target.test(text.slice(close + 1, end + 1)))) {
      const labels = [...state.labels, { end: at + close, linkEnd: at + end + 1 }];
      return step(state, silent(at + 1), { labels });
    }
  }
  // The number of a source: after a word, at the end of what it belongs to.
  const isSource = isNumber && /[^\n\p{L}\p{N}]/u.test(before);
  if (isSource && (next === undefined || /[\n.,;:!?\r。，；：！？[]/.test(next))) {
    const clause = place.source.slice(Math.max(0, at - 9), at);
    if (!wantsNumber.test(clause)) return step(state, silent(at + close + 1));
  }
  return undefined;
};

/** The number is part of the sentence, or begins its line. */
const wantsNumber =
  /(?:^|\n)\s*$|(?:^|\P{L})(?:and|at|by|from|in|of|or|see|to|with)\s*$|[见和与及第]\s*$/iu;

/** An image says nothing. */
const image: InlineRule = (place) => {
  const { at, state } = place;
  const { text, complete } = ahead(place, reach.construct);
  if (text.length < 2 && !complete) return null;
  if (text[1] !== "[") return undefined;
  const close = closing(text, 1, "[", "]", complete);
  if (close === "open" && !complete) return null;
  if (typeof close !== "number") return step(state, words(at + 2, "!["));
  const next = text[close + 1];
  if (next === undefined && !complete) return null;
  if (next !== "(" && next !== "[") return step(state, words(at + 1, "!"));
  const end = closing(text, close + 1, next, next === "(" ? ")" : "]", complete);
  if (end === "open" && !complete) return null;
  const isImage =
    typeof end === "number" && (next === "[" || target.test(text.slice(close + 1, end + 1)));
  return isImage ? step(state, silent(at + end + 1)) : step(state, words(at + 1, "!"));
};

/** A tag, an address in angle brackets, or just "less than". */
const angle: InlineRule = (place) => {
  const { at, state } = place;
  const { text, complete } = ahead(place, reach.construct);
  if (text.length < 2 && !complete) return null;
  if (!/^<[a-z/!]/i.test(text)) return undefined;
  if (text.startsWith("<!")) {
    if (text.length < 4 && !complete) return null;
    if (!text.startsWith("<!--")) return undefined;
    // `<!-->` is a whole one.
    const end = text.indexOf("-->", 2);
    if (end >= 0) return step(state, silent(at + end + 3));
    return complete ? undefined : null;
  }
  const close = text.slice(0, reach.label).indexOf(">");
  if (close < 0) return complete || text.length >= reach.label ? undefined : null;
  const inside = text.slice(0, close + 1);
  const end = at + inside.length;
  if (/^<[a-z][a-z\d+.-]{1,31}:[^\s<>]*>$/i.test(inside)) return step(state, { kind: "link", end });
  if (/^<[\w.+-]+@[\w.-]+>$/.test(inside)) return step(state, words(end, inside.slice(1, -1)));
  const name = tag.exec(inside)?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  if (hidden.has(name) && !inside.startsWith("</")) {
    const closer = new RegExp(`</${name}\\s*>`, "i").exec(text);
    if (closer) return step(state, silent(at + closer.index + closer[0].length));
    // Spoken of, not used.
    return complete ? step(state, words(end, name)) : null;
  }
  const parts = name === "br" || (blockElements.has(name) && isWord(place.before));
  return step(state, parts ? words(end, "\n") : silent(end));
};

/** Elements whose content is not for people. */
const hidden = new Set(["script", "style", "think", "thinking"]);

const escape: InlineRule = (place) => {
  const { source, at, state, final } = place;
  const next = source[at + 1];
  if (next === undefined) return final ? step(state, silent(at + 1)) : null;
  if (next === "(" || next === "[" || next === "b") {
    const found = formula(
      place,
      next === "(" ? ["\\(", "\\)"] : next === "[" ? ["\\[", "\\]"] : "environment",
    );
    if (found !== undefined) return found;
  }
  if (next === "\n" || next === "\r") return step(state, silent(at + 1));
  return /[!-/:-@[-`{-~]/.test(next) ? step(state, words(at + 2, next)) : undefined;
};

const dollar: InlineRule = (place) => {
  const { source, at, state, final } = place;
  const next = source[at + 1];
  if (next === undefined) return final ? undefined : null;
  if (next === "$") {
    const found = formula(place, ["$$", "$$"]);
    return found === undefined ? step(state, words(at + 2, "$$")) : found;
  }
  return /\s/.test(next) ? undefined : formula(place, ["$", "$"]);
};

/**
 * A formula, if it closes in time and does not read like prose: two words in a row end the search, so that a price or a
 * bracket costs neither silence nor time.
 */
function formula(place: Place, marks: readonly [string, string] | "environment"): Step | undefined {
  const { source, at, state, final } = place;
  const line = source.indexOf("\n", at);
  const alone = line >= 0 && /^(?:\$\$|\\\[)[ \t\r]*$/.test(source.slice(at, line));
  const { text, complete }: Ahead = alone
    ? {
        text: source.slice(at, at + reach.construct),
        complete: final || source.length - at >= reach.construct,
      }
    : formulaAhead(place);
  let [opener, closer] = marks === "environment" ? ["", ""] : marks;
  if (marks === "environment") {
    const begin = /^\\begin\{([a-z]{1,20}\*?)\}/.exec(text);
    if (!begin)
      return !complete && /^\\b(?:e(?:g(?:i(?:n(?:\{[a-z]{0,20}\*?)?)?)?)?)?$/.test(text)
        ? null
        : undefined;
    [opener, closer] = [begin[0], `\\end{${begin[1]}}`];
  }
  const close = findClosing(text, opener, closer);
  const content = text.slice(opener.length, close ?? text.length);
  if (marks !== "environment" && readsLikeProse(content)) return undefined;
  if (close === null) return complete ? undefined : null;
  const end = close + closer.length;
  if (closer === "$") {
    if (end === text.length && !complete) return null;
    if (/\d/.test(text[end] ?? "")) return undefined;
    if (!/[\\^_=+<>{}]|^\p{L}$|^\d*\p{L}$/u.test(content)) return undefined;
  }
  const isWords = !/[\\^_=+<>{}*/|\d]/.test(content) && /\p{L}{3}/u.test(content);
  if (content.trim() === "" || isWords) return undefined;
  const inline = closer === "$" || closer === "\\)";
  const token: Token = inline
    ? { kind: "formula", end: at + end, text: content }
    : { kind: "display", end: at + end };
  return step(state, token);
}

function formulaAhead({ source, at, final }: Place): Ahead {
  // Lines of formulas begin with marks that would begin a block.
  const blankLine = /\n[ \t\r]*\n/.exec(source.slice(at, at + reach.construct))?.index;
  if (blankLine !== undefined) return { text: source.slice(at, at + blankLine), complete: true };
  const text = source.slice(at, at + reach.construct);
  return { text, complete: final || text.length === reach.construct };
}

function findClosing(text: string, opener: string, closer: string): number | null {
  for (let index = opener.length; index <= text.length - closer.length; index++) {
    if (text.startsWith(closer, index) && !(closer === "$" && /\s/.test(text[index - 1] ?? "")))
      return index;
    if (text[index] === "\\") index++;
  }
  return null;
}

function readsLikeProse(content: string): boolean {
  const bare = content
    .replaceAll(/\\(?:text|textbf|mathrm|mbox|operatorname)\s*\{[^}]*(?:\}|$)/g, " ; ")
    .replaceAll(/\\[a-z]*/gi, " ; ");
  return /\p{L}{2,}[ ,.]+\p{L}{2,}|\p{Script=Han}{4}/u.test(bare);
}

const entity: InlineRule = ({ source, at, state, final }) => {
  const text = source.slice(at, at + longestEntity);
  const found = /^&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z\d]{1,31}));/i.exec(text);
  if (!found) {
    const isOpen =
      text.length < longestEntity &&
      /^&(?:#?\d{0,7}|#x[\da-f]{0,6}|[a-z][a-z\d]{0,31})$/i.test(text);
    return isOpen && !final ? null : undefined;
  }
  const [whole, decimal, hexadecimal, name] = found;
  const code = decimal ? Number(decimal) : Number.parseInt(hexadecimal ?? "", 16);
  const decoded = name
    ? decodeNamedCharacterReference(name)
    : code > 0 && code <= 0x10ffff && String.fromCodePoint(code);
  if (decoded === false) return undefined;
  return step(state, words(at + whole.length, withoutPictures(decoded.replaceAll("\u00a0", " "))));
};

const longestEntity = 34;

/** `【1†source】`: where an assistant's words come from. */
const source: InlineRule = (place) => {
  const { at, state } = place;
  const { text, complete } = ahead(place, 100);
  const end = text.indexOf("】");
  if (end < 0) return complete ? undefined : null;
  return /^【[\d:]+†/.test(text) ? step(state, silent(at + end + 1)) : undefined;
};

const rules: Record<string, InlineRule> = {
  "\n": newLine,
  "\t": blank,
  "|": blank,
  "`": codeSpan,
  "*": emphasis,
  _: emphasis,
  "~": emphasis,
  "[": bracket,
  "!": image,
  "<": angle,
  "\\": escape,
  $: dollar,
  "&": entity,
  "【": source,
};

/** Where the bracket opened at `start` closes: `open` while it may still, `none` when it does not in time. */
function closing(
  text: string,
  start: number,
  opener: "[" | "(",
  closer: string,
  complete: boolean,
): number | "open" | "none" {
  const limit = opener === "[" ? reach.label : reach.construct;
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (index - start > limit) return "none";
    if (character === "\\") index++;
    else if (character === "`" && opener === "[") {
      // Brackets in code are none.
      const run = match(/`+/y, text, index);
      const end = text.indexOf(run, index + run.length);
      if (end < 0 && !complete) break;
      index = (end < 0 ? index : end) + run.length - 1;
    } else if (character === opener) depth++;
    else if (character === closer && --depth === 0) return index;
  }
  return text.length - start > limit ? "none" : "open";
}
