import { setTimeout as delay } from "node:timers/promises";
import type { FollowedReply } from "../../chat/spoken-conversation.ts";
import { Problem } from "../../problems/problem.ts";
import type { Replies } from "../../replies/lifecycle/replies.ts";
import { isTerminal } from "../../replies/reply-event.ts";
import type { LoggedEvent, ReplyLog } from "../../replies/log/reply-log.ts";
import type { ReplyStore } from "../../replies/lifecycle/reply-store.ts";
import type { ReplyState } from "../../replies/reply.ts";
import { createPlayback, type Playback, type SpokenChunk } from "./playback.ts";

export interface SpokenRepliesOptions {
  readonly replies: Pick<Replies, "cancel" | "cutToHeard">;
  readonly store: Pick<ReplyStore, "find">;
  readonly log: Pick<ReplyLog, "read">;
  readonly send: (message: object) => void;
  readonly tell: (error: unknown) => void;
}

/** The replies that one client listens to, and how to stop them. */
export interface SpokenReplies {
  following(reply: FollowedReply): void;
  shown(replyId: string, event: LoggedEvent): void;
  /** The listener is so far in a reply; raises `message_not_found` for one that this connection does not show. */
  played(replyId: string, playedMs: number, isStopped: boolean): void;
  /** Whether any reply is being made or heard. */
  isActive(): boolean;
  /** Stops all that are being made or heard: somebody speaks over them. */
  interruptAll(): void;
  /** Stops one at the listener's wish; raises as `played` does. */
  interrupt(replyId: string, playedMs: number | undefined): void;
  /** Resolves when what was interrupted is stored as it was heard. */
  settled(): Promise<void>;
}

interface Listened {
  readonly replyId: string;
  readonly playback: Playback;
  readonly isResumed: boolean;
  isSpoken: boolean;
  /** Nothing of it is being written: it is over, or waits for a person. */
  isAtRest: boolean;
  isInterrupted: boolean;
  /** Wakes who waits for news of it. */
  news: PromiseWithResolvers<void>;
}

const maxListened = 32;
/** The listener gets so long to say how far it came. */
const lastWordMs = 1_000;
/** A reply's end is waited for so long; then its text stays as it is. */
const endPatienceMs = 10_000;
const lookEveryMs = 250;

