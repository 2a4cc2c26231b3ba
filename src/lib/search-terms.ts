/**
 * Words for full-text search that PostgreSQL's own parsers cannot find: Chinese, Japanese and Korean are written without
 * spaces, so each run of them is indexed as its single characters and its pairs of neighbours.
 */
const runs =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]+|[[\p{L}\p{N}\p{M}_]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]]+/gv;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〆]/v;

/** Longer words are cut: PostgreSQL takes lexemes of up to 2 KiB, and nobody searches for such. */
const maxWordLength = 64;
/** A tsvector holds at most 1 MiB. */
const maxTerms = 20_000;

function normalise(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll("\u0000", "");
}

/** The distinct lexemes of a text, for `array_to_tsvector`. */
export function searchVector(text: string): string[] {
  const terms = new Set<string>();
  for (const [run] of normalise(text).matchAll(runs)) {
    if (terms.size >= maxTerms) break;
    if (!unspaced.test(run)) {
      terms.add(run.slice(0, maxWordLength));
      continue;
    }
    const characters = Array.from(run);
    for (const [index, character] of characters.entries()) {
      terms.add(character);
      const next = characters[index + 1];
      if (next !== undefined) terms.add(character + next);
    }
  }
  return [...terms].slice(0, maxTerms);
}

/**
 * A query for `$1::tsquery`: every word must occur (as the beginning of one, where words have spaces), every run of
 * unspaced characters in all its pairs. `phrases` are those runs of three or more characters, of which the pairs alone
 * could stand apart: they must be looked for in the normalised text as well. Null when nothing can be searched for.
 */
export function searchQuery(text: string): { tsquery: string; phrases: string[] } | null {
  const parts: string[] = [];
  const phrases: string[] = [];
  for (const [run] of normalise(text).matchAll(runs)) {
    if (parts.length >= 64) break;
    if (!unspaced.test(run)) {
      parts.push(`${quote(run.slice(0, maxWordLength))}:*`);
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
