import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Sessions } from "./sessions.ts";

interface RetentionOptions {
  readonly sessions: Pick<Sessions, "deleteInactive" | "deleteSpent">;
  readonly idempotency: Pick<IdempotencyStore, "purge">;
  /** 0: sessions are kept for ever. */
  readonly retentionDays: number;
  /** Temporary ones. */
  readonly retentionSeconds: number;
  /** What other features drop when its time is over. */
  readonly purge: () => Promise<void>;
  /** Whether this node does the round that is due, and no other one `everyMs` from now. */
  readonly claim: (everyMs: number) => Promise<boolean>;
  readonly logger: Logger;
}

/** Soon after the start, so that a service which is often restarted cleans up too. */
const firstMs = 5_000;
const pauseMs = 10 * 60_000;
/** Of the pause; the rest is chance, so that nodes do not come together. */
const shortest = 0.6;
/** Per round, so that a backlog is worked off in steps. */
const maxSessions = 1_000;

/** Drops, on one node for all, what is kept for a time only: expired idempotency keys, idle sessions where that is asked for. */
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

  const deleteSpentSessions = async () => {
    const { retentionSeconds } = options;
    while ((await sessions.deleteSpent(retentionSeconds, maxSessions, signal)) === maxSessions);
  };

  /** A fault of one does not keep the others from being done. */
  const cleanUp = async () => {
    // A node that is alone with its round finds it due each time.
    const isMine = await options.claim(pauseMs * shortest * 0.9).catch((error: unknown) => {
      logger.warn({ err: error }, "cleaning up failed; trying again");
      return false;
    });
    if (isMine) await doRound();
    schedule(pauseMs);
  };

  const doRound = async () => {
    for (const work of [
      () => idempotency.purge(),
      options.purge,
      deleteSpentSessions,
      deleteIdleSessions,
    ]) {
      if (signal.aborted) return;
      await work().catch((error: unknown) =>
        logger.warn({ err: error }, "cleaning up failed; trying again"),
      );
    }
  };

  /** The next round begins when one is over, however long it takes. */
  const schedule = (delayMs: number) => {
    if (signal.aborted) return;
    timer = setTimeout(
      () => {
        round = cleanUp();
      },
      delayMs * (shortest + Math.random() * (1 - shortest)),
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
