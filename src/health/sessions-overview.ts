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

/** The pause after a count, in times that it took. */
const pauseFactor = 100;

interface SessionsOverviewOptions {
  /** Counts in the database, which takes longer the more sessions there are. */
  readonly sessions: () => Promise<readonly SessionCount[]>;
  /** Messages waiting for an earlier reply. */
  readonly queued: () => Promise<SessionFigures["queued"]>;
  readonly outboxes: () => Promise<SessionFigures["outboxes"]>;
  readonly cacheMs?: number;
  readonly waitMs?: number;
  readonly logger: Logger;
}

/**
 * The figures of the database for metrics: counted at most every 15 s however many ask, in no more than a hundredth of the
 * time however many there are, and never waited for longer than 2 s; until a new count is there, and when counting fails, the last one is given.
 */
export function createSessionsOverview(options: SessionsOverviewOptions) {
  const { cacheMs = 15_000, waitMs = 2_000, logger } = options;
  let figures: SessionFigures = {
    counts: [],
    queued: { queued: 0, oldestSeconds: 0 },
    outboxes: {},
  };
  let countedMs = Number.NEGATIVE_INFINITY;
  let pauseMs = cacheMs;
  let counting: Promise<void> | null = null;

  const count = async () => {
    const startedMs = performance.now();
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
    pauseMs = Math.max(cacheMs, (countedMs - startedMs) * pauseFactor);
    counting = null;
  };

  return async (): Promise<SessionFigures> => {
    if (counting === null && performance.now() - countedMs < pauseMs) return figures;
    counting ??= count();
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([counting, timeout]);
    clearTimeout(timer);
    return figures;
  };
}
