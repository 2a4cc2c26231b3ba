import type { OutboxFigures } from "../database/outbox.ts";
import type { Logger } from "../telemetry/logger.ts";

/** How many sessions there are with a status and an agent. */
export interface SessionCount {
  readonly status: string;
  readonly agentId: string;
  readonly sessions: number;
}

/** Where nobody has to care how long something has waited, the oldest is not told. */
type Waiting = Pick<OutboxFigures, "waiting" | "dead"> & Partial<OutboxFigures>;

export interface SessionFigures {
  readonly counts: readonly SessionCount[];
  readonly queued: { readonly queued: number; readonly oldestSeconds: number };
  /** By name. */
  readonly outboxes: Readonly<Record<string, Waiting>>;
}

interface SessionsOverviewOptions {
  readonly sessions: () => Promise<readonly SessionCount[]>;
  /** Messages waiting for an earlier reply. */
  readonly queued: () => Promise<SessionFigures["queued"]>;
  readonly outboxes: () => Promise<SessionFigures["outboxes"]>;
  readonly cacheMs?: number;
  readonly waitMs?: number;
  readonly logger: Logger;
}

/**
 * The figures of the database for metrics: asked for at most every 15 s however many ask, and never waited for longer than
 * 2 s; until new ones are there, and when asking fails, the last ones are given.
 */
export function createSessionsOverview(options: SessionsOverviewOptions) {
  const { cacheMs = 15_000, waitMs = 2_000, logger } = options;
  let figures: SessionFigures = {
    counts: [],
    queued: { queued: 0, oldestSeconds: 0 },
    outboxes: {},
  };
  let countedMs = Number.NEGATIVE_INFINITY;
  let counting: Promise<void> | null = null;

  const count = async () => {
    try {
      const [counts, queued, outboxes] = await Promise.all([
        options.sessions(),
        options.queued(),
        options.outboxes(),
      ]);
      figures = { counts, queued, outboxes };
    } catch (error) {
      logger.debug({ err: error }, "sessions cannot be counted");
    }
    countedMs = performance.now();
    counting = null;
  };

  return async (): Promise<SessionFigures> => {
    if (counting === null && performance.now() - countedMs < cacheMs) return figures;
    counting ??= count();
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([counting, timeout]);
    clearTimeout(timer);
    return figures;
  };
}
