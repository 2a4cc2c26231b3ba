import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createCatalogue } from "./agents/catalogue.ts";
import { agentRoutes } from "./agents/routes.ts";
import { createApp } from "./app.ts";
import { createAttachmentStore } from "./attachments/attachment-store.ts";
import { attachmentRoutes } from "./attachments/routes.ts";
import { createAcceptTurn } from "./chat/accept-turn.ts";
import { historyRoutes } from "./chat/history-routes.ts";
import { createMessageStore } from "./chat/message-store.ts";
import { chatRoutes } from "./chat/routes.ts";
import { createTurns } from "./chat/turns.ts";
import { createWebSocketRoutes } from "./chat/websocket-routes.ts";
import { observeBackend } from "./agents/observe-backend.ts";
import { createAgentBackends } from "./composition/agent-backends.ts";
import { createHealthReports } from "./composition/health-reports.ts";
import { openDatabase } from "./composition/open-database.ts";
import { createSharedState } from "./composition/shared-state.ts";
import { createVoiceParts } from "./composition/voice-parts.ts";
import type { Config } from "./config/settings.ts";
import { createEvents } from "./events/create-events.ts";
import { createGatewayRegistration } from "./gateway/gateway-registration.ts";
import { createIdempotencyStore } from "./idempotency/idempotency-store.ts";
import { createIdentityProvider } from "./identity/create-identity-provider.ts";
import { newId } from "./lib/ids.ts";
import { pageRoutes } from "./page/page-routes.ts";
import { createCheckpoints } from "./replies/making/checkpoints.ts";
import { createFollowReply } from "./replies/reading/follow-reply.ts";
import { startRecovery } from "./replies/lifecycle/recovery.ts";
import { createReplies, type Replies } from "./replies/lifecycle/replies.ts";
import { createReplyFeeds } from "./replies/reading/reply-feeds.ts";
import { createReplyStore } from "./replies/lifecycle/reply-store.ts";
import { createSseView } from "./replies/reading/sse.ts";
import { bulkSessionRoutes } from "./sessions/bulk-routes.ts";
import { startRetention } from "./sessions/retention.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { createSessionStore } from "./sessions/session-store.ts";
import { createSessions } from "./sessions/sessions.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { createTracer } from "./telemetry/create-tracer.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { observeCache } from "./telemetry/observe-cache.ts";
import { observeDatabase } from "./telemetry/observe-database.ts";
import { createTelemetry } from "./telemetry/telemetry.ts";
import { version } from "./version.ts";
import { createKeepSpoken } from "./voice/conversation/keep-spoken.ts";
import { createVoiceConversations } from "./voice/conversation/voice-conversation.ts";
import { voiceMessageRoutes } from "./voice/message-routes.ts";
import { voiceRoutes } from "./voice/routes.ts";

export interface Service {
  /** Where it listens, such as http://127.0.0.1:8001. */
  readonly url: string;
  /** Lets running replies end, marks the rest, closes everything; docs/operations.md has the order. May be called twice. */
  close(): Promise<void>;
}

