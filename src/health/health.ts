import type { Database } from "../database/database.ts";
import { migrationState } from "../database/migrate.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { EventLoopWatch } from "./event-loop.ts";
import { createWatchedProbe, type Probe, type ProbeOutcome, type ProbeReport } from "./probe.ts";

interface HealthOptions {
  readonly database: Probe;
  /** Null: not configured. */
  readonly redis: Probe | null;
  /** What else the service may depend on, by name; null: not configured. */
  readonly others: Readonly<Record<string, Probe | null>>;
  /** Names of those whose outages are told to the log by themselves. */
  readonly toldElsewhere: ReadonlySet<string>;
  readonly migrations: Probe;
  /** What the agent backends last said; one entry each. */
  readonly agents: () => readonly { readonly source: string; readonly isReachable: boolean }[];
  /** Figures of the service's own parts by name: at hand, without asking anybody. */
  readonly components: Readonly<Record<string, () => ProbeOutcome>>;
  readonly isDraining: () => boolean;
  readonly eventLoop: EventLoopWatch;
  readonly maxEventLoopDelayMs: number;
  readonly timeoutMs: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export type Health = ReturnType<typeof createHealth>;

/** Applied migrations stay applied: they are looked at again only this often. */
const migrationsCacheMs = 60_000;

/** How the service and what it depends on are doing. No method raises; all are bounded by the probes' time-out. */
export function createHealth(options: HealthOptions) {
  const { timeoutMs, logger, metrics, eventLoop } = options;
  const watch = (name: string, probe: Probe | null) =>
    createWatchedProbe({
      name,
      probe,
      timeoutMs,
      isToldElsewhere: options.toldElsewhere.has(name),
      logger,
      onReport(report) {
        metrics.dependencyUp.set({ dependency: name }, report.status === "healthy" ? 1 : 0);
        metrics.dependencyLatency.set({ dependency: name }, (report.latency_ms ?? 0) / 1000);
      },
    });
  const database = watch("database", options.database);
  const redis = watch("redis", options.redis);
  const others = Object.entries(options.others).map(
    ([name, probe]) => [name, watch(name, probe)] as const,
  );
  const migrations = createWatchedProbe({
    name: "migrations",
    probe: options.migrations,
    timeoutMs,
    healthyCacheMs: migrationsCacheMs,
    logger,
  });
  const agentsReachable = () => options.agents().some((source) => source.isReachable);

  const askDependencies = async () => {
    const [ofDatabase, ofRedis, ...ofOthers] = await Promise.all([
      database(),
      redis(),
      ...others.map(async ([name, ask]) => [name, await ask()] as const),
    ]);
    return { database: ofDatabase, redis: ofRedis, ...Object.fromEntries(ofOthers) };
  };

  return {
    liveness() {
      const eventLoopDelayMs = eventLoop.recentDelayMs();
      return { alive: eventLoopDelayMs <= options.maxEventLoopDelayMs, eventLoopDelayMs };
    },

    /**
     * Whether requests should be sent here. Without its cache or its agents the service still keeps histories, and
     * every other node is without them too: they are told and do not count.
     */
    async readiness() {
      const [ofDatabase, ofRedis, schema] = await Promise.all([database(), redis(), migrations()]);
      const checks = {
        database: ofDatabase.status === "healthy",
        cache: ofRedis.status !== "unhealthy",
        agents: agentsReachable(),
        migrations: schema.status === "healthy",
        draining: options.isDraining(),
      };
      return { ready: checks.database && checks.migrations && !checks.draining, checks };
    },

    async detailed() {
      const [reports, schema] = await Promise.all([askDependencies(), migrations()]);
      const live = this.liveness();
      const isDraining = options.isDraining();
      const components: Record<string, ProbeOutcome> = {
        event_loop: {
          status: live.alive ? "healthy" : "unhealthy",
          details: { recent_delay_ms: live.eventLoopDelayMs },
        },
        migrations: { status: outcome(schema), details: schema.details },
        agents: {
          status: agentsReachable() ? "healthy" : "unhealthy",
          details: { sources: countReachable(options.agents()) },
        },
        lifecycle: {
          status: isDraining ? "unhealthy" : "healthy",
          details: { draining: isDraining },
        },
      };
      for (const [name, figures] of Object.entries(options.components)) {
        components[name] = figures();
      }
      const isBroken = reports.database.status === "unhealthy" || schema.status === "unhealthy";
      const isDegraded = [...Object.values(reports), ...Object.values(components)].some(
        (report) => report.status === "unhealthy",
      );
      const status = isBroken ? "unhealthy" : isDegraded ? "degraded" : "healthy";
      return { status, components, dependencies: reports } as const;
    },

    /** Sets the gauges of the dependencies; those that do not answer by then keep their last value. */
    async refreshGauges(): Promise<void> {
      await askDependencies();
    },
  };
}

/** By source, as there may be several servers of one kind. */
function countReachable(agents: ReturnType<HealthOptions["agents"]>) {
  const sources: Record<string, { servers: number; reachable: number }> = {};
  for (const { source, isReachable } of agents) {
    const counts = (sources[source] ??= { servers: 0, reachable: 0 });
    counts.servers += 1;
    if (isReachable) counts.reachable += 1;
  }
  return sources;
}

function outcome(report: ProbeReport): ProbeOutcome["status"] {
  return report.status === "unhealthy" ? "unhealthy" : "healthy";
}

export function databaseProbe(database: Database): Probe {
  return async () => {
    await database.ping();
    return { status: "healthy", details: database.describe() };
  };
}

export function migrationsProbe(database: Database): Probe {
  return async () => {
    const { current, pending } = await migrationState(database, undefined, true);
    return {
      status: pending.length === 0 ? "healthy" : "unhealthy",
      details: { version: current, pending: pending.length },
    };
  };
}
