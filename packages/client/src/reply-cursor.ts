import type { ReplyEvent } from "./api-types.ts";

/** Nothing comes after these. */
export type LastEvent = Extract<
  ReplyEvent,
  { type: "conversation_complete" | "cancelled" | "error" }
>;

/**
 * What has been seen of a stream. It may be of several replies: a message that a running reply was to take in, and did not,
 * is answered in the same stream by a reply of its own, with numbers of its own.
 */
export function createCursor(messageId: string | null, after: number) {
  const seen = new Map<string, number>();
  if (messageId !== null) seen.set(messageId, after);
  let current = messageId;
  return {
    /** The reply that is being read; null: not known yet. */
    messageId: () => current,
    /** The number of its last event seen. */
    after: () => seen.get(current ?? "") ?? 0,
    begin(of: string): void {
      current ??= of;
    },
    /** Whether it is news. */
    take(of: string, id: number): boolean {
      if (id <= (seen.get(of) ?? 0)) return false;
      seen.set(of, id);
      current = of;
      return true;
    },
  };
}

export function isLast(event: ReplyEvent): event is LastEvent {
  return (
    event.type === "conversation_complete" || event.type === "cancelled" || event.type === "error"
  );
}

/** The text of a reply after one more event. */
export function textAfter(text: string, event: ReplyEvent): string {
  switch (event.type) {
    case "assistant_chunk":
      return text + event.chunk;
    case "snapshot":
    case "replaced":
      return event.content;
    case "conversation_complete":
    case "cancelled":
    case "error":
      return event.full_response;
    default:
      return text;
  }
}
