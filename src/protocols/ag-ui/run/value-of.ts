import type { ReplyEvent } from "../../../replies/reply-event.ts";

/** An event of ours, without what is on every one. */
export function valueOf(event: ReplyEvent): object {
  const {
    type: _type,
    session_id: _session,
    message_id: _message,
    timestamp: _time,
    ...value
  } = event;
  return value;
}
