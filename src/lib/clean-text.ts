/**
 * PostgreSQL's text cannot hold NUL, and neither JSON nor UTF-8 can hold half of a surrogate pair; agents send both.
 */
export function cleanText(text: string): string {
  return text.replaceAll("\u0000", "\uFFFD").toWellFormed();
}

/** The beginning of a text, at most so many UTF-16 units, without half of a surrogate pair at its end. */
export function cutText(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

/**
 * Whether a text holds what nobody sees: control characters, zero-width ones, marks of direction, separators of lines. A
 * name with them looks like another's.
 */
export function holdsUnseen(text: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
}

/** JSON that `jsonb` accepts, whatever strings are in it. */
export function toJsonb(value: unknown): string {
  const json = JSON.stringify(value) ?? "null";
  // JSON.stringify writes exactly these two as escapes; the check is cheap and almost never true.
  if (!json.includes("\\u0000") && !/\\ud[89a-f]/.test(json)) return json;
  return JSON.stringify(cleanValue(value));
}

function cleanValue(value: unknown): unknown {
  if (typeof value === "string") return cleanText(value);
  if (Array.isArray(value)) return value.map(cleanValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [cleanText(key), cleanValue(member)]),
  );
}

/** The next piece of a text that comes in pieces: a surrogate pair cut in two is put together again, from the `half` before. */
export function cleanPiece(before: string, piece: string): { text: string; half: string } {
  const text = before + piece;
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return {
    text: cleanText(isHalf ? text.slice(0, -1) : text),
    half: isHalf ? text.slice(-1) : "",
  };
}
