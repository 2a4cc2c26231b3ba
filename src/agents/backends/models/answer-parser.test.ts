import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import { createAnswerParser, doneDocument, type AnswerDocument } from "./answer-parser.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import { createCompletionReader } from "./completion-stream.ts";

function parse(pieces: readonly string[], maxLength = 1_000_000): AnswerDocument[] {
  const found: AnswerDocument[] = [];
  const parser = createAnswerParser(
    { onEvent: (document) => void found.push(document), onLife() {} },
    maxLength,
  );
  for (const piece of pieces) parser.feed(piece);
  parser.end();
  return found;
}

const valuesOf = (...pieces: readonly string[]) =>
  parse(pieces).map(({ value }) => value ?? "[DONE]");

const a = { a: 1 };
const b = { b: '}{\\"' };
const [A, B] = [JSON.stringify(a), JSON.stringify(b)];

describe("the objects of an answer", () => {
  test.each([
    ["by the book", `data: ${A}\n\ndata: ${B}\n\ndata: [DONE]\n\n`],
    ["without the space", `data:${A}\n\ndata:${B}\n\ndata:[DONE]\n\n`],
    ["with more space", `  data:   ${A}  \n\ndata:\t${B}\n\ndata:  [DONE] \n\n`],
    ["other line ends", `data: ${A}\r\n\r\ndata: ${B}\r\n\r\ndata: [DONE]\r\n\r\n`],
    ["old line ends", `data: ${A}\r\rdata: ${B}\r\rdata: [DONE]\r\r`],
    ["a byte order mark", `\uFEFFdata: ${A}\n\ndata: ${B}\n\ndata: [DONE]\n\n`],
    ["one newline between events", `data: ${A}\ndata: ${B}\ndata: [DONE]\n`],
    ["no newline at the end", `data: ${A}\n\ndata: ${B}\n\ndata: [DONE]`],
    ["joined in one line", `data: ${A}${B}\n\ndata: [DONE]\n\n`],
    ["joined with their names", `data: ${A} data: ${B}\n\ndata: [DONE]\n\n`],
    ["wrapped twice", `data: data: ${A}\n\ndata: data: ${B}\n\ndata: data: [DONE]\n\n`],
    ["in capitals", `Data: ${A}\n\nDATA: ${B}\n\nDATA: [DONE]\n\n`],
    ["one object a line", `${A}\n${B}\n[DONE]\n`],
    ["over several lines", `data: {\ndata: "a": 1\ndata: }\n\ndata: ${B}\n\ndata: [DONE]\n\n`],
    ["over several lines, named once", `data: {\n  "a": 1\n}\n\ndata: ${B}\n\ndata: [DONE]\n\n`],
    ["in a list", `data: [${A},${B}]\n\ndata: [DONE]\n\n`],
    ["with empty data", `data: \n\ndata:\n\ndata\n\ndata: ${A}\n\ndata: ${B}\n\ndata: [DONE]\n\n`],
    [
      "with pings",
      `event: ping\ndata: ping\n\ndata: ${A}\n\n: x\n\ndata: ${B}\n\ndata: [DONE]\n\n`,
    ],
    [
      "with words, numbers, null",
      `data: hello\n\ndata: 7\n\ndata: ${A}\ndata: null\n\ndata: ${B}\n\ndata: [DONE]\n\n`,
    ],
    [
      "with ids and times",
      `id: 1\nretry: 100\ndata: ${A}\n\nid: 2\ndata: ${B}\n\ndata: "[DONE]"\n\n`,
    ],
  ])("%s", (_name, text) => {
    expect(valuesOf(text)).toEqual([a, b, "[DONE]"]);
    expect(valuesOf(...text)).toEqual([a, b, "[DONE]"]);
  });

  test("one plain body, on one line or many", () => {
    const body = { choices: [{ message: { content: "x\n\ny" } }], list: [a, b] };
    for (const indent of [undefined, 2]) {
      for (const end of ["", "\n", "\r\n\r\n"]) {
        expect(valuesOf(JSON.stringify(body, null, indent) + end)).toEqual([body]);
      }
    }
  });

  test("names are those of their own event", () => {
    expect(parse([`event: error\ndata: ${A}\n\ndata: ${B}\n\ndata: [DONE]\n\n`])).toEqual([
      { event: "error", value: a },
      { event: null, value: b },
      doneDocument,
    ]);
  });

  test("what was cut off is no object; what is damaged is a fault", () => {
    expect(valuesOf(`data: ${A}\n\ndata: {"b`)).toEqual([a]);
    expect(() => parse(['data: {"b\n\n'])).toThrow(UpstreamError);
    expect(() => parse([`data: {"b\ndata: ${A}\n\n`])).toThrow(UpstreamError);
    expect(() => parse([`data: ${A}{"b\n\n`])).toThrow(UpstreamError);
    expect(valuesOf("<html>\n<body>{}</body>\n</html>")).toEqual([]);
  });

  test("are bounded, in one line and in many", () => {
    const long = "x".repeat(60);
    for (const text of [`data: {"a": "${long}`, `data: {\ndata: "${long}"\n`]) {
      expect(() => parse([...text], 50)).toThrow(UpstreamError);
    }
    expect(valuesOf(...`data: ${A}\n\n`.repeat(50))).toHaveLength(50);
    expect(parse([`data: ${A}\n\n`.repeat(50)], 20)).toHaveLength(50);
  });
});

