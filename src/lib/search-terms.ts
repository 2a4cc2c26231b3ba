/**
 * Words for full-text search that PostgreSQL's own parsers cannot find: Chinese, Japanese and Korean are written without
 * spaces, so each run of them is indexed as its single characters and its pairs of neighbours.
 */
const runs =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]+|[[\p{L}\p{N}\p{M}_]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]]+/gv;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]/v;

/** Where what comes before does not matter: not within a word, not at a mark or vowel that joins what is before it. */
const fresh = /^(?:[^\p{L}\p{N}\p{M}_]|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])/v;

/** Of a text only so much is indexed. */
const maxLength = 1024 * 1024;
/**
 * Texts are read in slices of at most so much: the time to normalise a run of marks grows with its square (a quarter of
 * a million take 12 s), and on one run of millions a regular expression runs out of stack.
 */
const sliceLength = 1_024;
/** Longer words are cut: PostgreSQL takes lexemes of up to 2,046 bytes, and nobody searches for such. */
const maxWordLength = 64;
/** A tsvector holds less than 1 MiB of lexemes, in UTF-8. */
const maxBytes = 1024 * 1024 - 1;
const maxTerms = 20_000;

interface Run {
  readonly text: string;
  readonly isUnspaced: boolean;
  /** It is the rest of the run before it, of which the slice had no more. */
  readonly goesOn: boolean;
}

function* runsOf(text: string): Generator<Run, void, void> {
  const whole = text.slice(0, maxLength).replaceAll("\u0000", "");
  let open: boolean | null = null;
  for (let start = 0, end = 0; start < whole.length; start = end) {
    end = sliceEnd(whole, start);
    const slice = whole.slice(start, end).normalize("NFKC").toLowerCase();
    let last: boolean | null = null;
    for (const { 0: run, index } of slice.matchAll(runs)) {
      const isUnspaced = unspaced.test(run);
      yield { text: run, isUnspaced, goesOn: index === 0 && open === isUnspaced };
      last = index + run.length === slice.length ? isUnspaced : null;
    }
    open = last;
  }
}

/** The last fresh place; where there is none, all of the slice is one word, and longer than is indexed. */
function sliceEnd(text: string, start: number): number {
  const longest = start + sliceLength;
  if (longest >= text.length) return text.length;
  for (let end = longest; end > start; end -= 1) {
    if (fresh.test(characterAt(text, end))) return end;
  }
  return isLowSurrogate(text, longest) ? longest - 1 : longest;
}

/** Empty within a surrogate pair. */
function characterAt(text: string, index: number): string {
  return isLowSurrogate(text, index) ? "" : String.fromCodePoint(text.codePointAt(index) ?? 0);
}

function isLowSurrogate(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xdc00;
}

function* lexemes(text: string): Generator<string, void, void> {
  let before = "";
  for (const run of runsOf(text)) {
    if (!run.isUnspaced) {
      if (!run.goesOn) yield run.text.slice(0, maxWordLength);
      continue;
    }
    if (!run.goesOn) before = "";
    for (const character of run.text) {
      yield character;
      if (before !== "") yield before + character;
      before = character;
    }
  }
}

/** The distinct lexemes of a text, for `array_to_tsvector`, which takes them all: whatever the text is. */
export function searchVector(text: string): string[] {
  const terms = new Set<string>();
  let bytes = 0;
  for (const term of lexemes(text)) {
    if (terms.has(term)) continue;
    bytes += Buffer.byteLength(term);
    if (bytes > maxBytes || terms.size === maxTerms) break;
    terms.add(term);
  }
  return [...terms];
}

/**
 * A query for `$1::tsquery`: every word must occur (as the beginning of one, where words have spaces), every run of
 * unspaced characters in all its pairs. `phrases` are those runs of three or more characters, of which the pairs alone
 * could stand apart: they must be looked for in the normalised text as well. Null when nothing can be searched for.
 */
export function searchQuery(text: string): { tsquery: string; phrases: string[] } | null {
  const parts: string[] = [];
  const phrases: string[] = [];
  for (const { text: run, isUnspaced, goesOn } of runsOf(text)) {
    if (parts.length >= 64) break;
    if (!isUnspaced) {
      if (!goesOn) parts.push(`${quote(run.slice(0, maxWordLength))}:*`);
      continue;
    }
    const characters = Array.from(run);
    if (characters.length === 1) parts.push(quote(run));
    for (let index = 0; index + 1 < characters.length && index < 32; index += 1) {
      parts.push(quote(`${characters[index]}${characters[index + 1]}`));
    }
    if (characters.length > 2) phrases.push(run);
  }
  return parts.length === 0 ? null : { tsquery: parts.join(" & "), phrases };
}

/** The patterns contain letters and digits only; quoting keeps words such as `a` from being read as operators. */
function quote(lexeme: string): string {
  return `'${lexeme.replaceAll("'", "''")}'`;
}
