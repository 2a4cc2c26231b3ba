import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import { afterAll, describe, expect, it, test } from "vitest";
import { searchQuery, searchVector } from "./search-terms.ts";

const database = new PGlite();
afterAll(() => database.close());

const scripts = [
  "a",
  "é",
  "Ω",
  "я",
  "ا",
  "ש",
  "ท",
  "ภ",
  "က",
  "क्",
  "哈",
  "𠮷",
  "か",
  "が",
  "ー",
  "각",
  "각",
  "ᄀ",
];
const others = [
  "𝕏",
  "𐐨",
  "İ",
  "ﷺ",
  "ﾞ",
  "\u0301",
  "\u0316",
  "😀",
  "👩‍👩‍👧",
  "🇹🇭",
  " ",
  "\n",
  ".",
  "_",
  "'",
  "\\",
  "\u200D",
  "½",
  "\0",
];
const halves = ["\uD83D", "\uDE00"];
const piece = fc.oneof(
  fc.constantFrom(...scripts, ...others, ...halves),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);
/** One piece again and again: whatever is done for each character is done for a long run. */
const run = fc
  .tuple(piece, fc.integer({ min: 1, max: 3_000 }))
  .map(([text, times]) => text.repeat(times));
const anyText = fc
  .array(fc.oneof({ weight: 4, arbitrary: piece }, run), { maxLength: 30 })
  .map((texts) => texts.join(""));

describe("a text's lexemes", () => {
  it("are taken by PostgreSQL, whatever the text is", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const terms = searchVector(text);
        const { rows } = await database.query<{ length: number }>(
          "SELECT length(array_to_tsvector($1::text[])) AS length",
          [terms],
        );
        expect(rows[0]?.length).toBeLessThanOrEqual(terms.length);
      }),
      { numRuns: 200 },
    );
  });

  const sha = (index: number) => `${index}`.padStart(8, "0").repeat(8);
  const thai = (index: number) => `ก${index}`.padEnd(60, "ภ");
  const gothic = (index: number) => `${"𐌰".repeat(28)}${index}`;
  test.each([
    ["19,900 checksums", () => Array.from({ length: 19_900 }, (_, index) => sha(index)).join("\n")],
    [
      "30,000 words of three bytes a letter",
      () => Array.from({ length: 30_000 }, (_, index) => thai(index)).join(" "),
    ],
    [
      "30,000 words of four bytes a letter",
      () => Array.from({ length: 30_000 }, (_, index) => gothic(index)).join(" "),
    ],
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
    ["what becomes eighteen times as long", () => "ﷺ".repeat(4_000_000)],
    ["halves of surrogate pairs", () => "\uD83D\uD83D\uDE00\uDE00".repeat(1_000_000)],
    ["nothing", () => ""],
  ])("fit into a tsvector: %s", async (_name, text) => {
    const terms = searchVector(text());
    const { rows } = await database.query<{ length: number }>(
      "SELECT length(array_to_tsvector($1::text[])) AS length",
      [terms],
    );
    expect(rows[0]?.length).toBe(terms.length);
  });

  it("are those of the first mebibyte", () => {
    const terms = searchVector(`first ${"x ".repeat(510_000)} second ${"x ".repeat(20_000)} last`);
    expect(terms).toEqual(["first", "x", "second"]);
  });

  it("are those of the beginning where there are too many", () => {
    const terms = searchVector(Array.from({ length: 30_000 }, (_, index) => thai(index)).join(" "));
    expect(terms[0]).toBe(thai(0));
    expect(terms.length).toBeGreaterThan(5_000);
    const numbers = Array.from({ length: 30_000 }, (_, index) => `${index}`);
    expect(searchVector(numbers.join(" "))).toEqual(numbers.slice(0, 20_000));
  });
});

/** As `searchVector`, for texts of any length and with no care for time. */
function expectedTerms(text: string): Set<string> {
  const runs =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(
        /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+|[[\p{L}\p{N}\p{M}_]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]]+/gv,
      ) ?? [];
  return new Set(
    runs.flatMap((each) => {
      if (!/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/v.test(each))
        return [each.slice(0, 64)];
      const characters = Array.from(each);
      return characters.flatMap((character, index) =>
        index === 0 ? [character] : [character, `${characters[index - 1]}${character}`],
      );
    }),
  );
}

const words = [
  "hello",
  "Straße",
  "İSTANBUL",
  "cafe\u0301",
  "ﾊﾟﾝ",
  "ｆｏｘ",
  "C++",
  "user_name",
  "𠮷野家",
  "東京の天気",
  "か\u3099",
  "오늘",
  "한국",
  "fooBar",
  "½",
  "№5",
  "क्षि",
  "😀",
  "𝕏yz",
  "a".repeat(70),
  "哈哈",
];

it("cuts no word and parts no neighbours, wherever a slice ends", () => {
  const text = fc.array(
    fc.tuple(fc.constantFrom(...words), fc.constantFrom(" ", "", "\n", "。", ", ", " 😀")),
    { maxLength: 600 },
  );
  fc.assert(
    fc.property(text, (pairs) => {
      const whole = pairs.flat().join("");
      expect(new Set(searchVector(whole))).toEqual(expectedTerms(whole));
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["a word", "x".repeat(3_000)],
  ["a word of surrogate pairs", "𐌰".repeat(3_000)],
  ["one that begins between them", `x${"𐌰".repeat(3_000)}`],
  [
    "different characters",
    String.fromCodePoint(...Array.from({ length: 5_000 }, (_, index) => 0x4e00 + index)),
  ],
  [
    "different surrogate pairs",
    String.fromCodePoint(...Array.from({ length: 5_000 }, (_, index) => 0x20000 + index)),
  ],
])("a run longer than a slice is one run: %s", (_name, run) => {
  expect(new Set(searchVector(run))).toEqual(expectedTerms(run));
});

test.each([
  ["hello world", "'hello':* & 'world':*"],
  ["数据库", "'数据' & '据库'"],
  ["数", "'数'"],
  ["ＦＯＸ fox", "'fox':* & 'fox':*"],
])("a query: %s", (text, tsquery) => {
  expect(searchQuery(text)?.tsquery).toBe(tsquery);
});

test.each(["", " ", "& | ! :*", "'"])("nothing to look for: %j", (text) => {
  expect(searchQuery(text)).toBeNull();
});
