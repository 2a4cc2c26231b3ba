import { createStore } from "./store.ts";

/** Text to be put where messages are written: a suggestion, or a message that was refused. */
export const composerText = createStore<string | null>(null);
