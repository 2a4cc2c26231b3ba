import { expect, test } from "vitest";
import { growFaster } from "../../test/support/grows-with-length.ts";
import { titleFrom } from "../writing/title.ts";
import { findMatches } from "./find-matches.ts";
import { readQuery } from "./search-query.ts";
import { termsOf } from "./terms.ts";

/** What is looked for is written by the same hand as the text: its own beginning, as words and as a phrase. */
function findsItself(text: string) {
  const beginning = text.slice(0, 200).replaceAll('"', " ");
  for (const q of [beginning, `"${beginning}"`, `"${beginning} not there"`]) {
    const query = readQuery(q);
    if (query !== null) findMatches(text, { ...query, needsReading: true });
  }
}

test.each<readonly [name: string, read: (text: string) => unknown, length: number]>([
  ["taken apart for the index", termsOf, 80_000],
  ["read as a query", readQuery, 80_000],
  ["searched for its own beginning", findsItself, 80_000],
  ["made a title", titleFrom, 80_000],
])(
  "text of any kind is %s in a time that goes with its length",
  (_name, read, length) => {
    expect(growFaster(read, length)).toEqual([]);
  },
  400_000,
);
