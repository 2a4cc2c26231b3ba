/**
 * Whether a line that may be code reads like prose: words next to each other, no punctuation of programs. Used where a
 * block of code or of thinking was never closed.
 */
export function isProse(line: string): boolean {
  const start = line.slice(0, judged);
  return !isCode(start) && !/^\s*[#*]/.test(start) && proseWords.test(start);
}

/** Whether a line between prose is code after all. */
export function isCode(line: string): boolean {
  return /^(?: {4}|\t)|[{};=<>\\|]|\w\(|^\s*(?:\/\/|[$%@] |```|~~~)/.test(line.slice(0, judged));
}

const judged = 400;
/** Three words, or four Chinese characters, in a row. */
const proseWords = /(?:\p{L}[\p{L}'’-]*[ ,:]+){2}\p{L}|\p{Script=Han}{4}/u;
