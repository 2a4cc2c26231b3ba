import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSentenceCutter, type Sentence, type SentenceLimits } from "./sentences.ts";
import { createSpeakableText } from "./speakable-text.ts";

/** Speakable text and pieces of a reply that arrives in these slices. */
function cut(slices: readonly string[], limits: SentenceLimits = {}) {
  const speakable = createSpeakableText("en");
  const cutter = createSentenceCutter(limits);
  const pieces: Sentence[] = [];
  let text = "";
  for (const slice of slices) {
    const spoken = speakable.push(slice);
    text += spoken.text;
    pieces.push(...cutter.push(spoken));
  }
  const rest = speakable.flush();
  text += rest.text;
  pieces.push(...cutter.push(rest), ...cutter.flush());
  return { text, pieces };
}

const texts = (source: string, limits?: SentenceLimits) =>
  cut([source], limits).pieces.map(({ text }) => text.trim());

describe("where a reply is cut", () => {
  test.each<[string, string[]]>([
    [
      "Hello world. This is the second sentence of it. And here comes the third one.",
      ["Hello world.", "This is the second sentence of it.", "And here comes the third one."],
    ],
    [
      "你好！今天天气很好，我们可以一起去公园里散步。晚上再回来吃饭，好不好？",
      ["你好！今天天气很好，", "我们可以一起去公园里散步。", "晚上再回来吃饭，好不好？"],
    ],
    [
      "Dr. Smith met J. Doe at 10.30 p.m. in the U.S. office of v1.2.3 today. They talked for a long time.",
      [
        "Dr. Smith met J. Doe at 10.30 p.m. in the U.S. office of v1.2.3 today.",
        "They talked for a long time.",
      ],
    ],
    [
      "Do this:\n1. Open the door of the house.\n2. Close the window behind you.\n",
      ["Do this:", "1. Open the door of the house.", "2. Close the window behind you."],
    ],
    ["It costs 10,000 dollars", ["It costs 10,000 dollars"]],
    [
      "“走吧。”他说。“天已经黑了，我们该回家了。”",
      ["“走吧。”他说。", "“天已经黑了，我们该回家了。”"],
    ],
    ["Yes. No. Maybe so, I think.", ["Yes. No. Maybe so,", "I think."]],
    ["!!! ... ???", ["!!! ... ???"]],
    ["", []],
  ])("%j", (source, expected) => {
    expect(texts(source)).toEqual(expected);
  });

  test("the first piece may end at a comma, later ones do not", () => {
    const source =
      "Well, as far as I can see, there is nothing wrong, and nothing to fear. So, after all, go on, please.";
    expect(texts(source)).toEqual([
      "Well, as far as I can see,",
      "there is nothing wrong, and nothing to fear.",
      "So, after all, go on, please.",
    ]);
  });

  test("a sentence that is too long is cut at a comma, a blank, or anywhere", () => {
    const words = "word ".repeat(100);
    for (const piece of texts(words)) expect(piece.length).toBeLessThanOrEqual(200);
    expect(texts(words).every((piece) => /^(word ?)+$/.test(piece))).toBe(true);
    expect(texts("字".repeat(250)).map((piece) => piece.length)).toEqual([100, 100, 50]);
    const long = `${"字".repeat(60)}，${"字".repeat(80)}`;
    expect(texts(`第一句话说完了。${long}`)).toEqual([
      "第一句话说完了。",
      `${"字".repeat(60)}，`,
      "字".repeat(80),
    ]);
  });

  test("no piece is longer than the engine takes", () => {
    for (const piece of texts("word ".repeat(60), { maxCharacters: 40 })) {
      expect(piece.length).toBeLessThanOrEqual(40);
    }
  });

  test("a boundary is not taken before the next word tells", () => {
    const speakable = createSpeakableText("en");
    const cutter = createSentenceCutter();
    expect(cutter.push(speakable.push("It is 3."))).toEqual([]);
    expect(cutter.push(speakable.push("5 metres long."))).toEqual([]);
    const [piece] = cutter.push(speakable.push(" Really"));
    expect(piece?.text).toBe("It is 3.5 metres long. ");
  });

  test("when nothing comes, what can be spoken is", () => {
    const idle = (source: string) => {
      const speakable = createSpeakableText("en");
      const cutter = createSentenceCutter();
      cutter.push(speakable.push(source));
      return cutter.idle().map(({ text }) => text);
    };
    expect(idle("Yes.")).toEqual(["Yes."]);
    expect(idle("OK. Let me")).toEqual(["OK. "]);
    expect(idle("Let me see,")).toEqual([]);
    expect(idle("Let me see what there is,")).toEqual(["Let me see what there is,"]);
    expect(idle("Let me look this up in the catal")).toEqual(["Let me look this up in the "]);
    expect(idle("Hel")).toEqual([]);
  });

  test("every piece says how much of the written text it covers", () => {
    const source =
      "**Bold words here.** Then [a link](https://example.org/x) follows it.\n```\nx\n```\nEnd of it.";
    const { pieces } = cut([source]);
    const covered = pieces.map(({ sourceEnd }, index) =>
      source.slice(pieces[index - 1]?.sourceEnd ?? 0, sourceEnd),
    );
    expect(covered).toEqual([
      "**Bold words here.** ",
      "Then [a link](https://example.org/x) follows it.\n",
      // The remark is said as soon as the code begins.
      "```",
      "\nx\n```\nEnd of it.",
    ]);
  });
});

