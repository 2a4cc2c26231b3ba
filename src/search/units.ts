import { foldedAt } from "./fold.ts";

/**
 * One reading of a text: a word, a part of one (`Bar` in `fooBarBaz`), a character of a script that is written without
 * spaces, an emoji. What is searched and what is searched for are read by the same rule.
 */
export interface Unit {
  readonly kind: "word" | "character" | "emoji";
  /** Where it is in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Each reading of it, and over how many units from this one on it goes. */
  readonly forms: readonly Form[];
  /** Follows the unit before it with nothing but a sign that joins words between them, such as the dot of `a.b`. */
  readonly isJoined: boolean;
  /** Follows it with nothing visible between them. */
  readonly touches: boolean;
}

export interface Form {
  readonly text: string;
  readonly units: number;
}

/**
 * `text` is read in every way that it may be looked for; `query` as it was written: whoever looks for a word with its
 * article, or for C++, means that.
 */
type Reading = "text" | "query";

const unspaced =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々〆]/u;
const wordBegins = /^[\p{L}\p{N}_]/u;
const wordGoesOn = /^[\p{L}\p{N}\p{M}_]/u;
const emoji = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator})/u;
/** Nothing of their own: joiners, soft hyphens, skin tones, tags of flags. */
const invisible = /^[\u00AD\u200B-\u200F\u2060-\u2064\uFEFF\p{Emoji_Modifier}\u{E0020}-\u{E007F}]/u;
const upper = /\p{Lu}/u;
const lowerOrDigit = /[\p{Ll}\p{N}]/u;
const joint = /^[.@\-/:'’&+#_·]$/u;
/** Behind a word they belong to it: C++, C#. */
const signs = /(?:\+\+|＋＋|#|＃)(?![\p{L}\p{N}_])/uy;

/** Longer words are cut: PostgreSQL takes lexemes of up to 2,046 bytes, and nobody searches for such. */
export const maxWordLength = 64;
/** Of a longer word no parts are looked at. */
const maxPartsOf = 256;
const maxParts = 8;

interface Piece {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A word of ASCII that has no parts and no sign behind it, and what is between words: most of most texts. */
const simpleWord = /[A-Za-z0-9][a-z0-9]{0,63}(?![\w+#\u0080-\uFFFF])/y;
const simpleGap = /[\t\n\r -/:-@[-^`{-~]+(?![\u0080-\uFFFF])/y;

/** Of a text so much is read, as it is written and as it is compared: a single character may be a sentence. */
export const maxReadLength = 1024 * 1024;

/** Lazily, in the order of the text. */
export function* unitsOf(text: string, reading: Reading): Generator<Unit, void, void> {
  /** Of the word that is being read. */
  let word: Piece[] = [];
  let wordEnd = 0;
  /** The end of what was seen last, with what is invisible behind it. */
  let lastEnd = -1;
  let readLength = 0;

  const place = (start: number) => {
    const touches = start <= lastEnd;
    return {
      touches,
      isJoined: touches || (lastEnd !== -1 && joint.test(text.slice(lastEnd, start))),
    };
  };
  /** All units of the word; the sign behind it belongs to it. */
  const endWord = function* (): Generator<Unit, void, void> {
    if (word.length === 0) return;
    signs.lastIndex = wordEnd;
    const sign = signs.exec(text)?.[0];
    const end = wordEnd + (sign?.length ?? 0);
    for (const [index, unit] of readWord(text, word, { end, sign, reading }).entries()) {
      yield { ...unit, ...(index === 0 ? place(unit.start) : { isJoined: true, touches: true }) };
    }
    lastEnd = end;
    word = [];
  };

  for (let at = 0; at < Math.min(text.length, maxReadLength) && readLength < maxReadLength;) {
    if (word.length === 0) {
      simpleGap.lastIndex = at;
      if (simpleGap.test(text)) {
        at = simpleGap.lastIndex;
        continue;
      }
      simpleWord.lastIndex = at;
      if (simpleWord.test(text)) {
        const start = at;
        at = simpleWord.lastIndex;
        const forms = [{ text: text.slice(start, at).toLowerCase(), units: 1 }];
        yield { kind: "word", start, end: at, forms, ...place(start) };
        lastEnd = at;
        continue;
      }
    }
    const { text: seen, start, end } = foldedAt(text, at);
    at = end;
    readLength += seen.length;
    for (const character of seen) {
      const isUnspaced = unspaced.test(character);
      if (!isUnspaced && (word.length === 0 ? wordBegins : wordGoesOn).test(character)) {
        if (word.length < maxPartsOf) word.push({ text: character, start, end });
        wordEnd = end;
        continue;
      }
      if (invisible.test(character)) {
        // A space of no width parts words; in scripts without spaces it says where a line may end.
        if (word.length > 0 && character !== "\u200B") wordEnd = end;
        else if (start === lastEnd) lastEnd = end;
        continue;
      }
      if (word.length > 0) {
        yield* endWord();
        if (lastEnd > start && signs.lastIndex > start) {
          at = lastEnd;
          break;
        }
      }
      const isEmoji = !isUnspaced && emoji.test(character);
      if (!isUnspaced && !isEmoji) continue;
      const forms = [{ text: character, units: 1 }];
      yield { kind: isEmoji ? "emoji" : "character", start, end, forms, ...place(start) };
      lastEnd = end;
    }
    if (seen !== "") continue;
    // What folds to nothing belongs to what is before it.
    if (word.length > 0) wordEnd = end;
    else if (start === lastEnd) lastEnd = end;
  }
  yield* endWord();
}

function readWord(
  text: string,
  pieces: readonly Piece[],
  { end, sign, reading }: { end: number; sign: string | undefined; reading: Reading },
): Omit<Unit, "isJoined" | "touches">[] {
  const whole = textOf(pieces);
  const parts = pieces.length < maxPartsOf ? partsOf(text, pieces) : [pieces];
  const first = parts[0];
  if (first === undefined) return []; // nothing but _
  const count = parts.length;
  const wholes = new Set<string>();
  if (sign !== undefined) wholes.add(cut(whole) + sign.normalize("NFKC"));
  // `count++` is also found as `count`; C++ is not C.
  const isPlain = sign === undefined || (reading === "text" && whole.length > 2);
  if (isPlain) {
    wholes.add(cut(whole));
    if (reading === "text") for (const bare of behindArticle(whole)) wholes.add(cut(bare));
  }
  const forms = [...wholes].map((form) => ({ text: form, units: count }));
  if (count === 1) return [{ kind: "word", start: first[0]?.start ?? 0, end, forms }];
  return parts.map((part, index) => ({
    kind: "word",
    start: part[0]?.start ?? 0,
    end: index === count - 1 ? end : (part.at(-1)?.end ?? 0),
    forms: [
      ...(isPlain ? [{ text: cut(textOf(part)), units: 1 }] : []),
      ...(index === 0 ? forms : []),
    ],
  }));
}

function textOf(pieces: readonly Piece[]): string {
  return pieces.map((piece) => piece.text).join("");
}

function cut(word: string): string {
  return word.length <= maxWordLength ? word : word.slice(0, maxWordLength).toWellFormed();
}

/** Of `fooBarBaz`, `HTTPServer` and `user_name`. */
function partsOf(text: string, pieces: readonly Piece[]): Piece[][] {
  const parts: Piece[][] = [];
  let part: Piece[] = [];
  const close = () => {
    if (part.length > 0) parts.push(part);
    part = [];
  };
  const written = ({ start, end }: Piece) => text.slice(start, end);
  for (const [index, piece] of pieces.entries()) {
    if (piece.text === "_") {
      close();
      continue;
    }
    const last = part.at(-1);
    const next = pieces[index + 1];
    if (last !== undefined && last.start !== piece.start && upper.test(written(piece))) {
      const endsLower = lowerOrDigit.test(written(last));
      const beginsWord =
        upper.test(written(last)) && next !== undefined && /^\p{Ll}/u.test(written(next));
      if ((endsLower || beginsWord) && parts.length < maxParts - 1) close();
    }
    part.push(piece);
  }
  close();
  return parts;
}

const arabicArticle = /^[وف]?(?:[بك]?ال|لل)(?<bare>\p{Script=Arabic}{2,})$/u;
const hebrewPrefix = /^[והבכלמש](?=\p{Script=Hebrew}{2,}$)/u;

/** A word without what Arabic and Hebrew write in front of it: the article and the short words that join it. */
function* behindArticle(word: string): Generator<string, void, void> {
  const bare = arabicArticle.exec(word)?.groups?.["bare"];
  if (bare !== undefined) {
    yield `ال${bare}`;
    yield bare;
    return;
  }
  let rest = word;
  for (let taken = 0; taken < 2 && hebrewPrefix.test(rest); taken += 1) {
    rest = rest.slice(1);
    yield rest;
  }
}