export function createSpokenReplies(options: SpokenRepliesOptions): SpokenReplies {
  const { replies, store, log, send, tell } = options;
  const listened = new Map<string, Listened>();
  let cutting: Promise<void> = Promise.resolve();

  const isActive = (each: Listened) =>
    !each.isInterrupted && (!each.isAtRest || each.playback.isPlaying());

  function find(replyId: string): Listened {
    const found = listened.get(replyId);
    if (!found) throw new Problem("message_not_found", { messageId: replyId });
    return found;
  }

  function wake(each: Listened): void {
    each.news.resolve();
    each.news = Promise.withResolvers();
  }

  /** What the client has received before it came to this connection. */
  async function lookBack(each: Listened, until: number): Promise<void> {
    let after = 0;
    while (after < until) {
      const { events } = await log.read(each.replyId, after, 200, 64 * 1024);
      for (const event of events) {
        if (event.seq > until) return;
        add(each, event, false);
      }
      const last = events.at(-1);
      if (!last) return;
      after = last.seq;
    }
  }

  function add(each: Listened, event: LoggedEvent, isNew: boolean): void {
    if (event.type !== "audio_chunk") return;
    each.isSpoken = true;
    each.playback.add(chunkOf(event), isNew);
  }

  /** Resolves at news of the reply, or after a moment. */
  async function newsOf(each: Listened, patienceMs: number): Promise<void> {
    const enough = new AbortController();
    await Promise.race([
      each.news.promise,
      delay(patienceMs, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
    enough.abort();
  }

  async function lastWord(each: Listened): Promise<void> {
    const deadlineMs = performance.now() + lastWordMs;
    while (each.playback.isPlaying()) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return;
      await newsOf(each, leftMs);
    }
  }

  /** The reply once it has ended; null when it is gone, or does not end. */
  async function ended(each: Listened): Promise<ReplyState | null> {
    const deadlineMs = performance.now() + endPatienceMs;
    for (;;) {
      const state = await store.find(each.replyId);
      if (state === null || !isUnfinished(state)) return state;
      if (performance.now() > deadlineMs) return null;
      await newsOf(each, lookEveryMs);
    }
  }

  /** Stops a reply wherever it is made, and keeps of its text what was heard. */
  async function cut(each: Listened, waitsForLastWord: boolean): Promise<void> {
    const { replyId, playback } = each;
    const state = await store.find(replyId);
    if (state === null) return;
    if (isUnfinished(state)) {
      const { sessionId } = state;
      await replies.cancel({ sessionId, replyId, reason: "interrupted_by_user" });
    }
    if (waitsForLastWord) await lastWord(each);
    playback.stop();
    const end = await ended(each);
    // A text that nobody was to hear was read; one that was heard elsewhere is not known here.
    if (end === null || !each.isSpoken || (each.isResumed && !playback.isAcknowledged)) return;
    const { content, sessionId } = end;
    const { playedMs } = playback;
    const length = playback.heardLength(content, end.status === "complete");
    if (length < content.length && !(await replies.cutToHeard({ ...end, length }))) return;
    send({
      type: "playback_interrupted",
      message_id: replyId,
      session_id: sessionId,
      played_ms: playedMs,
      spoken: content.slice(0, length),
      unspoken: content.slice(length),
    });
  }

  function interrupt(each: Listened, waitsForLastWord: boolean): void {
    each.isInterrupted = true;
    send({ type: "stop_playback", message_id: each.replyId });
    const done = cut(each, waitsForLastWord).catch(tell);
    cutting = Promise.all([cutting, done]).then(() => undefined);
  }

  return {
    following({ replyId, after, isSpoken, isResumed }) {
      if (listened.has(replyId)) return;
      for (const [id, each] of listened) {
        if (listened.size < maxListened) break;
        if (!isActive(each)) listened.delete(id);
      }
      if (listened.size >= maxListened) return;
      const each: Listened = {
        replyId,
        playback: createPlayback(),
        isResumed,
        isSpoken,
        isAtRest: false,
        isInterrupted: false,
        news: Promise.withResolvers(),
      };
      listened.set(replyId, each);
      if (after > 0) lookBack(each, after).catch(tell);
    },
    shown(replyId, event) {
      const each = listened.get(replyId);
      if (!each) return;
      add(each, event, true);
      each.isAtRest = isTerminal(event.type) || event.type === "paused";
      if (each.isAtRest) wake(each);
    },
    played(replyId, playedMs, isStopped) {
      const each = find(replyId);
      each.playback.acknowledge(playedMs);
      if (!isStopped) return;
      each.playback.stop();
      wake(each);
    },
    isActive: () => [...listened.values()].some(isActive),
    interruptAll() {
      for (const each of listened.values()) if (isActive(each)) interrupt(each, true);
    },
    interrupt(replyId, playedMs) {
      const each = find(replyId);
      if (each.isInterrupted) return;
      if (playedMs !== undefined) each.playback.acknowledge(playedMs);
      interrupt(each, false);
    },
    settled: () => cutting,
  };
}

function isUnfinished({ status }: ReplyState): boolean {
  return status === "queued" || status === "streaming" || status === "paused";
}

function chunkOf({ seq, json }: LoggedEvent): SpokenChunk {
  // Written by this service.
  const event = JSON.parse(json) as {
    sequence: number;
    start_ms: number;
    duration_ms: number | null;
    text_start: number;
    text_end: number;
  };
  return {
    seq,
    sequence: event.sequence,
    startMs: event.start_ms,
    durationMs: event.duration_ms ?? 0,
    textStart: event.text_start,
    textEnd: event.text_end,
  };
}
