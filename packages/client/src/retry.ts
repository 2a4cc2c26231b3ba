import { ApiError, ConnectionError, foreignType } from "./errors.ts";

const firstDelayMs = 250;
const longestDelayMs = 8_000;

/** Refused until somebody does something about it. */
const lasting: ReadonlySet<string> = new Set([
  "queue_full",
  "budget_exceeded",
  "voice_unavailable",
]);

export interface Pause {
  readonly delayMs: number;
  /** The service has named the time: sooner would be in vain. */
  readonly isFixed: boolean;
}

/** How long to wait before attempt `attempt + 1` (0: the first has failed); null where another one would not help. */
export function pauseBefore(error: unknown, attempt: number, random = Math.random()): Pause | null {
  if (error instanceof ApiError ? !isPassing(error) : !(error instanceof ConnectionError)) {
    return null;
  }
  const namedMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
  // Apart from each other: many clients lose their connections at the same moment.
  const spread = 0.75 + random / 2;
  const ownMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * spread;
  return { delayMs: Math.max(namedMs, ownMs), isFixed: namedMs > ownMs };
}

function isPassing({ status, type }: ApiError): boolean {
  // 502 and 504 of the service itself are about what an agent did; of a proxy they are about the way there.
  if (type === foreignType) return [429, 502, 503, 504].includes(status);
  return (status === 429 || status === 503) && !lasting.has(type);
}

/** What browsers have. */
const { window, document } = globalThis as unknown as {
  readonly window?: EventTarget;
  readonly document?: EventTarget & { readonly visibilityState: string };
};

/** Resolves after the pause. Rejects when the signal aborts. */
export type Wait = (pause: Pause, signal: AbortSignal | undefined) => Promise<void>;

/** In a browser also when the network comes back or the page is looked at again, unless the time is fixed. */
export const wait: Wait = ({ delayMs, isFixed }, signal) =>
  new Promise((resolve, reject) => {
    const places = isFixed ? [] : [window, document].filter((each) => each !== undefined);
    const finish = (event?: Event) => {
      if (event?.type === "visibilitychange" && document?.visibilityState !== "visible") return;
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      for (const place of places) {
        place.removeEventListener("online", finish);
        place.removeEventListener("visibilitychange", finish);
      }
      if (signal?.aborted === true) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(finish, delayMs);
    signal?.addEventListener("abort", finish);
    for (const place of places) {
      place.addEventListener("online", finish);
      place.addEventListener("visibilitychange", finish);
    }
    if (signal?.aborted === true) finish();
  });

/** Told before each further attempt. */
export type OnRetry = (error: unknown, pause: Pause) => void;

export interface PatienceOptions {
  /** Without progress; a named time beyond it is not waited for. */
  readonly patienceMs: number;
  readonly wait: Wait;
  readonly signal: AbortSignal | undefined;
  readonly onRetry: OnRetry | undefined;
}

/** How long one goes on trying. */
export function createPatience({ patienceMs, wait, signal, onRetry }: PatienceOptions) {
  let attempt = 0;
  let sinceMs = performance.now();
  return {
    /** Something has come. */
    renew(): void {
      attempt = 0;
      sinceMs = performance.now();
    },
    /** Waits until it is time to try again; raises the error where that would be in vain or too late. */
    async bear(error: unknown): Promise<void> {
      signal?.throwIfAborted();
      const pause = pauseBefore(error, attempt);
      if (pause === null || performance.now() - sinceMs + pause.delayMs > patienceMs) throw error;
      attempt += 1;
      onRetry?.(error, pause);
      await wait(pause, signal);
    },
  };
}
