import { Problem } from "./problems/problem.ts";
import { StartFault } from "./problems/start-fault.ts";
import type { Logger } from "./telemetry/logger.ts";

/** One sentence for what operators can mend, its stack at DEBUG; anything else is a bug, told with its stack. */
export function tellStartFault(error: unknown, logger: Logger, what: string): void {
  if (error instanceof StartFault) {
    logger.error({}, `${what}: ${error.message}`);
    logger.debug({ err: error.cause ?? error }, what);
  } else {
    logger.error({ err: causeOf(error) }, what);
  }
}

/** The same in one sentence, for another process that tells it. */
export function explainStartFault(error: unknown): string {
  if (error instanceof StartFault) return error.message;
  const cause = causeOf(error);
  return cause instanceof Error ? cause.message : String(cause);
}

/** A start is for operators: they get the cause, not the sentence for callers. */
function causeOf(error: unknown): unknown {
  return error instanceof Problem && error.cause !== undefined ? error.cause : error;
}
