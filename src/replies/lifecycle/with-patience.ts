import { Problem } from "../../problems/problem.ts";

/**
 * Repeats `work` while the database is unavailable, for at most `patienceMs` and with pauses up to 2 s. Only for work that
 * takes effect once however often it is done.
 */
export async function withPatience<T>(
  work: () => Promise<T>,
  patienceMs: number,
  onRetry: (error: unknown) => void,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let pauseMs = 100; ; pauseMs = Math.min(2_000, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      const retryable = error instanceof Problem && error.type === "storage_unavailable";
      if (!retryable || performance.now() + pauseMs > deadline) throw error;
      onRetry(error);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
