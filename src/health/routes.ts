import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifySchema } from "fastify";
import { Type, type TSchema } from "typebox";
import type { Config } from "../config/settings.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable, timestampSchema } from "../http/schemas.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { describeFeatures, describeLimits, type BuiltFeatures } from "./features.ts";
import type { Health } from "./health.ts";
import { describeProcesses, type ProcessReport } from "./process-report.ts";
import type { SessionFigures } from "./sessions-overview.ts";

interface HealthRoutesOptions {
  readonly config: Config;
  readonly version: string;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Of all processes of the service. */
  readonly reports: () => Promise<readonly ProcessReport[]>;
  /** From `createRefreshGauges`. */
  readonly refreshGauges: () => Promise<SessionFigures>;
  /** The metrics of the whole service as Prometheus takes them. */
  readonly scrape: () => Promise<string>;
  readonly features: BuiltFeatures;
}

const state = { isPublic: true, watched: "state" } as const;
const detailed = { isPublic: true, watched: "details" } as const;
const inside =
  "At `monitoring.port` where that is set, and with `monitoring.token` as a Bearer token where that is.";
const refused = { ...problemResponses()[401] };
const details = Type.Record(Type.String(), Type.Unknown());
const outcomeSchema = Type.Union([Type.Literal("healthy"), Type.Literal("unhealthy")]);
const dependencySchema = Type.Object({
  status: Type.Union([outcomeSchema, Type.Literal("disabled")]),
  latency_ms: nullable(Type.Number()),
  details,
});
const percentilesSchema = Type.Object({
  count: Type.Integer(),
  p50: nullable(Type.Number()),
  p90: nullable(Type.Number()),
  p95: nullable(Type.Number()),
  p99: nullable(Type.Number()),
});
const counts = Type.Record(Type.String(), Type.Number());

const identity = { service: Type.String(), version: Type.String(), timestamp: timestampSchema };
const readinessSchema = Type.Object({
  ready: Type.Boolean(),
  timestamp: timestampSchema,
  checks: Type.Object({
    database: Type.Boolean({ description: "The database answers." }),
    cache: Type.Boolean({ description: "Redis answers, or is not used. Does not count." }),
    agents: Type.Boolean({ description: "Some source of agents answers. Does not count." }),
    migrations: Type.Boolean({ description: "The database has this version's tables." }),
    draining: Type.Boolean({ description: "The node is shutting down." }),
  }),
});

/**
 * Health, metrics, and what a client should know; without anything secret, and open to everybody but for what
 * `monitoring.port` and `monitoring.token` keep inside.
 */
