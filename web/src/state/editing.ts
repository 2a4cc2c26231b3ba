import { createSavedStore } from "./saved.ts";

/** The user's messages that are being said otherwise, and how far that is. It outlives scrolling, reloading and lost networks. */
export const edits = createSavedStore<Readonly<Record<string, string>>>(
  "edits",
  {},
  (value): value is Readonly<Record<string, string>> =>
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((text) => typeof text === "string"),
);

/** Those begun last; of messages that are gone nothing is kept for ever. */
const most = 20;

/** Begins to say a message otherwise, or goes on. */
export function writeEdit(messageId: string, text: string): void {
  edits.set((all) => {
    const others = Object.entries(all).filter(([id]) => id !== messageId);
    return Object.fromEntries([...others.slice(1 - most), [messageId, text]]);
  });
}

export function endEdit(messageId: string): void {
  edits.set(({ [messageId]: _text, ...others }) => others);
}
