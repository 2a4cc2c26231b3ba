import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { unwaited } from "./lib/unwaited.ts";

interface UntilStoppedOptions {
  readonly log: LoggerHandle;
  readonly drainSeconds: number;
  /** Ends what runs; may take as long as it takes. Resolves with an exit code, where it knows a worse one. */
  readonly close: (reason: string) => Promise<number | void>;
  /** Told to stop twice. */
  readonly leave?: () => void;
}

/** After an error that nobody has caught, running replies get this long to be stored. */
const crashDrainMs = 5_000;

/** How this process ends: once in order, at once when it is told twice, and with 1 after an error that nobody has caught. */
export function untilStopped({ log, drainSeconds, close, leave }: UntilStoppedOptions) {
  const { logger } = log;
  let stopping = false;
  const stop = async (reason: string, exitCode: number) => {
    if (stopping) {
      logger.warn({ reason }, "told to stop twice: leaving at once");
      leave?.();
      process.exit(1);
    }
    stopping = true;
    logger.info(
      { reason },
      `stopping: running replies get up to ${drainSeconds} s to end; a second signal leaves at once`,
    );
    const worse = await close(reason).catch((error: unknown) => {
      logger.error({ err: error }, "closing failed");
    });
    logger.info({}, "stopped");
    await log.close();
    process.exit(exitCode === 0 ? (worse ?? 0) : exitCode);
  };
  const crash = (error: unknown) => {
    logger.error({ err: error }, "an error that nobody has caught: leaving");
    setTimeout(() => process.exit(1), crashDrainMs).unref();
    if (!stopping) unwaited(stop("uncaught error", 1));
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  return { stop, isStopping: () => stopping };
}

/** The signals that end a service. */
export function stopOnSignals({ stop, isStopping }: ReturnType<typeof untilStopped>): void {
  process.on("SIGTERM", () => void stop("SIGTERM", 0));
  process.on("SIGINT", () => void stop("SIGINT", 0));
  if (process.stdin.isTTY) {
    // Somebody has closed the terminal. It may come twice, from the kernel and from the shell.
    process.on("SIGHUP", () => void (isStopping() || stop("SIGHUP", 0)));
  }
}
