import type { ReplyEventBody, ReplyEventType } from "../reply-event.ts";
import type { LoggedEvent } from "./reply-log.ts";

/** The members of an event beside its type, before it has ids and a time. */
export type EventFields<B extends ReplyEventBody = ReplyEventBody> = B extends ReplyEventBody
  ? Omit<B, "type">
  : never;

/** Makes events of one reply as they stand in the log, with the time at which it is called. */
export type StampEvent = (seq: number, type: ReplyEventType, fields: EventFields) => LoggedEvent;

/** What is the same in all events of a reply is serialised once: this is done for every piece of text. */
export function createStamp(sessionId: string, replyId: string): StampEvent {
  const ids = JSON.stringify({ session_id: sessionId, message_id: replyId }).slice(1, -1);
  return (seq, type, fields) => {
    const members = JSON.stringify(fields).slice(1);
    const stamp = `{"type":"${type}",${ids},"timestamp":"${new Date().toISOString()}"`;
    return { seq, type, json: members === "}" ? `${stamp}}` : `${stamp},${members}` };
  };
}
