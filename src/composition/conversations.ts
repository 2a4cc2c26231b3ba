import { createCatalogue } from "../agents/catalogue.ts";
import { observeBackend } from "../agents/observe-backend.ts";
import { createUpstreamJobs } from "../agents/upstream-jobs.ts";
import { createStorageQuota } from "../attachments/storage-quota.ts";
import { createAttachmentStore } from "../attachments/attachment-store.ts";
import { createMemoryCache } from "../cache/memory.ts";
import { observeCache } from "../cache/observe-cache.ts";
import { createCommands } from "../chat/commands.ts";
import { createKeptPages } from "../chat/kept-pages.ts";
import { createFeedbackStore } from "../chat/feedback-store.ts";
import { createMessageStore } from "../chat/message-store.ts";
import { createSessionFollowers } from "../devices/follow-sessions.ts";
import { createSessionEventStore } from "../devices/session-event-store.ts";
import { createEvents } from "../events/create-events.ts";
import { createIdempotencyStore } from "../idempotency/idempotency-store.ts";
import { gather } from "../lib/gather.ts";
import { createSharedKnowledge } from "../knowledge/knowledge.ts";
import { createForgetMemories, createUserMemories } from "../memories/memories.ts";
import { createJobs } from "../jobs/jobs.ts";
import { createReplies } from "../replies/lifecycle/replies.ts";
import { createReplyStore } from "../replies/lifecycle/reply-store.ts";
import { createCheckpoints } from "../replies/making/checkpoints.ts";
import { createFlushBeat } from "../replies/making/flush-beat.ts";
import { createReplyReaders } from "../replies/reading/follow-reply.ts";
import { createReplyFeeds } from "../replies/reading/reply-feeds.ts";
import { createSearchIndex } from "../search/search-index.ts";
import { createSearchStore } from "../search/search-store.ts";
import { createActiveLimit } from "../sessions/active-limit.ts";
import { createForkSession } from "../sessions/fork.ts";
import { createInsertSession } from "../sessions/insert-session.ts";
import { createSessionStore } from "../sessions/session-store.ts";
import { createSessions } from "../sessions/sessions.ts";
import { createShareSession } from "../shares/share-session.ts";
import { createShareStore } from "../shares/share-store.ts";
import { createBudgets } from "../usage/budgets.ts";
import { createSummaryJob } from "../writing/summary.ts";
import { createTitleJob } from "../writing/title.ts";
import { createWriter } from "../writing/writer.ts";
import { createUsageStore } from "../usage/usage-store.ts";
import {
  configuredBackends,
  createAgentBackends,
  type AgentBackendKind,
} from "./agent-backends.ts";
import type { Closing } from "./closing.ts";
import type { Floors } from "./floors.ts";
import { createVoiceParts } from "./voice-parts.ts";

export type Conversations = Awaited<ReturnType<typeof openConversations>>;

