import type { Language } from "../../../problems/catalogue.ts";

const han = /\p{Script=Han}/u;
const kanaOrHangul = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const latinWord = /\p{Script=Latin}{2,}/u;

/**
 * The language to answer in: that of the message where it shows (Han characters win over Latin names in a
 * Chinese sentence), else the language asked for. Japanese and Korean are not spoken here, so they say nothing.
 */
export function messageLanguage(message: string, asked: Language): Language {
  if (kanaOrHangul.test(message)) return asked;
  if (han.test(message)) return "zh";
  return latinWord.test(message) ? "en" : asked;
}
