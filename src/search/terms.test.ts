import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import { afterAll, describe, expect, it, test } from "vitest";
import { findMatches } from "./find-matches.ts";
import { readQuery, tsqueryOf } from "./search-query.ts";
import { ownerPrefix, termsOf } from "./terms.ts";

const database = new PGlite();
afterAll(() => database.close());
const prefix = ownerPrefix("ann");

const pieces = [
  "a",
  "Q",
  "é",
  "İ",
  "ß",
  "Ω",
  "ς",
  "я",
  "ا",
  "ال",
  "ש",
  "ท",
  "ำ",
  "ภ",
  "က",
  "क्",
  "哈",
  "𠮷",
  "か",
  "ー",

  "각",
  "각",
  "ᄀ",
  "𝕏",
  "𐐨",
  "ﷺ",
  "ﾞ",
  "\u0301",
  "\u0316",
  "😀",
  "👩‍👩‍👧",
  "🇹🇭",
  "👍🏽",
  "C++",
  "F#",

  "fooBar",
  "HTTPServer",
  "user_name",
  " ",
  "\n",
  ".",
  "_",
  "'",
  '"',
  "\\",
  "\u200D",
  "\u200B",
  "½",
  "\0",

  "\uD83D",
  "\uDE00",
];
const piece = fc.oneof(
  fc.constantFrom(...pieces),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);
/** One piece again and again: whatever is done for each character is done for a long run. */
const run = fc
  .tuple(piece, fc.integer({ min: 1, max: 300 }))
  .map(([text, times]) => text.repeat(times));
const anyText = fc
  .array(fc.oneof({ weight: 4, arbitrary: piece }, run), { maxLength: 30 })
  .map((texts) => texts.join(""));

const stored = async (terms: readonly string[]) => {
  const { rows } = await database.query<{ length: number }>(
    "SELECT length(array_to_tsvector($1::text[])) AS length",
    [terms.map((term) => prefix + term)],
  );
  return rows[0]?.length;
};

describe("a text's terms", () => {
  it("are taken by PostgreSQL, whatever the text is", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const terms = await termsOf(text);
        expect(await stored(terms)).toBe(terms.length);
      }),
      { numRuns: 40 },
    );
  });

  it("have those of each of its words, by the query that looks for it", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.nat(), async (text, at) => {
        // Between quotation marks is a phrase, which is more than a word.
        const words = text
          .replaceAll(/[\0"“”„«»＂]/g, "")
          .toWellFormed()
          .split(/\s+/);
        const word = words[at % words.length]?.slice(0, 60) ?? "";
        const query = readQuery(word);
        if (query === null) return;
        const { rows } = await database.query<{ isFound: boolean }>(
          `SELECT array_to_tsvector($1::text[]) @@ $2::tsquery AS "isFound"`,
          [(await termsOf(word)).map((term) => prefix + term), tsqueryOf(query, prefix, [])],
        );
        expect(rows).toEqual([{ isFound: true }]);
        expect(findMatches(word, { ...query, needsReading: true })).not.toBeNull();
      }),
      { numRuns: 40 },
    );
  });

  const sha = (index: number) => `${index}`.padStart(8, "0").repeat(8);
  const gothic = (index: number) => `${"𐌰".repeat(28)}${index}`;
  test.each([
    ["20,000 checksums", () => Array.from({ length: 20_000 }, (_, index) => sha(index)).join("\n")],
    [
      "30,000 words of four bytes a letter",
      () => Array.from({ length: 30_000 }, (_, index) => gothic(index)).join(" "),
    ],
    ["40,000 words", () => Array.from({ length: 40_000 }, (_, index) => `${index}`).join(" ")],
    [
      "every Chinese character beside every other",
      () =>
        Array.from({ length: 2_000_000 }, (_, index) =>
          String.fromCharCode(0x4e00 + ((index * index) % 20_000)),
        ).join(""),
    ],
    ["one run of unspaced characters", () => "哈".repeat(2_500_000)],
    ["one word", () => "x".repeat(6_000_000)],
    ["one word of surrogate pairs", () => "𐌰".repeat(3_000_000)],
    ["one run of marks, in the worst order", () => `a${"\u0301\u0316".repeat(2_000_000)}`],
    ["one word of many parts", () => "aB".repeat(1_000_000)],
    ["what becomes eighteen times as long", () => "ﷺ".repeat(4_000_000)],
    ["halves of surrogate pairs", () => "\uD83D\uD83D\uDE00\uDE00".repeat(1_000_000)],
    ["nothing", () => ""],
  ])("are bounded, whatever the text is: %s", async (_name, text) => {
    const terms = await termsOf(text());
    expect(await stored(terms)).toBe(terms.length);
    expect(terms.length).toBeLessThanOrEqual(20_000);
    expect(Buffer.byteLength(terms.join(""))).toBeLessThanOrEqual(512 * 1024);
  });

  it("are those of the first mebibyte, from the beginning on", async () => {
    const long = `first ${"x ".repeat(510_000)} second ${"x ".repeat(20_000)} last`;
    expect(await termsOf(long)).toEqual(["first", "x", "second"]);
    const numbers = Array.from({ length: 30_000 }, (_, index) => `${index}`);
    expect(await termsOf(numbers.join(" "))).toEqual(numbers.slice(0, 20_000));
  });
});

describe("a snippet", () => {
  const query = readQuery("needle");
  if (query === null) throw new Error("no query");

  test("is at most 200 units around the first match, and cuts no character", () => {
    fc.assert(
      fc.property(anyText, anyText, (before, after) => {
        const found = findMatches(`${before} needle ${after}`, query);
        expect(found?.snippet.length).toBeLessThanOrEqual(200);
        const [start, end] = found?.matches[0] ?? [0, 0];
        expect(found?.snippet.slice(start, end)).toMatch(/^needle/i);
        if (`${before}${after}`.isWellFormed()) expect(found?.snippet.isWellFormed()).toBe(true);
      }),
      { numRuns: 80 },
    );
  });

  test("marks all that it holds, in order", () => {
    const two = readQuery("fox quick");
    expect(two && findMatches("The quick\nfox, the quickest fox", two)).toEqual({
      snippet: "The quick fox, the quickest fox",
      matches: [
        [4, 9],
        [10, 13],
        [19, 27],
        [28, 31],
      ],
    });
  });
});
