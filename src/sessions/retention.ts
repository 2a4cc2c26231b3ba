import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Sessions } from "./sessions.ts";

interface RetentionOptions {
  readonly sessions: Pick<Sessions, "deleteInactive">;
  readonly idempotency: Pick<IdempotencyStore, "purge">;
  /** 0: sessions are kept for ever. */
  readonly retentionDays: number;
  /** What other features drop when its time is over. */
  readonly purge: () => Promise<void>;
  readonly logger: Logger;
}

/** Soon after the start, so that a service which is often restarted cleans up too. */
const firstMs = 5_000;
const pauseMs = 10 * 60_000;
/** Per round, so that a backlog is worked off in steps. */
const maxSessions = 1_000;

/** Drops what is kept for a time only: expired idempotency keys, idle sessions where that is asked for. */
export function startRetention(options: RetentionOptions): { stop(): Promise<void> } {
  const { sessions, idempotency, retentionDays, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();

  const deleteIdleSessions = async () => {
    if (retentionDays === 0) return;
    const deleted = await sessions.deleteInactive(retentionDays, maxSessions, signal);
    if (deleted > 0) logger.info({ deleted, retentionDays }, "idle sessions deleted");
  };

  /** A fault of one does not keep the others from being done. */
  const cleanUp = async () => {
    for (const work of [() => idempotency.purge(), options.purge, deleteIdleSessions]) {
      if (signal.aborted) return;
      await work().catch((error: unknown) =>
        logger.warn({ err: error }, "cleaning up failed; trying again"),
      );
    }
    schedule(pauseMs);
  };

  /** The next round begins when one is over, however long it takes. */
  const schedule = (delayMs: number) => {
    if (signal.aborted) return;
    timer = setTimeout(
      () => {
        round = cleanUp();
      },
      delayMs * (0.6 + Math.random() * 0.4),
    );
    timer.unref();
  };

  schedule(firstMs);
  return {
    /** Resolves when nothing is being deleted any more. */
    stop() {
      stopping.abort();
      clearTimeout(timer);
      return round;
    },
  };
}
