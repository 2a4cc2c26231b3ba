import { createStore } from "./store.ts";

/** Whether the service was reached when it was last tried. */
export const isConnected = createStore(true);

const firstDelayMs = 400;
const longestDelayMs = 8_000;

/**
 * Resolves when it is time to try again: after a delay that grows with each attempt (0, 1, …), and at once when the
 * network comes back, the page is looked at again, or another request gets through. Rejects when `signal` aborts.
 */
export function waitToRetry(attempt: number, signal: AbortSignal, atLeastMs = 0): Promise<void> {
  const spread = 0.75 + Math.random() / 2;
  const delayMs = Math.max(
    atLeastMs,
    Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * spread,
  );
  return new Promise((resolve, reject) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", finish);
      unwatch();
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const seen = () => {
      if (document.visibilityState === "visible") finish();
    };
    const timer = setTimeout(finish, delayMs);
    const wasConnected = isConnected.get();
    const unwatch = isConnected.subscribe(() => {
      if (!wasConnected && isConnected.get() && atLeastMs === 0) finish();
    });
    window.addEventListener("online", finish);
    document.addEventListener("visibilitychange", seen);
    if (signal.aborted) finish();
    else signal.addEventListener("abort", finish);
  });
}
