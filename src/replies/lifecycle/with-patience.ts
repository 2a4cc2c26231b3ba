import { sqlState } from "../../database/database.ts";
import { Problem } from "../../problems/problem.ts";

/**
 * Repeats `work` while the database is unavailable, for at most `patienceMs` and with pauses up to 2 s. Only for work that
 * takes effect once however often it is done. `mayHelp` says no to faults that will come again.
 */
export async function withPatience<T>(
  work: () => Promise<T>,
  patienceMs: number,
  onRetry: (error: unknown) => void,
  mayHelp: (error: unknown) => boolean = () => true,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let pauseMs = 100; ; pauseMs = Math.min(2_000, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      const retryable =
        error instanceof Problem && error.type === "storage_unavailable" && mayHelp(error);
      if (!retryable || performance.now() + pauseMs > deadline) throw error;
      onRetry(error);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** A statement cut by its time-out: it may be what it asks for or carries that takes so long. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Problem && sqlState(error.cause) === "57014";
}
