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

const tags: readonly (readonly [open: string, close: string])[] = [
  ["<think>", "</think>"],
  ["<thinking>", "</thinking>"],
  ["<thought>", "</thought>"],
  ["<reasoning>", "</reasoning>"],
  ["<seed:think>", "</seed:think>"],
  ["[THINK]", "[/THINK]"],
];

/**
 * Only at the very beginning: later on such a tag is what the answer is about. What a model thinks is neither text to
 * be shown, searched and spoken, nor anything to be told to it again.
 */
export function createThinkingTags(): ThinkingTags {
  let state: "beginning" | "thinking" | "after" | "answer" = "beginning";
  let close = "";
  let held = "";

  /** The text after the tag begins with a blank line, mostly. */
  const answer = (text: string): string => {
    const words = text.trimStart();
    if (words !== "") state = "answer";
    return words;
  };

  const think = (text: string): TaggedText => {
    held += text;
    const end = held.indexOf(close);
    if (end !== -1) {
      const reasoning = held.slice(0, end);
      const rest = held.slice(end + close.length);
      held = "";
      state = "after";
      return { reasoning, text: answer(rest) };
    }
    const kept = beginningOf(close, held);
    const reasoning = held.slice(0, held.length - kept);
    held = held.slice(held.length - kept);
    return { reasoning, text: "" };
  };

  return {
    get isOver() {
      return state === "answer";
    },
    get hasThought() {
      return close !== "";
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
        close = pair[1];
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