/** Texts that are full of the marks that matter. */
const reply = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ..."aZé中文。！？，、；：.!?,;:'\"()[]<>*_`~#|\\&-=+$/ \n\n 159",
        ),
      },
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          "Hello ",
          "world. ",
          "Dr. ",
          "p.m. ",
          "1. ",
          "3.14",
          "你好。",
          "今天天气很好，",
          "“好。”",
          "```",
          "```js\n",
          "\n```\n",
          "`x`",
          "**",
          "__",
          "~~",
          "[label](https://a.example/b_(c))",
          "![alt](x.png)",
          "[^1]",
          "- [x] ",
          "<think>",
          "</think>",
          "<br>",
          "<b>",
          "| a | b |\n",
          "https://a.example/b?c=d.",
          "www.a.example)",
          "&amp;",
          "$$",
          "\\[",
          "\\]",
          "👩‍👩‍👧",
          "🇩🇪",
          "1️⃣",
          "\ud83d",
          "---\n",
          "# Title\n",
          "> ",
          "\r\n",
          "e.g. ",
          "...",
          "\t",
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
      { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 30 }) },
    ),
    { maxLength: 80 },
  )
  .map((parts) => parts.join(""));

function slicesOf(text: string, cuts: readonly number[]): string[] {
  const at = cuts.map((cut) => Math.floor(cut * text.length)).sort((a, b) => a - b);
  return [0, ...at].map((start, index) => text.slice(start, at[index] ?? text.length));
}

const positions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

describe("properties of cutting", () => {
  test("the pieces together are the speakable text", () => {
    fc.assert(
      fc.property(reply, (source) => {
        const { text, pieces } = cut([source]);
        expect(pieces.map((piece) => piece.text).join("")).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("any slicing gives the same pieces", () => {
    fc.assert(
      fc.property(reply, positions, (source, cuts) => {
        expect(cut(slicesOf(source, cuts))).toEqual(cut([source]));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(reply, (source) => {
        expect(cut(source.split(""))).toEqual(cut([source]));
      }),
      { numRuns: 2_000 },
    );
  });

  test("pieces cover the written text in order and are never too long", () => {
    fc.assert(
      fc.property(reply, (source) => {
        let end = 0;
        for (const piece of cut([source.repeat(5)], { maxCharacters: 150 }).pieces) {
          expect(piece.text.length).toBeLessThanOrEqual(150);
          expect(piece.sourceEnd).toBeGreaterThanOrEqual(end);
          end = piece.sourceEnd;
        }
        expect(end).toBeLessThanOrEqual(source.length * 5);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a long reply in one piece or in tokens is cut in reasonable time", () => {
    const source = "Here is a sentence that says something, and 这里是一句中文。\n".repeat(4_000);
    const whole = cut([source]).pieces;
    const tokens = cut(source.match(/[^]{1,4}/g) ?? []).pieces;
    expect(whole.length).toBe(tokens.length);
  });
});
