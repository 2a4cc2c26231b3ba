import type { Group, SearchQuery } from "./search-query.ts";
import { unitsOf, type Unit } from "./units.ts";

/** Text around what was found; `matches` are in UTF-16 units of it, in order, and do not overlap. */
export interface Snippet {
  readonly snippet: string;
  readonly matches: readonly (readonly [start: number, end: number])[];
}

const maxSnippetLength = 200;
/** So much is shown of what is before the first match. */
const lead = 60;

/**
 * Where in a text it is what was looked for; null where it is not. Reads no further than it must: to the end of the
 * surroundings of the first match, unless the index is not enough to know that the others are there.
 */
export function findMatches(text: string, query: SearchQuery): Snippet | null {
  const units: Unit[] = [];
  const source = unitsOf(text, "text");
  const at = (index: number): Unit | undefined => {
    while (units.length <= index) {
      const { value, done } = source.next();
      if (done === true) return undefined;
      units.push(value);
    }
    return units[index];
  };
  const missing = new Set(query.groups);
  const found: [start: number, end: number][] = [];
  let windowEnd = Infinity;
  for (let index = 0, unit = at(0); unit !== undefined; unit = at((index += 1))) {
    if (unit.start >= windowEnd && (missing.size === 0 || !query.needsReading)) break;
    for (const group of query.groups) {
      if (!missing.has(group) && unit.start >= windowEnd) continue;
      const length = matchLength(group, 0, at, index);
      if (length === null) continue;
      missing.delete(group);
      if (found.length === 0) windowEnd = unit.start + maxSnippetLength;
      if (unit.start < windowEnd) found.push([unit.start, at(index + length - 1)?.end ?? unit.end]);
    }
  }
  const first = found[0];
  if (first === undefined || (missing.size > 0 && query.needsReading)) return null;
  return cutOut(text, first[0], found);
}

/** Over how many units of the text the group goes, from one of them on; null: it is not there. */
function matchLength(
  group: Group,
  from: number,
  at: (index: number) => Unit | undefined,
  index: number,
): number | null {
  const wanted = group.units[from];
  if (wanted === undefined) return 0;
  const unit = at(index);
  if (unit === undefined) return null;
  for (const form of wanted.forms) {
    const next = from + form.units;
    const isOpen = group.isOpen && next >= group.units.length;
    for (const seen of unit.forms) {
      if (isOpen ? !seen.text.startsWith(form.text) : seen.text !== form.text) continue;
      const rest = matchLength(group, next, at, index + seen.units);
      if (rest !== null) return seen.units + rest;
    }
  }
  return null;
}

/** The beginning of a text, where nothing of it is to be marked. */
export function cutOut(
  text: string,
  around: number,
  found: readonly (readonly [start: number, end: number])[],
): Snippet {
  let start = Math.max(0, Math.min(around - lead, text.length - maxSnippetLength));
  if (start > 0) {
    // Not in the middle of a word, where it has a beginning near by.
    const space = text.slice(start, around).search(/\s/u);
    if (space !== -1 && space < lead / 2) start += space + 1;
  }
  if (isLowSurrogate(text, start)) start += 1;
  let end = Math.min(text.length, start + maxSnippetLength);
  if (isLowSurrogate(text, end)) end -= 1;
  const matches: [number, number][] = [];
  for (const [from, to] of found.toSorted(([a], [b]) => a - b)) {
    const place: [number, number] = [from - start, Math.min(to, end) - start];
    const last = matches.at(-1);
    if (from >= end) break;
    if (last !== undefined && place[0] < last[1]) last[1] = Math.max(last[1], place[1]);
    else matches.push(place);
  }
  return { snippet: text.slice(start, end).replaceAll(/\s/gu, " "), matches };
}

function isLowSurrogate(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xdc00;
}
