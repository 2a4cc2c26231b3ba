import { createStore } from "./store.ts";

/** Whether the service was reached when it was last tried. */
export const isConnected = createStore(true);

/**
 * Resolves after the delay, and at once when the network comes back, the page is looked at again, or another request gets
 * through, unless the time is fixed. Rejects when `signal` aborts.
 */
export function waitUntil(
  delayMs: number,
  signal: AbortSignal | undefined,
  isFixed: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      document.removeEventListener("visibilitychange", seen);
      signal?.removeEventListener("abort", finish);
      unwatch();
      if (signal?.aborted === true) reject(signal.reason as Error);
      else resolve();
    };
    const seen = () => {
      if (document.visibilityState === "visible") finish();
    };
    const timer = setTimeout(finish, delayMs);
    const wasConnected = isConnected.get();
    const unwatch = isConnected.subscribe(() => {
      if (!wasConnected && isConnected.get() && !isFixed) finish();
    });
    window.addEventListener("online", finish);
    document.addEventListener("visibilitychange", seen);
    if (signal?.aborted === true) finish();
    else signal?.addEventListener("abort", finish);
  });
}

const firstDelayMs = 400;
const longestDelayMs = 8_000;

/** Resolves when it is time to try again: after a delay that grows with each attempt (0, 1, …). */
export function waitToRetry(attempt: number, signal: AbortSignal): Promise<void> {
  const spread = 0.75 + Math.random() / 2;
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * spread;
  return waitUntil(delayMs, signal, false);
}
