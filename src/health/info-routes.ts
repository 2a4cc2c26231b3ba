import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Config } from "../config/settings.ts";
import { nullable, timestampSchema } from "../http/schemas.ts";
import { describeFeatures, docsAreServed, type BuiltFeatures } from "./features.ts";

interface InfoRoutesOptions {
  readonly config: Config;
  readonly version: string;
  readonly features: BuiltFeatures;
}

const description =
  "Conversations with AI agents: sessions, resumable streamed replies, history, voice.";
const open = { isPublic: true };

/** What people look for first, by name; those that this service was not built with are left out. */
const endpoints: Readonly<Record<string, Readonly<Record<string, `${string} /${string}`>>>> = {
  chat: {
    create_session: "POST /chat/session",
    send_message: "POST /chat/message",
    stream_message: "POST /chat/message/stream",
    follow_reply: "GET /chat/message/:message_id/stream",
    cancel_reply: "POST /chat/message/:message_id/cancel",
    voice: "POST /chat/voice",
    transcribe: "POST /chat/voice/transcribe",
    synthesize: "POST /chat/voice/synthesize",
    websocket: "GET /chat/ws",
    history: "GET /chat/history/:session_id",
    agents: "GET /chat/agents",
    models: "GET /chat/models",
  },
  sessions: {
    list: "GET /sessions",
    get: "GET /sessions/:session_id",
    update: "PATCH /sessions/:session_id",
    delete: "DELETE /sessions/:session_id",
    batch: "POST /sessions/batch",
    stats: "GET /sessions/user/:user_id/stats",
  },
  health: {
    basic: "GET /health",
    detailed: "GET /health/detailed",
    readiness: "GET /health/readiness",
    liveness: "GET /health/liveness",
    metrics: "GET /health/metrics",
    config: "GET /health/config",
  },
};

/** Served at `monitoring.port` alone where that is set. */
const apart: ReadonlySet<string> = new Set(["/health/detailed", "/health/metrics"]);

/** The front door: who answers here, and where the rest is. */
export function infoRoutes(options: InfoRoutesOptions): FastifyPluginAsyncTypebox {
  const { config, version } = options;
  const { monitoring } = config;
  /** Whether metrics and details are served beside everything else. */
  const isBeside = monitoring.port === null;
  const { name, environment } = config.service;
  const links = {
    docs_url: docsAreServed(config) ? "/docs" : null,
    openapi_url: docsAreServed(config) ? "/openapi.json" : null,
    health_check: "/health",
    metrics_url: monitoring.metrics_enabled && isBeside ? monitoring.metrics_path : null,
    info_url: "/info",
  };

  return async (app) => {
    const served = () =>
      Object.fromEntries(
        Object.entries(endpoints).map(([group, members]) => [
          group,
          Object.fromEntries(
            Object.entries(members)
              .filter(([, endpoint]) => {
                const [method = "", url = ""] = endpoint.split(" ");
                return app.hasRoute({ method, url }) && (isBeside || !apart.has(url));
              })
              .map(([member, endpoint]) => [member, endpoint.replaceAll(/:(\w+)/g, "{$1}")]),
          ),
        ]),
      );

    app.get(
      "/",
      {
        config: open,
        schema: {
          tags: ["Service"],
          summary: "Who answers here",
          response: {
            200: {
              description: "The service; the chat page to those who ask for text/html.",
              content: {
                "application/json": {
                  schema: Type.Object({
                    service: Type.String(),
                    version: Type.String(),
                    status: Type.Literal("running"),
                    description: Type.String(),
                    docs_url: nullable(Type.String()),
                    openapi_url: nullable(Type.String()),
                    health_check: Type.String(),
                    metrics_url: nullable(Type.String()),
                    info_url: Type.String(),
                    timestamp: timestampSchema,
                  }),
                },
                "text/html": { schema: Type.String() },
              },
            },
          },
        },
      },
      () => ({
        service: name,
        version,
        status: "running" as const,
        description,
        ...links,
        timestamp: new Date().toISOString(),
      }),
    );

    const named = Type.Record(Type.String(), Type.String());
    app.get(
      "/info",
      {
        config: open,
        schema: {
          tags: ["Service"],
          summary: "What the service can do, and where",
          response: {
            200: Type.Object({
              service: Type.Object({
                name: Type.String(),
                version: Type.String(),
                environment: Type.String(),
                description: Type.String(),
              }),
              features: Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.String()])),
              endpoints: Type.Record(Type.String(), named),
              links: Type.Record(Type.String(), nullable(Type.String())),
              timestamp: timestampSchema,
            }),
          },
        },
      },
      () => ({
        service: { name, version, environment, description },
        features: describeFeatures(config, options.features),
        endpoints: served(),
        links,
        timestamp: new Date().toISOString(),
      }),
    );
  };
}
