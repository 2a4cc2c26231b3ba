import type { MessageView } from "./reply-view.ts";

/** A piece of a reply's text, or what the user said at this place. */
export type ReplyPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "message"; readonly message: MessageView };

/** A message as it is drawn, with those of the user that stand in its text. */
export interface Drawn {
  readonly message: MessageView;
  readonly taken: readonly MessageView[];
}

const none: readonly MessageView[] = [];

/**
 * The messages with those in place that replies have taken in while they were made: they stand in the text of these, and
 * the replies that were to be made to them are none.
 */
export function withTaken(messages: readonly MessageView[]): readonly Drawn[] {
  const takers = messages.filter(({ steered }) => steered !== undefined && steered.length > 0);
  if (takers.length === 0) return messages.map((message) => ({ message, taken: none }));
  const byId = new Map(messages.map((message) => [message.message_id, message]));
  const ids = new Set(
    takers.flatMap(({ steered = [] }) => steered.map(({ message_id: id }) => id)),
  );
  return messages
    .filter(({ message_id: id, status, reply_to: question }) =>
      status === "queued" ? !ids.has(question ?? "") : !ids.has(id),
    )
    .map((message) => ({
      message,
      taken: message.steered?.flatMap(({ message_id: id }) => byId.get(id) ?? []) ?? none,
    }));
}

/** The text of a reply, cut where it has taken messages in. */
export function partsOf(
  { content, steered = [] }: MessageView,
  taken: Drawn["taken"],
): ReplyPart[] {
  const parts: ReplyPart[] = [];
  let from = 0;
  for (const { message_id: id, text_start: at } of steered) {
    const message = taken.find((each) => each.message_id === id);
    if (message === undefined) continue;
    const to = Math.max(from, Math.min(at, content.length));
    if (to > from) parts.push({ kind: "text", text: content.slice(from, to) });
    parts.push({ kind: "message", message });
    from = to;
  }
  if (from < content.length) parts.push({ kind: "text", text: content.slice(from) });
  return parts;
}
