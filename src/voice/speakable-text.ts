import { languageOf } from "./language.ts";
import { rescue, scanMarkdown } from "./markdown/scan-markdown.ts";
import { startState, type MarkdownState, type Token } from "./markdown/tokens.ts";
import { speakFormula } from "./speak-formula.ts";

/** Text to be spoken, and for each of its UTF-16 units the end of what it stands for in the written text. */
export interface SpokenText {
  readonly text: string;
  readonly sourceEnds: readonly number[];
}

/** Turns a growing Markdown text into what can be said, however it is sliced. */
export interface SpeakableText {
  push(delta: string): SpokenText;
  /** What was held back, once nothing follows. */
  flush(): SpokenText;
}

type Language = "en" | "zh";

/** What is said instead of parts that cannot be. */
const remarks = {
  code: { en: "The code is in the text.\n", zh: "代码见文字。\n" },
  table: { en: "The table is in the text.\n", zh: "表格见文字。\n" },
  display: { en: "The formula is in the text. ", zh: "公式见文字。 " },
  formula: { en: "the formula in the text", zh: "文中的公式" },
  link: { en: "link", zh: "链接" },
} as const;

const alerts: Record<string, Record<Language, string>> = {
  note: { en: "Note.", zh: "注意。" },
  tip: { en: "Tip.", zh: "提示。" },
  important: { en: "Important.", zh: "重要。" },
  warning: { en: "Warning.", zh: "警告。" },
  caution: { en: "Caution.", zh: "当心。" },
};

/** What each token says. */
function wordsFor(token: Token, language: () => Language): string {
  switch (token.kind) {
    case "words":
      return token.text;
    case "silent":
      return "";
    case "formula":
      return speakFormula(token.text, language()) ?? remarks.formula[language()];
    case "alert":
      return alerts[token.text]?.[language()] ?? token.text;
    case "code":
    case "table":
    case "display":
    case "link":
      return remarks[token.kind][language()];
  }
}

/** Of what has been said, what tells its language. */
const memory = 400;
/** The scanner looks at the character before. */
const lookBehind = 2;

/**
 * Leaves out what only the eye can read: code blocks, tables, long formulas (each becomes a short remark), link targets,
 * images, emphasis marks, tags, thinking between `<think>` tags, emoji. What silences text and is never closed silences
 * nothing: in a block of code the prose after it is said at the end. Holds back at most a few kilobytes while it cannot
 * tell yet. `fallback` is the language of remarks before any text.
 */
export function createSpeakableText(fallback: string): SpeakableText {
  let source = "";
  let at = 0;
  /** Of `source` in the written text. */
  let position = 0;
  let state: MarkdownState = startState;
  let said = "";

  const language = (): Language => (languageOf(said, fallback) === "zh" ? "zh" : "en");

  function run(final: boolean): SpokenText {
    let text = "";
    const sourceEnds: number[] = [];
    for (;;) {
      const step = at < source.length ? scanMarkdown(source, at, state, final) : null;
      if (step === null) {
        const unclosed = final ? rescue(state) : null;
        if (unclosed === null) break;
        position += at - unclosed.text.length;
        [source, at, state] = [unclosed.text, 0, unclosed.state];
        continue;
      }
      const { token } = step;
      const words = wordsFor(token, language);
      const asWritten = words.length === token.end - at;
      for (let index = 1; index <= words.length; index++) {
        sourceEnds.push(position + (asWritten ? at + index : token.end));
      }
      text += words;
      said = (said + words).slice(-memory);
      ({ state } = step);
      at = token.end;
    }
    const done = Math.max(0, at - lookBehind);
    source = source.slice(done);
    position += done;
    at -= done;
    return { text, sourceEnds };
  }

  return {
    push(delta) {
      source += delta;
      return run(false);
    },
    flush: () => run(true),
  };
}
