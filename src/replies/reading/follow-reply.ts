import { setTimeout } from "node:timers/promises";
import type { ReplyEventBody } from "../reply-event.ts";
import { isTerminal } from "../reply-event.ts";
import type { Cursor, ReplyFeeds } from "./reply-feeds.ts";
import { wireExtras } from "../extras.ts";
import { logTail } from "../log/log-tail.ts";
import { pageBytes, pageEvents, type LoggedEvent, type ReplyLog } from "../log/reply-log.ts";
import type { ReplyProgress, ReplyState } from "../reply.ts";
import { createStamp } from "../log/stamp.ts";
import { terminalEvent } from "../terminal-event.ts";

/** A reply that is being made here: what it has come to by now. */
interface RunningReply {
  snapshot(): Pick<ReplyProgress, "content" | "reasoning" | "extras" | "eventSeq">;
}

interface FollowerOptions {
  readonly feeds: ReplyFeeds;
  readonly log: ReplyLog;
  /** Null when there is no such reply (any more). */
  readonly store: { find(replyId: string): Promise<ReplyState | null> };
  readonly runnerOf: (replyId: string) => RunningReply | undefined;
}

/** The next events, or null when nothing happened for the heartbeat time. */
export type Followed = readonly LoggedEvent[] | null;

export type FollowReply = ReturnType<typeof createFollowReply>;

/** While the events after a viewer's cursor are nowhere to be had, the row is asked this often … */
const gapPauseMs = 1_000;
/** … and after so many times the viewer is cut; it comes back with its cursor. */
const maxFruitlessGaps = 60;

/**
 * Every event of a reply after `after`, once and in order, from whatever node, while it runs and after it has ended.
 * Ends after the terminal event, after a `paused` event that nothing follows yet, and when the reply was deleted.
 * Where events are no longer kept, a `snapshot` stands for them.
 */
export function createFollowReply({ feeds, log, store, runnerOf }: FollowerOptions) {
  /** The events after `after` of a running reply, or what stands for those that are not kept; empty when there are none. */
  const catchUp = async (state: ReplyState, after: number, runner: RunningReply | undefined) => {
    if (runner !== undefined) {
      const current = runner.snapshot();
      return after < current.eventSeq ? [snapshotEvent(state, current, current.eventSeq)] : [];
    }
    if (state.status !== "streaming") return [];
    const { events } = await log.read(state.replyId, after, pageEvents, pageBytes);
    // They were written while the row was asked.
    if (events[0]?.seq === after + 1) return events;
    const kept = await log.stat(state.replyId);
    if (kept === null || kept.last < state.eventSeq) {
      // Only the database is left: its last checkpoint, which is seldom older than a second.
      // A reply without text is only beginning: its first events are on their way.
      const isTold = state.content !== "" || state.reasoning !== "";
      return isTold && after < state.eventSeq ? [snapshotEvent(state, state, state.eventSeq)] : [];
    }
    const reply = await logTail(log, state);
    // The tail may hold the end, which no snapshot stands for; its row is written before its event.
    const now = await store.find(state.replyId);
    const end = now === null ? [] : ending(now, after);
    if (end !== null) return end;
    return after < reply.eventSeq ? [snapshotEvent(state, reply, reply.eventSeq)] : [];
  };

  /**
   * What is left to show of a reply whose row is gone: what the log still has, then an end. Its owner would have told
   * one, and has died.
   */
  const lastWords = async (
    replyId: string,
    shown: LoggedEvent,
  ): Promise<readonly LoggedEvent[]> => {
    const { events } = await log.read(replyId, shown.seq, pageEvents, pageBytes);
    if (events[0]?.seq === shown.seq + 1) return events;
    const untold = { replyId, eventSeq: 0, content: "", reasoning: "", extras: null };
    const { content, eventSeq } = await logTail(log, untold);
    const { session_id: sessionId } = JSON.parse(shown.json) as { session_id: string };
    const gone = { full_response: content, reason: "session_deleted" };
    const seq = Math.max(eventSeq, shown.seq) + 1;
    return [createStamp(sessionId, replyId)(seq, "cancelled", gone)];
  };

  return async function* followReply(
    replyId: string,
    after: number,
    signal: AbortSignal,
    /** No null while the reply is made here. */
    isQuiet = false,
  ): AsyncGenerator<Followed, void, void> {
    const cursor: Cursor = { seq: after };
    const follower = feeds.follow(replyId, cursor, signal, isQuiet);
    let fruitless = 0;
    let shown: LoggedEvent | undefined;
    try {
      for (let item = await follower.next(); item !== null; item = await follower.next()) {
        let events: readonly LoggedEvent[];
        if (item.kind === "events") {
          fruitless = 0;
          events = item.events;
        } else {
          // The row is asked at every heartbeat too: it knows the end even if the log has lost it.
          const runner = runnerOf(replyId);
          if (item.kind === "idle" && runner !== undefined) {
            yield null;
            continue;
          }
          const state = await store.find(replyId);
          if (state === null) {
            if (shown === undefined) return;
            events = await lastWords(replyId, shown);
          } else {
            events =
              ending(state, cursor.seq) ??
              (item.kind === "gap" ? await catchUp(state, cursor.seq, runner) : []);
            if (events.length === 0 && isOver(state)) return;
          }
          const last = events.at(-1);
          if (last !== undefined) {
            cursor.seq = last.seq;
          } else if (item.kind === "gap" && item.isAhead) {
            fruitless += 1;
            if (fruitless > maxFruitlessGaps) {
              throw new Error("the events after the cursor are lost");
            }
            await setTimeout(gapPauseMs, undefined, { signal }).catch(() => undefined);
            if (fruitless % 5 === 0) yield null;
            continue;
          }
        }
        yield events.length === 0 ? null : events;
        const last = events.at(-1);
        if (last === undefined) continue;
        shown = last;
        if (isTerminal(last.type)) return;
        if (last.type === "paused" && (await store.find(replyId))?.status === "paused") return;
      }
    } finally {
      follower.close();
    }
  };
}

