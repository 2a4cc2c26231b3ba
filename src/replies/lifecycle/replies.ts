import type { Catalogue } from "../../agents/catalogue.ts";
import type { Decision } from "../../agents/agent-backend.ts";
import type { Database } from "../../database/database.ts";
import type { RecordEvent } from "../../events/business-event.ts";
import { Problem } from "../../problems/problem.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { Checkpoints } from "../making/checkpoints.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import type { ReplyFeeds } from "../reading/reply-feeds.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import { ReplyRunner, type RunMode, type RunnerOptions } from "../making/reply-runner.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import type { SpeakReply } from "../making/reply-speech.ts";
import type { ClaimedReply, ReplyState, ReplyStore, UnfinishedReply } from "./reply-store.ts";
import { createFlushBeat } from "../making/flush-beat.ts";
import { ReplyWriter } from "../making/reply-writer.ts";
import { stateContext } from "../making/backend-state.ts";
import { withLogTail } from "../log/log-tail.ts";

export interface RepliesOptions {
  readonly database: Database;
  readonly log: ReplyLog;
  readonly feeds: ReplyFeeds;
  readonly store: ReplyStore;
  readonly checkpoints: Checkpoints;
  readonly catalogue: Catalogue;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  readonly speak: SpeakReply;
  /** Notes a completed reply for other services, in its own transaction. */
  readonly recordEvent: RecordEvent;
  readonly attachmentsOf: RunnerOptions["attachmentsOf"];
  readonly historyMessages: number;
  readonly maxReplyMs: number;
  readonly maxReplyLength: number;
  readonly leaseMs: number;
  readonly limits: {
    readonly perNode: number;
    readonly perSource: number;
    /** 0: no limit. */
    readonly perUser: number;
  };
}

/** What a cancellation found. */
export type CancelResult = "cancelled" | "stopping" | "not_running";

/** Viewers on all nodes have read a reply's last event after this long. */
const dropDelayMs = 5_000;

export type Replies = ReturnType<typeof createReplies>;

/**
 * The replies of this node: starts, stops and hands on. At most one reply of a session is being made at any time, on
 * whatever node; the next in the queue starts in the same transaction in which one ends.
 */
