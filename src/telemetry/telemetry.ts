import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** What identifies a reply in the log. */
export interface ReplyFields {
  readonly replyId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly attempt: number;
  readonly requestId: string;
}

export interface ReplyOutcome {
  readonly status: string;
  readonly errorType: string | null;
  readonly durationMs: number;
  readonly timeToFirstTokenMs: number | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  readonly source: string;
}

/** One function for each business event: its log line and its metrics together. */
export interface Telemetry {
  sessionCreated(fields: { sessionId: string; agentId: string }): void;
  turnAccepted(fields: {
    sessionId: string;
    replyId: string;
    agentId: string;
    type: "text" | "voice";
    queued: boolean;
    joins?: number;
  }): void;
  replyStarted(fields: ReplyFields): void;
  replyEnded(fields: ReplyFields, outcome: ReplyOutcome): void;
  /** A user has said what he thinks of a reply, or thinks otherwise now. */
  rated(fields: {
    sessionId: string;
    replyId: string;
    agentId: string;
    model: string | null;
    rating: "up" | "down";
  }): void;
  /** A request was answered with an error. */
  problem(type: string): void;
  /** A speech engine has done, or failed to do, a piece of work; `outcome` is `ok`, `cancelled` or an error type. */
  speech(work: {
    readonly direction: "recognition" | "synthesis";
    readonly provider: string;
    readonly outcome: string;
    readonly durationMs: number;
  }): void;
  /** A stream was opened (+1) or closed (-1). */
  viewers(change: 1 | -1): void;
}

/** Sessions may name any model: beyond so many of them they are counted together. */
const maxRatedModels = 100;

export function createTelemetry(log: Logger, metrics: Metrics): Telemetry {
  const ratedModels = new Set<string>();
  return {
    sessionCreated(fields) {
      metrics.sessionsCreated.inc();
      log.info(fields, "session created");
    },
    turnAccepted(fields) {
      metrics.messages.inc({ type: fields.type });
      log.debug(fields, "message accepted");
    },
    replyStarted(fields) {
      metrics.repliesRunning.inc();
      log.debug(fields, "reply started");
    },
    replyEnded(fields, outcome) {
      const { source, status, usage } = outcome;
      metrics.repliesRunning.dec();
      metrics.replies.inc({ source, status });
      metrics.replyDuration.observe({ source }, outcome.durationMs / 1000);
      if (outcome.timeToFirstTokenMs !== null) {
        metrics.timeToFirstToken.observe({ source }, outcome.timeToFirstTokenMs / 1000);
      }
      if (usage !== null) {
        metrics.tokens.inc({ direction: "input" }, usage.input_tokens);
        metrics.tokens.inc({ direction: "output" }, usage.output_tokens);
      }
      if (outcome.errorType !== null) metrics.replyProblems.inc({ type: outcome.errorType });
      log.info({ ...fields, ...outcome }, "reply ended");
    },
    rated(fields) {
      const { agentId: agent, model, rating } = fields;
      if (model !== null && ratedModels.size < maxRatedModels) ratedModels.add(model);
      const label = model === null ? "" : ratedModels.has(model) ? model : "other";
      metrics.feedback.inc({ agent, model: label, rating });
      log.info(fields, "reply rated");
    },
    problem(type) {
      metrics.problems.inc({ type });
    },
    speech({ durationMs, ...labels }) {
      metrics.speechDuration.observe(labels, durationMs / 1000);
    },
    viewers(change) {
      metrics.viewers.inc(change);
    },
  };
}