/** Agents, sessions, replies, voice: everything that a conversation is made of, below the doors. */
export async function openConversations(
  floors: Floors,
  closing: Closing,
  /** Default: those of this service. */
  kinds?: readonly AgentBackendKind[],
) {
  const { config, database, metrics, telemetry, tracer, logger, nodeId, replyLog: log } = floors;
  const { streams, limits, sessions: settings } = config;

  const backends = createAgentBackends(config, logger, kinds);
  const configured = configuredBackends(backends);
  for (const backend of configured) {
    closing.add(`agents of ${backend.source}`, () => backend.close());
  }
  const catalogue = createCatalogue({
    backends: configured.map((backend) =>
      observeBackend(backend, { metrics, tracer, onUnavailable: () => catalogue.lookSoon() }),
    ),
    defaultAgent: settings.default_agent,
    answersInWords: settings.answers_in_words,
    refreshMs: config.agno.refresh_seconds * 1000,
    logger,
  });
  const quota = createStorageQuota(limits.max_stored_bytes_per_user);
  const speech = await createVoiceParts(config, database, quota, metrics, logger);
  closing.add("voice", () => speech.voice.close());
  const events = createEvents(config, { database, log: logger });
  closing.add("events", () => Promise.all(events.dispatchers.map((each) => each.stop())));

  const budgets = createBudgets({
    budgets: limits.budgets,
    database,
    recordEvent: events.record,
    log: logger,
  });
  closing.add("budgets", () => budgets.idle());
  const store = createReplyStore(database);
  const sessionStore = createSessionStore(database);
  const writer = createWriter({
    database,
    catalogue,
    backends: configured,
    budgets,
    prices: config.models.prices,
    logger,
  });
  const jobs = createJobs({
    database,
    handlers: {
      ...createUpstreamJobs(catalogue),
      "forget-memories": createForgetMemories(database, configured),
      title: createTitleJob({ database, sessions: sessionStore, writer }),
      summary: createSummaryJob({ database, replies: store, writer }),
    },
    logger,
  });
  closing.add("jobs", () => jobs.stop());
  const canWrite = configured.some(({ write }) => write !== undefined);

  const feeds = createReplyFeeds({
    log,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
    logger,
  });
  closing.add("feeds", () => feeds.close());
  const attachments = createAttachmentStore(database, quota);
  const idempotency = createIdempotencyStore(database, settings.idempotency_hours);
  const sessionEvents = createSessionEventStore(database, sessionStore);
  const sessionFollowers = createSessionFollowers({
    store: sessionEvents,
    logger,
  });
  closing.add("session events", () => sessionFollowers.close());
  const searchIndex = createSearchIndex({ database, logger });
  closing.add("search", () => searchIndex.stop());
  const search = createSearchStore(database, (userId) => searchIndex.catchUp(userId));
  const messages = createMessageStore(database, search);
  const activeLimit = createActiveLimit(sessionStore, limits.max_concurrent_sessions);
  const insertSession = createInsertSession(sessionStore, activeLimit, events.record);
  const replies = createReplies(
    {
      database,
      jobs,
      log,
      feeds,
      beat: createFlushBeat(),
      store,
      checkpoints: createCheckpoints(database, streams.lease_seconds),
      catalogue,
      telemetry,
      logger,
      speak: speech.speak,
      recordEvent: events.record,
      budgets,
      onCommitted: () => searchIndex.ring(),
      idempotency,
      attachments,
      attachmentsOf: attachments.ofMessages,
      keepFile: (message, file) => attachments.keep(message, file),
      filesOf: (sessionId, ids) => attachments.ofSession(sessionId, ids),
      insertSession,
    },
    {
      nodeId,
      leaseSeconds: streams.lease_seconds,
      historyMessages: settings.history_messages,
      maxReplyMs: streams.max_reply_seconds * 1000,
      maxReplyBytes: streams.max_reply_length,
      maxQueued: limits.max_queued_per_session,
      maxMessageLength: limits.max_message_length,
      maxUploadBytes: limits.max_upload_size,
      prices: config.models.prices,
      writing: {
        titles: canWrite && settings.titles === "model",
        summaries: canWrite && settings.long_conversations === "summarise",
      },
      limits: {
        perNode: limits.max_concurrent_replies,
        perSource: limits.max_concurrent_replies_per_agent,
        perUser: limits.max_concurrent_replies_per_user,
      },
    },
  );
  const { open: openReply, follow } = createReplyReaders({
    feeds,
    log,
    // The readers of a reply that its node has left ask at once, and those of many do after that node has died.
    store: { find: gather((replyIds) => store.findAll(replyIds)) },
    runnerOf: replies.running,
    heartbeatMs: config.server.heartbeat_seconds * 1000,
  });
  const sessions = createSessions({
    database,
    store: sessionStore,
    idempotency,
    catalogue,
    replies,
    telemetry,
    logger,
    insertSession,
    activeLimit,
  });
  const shares = createShareStore(database);
  const namesOf = (source: string) =>
    new Map(
      catalogue
        .all()
        .filter(({ backend }) => backend.source === source)
        .map(({ descriptor, agentId }) => [descriptor.agentId, agentId]),
    );
  const memories = createUserMemories({
    database,
    jobs,
    backends: configured,
    namesOf,
    logger,
  });
  const knowledge = createSharedKnowledge({ backends: configured, namesOf, logger });
  return {
    backends,
    catalogue,
    jobs,
    speech,
    events,
    feeds,
    attachments,
    insertSession,
    idempotency,
    replies,
    replyStore: store,
    openReply,
    follow,
    sessions,
    sessionStore,
    search,
    searchIndex,
    sessionEvents,
    sessionFollowers,
    usage: createUsageStore(database),
    messages,
    pages: createKeptPages({
      messages,
      // On each node for itself: the version makes every copy as good as the next, and erased texts stay in no other store.
      cache: observeCache(createMemoryCache({}), floors.metrics),
      ttlMs: config.sessions.cache_ttl_seconds * 1000,
    }),
    fork: createForkSession({ database, idempotency, attachments, insertSession, telemetry }),
    shares,
    memories,
    knowledge,
    share: createShareSession({ database, idempotency, shares }),
    feedback: createFeedbackStore(database),
    commands: createCommands({
      identity: floors.identity,
      sessions,
      catalogue,
      replies,
      replyStore: store,
      follow,
      limiter: floors.limiter,
      budgets,
      messageRateLimit: limits.message_rate_limit,
      keyRateLimit: limits.message_rate_limit_per_key,
    }),
  };
}
