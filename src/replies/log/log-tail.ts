import type { ReplyEvent } from "../reply-event.ts";
import { pageBytes, pageEvents } from "../reading/reply-feeds.ts";
import type { ReplyLog } from "./reply-log.ts";
import type { ClaimedReply } from "../lifecycle/reply-store.ts";

/**
 * A lost log may have held events after the last checkpoint, and viewers may have seen them. Numbering goes on this far
 * ahead, past anything that can have been appended between two checkpoints, so that no number names two events.
 */
export const lostEvents = 1_024;

/** As `withLogTail` for a log that keeps nothing of it, or cannot say. */
export function withoutLog<R extends { readonly eventSeq: number }>(reply: R): R {
  return { ...reply, eventSeq: reply.eventSeq + lostEvents };
}

/**
 * A reply as far as it really came: its checkpoint and what the log has after it. `keepState` leaves everything but text out of account, because a resumed run repeats it.
 */
export async function withLogTail<
  R extends Pick<ClaimedReply, "replyId" | "eventSeq" | "content" | "reasoning">,
>(log: ReplyLog, reply: R, keepState = false): Promise<R> {
  const state = await log.stat(reply.replyId);
  if (state === null || state.last < reply.eventSeq) {
    return withoutLog(reply);
  }
  let { content, reasoning, eventSeq } = reply;
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
  return { ...reply, content, reasoning, eventSeq };
}
