import { createStore, type Store } from "./store.ts";

const prefix = "chat-service.";

/** What the browser has kept under a name; null when there is nothing, or storage is off. */
export function readSaved(name: string): unknown {
  try {
    const text = localStorage.getItem(prefix + name);
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    // Blocked storage and foreign content: the page goes on without.
    return null;
  }
}

/** Names of what is kept that begin so. */
export function savedNames(beginning: string): string[] {
  try {
    return Object.keys(localStorage)
      .filter((name) => name.startsWith(prefix + beginning))
      .map((name) => name.slice(prefix.length));
  } catch {
    return [];
  }
}

/** Null removes it. Returns whether it is kept: storage may be off or full. */
export function writeSaved(name: string, value: unknown): boolean {
  try {
    if (value === null) localStorage.removeItem(prefix + name);
    else localStorage.setItem(prefix + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** A store that outlives the page and follows changes of other tabs. */
export function createSavedStore<T>(
  name: string,
  initial: T,
  isValid: (value: unknown) => value is T,
): Store<T> {
  const load = () => {
    const saved = readSaved(name);
    return isValid(saved) ? saved : initial;
  };
  const store = createStore(load());
  window.addEventListener("storage", (event) => {
    if (event.key === prefix + name) store.set(load());
  });
  return {
    ...store,
    set(next) {
      store.set(next);
      writeSaved(name, store.get());
    },
  };
}
