import type { ReplyEvent } from "../reply-event.ts";
import { pageBytes, pageEvents } from "../reading/reply-feeds.ts";
import type { ReplyLog } from "./reply-log.ts";
import type { ClaimedReply } from "../lifecycle/reply-store.ts";

/**
 * A lost log may have held events after the last checkpoint, and viewers may have seen them. Numbering goes on this far
 * ahead, past anything that can have been appended between two checkpoints, so that no number names two events.
 */
export const lostEvents = 1_024;

/** As `withLogTail` for a log that cannot say what it has. */
export function withoutLog<R extends { readonly eventSeq: number }>(reply: R): R {
  return { ...reply, eventSeq: reply.eventSeq + lostEvents };
}

type Text = Pick<ClaimedReply, "replyId" | "eventSeq" | "content" | "reasoning">;

interface LogTail {
  /** As far as the log has everything. */
  readonly content: string;
  readonly reasoning: string;
  readonly eventSeq: number;
  /** Number of its newest event; null when the log has nothing of the reply. */
  readonly last: number | null;
}

/**
 * What the log has after a reply's checkpoint, up to the first event that is missing. `keepState` leaves everything but
 * text out of account, because a resumed run repeats it.
 */
export async function logTail(log: ReplyLog, reply: Text, keepState = false): Promise<LogTail> {
  let { content, reasoning, eventSeq } = reply;
  const state = await log.stat(reply.replyId);
  if (state === null) return { content, reasoning, eventSeq, last: null };
  for (;;) {
    const { events } = await log.read(reply.replyId, eventSeq, pageEvents, pageBytes);
    const last = events.at(-1);
    // Behind a hole the text would not fit together any more.
    if (last === undefined || events[0]?.seq !== eventSeq + 1) break;
    for (const { json } of events) {
      const event = JSON.parse(json) as ReplyEvent;
      if (event.type === "assistant_chunk") {
        content += event.chunk;
      } else if (event.type === "reasoning_chunk" && !keepState) {
        reasoning += event.chunk;
      } else if (event.type === "snapshot") {
        content = event.content;
      }
    }
    eventSeq = last.seq;
  }
  return { content, reasoning, eventSeq, last: state.last };
}

/** A reply as far as it really came: its checkpoint and what the log has after it. Its next event has a number of its own. */
export async function withLogTail<R extends Text>(
  log: ReplyLog,
  reply: R,
  keepState: boolean,
): Promise<R> {
  const { last, eventSeq, ...text } = await logTail(log, reply, keepState);
  const isWhole = last !== null && last >= reply.eventSeq && last <= eventSeq;
  const newest = isWhole ? eventSeq : Math.max(eventSeq, last ?? 0) + lostEvents;
  return { ...reply, ...text, eventSeq: newest };
}
