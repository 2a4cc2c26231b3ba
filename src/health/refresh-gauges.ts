import type { Database } from "../database/database.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { EventLoopWatch } from "./event-loop.ts";
import type { Health } from "./health.ts";
import type { SessionFigures } from "./sessions-overview.ts";

interface RefreshGaugesOptions {
  readonly metrics: Metrics;
  readonly health: Pick<Health, "refreshGauges">;
  readonly eventLoop: EventLoopWatch;
  readonly database: Pick<Database, "describe">;
  readonly sessionsOverview: () => Promise<SessionFigures>;
  /** On this node. */
  readonly sessionFollowers: { readonly stats: () => { readonly followers: number } };
}

/** A scrape never waits longer for dependencies; their gauges then keep the last value. */
const waitMs = 2_000;

/** Brings the gauges that nobody counts up and down to the present, before metrics are read. */
export function createRefreshGauges(options: RefreshGaugesOptions): () => Promise<SessionFigures> {
  const { metrics, health, eventLoop, database } = options;
  return async () => {
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    const [figures] = await Promise.all([
      options.sessionsOverview(),
      Promise.race([health.refreshGauges(), timeout]),
    ]);
    clearTimeout(timer);

    const byStatus: Record<string, number> = { active: 0, archived: 0 };
    for (const { status, sessions } of figures.counts) {
      byStatus[status] = (byStatus[status] ?? 0) + sessions;
    }
    for (const [status, sessions] of Object.entries(byStatus)) {
      metrics.sessions.set({ status }, sessions);
    }
    metrics.messagesQueued.set(figures.queued.queued);
    metrics.messagesQueuedOldest.set(figures.queued.oldestSeconds);
    for (const [outbox, { waiting, dead, oldestSeconds }] of Object.entries(figures.outboxes)) {
      metrics.outboxEntries.set({ outbox, state: "waiting" }, waiting);
      metrics.outboxEntries.set({ outbox, state: "dead" }, dead);
      if (oldestSeconds !== undefined) metrics.outboxOldest.set({ outbox }, oldestSeconds);
    }
    metrics.sessionFollowers.set(options.sessionFollowers.stats().followers);
    metrics.eventLoopDelay.set(eventLoop.recentDelayMs() / 1000);
    const { pool } = database.describe();
    if (typeof pool === "object" && pool !== null) {
      for (const [state, connections] of Object.entries(pool)) {
        if (typeof connections === "number")
          metrics.databaseConnections.set({ state }, connections);
      }
    }
    return figures;
  };
}
