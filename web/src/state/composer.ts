import { createStore } from "./store.ts";

/** Text to be put where messages are written. */
export const composerText = createStore<{
  readonly text: string;
  /** A suggestion may take the place of the one before it; what a person has written is never lost. */
  readonly isSuggestion: boolean;
} | null>(null);

export function suggest(text: string): void {
  composerText.set({ text, isSuggestion: true });
}

/** A message that did not get through, before what is being written by now. */
export function putBack(text: string): void {
  composerText.set({ text, isSuggestion: false });
}
