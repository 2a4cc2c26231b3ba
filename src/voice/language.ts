const han = /\p{Script=Han}/gu;
const kana = /[\p{Script=Hiragana}\p{Script=Katakana}]/gu;
const hangul = /\p{Script=Hangul}/gu;
const latin = /\p{Script=Latin}/gu;
const letter = /\p{L}/gu;
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** Languages that are not written in Latin letters, so that Latin text cannot be theirs. */
const otherScripts = new Set(["zh", "ja", "ko", "ru", "ar", "hi", "th", "el", "he", "uk"]);

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** The language part of a tag: `zh` of `zh-CN`. */
export function primaryLanguage(tag: string): string {
  return tag.split(/[-_]/, 1)[0]?.toLowerCase() ?? "";
}

/**
 * The language of a piece of text, told by its letters: Chinese from a share of 30 % Han characters, since Chinese
 * sentences are full of foreign names. Scripts that say nothing, and Latin letters where `fallback` is written in them,
 * give `fallback`.
 */
export function languageOf(text: string, fallback: string): string {
  const letters = count(text, letter);
  if (letters === 0) return fallback;
  if (count(text, kana) / letters >= 0.1) return "ja";
  if (count(text, han) / letters >= 0.3) return "zh";
  if (count(text, hangul) / letters >= 0.3) return "ko";
  if (count(text, latin) / letters < 0.5) return fallback;
  return otherScripts.has(primaryLanguage(fallback)) ? "en" : fallback;
}

/** Share of the letters that are Latin, 0..1; 0 for a text without letters. */
export function latinShare(text: string): number {
  const letters = count(text, letter);
  return letters === 0 ? 0 : count(text, latin) / letters;
}

/** How long a text is to the ear, roughly: a Han character says as much as two letters. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += wide.test(character) ? 2 : 1;
  return width;
}

/** Whether there is anything in it to pronounce. */
export function isSpeakable(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}
