import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; replies take from tenths of a second to minutes. */
const replyBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Every metric of the service. Labels are bounded: sources, statuses, types, route patterns; never ids of users or sessions. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
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
      help: "Errors told to callers, by type",
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
  };
  return { registry, ...metrics };
}

export type Metrics = ReturnType<typeof createMetrics>;
