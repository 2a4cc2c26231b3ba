import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { AggregatorRegistry } from "prom-client";
import type { AgentBackend } from "../agents/agent-backend.ts";
import type { Catalogue } from "../agents/catalogue.ts";
import type { MessageStore } from "../chat/message-store.ts";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import type { SessionFollowers } from "../devices/follow-sessions.ts";
import { createOutbox } from "../database/outbox.ts";
import { countNotes } from "../search/search-index.ts";
import type { GatewayRegistration } from "../gateway/gateway-registration.ts";
import { watchEventLoop } from "../health/event-loop.ts";
import type { BuiltFeatures } from "../health/features.ts";
import { createHealth, databaseProbe, migrationsProbe } from "../health/health.ts";
import { infoRoutes } from "../health/info-routes.ts";
import type { Probe } from "../health/probe.ts";
import { createRefreshGauges } from "../health/refresh-gauges.ts";
import { healthRoutes } from "../health/routes.ts";
import { createSessionsOverview } from "../health/sessions-overview.ts";
import { fetchJson } from "../lib/fetch-json.ts";
import type { Wire } from "../nodes/wire.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { ReplyFeeds } from "../replies/reading/reply-feeds.ts";
import { countSessions } from "../sessions/session-counts.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createMetricsReport } from "../telemetry/metrics-report.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ConfiguredBackend } from "./agent-backends.ts";
import type { PartMakers, PartName, WorkerParts } from "./workers/messages.ts";
import type { Siblings } from "./workers/siblings.ts";

interface HealthReportsOptions {
  readonly config: Config;
  readonly version: string;
  readonly database: Database;
  /** Null: not configured. */
  readonly redis: Probe | null;
  /** Null where nodes tell each other by Redis, or where there is but one. */
  readonly wire: Wire | null;
  readonly backends: readonly ConfiguredBackend[];
  readonly catalogue: Catalogue;
  readonly replies: Replies;
  readonly feeds: ReplyFeeds;
  readonly sessionFollowers: Pick<SessionFollowers, "stats">;
  readonly gateway: GatewayRegistration | null;
  /** Null where this process is the whole service. */
  readonly siblings: Siblings | null;
  readonly messages: MessageStore;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Null where there is no speech at all. */
  readonly voice: Probe | null;
  readonly features: BuiltFeatures;
  readonly isDraining: () => boolean;
}

/** Health, metrics and information about the service, wired to its parts. */
export function createHealthReports(options: HealthReportsOptions): {
  readonly routes: readonly FastifyPluginAsyncTypebox[];
  close(): void;
} {
  const {
    config,
    version,
    database,
    backends,
    metrics,
    logger,
    gateway,
    features,
    wire,
    siblings,
  } = options;
  const eventLoop = watchEventLoop();
  const health = createHealth({
    database: databaseProbe(database),
    redis: options.redis,
    others: {
      ...Object.fromEntries(
        backends.map(({ source, backend }) => [source, backend && backendProbe(backend)]),
      ),
      voice: options.voice,
      gateway:
        gateway &&
        (async () => {
          const { registered, failures_in_a_row: failures } = gateway.status();
          return {
            status: registered ? "healthy" : "unhealthy",
            details: { registered, failures },
          };
        }),
      base_service: baseServiceProbe(config),
    },
    toldElsewhere: new Set(backends.map(({ source }) => source)),
    migrations: migrationsProbe(database),
    agents: () => options.catalogue.sources(),
    components: {
      replies: () => ({
        status: "healthy",
        details: { ...options.replies.stats(), max_places: config.limits.max_concurrent_replies },
      }),
      streams: () => ({
        status: "healthy",
        details: { ...options.feeds.stats(), max_followers: config.limits.max_viewers },
      }),
      ...(siblings !== null && {
        workers() {
          const { configured, ready, replaced } = siblings.state();
          const status = ready === configured ? "healthy" : "unhealthy";
          return { status, details: { configured, ready, replaced } };
        },
      }),
      ...(wire !== null && {
        nodes() {
          const { connected, peers } = wire.status();
          return { status: connected ? "healthy" : "unhealthy", details: { connected, peers } };
        },
      }),
    },
    isDraining: options.isDraining,
    eventLoop,
    maxEventLoopDelayMs: config.server.max_event_loop_delay_ms,
    timeoutMs: config.monitoring.health_check_timeout * 1000,
    metrics,
    logger,
  });
  const sessionsOverview = createSessionsOverview({
    sessions: () => countSessions(database),
    queued: () => options.messages.countQueued(),
    outboxes: async () => {
      const [events, jobs, search] = await Promise.all([
        createOutbox("outbox").count(database),
        createOutbox("jobs").count(database),
        countNotes(database),
      ]);
      return { events, jobs, search };
    },
    logger,
  });
  const report = createMetricsReport({ metrics });
  const refreshGauges = createRefreshGauges({
    metrics,
    health,
    eventLoop,
    database,
    sessionsOverview,
    sessionFollowers: options.sessionFollowers,
  });
  const parts: PartMakers = {
    async metrics() {
      await refreshGauges();
      return metrics.registry.getMetricsAsJSON();
    },
    report: async () => ({
      part: await report.part(),
      eventLoopDelayMs: health.liveness().eventLoopDelayMs,
      memory: process.memoryUsage(),
    }),
  };
  siblings?.tellParts(parts);
  const partsOf = async <N extends PartName>(name: N): Promise<readonly WorkerParts[N][]> =>
    siblings === null ? [await parts[name]()] : siblings.partsOf(name);
  const scrape = async () => {
    if (siblings !== null) {
      const told = await partsOf("metrics");
      return AggregatorRegistry.aggregate([...told]).metrics();
    }
    await refreshGauges();
    return metrics.registry.metrics();
  };
  return {
    routes: [
      healthRoutes({
        config,
        version,
        health,
        metrics,
        reports: () => partsOf("report"),
        refreshGauges,
        scrape,
        features,
      }),
      infoRoutes({ config, version, features }),
    ],
    close() {
      eventLoop.close();
      report.close();
    },
  };
}

function backendProbe(backend: AgentBackend): Probe {
  return async (signal) => {
    const { status, details, remedy } = await backend.probe(signal);
    return { status, details: remedy === undefined ? details : { ...details, remedy } };
  };
}

/** Null: nobody's identity depends on it. Any answer below 500 will do: without credentials it says no. */
function baseServiceProbe({ auth, base_service: base, monitoring }: Config): Probe | null {
  if (auth.mode !== "base-service" || base.url === null) return null;
  const url = `${base.url.replace(/\/+$/, "")}${base.prefix}/auth/me`;
  const timeoutMs = monitoring.health_check_timeout * 1000;
  return async (signal) => {
    const { status } = await fetchJson(url, { signal, timeoutMs, repeatable: true });
    return { status: status < 500 ? "healthy" : "unhealthy", details: { answered: status } };
  };
}
