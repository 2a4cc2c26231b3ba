import { useSyncExternalStore } from "react";

/** A value that components watch. Values are replaced, never changed in place. */
export interface Store<T> {
  get(): T;
  set(next: T | ((current: T) => T)): void;
  /** Returns the function that ends it. */
  subscribe(listener: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      const replaced = typeof next === "function" ? (next as (current: T) => T)(value) : next;
      if (Object.is(replaced, value)) return;
      value = replaced;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}

/** A part of it; the component is only drawn anew when that part is another one. `pick` makes nothing new. */
export function usePart<T, P>(store: Store<T>, pick: (value: T) => P): P {
  const get = () => pick(store.get());
  return useSyncExternalStore(store.subscribe, get, get);
}