export function createReplies(options: RepliesOptions) {
  const { store, log, feeds, catalogue, telemetry, logger, limits } = options;
  const running = new Map<string, ReplyRunner>();
  /** Ends of running replies, for those who wait for the node to become idle. */
  const idle = new Set<() => void>();
  let draining = false;
  const beat = createFlushBeat();

  const runnerOptions: RunnerOptions = {
    log,
    feeds,
    beat,
    store,
    checkpoints: options.checkpoints,
    telemetry,
    logger,
    speak: options.speak,
    recordEvent: options.recordEvent,
    attachmentsOf: options.attachmentsOf,
    historyMessages: options.historyMessages,
    maxReplyMs: options.maxReplyMs,
    maxReplyLength: options.maxReplyLength,
    leaseRenewalMs: options.leaseMs / 3,
    claimsNext: () => !draining,
  };

  const stopListening = log.onSignal((replyId) => {
    const runner = running.get(replyId);
    if (runner !== undefined) void obey(runner);
  });

  /** Somebody changed the row of a reply that runs here. */
  const obey = async (runner: ReplyRunner) => {
    const { replyId, attempt } = runner.reply;
    const state = await store.find(replyId).catch(() => undefined);
    // Unreachable database: the next checkpoint asks again.
    if (state === undefined) return;
    if (state === null) runner.stop(new ReplyStopped("deleted", "session_deleted"));
    else if (state.attempt !== attempt) runner.stop(new ReplyStopped("fenced"));
    else if (state.cancelReason !== null) {
      runner.stop(new ReplyStopped("cancelled", state.cancelReason));
    }
  };

  /** Runs a claimed reply, and after it those that waited behind it. Returns when the first is under way. */
  const launch = (first: ClaimedReply, mode: RunMode, userToken?: string): void => {
    const chain = async () => {
      let reply: ClaimedReply | null = first;
      let how = mode;
      let token = userToken;
      while (reply !== null) {
        reply = await runOne(reply, how, token);
        how = { kind: "run" };
        token = undefined;
      }
    };
    chain().catch((error: unknown) =>
      logger.error({ replyId: first.replyId, err: error }, "a reply's run ended unexpectedly"),
    );
  };

  const runOne = async (
    reply: ClaimedReply,
    mode: RunMode,
    userToken?: string,
  ): Promise<ClaimedReply | null> => {
    const agent = catalogue.find(reply.agentId) ?? null;
    const runner = new ReplyRunner(reply, agent, runnerOptions, userToken);
    running.set(reply.replyId, runner);
    try {
      // A waiting reply that outlived its log (a restart) gets its first events again, under the same numbers.
      if (mode.kind === "run") await restoreOpening(reply);
      return await runner.run(mode);
    } finally {
      running.delete(reply.replyId);
      if (runner.isDeleted) dropLater(reply.replyId);
      if (running.size === 0) {
        for (const resolve of idle) resolve();
        idle.clear();
      }
    }
  };

  /** Events of a deleted reply: its viewers are told the end, then nothing is left. */
  const dropLater = (replyId: string) => {
    setTimeout(() => {
      log
        .drop(replyId)
        .catch((error: unknown) =>
          logger.warn(
            { replyId, err: error },
            "the events of a deleted reply could not be dropped",
          ),
        );
    }, dropDelayMs).unref();
  };

  const restoreOpening = async (reply: ClaimedReply) => {
    if (reply.eventSeq === 0 || (await log.stat(reply.replyId)) !== null) return;
    const writer = openingWriter(reply, 0);
    writer.emit(openingEvent(reply));
    if (reply.eventSeq > 1) writer.emit({ type: "queued", position: 1 });
    await writer.flushed();
  };

  const openingWriter = (
    reply: { replyId: string; sessionId: string; attempt: number },
    last: number,
  ) =>
    new ReplyWriter({
      replyId: reply.replyId,
      sessionId: reply.sessionId,
      epoch: reply.attempt,
      last,
      log,
      feeds,
      beat,
      onLost: (error) =>
        logger.warn({ replyId: reply.replyId, err: error }, "reply log refused the first events"),
    });

  /** Ends a queued or paused reply; the caller holds the session's lock in `tx`, and tells the end after the commit. */
  const tellCancelled = async (
    state: { replyId: string; sessionId: string; content: string },
    ended: { eventSeq: number; attempt: number },
    reason: string,
  ) => {
    const writer = openingWriter({ ...state, attempt: ended.attempt }, ended.eventSeq - 1);
    writer.emit({ type: "cancelled", full_response: state.content, reason });
    await writer.flushed();
  };

  const startWaiting = async (sessionId: string): Promise<void> => {
    if (draining) return;
    const next = await store.claimWaiting(sessionId);
    if (next !== null) launch(next, { kind: "run" });
  };

  /** Nobody will continue this paused run: its source may let go of it. */
  const abandon = async (state: ReplyState) => {
    const agent = catalogue.find(state.agentId);
    if (agent?.backend.abandon === undefined || state.turn === null) return;
    const { turn, backendState } = state;
    try {
      await agent.backend.abandon(
        {
          replyId: state.replyId,
          attempt: state.attempt,
          sessionId: state.sessionId,
          userId: state.userId,
          agentId: agent.agentId,
          message: state.userMessage,
          attachments: [],
          settings: turn.settings,
          language: turn.language,
          requestId: turn.requestId,
          history: () => Promise.resolve([]),
        },
        backendState ?? {},
      );
    } catch (error) {
      logger.warn({ replyId: state.replyId, err: error }, "a paused run could not be abandoned");
    }
  };

  /** A run that its source still has goes on under the next attempt; any other ends with the text that had arrived. */
  const recoverOne = async (orphan: ClaimedReply) => {
    const resumable =
      orphan.backendState !== null && catalogue.find(orphan.agentId)?.backend.resume !== undefined;
    const reply = await withLogTail(log, orphan, resumable);
    const length = stateContext(orphan.backendState)?.contentLength ?? orphan.content.length;
    launch(reply, resumable ? { kind: "resume", stateLength: length } : { kind: "interrupt" });
  };

  return {
    /** Raises `overloaded` or `rate_limited` when this node takes no more replies for now; costs nothing. */
    admit(agentId: string, userId: string): void {
      if (draining) throw new Problem("shutting_down", {}, { retryAfterSeconds: 1 });
      if (running.size >= limits.perNode) {
        throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
      }
      const source = catalogue.find(agentId)?.backend.source;
      let ofSource = 0;
      let ofUser = 0;
      // Counting costs microseconds at the largest allowed number; counters that drift cost nights.
      for (const runner of running.values()) {
        if (runner.source === source) ofSource += 1;
        if (runner.reply.turn.userId === userId) ofUser += 1;
      }
      if (ofSource >= limits.perSource) {
        throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
      }
      if (limits.perUser > 0 && ofUser >= limits.perUser) {
        throw new Problem("rate_limited", { seconds: 2 }, { retryAfterSeconds: 2 });
      }
    },

    /** The turn was stored: writes the reply's first events and, unless it waits, starts it. */
    async begin(
      reply: ClaimedReply,
      queuePosition: number | null,
      userToken?: string,
    ): Promise<void> {
      // From its first event on, so that this node's memory has the whole reply.
      if (queuePosition === null) feeds.own(reply.replyId, 0);
      const writer = openingWriter(reply, 0);
      writer.emit(openingEvent(reply));
      if (queuePosition !== null) writer.emit({ type: "queued", position: queuePosition });
      await writer.flushed();
      if (queuePosition === null) launch(reply, { kind: "run" }, userToken);
    },

    /** Runs a reply that this node has claimed by other means (a paused one that goes on). */
    continue(reply: ClaimedReply, decisions: readonly Decision[], userToken?: string): void {
      launch(reply, { kind: "continue", decisions }, userToken);
    },

    /** Starts the next waiting reply of a session, if nothing runs there. */
    startWaiting,

    /** Tells the end of replies that a transaction has cancelled while nobody made them. */
    tellCancelled,

    /** Stops a reply wherever it runs. After "stopping" its end follows shortly, in the stream and in its row. */
    async cancel(state: ReplyState, reason: string): Promise<CancelResult> {
      const result = await options.database.transaction(async (tx) => {
        await tx.query("SELECT 1 FROM sessions WHERE session_id = $1 FOR UPDATE", [
          state.sessionId,
        ]);
        const ended = await store.cancelIdle(tx, state.sessionId, state.replyId, reason);
        if (ended !== null) return { ended };
        const asked = await store.requestCancel(tx, state.sessionId, state.replyId, reason);
        return asked ? "stopping" : "not_running";
      });
      if (result === "stopping") {
        running.get(state.replyId)?.stop(new ReplyStopped("cancelled", reason));
        await log.signal(state.replyId);
        return result;
      }
      if (result === "not_running") return result;
      await tellCancelled(state, result.ended, reason);
      if (state.status === "paused") await abandon(state);
      await startWaiting(state.sessionId);
      return "cancelled";
    },

    /** The reply's row is gone (its session was deleted): stops its run wherever it is, and tells its viewers. */
    async forget(reply: UnfinishedReply): Promise<void> {
      if (reply.status === "streaming") {
        running.get(reply.replyId)?.stop(new ReplyStopped("deleted", "session_deleted"));
        await log.signal(reply.replyId);
        return;
      }
      const ended = { eventSeq: reply.eventSeq + 1, attempt: reply.attempt + 1 };
      await tellCancelled(reply, ended, "session_deleted");
      dropLater(reply.replyId);
    },

    /** The reply's row asks for a cancellation, set in the caller's own transaction: its owner looks at once. */
    signal: (replyId: string): Promise<void> => log.signal(replyId),

    abandon,

    /** Of a reply that runs on this node; undefined for others. */
    running(replyId: string): ReplyRunner | undefined {
      return running.get(replyId);
    },

    /** Takes over what dead nodes have left; `everything` when no other process can be running replies. */
    async recover(everything: boolean): Promise<number> {
      if (draining) return 0;
      const orphans = await store.claimOrphans(20, everything);
      for (const orphan of orphans) {
        await recoverOne(orphan);
      }
      for (const sessionId of await store.stalledSessions(20)) await startWaiting(sessionId);
      return orphans.length;
    },

    stats: () => ({ running: running.size }),

    /** Takes no new replies, lets running ones end for `graceMs`, then marks the rest as interrupted. */
    async drain(graceMs: number): Promise<void> {
      draining = true;
      const empty = () =>
        running.size === 0
          ? Promise.resolve()
          : new Promise<void>((resolve) => {
              idle.add(resolve);
            });
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([empty(), deadline]);
      clearTimeout(timer);
      for (const runner of running.values()) runner.stop(new ReplyStopped("shutdown"));
      await empty();
      stopListening();
    },
  };
}

function openingEvent(reply: ClaimedReply): ReplyEventBody {
  const { processedMessage } = reply.turn;
  return {
    type: "user_message",
    message: reply.message,
    user_message_id: reply.userMessageId,
    reply_message_id: reply.replyId,
    ...(processedMessage !== undefined && { processed_message: processedMessage }),
  };
}
