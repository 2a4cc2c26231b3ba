const name = "found-words";

/** Marks words in an element without touching its content; null takes the marks away. */
export function highlightWords(element: Element | null, words: string): void {
  // Older browsers do without.
  if (!("highlights" in CSS)) return;
  CSS.highlights.delete(name);
  if (element === null) return;
  const ranges = findWords(element, wordsOf(words));
  if (ranges.length > 0) CSS.highlights.set(name, new Highlight(...ranges));
}

/** What was searched for, as single words. */
export function wordsOf(search: string): string[] {
  return search
    .toLowerCase()
    .replaceAll(/["“”]/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "");
}

const maxRanges = 300;

function findWords(element: Element, words: readonly string[]): Range[] {
  const ranges: Range[] = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (
    let node = walker.nextNode();
    node !== null && ranges.length < maxRanges;
    node = walker.nextNode()
  ) {
    const text = (node.nodeValue ?? "").toLowerCase();
    for (const word of words) {
      for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + word.length)) {
        // Lower case may be longer than what it came from.
        if (at + word.length > (node.nodeValue ?? "").length) break;
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + word.length);
        ranges.push(range);
      }
    }
  }
  return ranges;
}

export interface TextPart {
  readonly text: string;
  readonly isFound: boolean;
}

/** The surroundings of the first word found, in marked and other parts. */
export function excerpt(content: string, search: string, length = 160): TextPart[] {
  const flat = content.replaceAll(/\s+/g, " ").trim();
  const lower = flat.toLowerCase();
  const words = wordsOf(search).sort((left, right) => right.length - left.length);
  const first = words.map((word) => lower.indexOf(word)).filter((at) => at !== -1);
  const start = Math.max(0, (first.length > 0 ? Math.min(...first) : 0) - length / 3);
  const cut = flat.slice(start, start + length);
  const parts: TextPart[] = [];
  let rest = 0;
  const cutLower = cut.toLowerCase();
  while (rest < cut.length) {
    const hits = words
      .map((word) => ({ word, at: cutLower.indexOf(word, rest) }))
      .filter(({ at }) => at !== -1)
      .sort((left, right) => left.at - right.at || right.word.length - left.word.length);
    const hit = hits[0];
    if (hit === undefined) break;
    if (hit.at > rest) parts.push({ text: cut.slice(rest, hit.at), isFound: false });
    parts.push({ text: cut.slice(hit.at, hit.at + hit.word.length), isFound: true });
    rest = hit.at + hit.word.length;
  }
  parts.push({ text: cut.slice(rest), isFound: false });
  if (start > 0) parts.unshift({ text: "… ", isFound: false });
  if (start + length < flat.length) parts.push({ text: " …", isFound: false });
  return parts;
}
