import type { ReplyEventBody, ReplyEventType } from "../reply-event.ts";
import type { LoggedEvent } from "./reply-log.ts";

/** The members of an event beside its type, before it has ids and a time. */
export type EventFields<B extends ReplyEventBody = ReplyEventBody> = B extends ReplyEventBody
  ? Omit<B, "type">
  : never;

/** Makes events of one reply as they stand in the log, with the time at which it is called. */
export type StampEvent = (seq: number, type: ReplyEventType, fields: EventFields) => LoggedEvent;

/**
 * One text from the beginning: put together of pieces it would stay pieces in memory, in the log and in the ring, and would
 * have to be made one again for each write.
 */
export function createStamp(sessionId: string, replyId: string): StampEvent {
  return (seq, type, fields) => {
    const timestamp = timestampNow();
    const event = { type, session_id: sessionId, message_id: replyId, timestamp, ...fields };
    return { seq, type, json: JSON.stringify(event) };
  };
}

let stampedMs = Number.NaN;
let stamped = "";

/** Many events are told within one millisecond, and to write its name costs as much as the rest of a short one. */
function timestampNow(): string {
  const nowMs = Date.now();
  if (nowMs !== stampedMs) {
    stampedMs = nowMs;
    stamped = new Date(nowMs).toISOString();
  }
  return stamped;
}
