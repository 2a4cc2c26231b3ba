import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; replies take from tenths of a second to minutes. */
const replyBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const queryBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Every metric of the service; `aggregator`: what is made of those of several workers, else their sum. Labels are bounded: sources, statuses, types, route patterns; never ids of users or sessions. */
export function createMetrics(version = "unknown") {
  const registry = new Registry();
  const registers = [registry];
  const build = new Gauge({
    name: "chat_build_info",
    help: "Always 1; the version that runs",
    labelNames: ["version"] as const,
    aggregator: "first",
    registers,
  });
  build.set({ version }, 1);
  const metrics = {
    httpDuration: new Histogram({
      name: "chat_http_request_duration_seconds",
      help: "Time to the end of the response; of streams, to its start",
      labelNames: ["method", "route", "status"] as const,
      buckets: requestBuckets,
      registers,
    }),
    problems: new Counter({
      name: "chat_errors_total",
      help: "Requests answered with an error, by its type",
      labelNames: ["type"] as const,
      registers,
    }),
    replyProblems: new Counter({
      name: "chat_reply_errors_total",
      help: "Replies that failed or were interrupted, by the type of error in their stream",
      labelNames: ["type"] as const,
      registers,
    }),
    sessionsCreated: new Counter({
      name: "chat_sessions_created_total",
      help: "Sessions created",
      registers,
    }),
    messages: new Counter({
      name: "chat_messages_total",
      help: "Messages accepted from users, by type",
      labelNames: ["type"] as const,
      registers,
    }),
    replies: new Counter({
      name: "chat_replies_total",
      help: "Replies ended, by source of the agent and how they ended",
      labelNames: ["source", "status"] as const,
      registers,
    }),
    feedback: new Counter({
      name: "chat_feedback_total",
      help: "Replies rated by users, by agent, model (empty: not known) and rating",
      labelNames: ["agent", "model", "rating"] as const,
      registers,
    }),
    repliesRunning: new Gauge({
      name: "chat_replies_running",
      help: "Replies being made on this node",
      registers,
    }),
    replyDuration: new Histogram({
      name: "chat_reply_duration_seconds",
      help: "From the start of a reply to its end",
      labelNames: ["source"] as const,
      buckets: replyBuckets,
      registers,
    }),
    timeToFirstToken: new Histogram({
      name: "chat_reply_time_to_first_token_seconds",
      help: "From the start of a reply to its first text",
      labelNames: ["source"] as const,
      buckets: replyBuckets,
      registers,
    }),
    tokens: new Counter({
      name: "chat_tokens_total",
      help: "Tokens used, as far as agents tell",
      labelNames: ["direction"] as const,
      registers,
    }),
    viewers: new Gauge({
      name: "chat_stream_viewers",
      help: "Open streams on this node",
      registers,
    }),
    sessionFollowers: new Gauge({
      name: "chat_session_followers",
      help: "Devices that follow what happens to their users' sessions, on this node",
      registers,
    }),
    sessions: new Gauge({
      name: "chat_sessions",
      help: "Sessions in the database, by status; the same on every node",
      labelNames: ["status"] as const,
      aggregator: "first",
      registers,
    }),
    messagesQueued: new Gauge({
      name: "chat_messages_queued",
      help: "Messages that wait for an earlier reply of their session, exactly up to 1,000; the same on every node",
      aggregator: "first",
      registers,
    }),
    messagesQueuedOldest: new Gauge({
      name: "chat_messages_queued_oldest_seconds",
      help: "How long the oldest of these has waited; 0 when there is none; the same on every node",
      aggregator: "first",
      registers,
    }),
    outboxEntries: new Gauge({
      name: "chat_outbox_entries",
      help: "Business events (events) and tasks at other services (jobs) that wait, and those given up in the last week (dead); texts that have yet to be made searchable (search), and those that cannot be (dead); each exactly up to 1,000; the same on every node",
      labelNames: ["outbox", "state"] as const,
      aggregator: "first",
      registers,
    }),
    outboxOldest: new Gauge({
      name: "chat_outbox_oldest_seconds",
      help: "How long the oldest that waits has waited; 0 when there is none; the same on every node",
      labelNames: ["outbox"] as const,
      aggregator: "first",
      registers,
    }),
    upstreamDuration: new Histogram({
      name: "chat_upstream_request_duration_seconds",
      help: "Calls to agents and other services, to the end of their answer",
      labelNames: ["upstream", "outcome"] as const,
      buckets: replyBuckets,
      registers,
    }),
    databaseDuration: new Histogram({
      name: "chat_database_query_duration_seconds",
      help: "Statements and transactions, with the wait for a connection",
      labelNames: ["kind", "outcome"] as const,
      buckets: queryBuckets,
      registers,
    }),
    databaseConnections: new Gauge({
      name: "chat_database_connections",
      help: "Connections of the pool by state; waiting: queries without one",
      labelNames: ["state"] as const,
      registers,
    }),
    cacheDuration: new Histogram({
      name: "chat_cache_operation_duration_seconds",
      help: "Operations of the cache by what became of them",
      labelNames: ["operation", "outcome"] as const,
      buckets: queryBuckets,
      registers,
    }),
    speechDuration: new Histogram({
      name: "chat_speech_duration_seconds",
      help: "Recognition and synthesis by engine",
      labelNames: ["direction", "provider", "outcome"] as const,
      buckets: replyBuckets,
      registers,
    }),
    dependencyUp: new Gauge({
      name: "chat_dependency_up",
      help: "1 if the last look at the dependency found it well, 0 if not; absent where it is not configured",
      labelNames: ["dependency"] as const,
      aggregator: "min",
      registers,
    }),
    dependencyLatency: new Gauge({
      name: "chat_dependency_latency_seconds",
      help: "How long the last look at the dependency took",
      labelNames: ["dependency"] as const,
      aggregator: "max",
      registers,
    }),
    eventLoopDelay: new Gauge({
      name: "chat_event_loop_delay_seconds",
      help: "Longest delay of the event loop in the last seconds",
      aggregator: "max",
      registers,
    }),
  };
  // process_* and nodejs_*: memory, processor time, handles, garbage collection.
  collectDefaultMetrics({ register: registry });
  return { registry, ...metrics };
}

export type Metrics = ReturnType<typeof createMetrics>;
