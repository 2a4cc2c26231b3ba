const baseMs = 250;
const capMs = 2_000;
/** A peer that asks for more than this is not waited for. */
const maxRetryAfterMs = 30_000;

/**
 * Milliseconds to wait before retry number `retry` (0, 1, …), or null when the peer asks for more than 30 s. Jittered
 * from 0.25 s up to a ceiling of 0.5, 1, then 2 s, so that callers that failed together do not come back together.
 */
export function retryDelayMs(
  retry: number,
  retryAfterSeconds: number | undefined,
  random: () => number,
): number | null {
  const ceiling = Math.min(capMs, baseMs * 2 ** (retry + 1));
  const jittered = baseMs + random() * (ceiling - baseMs);
  if (retryAfterSeconds === undefined) return jittered;
  if (retryAfterSeconds * 1000 > maxRetryAfterMs) return null;
  return Math.max(retryAfterSeconds * 1000, jittered);
}

/** `Retry-After` in whole seconds, from seconds or an HTTP date; undefined when absent or not understood. */
export function parseRetryAfter(
  value: string | string[] | undefined,
  nowEpochMs: number,
): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  if (text === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - nowEpochMs) / 1000));
}

/** Waits; throws the signal's reason when it aborts first. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
