import { expect, test } from "vitest";
import { growFaster } from "../../test/support/grows-with-length.ts";
import { createSentenceCutter } from "./sentences.ts";
import { createSpeakableText, type SpokenText } from "./speakable-text.ts";

function speakable(text: string): SpokenText {
  const spoken = createSpeakableText("en");
  const parts = [spoken.push(text), spoken.flush()];
  return {
    text: parts.map((part) => part.text).join(""),
    sourceEnds: parts.flatMap((part) => part.sourceEnds),
  };
}

function sentences(text: string) {
  const cutter = createSentenceCutter();
  const sourceEnds = Array.from({ length: text.length }, (_, index) => index);
  return [...cutter.push({ text, sourceEnds }), ...cutter.flush()];
}

test.each<readonly [name: string, read: (text: string) => unknown]>([
  ["made speakable", speakable],
  ["cut into sentences", sentences],
])(
  "text of any kind is %s in a time that goes with its length",
  (_name, read) => {
    expect(growFaster(read, 24_000)).toEqual([]);
  },
  400_000,
);