/** A reply, the objects that any server might say it with, and the bytes around them. */
const word = fc.oneof(
  fc.string({ minLength: 1, maxLength: 6 }),
  fc.constantFrom("你好", "👩🏽‍🚀", "data: ", "\n\n", "[DONE]", "{", "}", '"', "\\", " "),
);
const unfinished = fc.constantFrom(null, undefined, "", "null", "  ");

function chunkOf(content: unknown, finish: unknown, more: object = {}): object {
  return { choices: [{ index: 0, delta: { content }, finish_reason: finish }], ...more };
}

const spokenAs = (text: string) =>
  fc.constantFrom<unknown>(text, [{ type: "text", text }], [{ type: "output_text", text }], [text]);

const streamOf = (texts: readonly string[], reason: string) =>
  fc.record({
    chunks: fc.tuple(
      ...texts.map((text) =>
        fc
          .tuple(
            spokenAs(text),
            fc.oneof(
              { weight: 4, arbitrary: unfinished },
              { weight: 1, arbitrary: fc.constant("stop") },
            ),
          )
          .map(([content, finish]) => chunkOf(content, finish)),
      ),
    ),
    last: fc.constantFrom(
      [chunkOf("", reason)],
      [{ choices: [{ index: 0, delta: {}, finish_reason: reason }] }],
      [chunkOf(null, reason), { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } }],
      [chunkOf(undefined, "stop"), chunkOf("", reason)],
    ),
    hasDone: fc.boolean(),
  });

const wrapping = fc.record({
  lineEnd: fc.constantFrom("\n", "\r\n", "\r"),
  space: fc.constantFrom("", " ", "  "),
  blank: fc.boolean(),
  mark: fc.boolean(),
  lastEnd: fc.boolean(),
});
const noise = fc.constantFrom(
  "",
  ": still here",
  "event: message",
  "id: 7",
  "retry: 10",
  "data:",
  "data: ping",
);

describe("a reply is the same however it is sent", () => {
  const cases = fc
    .tuple(
      fc.array(word, { minLength: 1, maxLength: 8 }),
      fc.constantFrom("stop", "length", "content_filter"),
    )
    .chain(([texts, reason]) =>
      fc.tuple(
        fc.constant({ text: texts.join(""), reason }),
        streamOf(texts, reason),
        wrapping,
        fc.array(noise, { minLength: 16, maxLength: 16 }),
        fc.array(fc.nat(10_000), { maxLength: 12 }),
        fc.boolean(),
      ),
    );

  test("cut, merged, decorated, with early signs of an end, spread over lines", () => {
    fc.assert(
      fc.property(
        cases,
        ([reply, stream, { lineEnd, space, blank, mark, lastEnd }, noises, cuts, spread]) => {
          const datas = [...stream.chunks, ...stream.last].map((chunk) =>
            // Over several lines only where a blank line ends the event.
            JSON.stringify(chunk, null, spread && blank ? 1 : undefined),
          );
          if (stream.hasDone) datas.push("[DONE]");
          let text = mark ? "\uFEFF" : "";
          for (const [index, data] of datas.entries()) {
            const noisy = noises[index % noises.length] ?? "";
            if (noisy !== "") text += noisy + lineEnd + (blank ? lineEnd : "");
            for (const line of data.split("\n")) text += `data:${space}${line}${lineEnd}`;
            if (blank) text += lineEnd;
          }
          if (!lastEnd) text = text.replace(/[\r\n]+$/, "");
          const bounds = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort(
            (x, y) => x - y,
          );
          const pieces = [0, ...bounds].map((from, index) => text.slice(from, bounds[index]));
          const reader = createCompletionReader();
          const deltas = parse(pieces).flatMap((document) => reader.read(document));
          expect(summaryOf([...deltas, ...reader.end()])).toEqual(reply);
        },
      ),
      { numRuns: 6_000 },
    );
  });
});

function summaryOf(deltas: readonly ModelDelta[]) {
  const end = deltas.at(-1);
  return {
    text: deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join(""),
    reason: end?.type === "end" ? end.reason : null,
  };
}
