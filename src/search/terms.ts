import { createHash } from "node:crypto";
import { unitsOf, type Unit } from "./units.ts";

/** Goes up whenever what follows changes: what an older rule could not do is tried again. */
export const searchRule = 1;

/** A tsvector holds less than 1 MiB of lexemes, in UTF-8, and what is before each of them counts. */
const maxBytes = 512 * 1024;
const maxTerms = 20_000;
const turnUnits = 10_000;
/** In UTF-16 units: most messages, in less than a millisecond. */
const maxAtOnceLength = 4_000;

/**
 * What all terms of an owner begin with: in the index they stand together, so what a search costs is up to the owner and
 * to nobody else. Two owners may share one; `user_id` is compared as well.
 */
export function ownerPrefix(userId: string): string {
  return shortHash(userId, 5);
}

/** A term that no text has: for what entries are narrowed by. */
export function markOf(kind: "agent" | "role" | "session", value: string): string {
  return `=${kind[0]}${shortHash(value, 10)}`;
}

function shortHash(value: string, length: number): string {
  return createHash("sha256").update(value).digest("base64url").slice(0, length);
}

/**
 * The distinct terms of a text: words, and of scripts without spaces the characters and the pairs of neighbours. However
 * long it is, everything else has its turn meanwhile.
 */
export async function termsOf(text: string): Promise<string[]> {
  const terms = new Set<string>();
  const turns = collect(text, terms);
  while (turns.next().done !== true) await new Promise(setImmediate);
  return [...terms];
}

/** The same at once; null of a text for which everything else would have to wait. */
export function termsAtOnce(text: string): string[] | null {
  if (text.length > maxAtOnceLength) return null;
  const terms = new Set<string>();
  const { done } = collect(text, terms).next();
  return done === true ? [...terms] : null;
}

/** Stops whenever others should have their turn. */
function* collect(text: string, terms: Set<string>): Generator<void, void, void> {
  let bytes = 0;
  let count = 0;
  let before: Unit | undefined;
  for (const unit of unitsOf(text, "text")) {
    if ((count += 1) % turnUnits === 0) yield;
    for (const term of termsAt(before, unit)) {
      if (terms.has(term)) continue;
      bytes += Buffer.byteLength(term) + 5;
      if (bytes > maxBytes || terms.size === maxTerms) return;
      terms.add(term);
    }
    before = unit;
  }
}

function* termsAt(before: Unit | undefined, unit: Unit): Generator<string, void, void> {
  for (const { text } of unit.forms) yield text;
  const pair = before === undefined ? null : pairOf(before, unit);
  if (pair !== null) yield pair;
}

/** Null where the two are no neighbours of a script without spaces. */
export function pairOf(left: Unit, right: Unit): string | null {
  const isPair = left.kind === "character" && right.kind === "character" && right.touches;
  return isPair ? `${left.forms[0]?.text}${right.forms[0]?.text}` : null;
}
