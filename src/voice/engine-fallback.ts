import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Whether another engine may do better: the fault was the engine's, not the caller's. */
export function isEngineFault(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    ["voice_unavailable", "speech_failed", "speech_timeout"].includes(error.type)
  );
}

/** What one engine has done, for metrics. */
export interface SpeechWork {
  readonly direction: "recognition" | "synthesis";
  readonly provider: string;
  /** `ok`, `cancelled`, or the error type. */
  readonly outcome: string;
  readonly durationMs: number;
}

export interface EngineCalls {
  readonly direction: SpeechWork["direction"];
  readonly logger: Logger;
  readonly observe: (work: SpeechWork) => void;
}

/**
 * The outcome of the first engine that succeeds, in order. Raises the last engine's fault, or at once one that no engine
 * can mend. `engines` is not empty.
 */
export async function firstToSucceed<E extends { readonly provider: string }, T>(
  engines: readonly E[],
  work: (engine: E) => Promise<T>,
  { direction, logger, observe }: EngineCalls,
): Promise<T> {
  for (const [index, engine] of engines.entries()) {
    const { provider } = engine;
    const started = performance.now();
    const observed = (outcome: string) =>
      observe({ direction, provider, outcome, durationMs: performance.now() - started });
    try {
      const result = await work(engine);
      observed("ok");
      return result;
    } catch (error) {
      // The reason of a caller who has gone is a problem too.
      const isOutcome = error instanceof Problem && error.type !== "bad_request";
      observed(isOutcome ? error.type : "cancelled");
      if (!isEngineFault(error)) throw error;
      logger.warn({ provider, type: error.type, err: error.cause }, "a speech engine failed");
      if (index === engines.length - 1) throw error;
    }
  }
  throw new Error("there is no engine to ask");
}