/** The whole service, listening. The only place that knows which adapter stands behind which port. */
export async function startService(config: Config, log: LoggerHandle): Promise<Service> {
  const { logger } = log;
  const nodeId = newId();
  const metrics = createMetrics();
  const telemetry = createTelemetry(logger, metrics);
  const tracer = await createTracer({
    otlpEndpoint: config.monitoring.otlp_endpoint,
    service: config.service,
    version,
    nodeId,
    logger,
  });
  const database = observeDatabase(await openDatabase(config, logger), metrics);
  const shared = createSharedState(config, logger);
  const { limiter, replyLog } = shared;
  const cache = observeCache(shared.cache, metrics);
  const identity = createIdentityProvider(config, { cache, log: logger });

  const { streams, sessions: sessionSettings, limits } = config;
  const backends = createAgentBackends(config, logger);
  const speech = await createVoiceParts(config, database, metrics, logger);
  const events = createEvents(config, { database, log: logger });
  const catalogue = createCatalogue({
    backends: backends.all.map((backend) => observeBackend(backend, { metrics, tracer })),
    defaultAgent: sessionSettings.default_agent,
    refreshMs: config.agno.refresh_seconds * 1000,
    logger,
  });

  const feeds = createReplyFeeds({
    log: replyLog,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
    logger,
  });
  const attachments = createAttachmentStore(database);
  const replyStore = createReplyStore({ database, nodeId, leaseSeconds: streams.lease_seconds });
  const replies = createReplies({
    database,
    log: replyLog,
    feeds,
    store: replyStore,
    checkpoints: createCheckpoints(database, streams.lease_seconds),
    catalogue,
    telemetry,
    logger,
    speak: speech.speak,
    recordEvent: events.record,
    attachmentsOf: (messageId) => attachments.ofMessage(messageId),
    historyMessages: sessionSettings.history_messages,
    maxReplyMs: streams.max_reply_seconds * 1000,
    maxReplyLength: streams.max_reply_length,
    leaseMs: streams.lease_seconds * 1000,
    limits: {
      perNode: limits.max_concurrent_replies,
      perSource: limits.max_concurrent_replies_per_agent,
      perUser: limits.max_concurrent_replies_per_user,
    },
  });
  const follow = createFollowReply({
    feeds,
    log: replyLog,
    store: replyStore,
    runnerOf: (replyId) => replies.running(replyId),
  });
  const sse = createSseView({ follow, telemetry, identity, maxViewers: limits.max_viewers });

  const idempotency = createIdempotencyStore(database, sessionSettings.idempotency_hours);
  const sessionStore = createSessionStore(database);
  const sessions = createSessions({
    database,
    store: sessionStore,
    idempotency,
    catalogue,
    replies,
    telemetry,
    logger,
    maxActive: limits.max_concurrent_sessions,
    onDelete: (sessionId) => speech.store.deleteOfSession(sessionId),
    recordEvent: events.record,
  });
  const turns = createTurns({
    accept: createAcceptTurn({
      database,
      replies: replyStore,
      idempotency,
      nodeId,
      leaseSeconds: streams.lease_seconds,
      maxQueued: limits.max_queued_per_session,
      attachments,
      insertSession: (tx, session, messages) => sessions.insert(tx, session, messages),
      admit: (agentId, userId) => replies.admit(agentId, userId),
    }),
    sessions,
    catalogue,
    replies,
    limiter,
    telemetry,
    messageRateLimit: limits.message_rate_limit,
  });

  const messages = createMessageStore(database);
  const gateway = createGatewayRegistration({ config, version, log: logger });
  let isDraining = false;
  const health = createHealthReports({
    config,
    version,
    database,
    redis: shared.probe,
    backends,
    catalogue,
    replies,
    feeds,
    gateway,
    sessionStore,
    messages,
    metrics,
    logger,
    voice: speech.probe,
    features: {
      transcription: speech.voice.recognition.enabled,
      synthesis: speech.voice.speech.enabled,
      websocket: true,
    },
    isDraining: () => isDraining,
  });
  const sockets = createWebSocketRoutes({
    identity,
    turns,
    replies,
    replyStore,
    follow,
    sessions: sessionStore,
    openConversation: createVoiceConversations({
      voice: speech.voice,
      audio: speech.store,
      replies,
      store: replyStore,
      keepSpoken: createKeepSpoken(database),
      log: replyLog,
      maxListening: config.voice.max_listeners,
    }),
    isListening: speech.voice.recognition.enabled,
    telemetry,
    allowedOrigins: config.security.cors_origins,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
    maxConnections: limits.max_viewers,
    maxMessageLength: limits.max_message_length,
    maxUploadBytes: limits.max_upload_size,
    maxMessageBytes: limits.max_body_size + Math.ceil((limits.max_upload_size * 4) / 3),
  });
  const { app } = await createApp({
    config,
    version,
    logger: log.pino,
    limiter,
    identity,
    telemetry,
    metrics,
    tracer,
    closeStreams() {
      sse.closeAll();
      sockets.closeAll();
    },
    routes: [
      sessionRoutes({ sessions, store: sessionStore, catalogue, identity }),
      bulkSessionRoutes({ sessions, store: sessionStore, identity }),
      chatRoutes({
        turns,
        messages,
        replyStore,
        replies,
        follow,
        sse,
        identity,
        maxMessageLength: limits.max_message_length,
        maxUploadBytes: limits.max_upload_size,
        maxBodyBytes: limits.max_body_size,
        audioResponse: speech.audioResponse,
      }),
      voiceMessageRoutes({
        voice: speech.voice,
        store: speech.store,
        turns,
        messages,
        sessions: sessionStore,
        follow,
        sse,
        identity,
        audioResponse: speech.audioResponse,
        maxUploadBytes: limits.max_upload_size,
        maxMessageLength: limits.max_message_length,
      }),
      voiceRoutes({
        voice: speech.voice,
        store: speech.store,
        identity,
        maxUploadBytes: limits.max_upload_size,
        maxTextLength: limits.max_message_length,
      }),
      sockets.routes,
      attachmentRoutes({ store: attachments, identity }),
      historyRoutes({ messages, sessions: sessionStore, identity }),
      agentRoutes({ catalogue, listModels: backends.listModels }),
      ...health.routes,
      pageRoutes({ directory: join(import.meta.dirname, "../web/dist") }),
    ],
  });

  await catalogue.start();
  // An embedded database belongs to this process alone, so whatever is marked running was running before it started.
  // On a server others may be running theirs: whose lease is over shows soon enough.
  if (database.kind === "embedded") await recoverAll(replies);
  const recovery = startRecovery({
    replies,
    reapMs: streams.reap_seconds * 1000,
    leaseMs: streams.lease_seconds * 1000,
    logger,
  });
  const retention = startRetention({
    sessions,
    idempotency,
    retentionDays: sessionSettings.retention_days,
    purge: async () => {
      await speech.store.purgeExpired();
    },
    logger,
  });
  events.dispatcher?.start();
  await app.listen({ host: config.service.host, port: config.service.port });

  const address = app.server.address();
  if (typeof address === "object" && address !== null) gateway?.start(address.port);

  let closing: Promise<void> | undefined;
  const close = async () => {
    // Readiness says no at once; for a moment requests are still served, so that balancers notice before they fail.
    isDraining = true;
    await gateway?.stop();
    await delay(config.server.shutdown_delay_seconds * 1000);
    recovery.stop();
    await retention.stop();
    catalogue.close();
    await replies.drain(config.server.drain_seconds * 1000);
    await app.close();
    await events.dispatcher?.stop();
    feeds.close();
    await speech.voice.close();
    await shared.close();
    await Promise.all(backends.all.map((backend) => backend.close()));
    await identity.close();
    health.close();
    await database.close();
    await tracer.close();
  };
  return {
    url: urlOf(address),
    close: () => (closing ??= close()),
  };
}

async function recoverAll(replies: Pick<Replies, "recover">): Promise<void> {
  while ((await replies.recover(true)) > 0);
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") return String(address);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
