/** A character with the marks on it, as it is compared: `É`, `é` and `e` are one. */
export interface Folded {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * A base with its marks, half-width sound marks and the rest of a Hangul syllable: what has to be normalised together.
 * The number is bounded, because the time to normalise a run of marks grows with its square.
 */
const cluster = /\P{M}[\p{M}\uFF9E\uFF9F\u1160-\u11FF\uD7B0-\uD7FB]{0,16}|\p{M}{1,16}/uy;
/** Here marks are accents or vowel points that people leave out; elsewhere they are vowels and sounds. */
const losesMarks =
  /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}]/u;
/** Accents without anything below them: the rest of a run that was too long. */
const inherited = /^\p{Script=Inherited}+$/u;
const marks = /\p{M}+/gu;
/** Say how something is shown, not what it is. */
const selectors = /[\uFE00-\uFE0F\u20D0-\u20FF\u{E0100}-\u{E01EF}]/gu;
/** Letters that people type without what no normalisation takes off them. */
const plain: Readonly<Record<string, string>> = {
  ø: "o",
  đ: "d",
  ð: "d",
  ł: "l",
  ħ: "h",
  æ: "ae",
  œ: "oe",
  þ: "th",
  ς: "σ",
  ـ: "",
  ٱ: "ا",
  ى: "ي",
  ی: "ي",
  ک: "ك",
  ة: "ه",
};
const notPlain = new RegExp(`[${Object.keys(plain).join("")}]`, "gu");

const maxKnown = 4_096;
const known = new Map<string, string>();

function fold(character: string): string {
  const before = known.get(character);
  if (before !== undefined) return before;
  // By way of upper case: ß is ss, and dotless ı is i.
  let text = character.normalize("NFKC").toUpperCase().toLowerCase();
  if (losesMarks.test(text)) text = text.normalize("NFD").replaceAll(marks, "");
  else if (inherited.test(text)) text = "";
  text = text.replaceAll(selectors, "").replaceAll(notPlain, (letter) => plain[letter] ?? letter);
  if (known.size >= maxKnown) known.clear();
  known.set(character, text);
  return text;
}

/** What begins at `start`. Its text is empty where it is only an ornament of what is before it. */
export function foldedAt(text: string, start: number): Folded {
  const code = text.charCodeAt(start);
  // Most of what is written in Latin, Chinese and Japanese: nothing to normalise.
  if (code < 0x80 && !(text.charCodeAt(start + 1) >= 0x300)) {
    const isUpper = code >= 0x41 && code <= 0x5a;
    return { text: String.fromCharCode(isUpper ? code + 0x20 : code), start, end: start + 1 };
  }
  if (isHan(code) && (isHan(text.charCodeAt(start + 1)) || start + 1 === text.length)) {
    return { text: text.charAt(start), start, end: start + 1 };
  }
  cluster.lastIndex = start;
  cluster.test(text);
  const end = cluster.lastIndex;
  return { text: fold(text.slice(start, end)), start, end };
}

function isHan(code: number): boolean {
  return code >= 0x4e00 && code <= 0x9fff;
}