/**
 * The events after `after` of a reply that runs no longer, for now or for good; null while it runs or waits. Who is
 * further than its end has read an owner that had lost it: the end and the text are for that one too.
 */
function ending(state: ReplyState, after: number): LoggedEvent[] | null {
  if (!isOver(state) && state.status !== "paused") return null;
  // The last event's number belongs to the end itself.
  const covered = state.eventSeq - 1;
  const isAhead = after > state.eventSeq;
  return [
    ...(isAhead || after < covered ? [snapshotEvent(state, state, covered)] : []),
    ...(isAhead || after < state.eventSeq
      ? [logged(state, state.eventSeq, terminalEvent(state.agentId, state.content, endOf(state)))]
      : []),
  ];
}

function snapshotEvent(
  state: ReplyState,
  { content, reasoning, extras }: Pick<ReplyState, "content" | "reasoning" | "extras">,
  seq: number,
): LoggedEvent {
  return logged(state, seq, {
    type: "snapshot",
    content,
    ...(reasoning !== "" && { reasoning }),
    ...wireExtras(extras),
  });
}

function logged(state: ReplyState, seq: number, { type, ...fields }: ReplyEventBody): LoggedEvent {
  return createStamp(state.sessionId, state.replyId)(seq, type, fields);
}

function isOver(state: ReplyState): boolean {
  return !["queued", "streaming", "paused"].includes(state.status);
}

function endOf(state: ReplyState): Parameters<typeof terminalEvent>[2] {
  return {
    status: state.status as Parameters<typeof terminalEvent>[2]["status"],
    finishReason: state.finishReason ?? "stop",
    usage: state.usage,
    context: state.context,
    outputFormat: state.outputFormat,
    error: state.error,
    requirements: state.requirements,
    durationMs: state.durationMs ?? 0,
    timeToFirstTokenMs: state.timeToFirstTokenMs,
  };
}
