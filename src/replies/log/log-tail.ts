import {
  noExtras,
  withCustomEvent,
  withSources,
  withSteered,
  withSuggestions,
  withTasks,
  type Extras,
} from "../extras.ts";
import type { ReplyEvent } from "../reply-event.ts";
import { pageBytes, pageEvents, type ReplyLog } from "./reply-log.ts";
import type { ClaimedReply } from "../reply.ts";

/**
 * An owner that has lost its reply may have told events after the last checkpoint, and goes on until it hears of it.
 * Whoever takes over numbers so far ahead, once for each time it was taken over without being stored: past anything that
 * can have been told between two checkpoints, so that no number names two events.
 */
export const lostEvents = 1_024;

type Numbered = Pick<ClaimedReply, "eventSeq" | "recoveries">;

/** The number after which a reply goes on that was taken over; `last`: the newest that its log has. */
export function newestOf({ eventSeq, recoveries }: Numbered, last: number | null): number {
  return Math.max(eventSeq, last ?? 0) + lostEvents * Math.max(1, recoveries);
}

type Text = Pick<ClaimedReply, "replyId" | "eventSeq" | "content" | "reasoning" | "extras">;

interface LogTail {
  /** As far as the log has everything. */
  readonly content: string;
  readonly reasoning: string;
  readonly extras: Extras | null;
  readonly eventSeq: number;
  /** Number of its newest event; null when the log has nothing of the reply. */
  readonly last: number | null;
}

/**
 * What the log has after a reply's checkpoint, up to the first event that is missing. `keepState` leaves everything but
 * text and what can be told twice out of account, because a resumed run repeats it.
 */
export async function logTail(log: ReplyLog, reply: Text, keepState = false): Promise<LogTail> {
  let { content, reasoning, extras, eventSeq } = reply;
  const state = await log.stat(reply.replyId);
  if (state === null) return { content, reasoning, extras, eventSeq, last: null };
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
      } else if (event.type === "snapshot" || event.type === "replaced") {
        content = event.content;
      } else if (event.type === "sources") {
        ({ extras } = withSources(extras ?? noExtras, event.sources));
      } else if (event.type === "steered") {
        const { user_message_id, text_start } = event;
        extras = withSteered(extras ?? noExtras, { message_id: user_message_id, text_start });
      } else if (event.type === "suggestions") {
        extras = withSuggestions(extras ?? noExtras, event.suggestions);
      } else if (event.type === "tasks") {
        extras = withTasks(extras ?? noExtras, event.tasks);
      } else if (event.type === "agent_custom") {
        ({ extras } = withCustomEvent(extras ?? noExtras, event));
      }
    }
    eventSeq = last.seq;
  }
  return { content, reasoning, extras, eventSeq, last: state.last };
}

/** A lost reply as far as it really came, its checkpoint and what the log has after it, under a number of its own. */
export async function withLogTail<R extends Text & Numbered>(
  log: ReplyLog,
  reply: R,
  keepState: boolean,
): Promise<R> {
  const { last, eventSeq, ...text } = await logTail(log, reply, keepState);
  return { ...reply, ...text, eventSeq: newestOf({ ...reply, eventSeq }, last) };
}

/** The same where the log cannot say what it has. */
export function withoutLog<R extends Numbered>(reply: R): R {
  return { ...reply, eventSeq: newestOf(reply, null) };
}
