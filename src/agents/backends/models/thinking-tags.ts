/** Tells thinking that a model writes into its text from the answer. */
export interface ThinkingTags {
  /** From here on all text is the answer. */
  readonly isOver: boolean;
  /** There was a tag that opens. */
  readonly hasThought: boolean;
  /** The next piece of text. */
  add(text: string): TaggedText;
  /** What is still held back, because it could have become a tag. */
  end(): TaggedText;
}

export interface TaggedText {
  readonly reasoning: string;
  readonly text: string;
}

/** The answer of OpenAI's open models, where a server leaves the marks of their channels in the text. */
const final = "<|channel|>final<|message|>";

/** What opens, and what closes: the first of these that comes. */
const tags: readonly (readonly [open: string, ...close: readonly string[]])[] = [
  ["<think>", "</think>"],
  ["<thinking>", "</thinking>"],
  ["<thought>", "</thought>"],
  ["<reasoning>", "</reasoning>"],
  ["<seed:think>", "</seed:think>"],
  ["[THINK]", "[/THINK]"],
  ["◁think▷", "◁/think▷"],
  ["<|begin_of_thought|>", "<|end_of_thought|>"],
  ["<|START_THINKING|>", "<|END_THINKING|>"],
  [
    "<|channel|>analysis<|message|>",
    `<|end|><|start|>assistant${final}`,
    `<|start|>assistant${final}`,
    final,
  ],
  [final, ""],
];

/**
 * Only at the very beginning: later on such a tag is what the answer is about. What a model thinks is neither text to
 * be shown, searched and spoken, nor anything to be told to it again.
 */
export function createThinkingTags(): ThinkingTags {
  let state: "beginning" | "thinking" | "after" | "answer" = "beginning";
  let close: readonly string[] = [];
  let held = "";

  /** The text after the tag begins with a blank line, mostly. */
  const answer = (text: string): string => {
    const words = text.trimStart();
    if (words !== "") state = "answer";
    return words;
  };

  const think = (text: string): TaggedText => {
    held += text;
    const [end] = close
      .map((tag) => ({ at: held.indexOf(tag), tag }))
      .filter(({ at }) => at !== -1)
      .toSorted((a, b) => a.at - b.at);
    if (end) {
      const reasoning = held.slice(0, end.at);
      const rest = held.slice(end.at + end.tag.length);
      held = "";
      state = "after";
      return { reasoning, text: answer(rest) };
    }
    const kept = Math.max(...close.map((tag) => beginningOf(tag, held)));
    const reasoning = held.slice(0, held.length - kept);
    held = held.slice(held.length - kept);
    return { reasoning, text: "" };
  };

  return {
    get isOver() {
      return state === "answer";
    },
    get hasThought() {
      return close.length > 0;
    },
    add(text) {
      if (state === "answer") return { reasoning: "", text };
      if (state === "after") return { reasoning: "", text: answer(text) };
      if (state === "thinking") return think(text);
      held += text;
      const seen = held.trimStart();
      const pair = tags.find(([open]) => seen.startsWith(open));
      if (pair) {
        state = "thinking";
        close = pair.slice(1);
        held = "";
        return think(seen.slice(pair[0].length));
      }
      if (tags.some(([open]) => open.startsWith(seen))) return { reasoning: "", text: "" };
      state = "answer";
      const all = held;
      held = "";
      return { reasoning: "", text: all };
    },
    end() {
      const rest = held;
      held = "";
      return state === "thinking" ? { reasoning: rest, text: "" } : { reasoning: "", text: rest };
    },
  };
}

/** How many signs at the end of the text could be the beginning of the tag. */
function beginningOf(tag: string, text: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}
