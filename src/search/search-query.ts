import { pairOf } from "./terms.ts";
import { unitsOf, type Unit } from "./units.ts";

/** What is looked for: texts in which every group occurs. */
export interface SearchQuery {
  readonly groups: readonly Group[];
  /**
   * A text that has all terms may still not have the words beside each other that are to be: it has to be read. Where
   * this is false the index knows.
   */
  readonly needsReading: boolean;
}

/** Words that follow each other, mostly one. */
export interface Group {
  readonly units: readonly Unit[];
  /** The last word may go on in the text. */
  readonly isOpen: boolean;
}

const quotes = /["“”„«»＂]/u;
/** Of a query only so many words are looked for. */
const maxUnits = 64;

/** Null when there is nothing to look for. */
export function readQuery(q: string): SearchQuery | null {
  const groups: { units: Unit[]; isOpen: boolean }[] = [];
  let count = 0;
  const segments = q.split(quotes);
  for (const [index, segment] of segments.entries()) {
    const isPhrase = index % 2 === 1;
    let isFirst = true;
    for (const unit of unitsOf(segment, "query")) {
      if ((count += 1) > maxUnits) break;
      const group = groups.at(-1);
      if (group !== undefined && !isFirst && (isPhrase || unit.isJoined)) group.units.push(unit);
      else groups.push({ units: [unit], isOpen: false });
      isFirst = false;
    }
  }
  const last = groups.at(-1);
  if (last === undefined) return null;
  // A phrase that was closed is as it was said.
  const isClosed =
    segments.length % 2 === 1 && (segments.at(-1) ?? "").trim() === "" && segments.length > 1;
  last.isOpen = !isClosed && count <= maxUnits && mayGoOn(last.units.at(-1));
  return { groups, needsReading: groups.some(({ units }) => needsReading(units)) };
}

/** From two letters on; C++ does not go on. */
function mayGoOn(unit: Unit | undefined): boolean {
  const length = Math.min(...(unit?.forms ?? []).map(({ text }) => Array.from(text).length));
  return unit?.kind === "word" && length > 1 && !unit.forms.some(({ text }) => /[+#]$/.test(text));
}

function needsReading(units: readonly Unit[]): boolean {
  const [first, second] = units;
  if (first === undefined || second === undefined) return false;
  return units.length > 2 || pairOf(first, second) === null;
}

/** The query for `$1::tsquery` on terms that begin with `prefix`, and that are marked with all `marks`. */
export function tsqueryOf(
  { groups }: SearchQuery,
  prefix: string,
  marks: readonly string[],
): string {
  const quote = (term: string) => `'${prefix}${term.replaceAll("'", "''")}'`;
  const parts = groups.map((group) => expressionOf(group, 0, quote));
  return [...marks.map(quote), ...parts.filter((part) => part !== "")].join(" & ");
}

/** Every way of reading the units from `at` on. */
function expressionOf(
  { units, isOpen }: Group,
  at: number,
  quote: (term: string) => string,
): string {
  const unit = units[at];
  if (unit === undefined) return "";
  const next = units[at + 1];
  const pair = next === undefined ? null : pairOf(unit, next);
  if (next !== undefined && pair !== null) {
    // The second one is in the pair; what is behind it goes on from there.
    const after = units[at + 2];
    const goesOn = after !== undefined && pairOf(next, after) !== null;
    const rest = expressionOf({ units, isOpen }, goesOn ? at + 1 : at + 2, quote);
    return rest === "" ? quote(pair) : `${quote(pair)} & ${rest}`;
  }
  const ways = unit.forms.map(({ text, units: length }) => {
    const isLast = isOpen && at + length >= units.length;
    const rest = expressionOf({ units, isOpen }, at + length, quote);
    const term = `${quote(text)}${isLast ? ":*" : ""}`;
    return rest === "" ? term : `${term} & ${rest}`;
  });
  if (ways.length === 0) return "";
  return ways.length === 1 ? (ways[0] ?? "") : `(${ways.map((way) => `(${way})`).join(" | ")})`;
}
