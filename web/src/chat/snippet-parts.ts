import { plainParts, type PlainPart } from "../markdown/plain-text.ts";
import type { SearchHit } from "../api/types.ts";
import type { TextPart } from "./highlight-words.ts";

/** What was found, in marked and other parts; of a reply without its Markdown. */
export function snippetParts({
  snippet,
  matches,
  role,
}: Pick<SearchHit, "snippet" | "matches" | "role">): TextPart[] {
  const asWritten = [{ text: snippet, start: 0, end: snippet.length }];
  if (role !== "assistant") return asWritten.flatMap((part) => marked(part, matches));
  const parts = plainParts(snippet).flatMap((part) => marked(part, matches));
  // Found in what is not shown of it, such as an address.
  const isLost = matches.length > 0 && !parts.some(({ isFound }) => isFound);
  return isLost ? asWritten.flatMap((part) => marked(part, matches)) : tidied(parts);
}

function marked({ text, start, end }: PlainPart, matches: SearchHit["matches"]): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  // Where the text has not the length of what it stands for, its place is only about right.
  const place = (offset: number) => Math.min(text.length, Math.max(0, offset - start));
  for (const [from = 0, to = from] of matches) {
    if (to <= start || from >= end) continue;
    const [begin, over] = [Math.max(at, place(from)), place(to)];
    if (over <= begin) continue;
    parts.push({ text: text.slice(at, begin), isFound: false });
    parts.push({ text: text.slice(begin, over), isFound: true });
    at = over;
  }
  parts.push({ text: text.slice(at), isFound: false });
  return parts.filter((part) => part.text !== "");
}

/** On one line, with single blanks. */
function tidied(parts: readonly TextPart[]): TextPart[] {
  let isAfterBlank = true;
  const tidy = parts.map(({ text, isFound }) => {
    let flat = text.replaceAll(/\s+/g, " ");
    if (isAfterBlank) flat = flat.trimStart();
    if (flat !== "") isAfterBlank = flat.endsWith(" ");
    return { text: flat, isFound };
  });
  const last = tidy.findLastIndex(({ text }) => text.trim() !== "");
  return tidy
    .slice(0, last + 1)
    .map((part, index) => (index === last ? { ...part, text: part.text.trimEnd() } : part))
    .filter(({ text }) => text !== "");
}
