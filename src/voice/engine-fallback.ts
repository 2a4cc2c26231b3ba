import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Whether another engine may do better: the fault was the engine's, not the caller's. */
export function isEngineFault(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    ["voice_unavailable", "speech_failed", "speech_timeout"].includes(error.type)
  );
}

/**
 * The outcome of the first engine that succeeds, in order. Raises the last engine's fault, or at once one that no engine
 * can mend. `engines` is not empty.
 */
export async function firstToSucceed<E extends { readonly provider: string }, T>(
  engines: readonly E[],
  work: (engine: E) => Promise<T>,
  logger: Logger,
): Promise<T> {
  for (const [index, engine] of engines.entries()) {
    try {
      return await work(engine);
    } catch (error) {
      if (!isEngineFault(error)) throw error;
      const { provider } = engine;
      logger.warn({ provider, type: error.type, err: error.cause }, "a speech engine failed");
      if (index === engines.length - 1) throw error;
    }
  }
  throw new Error("there is no engine to ask");
}
