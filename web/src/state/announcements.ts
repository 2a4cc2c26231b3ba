import { createStore } from "./store.ts";

interface Announcement {
  readonly id: number;
  readonly text: string;
}

/** Sentences for people who cannot see the page change, each said once; the last ones stay. */
export const announcements = createStore<readonly Announcement[]>([]);

const kept = 20;
let lastId = 0;

export function announce(text: string): void {
  if (text.trim() === "") return;
  lastId += 1;
  const said = { id: lastId, text };
  announcements.set((before) => [...before.slice(1 - kept), said]);
}
