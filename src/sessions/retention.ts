import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Sessions } from "./sessions.ts";

interface RetentionOptions {
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyStore;
  /** 0: sessions are kept for ever. */
  readonly retentionDays: number;
  /** What other features drop when its time is over. */
  readonly purge: () => Promise<void>;
  readonly logger: Logger;
}

const intervalMs = 10 * 60_000;
/** Per round, so that a backlog is worked off in steps. */
const maxSessions = 1_000;

/** Drops what is kept for a time only: expired idempotency keys, idle sessions where that is asked for. */
export function startRetention(options: RetentionOptions): { stop(): void } {
  const { sessions, idempotency, retentionDays, logger } = options;
  const round = async () => {
    try {
      await idempotency.purge();
      await options.purge();
      if (retentionDays === 0) return;
      const deleted = await sessions.deleteInactive(retentionDays, maxSessions);
      if (deleted > 0) logger.info({ deleted, retentionDays }, "idle sessions deleted");
    } catch (error) {
      logger.warn({ err: error }, "cleaning up failed; trying again");
    }
  };
  const timer = setInterval(() => void round(), intervalMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