export function healthRoutes(options: HealthRoutesOptions): FastifyPluginAsyncTypebox {
  const { config, version, health, metrics, reports, refreshGauges, scrape } = options;
  const { name, environment } = config.service;
  const about = () => ({ service: name, version, timestamp: new Date().toISOString() });

  return async (app) => {
    app.addHook("onSend", (_request, reply, _payload, done) => {
      void reply.header("Cache-Control", "no-store");
      done();
    });

    app.get(
      "/health",
      describe("Whether the process serves requests", {
        200: Type.Object({ status: Type.Literal("healthy"), ...identity }),
      }),
      () => ({ status: "healthy" as const, ...about() }),
    );

    const livenessSchema = Type.Object({
      alive: Type.Boolean(),
      timestamp: timestampSchema,
      uptime_seconds: Type.Number(),
    });
    app.get(
      "/health/liveness",
      describe("Whether the process should be left running", {
        200: livenessSchema,
        503: livenessSchema,
      }),
      async (_request, reply) => {
        const { alive } = health.liveness();
        return reply.code(alive ? 200 : 503).send({
          alive,
          timestamp: new Date().toISOString(),
          uptime_seconds: Math.round(process.uptime() * 1000) / 1000,
        });
      },
    );

    app.get(
      "/health/readiness",
      describe("Whether requests should be sent to this node", {
        200: readinessSchema,
        503: readinessSchema,
      }),
      async (_request, reply) => {
        const { ready, checks } = await health.readiness();
        return reply
          .code(ready ? 200 : 503)
          .send({ ready, timestamp: new Date().toISOString(), checks });
      },
    );

    app.get(
      "/health/detailed",
      describeDetails("How the service's parts and dependencies are doing", {
        200: Type.Object({
          status: Type.Union([outcomeSchema, Type.Literal("degraded")]),
          ...identity,
          uptime_seconds: Type.Number(),
          components: Type.Record(Type.String(), Type.Object({ status: outcomeSchema, details })),
          dependencies: Type.Record(Type.String(), dependencySchema, {
            description:
              "`database`, `redis`, each source of agents (`models`, `agno`, `builtin`, …), `voice`, `gateway`, `base_service`; what is not configured is `disabled`.",
          }),
        }),
      }),
      async () => {
        const { status, components, dependencies } = await health.detailed();
        return {
          status,
          ...about(),
          uptime_seconds: Math.round(process.uptime()),
          components,
          dependencies,
        };
      },
    );

    app.get(
      "/health/config",
      describe("What a client may do and how much of it", {
        200: Type.Object({
          ...identity,
          environment: Type.String(),
          features: Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.String()])),
          limits: Type.Record(Type.String(), nullable(Type.Number())),
        }),
      }),
      () => ({
        ...about(),
        environment,
        features: describeFeatures(config, options.features),
        limits: describeLimits(config),
      }),
    );

    if (!config.monitoring.metrics_enabled) return;

    app.get(
      "/health/metrics",
      describeDetails(
        "The metrics as JSON: totals, and rates and percentiles of the last minutes",
        {
          200: Type.Object({
            ...identity,
            uptime_seconds: Type.Number(),
            window_seconds: Type.Number(),
            sessions: Type.Object({
              total: Type.Integer(),
              total_active: Type.Integer(),
              by_status: counts,
              by_agent: counts,
            }),
            messages: details,
            replies: details,
            requests: details,
            errors: details,
            tokens: details,
            latency_ms: Type.Object({
              request: percentilesSchema,
              reply: percentilesSchema,
              time_to_first_token: percentilesSchema,
            }),
            viewers: Type.Integer(),
            system: details,
          }),
        },
      ),
      async () => {
        const sessions = describeSessions(await refreshGauges());
        return {
          ...about(),
          uptime_seconds: Math.round(process.uptime()),
          ...describeProcesses(await reports()),
          sessions,
        };
      },
    );

    app.get(
      config.monitoring.metrics_path,
      {
        config: detailed,
        schema: {
          tags: ["Service"],
          summary: "The metrics for Prometheus",
          description: inside,
          response: {
            200: {
              description: "Prometheus text format 0.0.4",
              content: { "text/plain": { schema: Type.String() } },
            },
            401: refused,
          },
        },
      },
      async (_request, reply) => {
        return reply.type(metrics.registry.contentType).send(await scrape());
      },
    );
  };
}

function describe(
  summary: string,
  response: Record<number, TSchema>,
): { config: typeof state; schema: FastifySchema } {
  return { config: state, schema: { tags: ["Service"], summary, response } };
}

function describeDetails(
  summary: string,
  response: Record<number, TSchema>,
): { config: typeof detailed; schema: FastifySchema } {
  return {
    config: detailed,
    schema: {
      tags: ["Service"],
      summary,
      description: inside,
      response: { ...response, 401: refused },
    },
  };
}

function describeSessions({ counts: rows }: SessionFigures) {
  const byStatus: Record<string, number> = {};
  const byAgent: Record<string, number> = {};
  for (const { status, agentId, sessions } of rows) {
    byStatus[status] = (byStatus[status] ?? 0) + sessions;
    byAgent[agentId] = (byAgent[agentId] ?? 0) + sessions;
  }
  return {
    total: rows.reduce((total, { sessions }) => total + sessions, 0),
    total_active: byStatus["active"] ?? 0,
    by_status: byStatus,
    by_agent: byAgent,
  };
}
