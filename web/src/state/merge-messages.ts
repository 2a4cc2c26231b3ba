import type { Message, ReplyEvent } from "../api/types.ts";
import { withRead, type MessageView } from "./reply-view.ts";

/**
 * The messages shown, with newer knowledge of some and others behind them. What was added while that knowledge was on
 * its way stays behind it. `isFollowed`: a reply whose events are being shown.
 */
export function mergeMessages(
  shown: readonly MessageView[],
  newer: readonly Message[],
  isFollowed: (messageId: string) => boolean,
): MessageView[] {
  const known = new Map(shown.map((message) => [message.message_id, message]));
  const added = new Set(newer.map((message) => message.message_id));
  const lastCommon = shown.findLastIndex(({ message_id: id }) => added.has(id));
  const isKept = ({ message_id: id }: MessageView) => !added.has(id);
  const later = lastCommon === -1 ? shown.length : lastCommon + 1;
  return [
    ...shown.slice(0, later).filter(isKept),
    ...newer.map((message): MessageView => {
      const before = known.get(message.message_id);
      // What is followed is ahead of what was stored.
      if (before !== undefined && isFollowed(message.message_id)) {
        const { agent_id, parent_id, siblings } = message;
        return {
          ...before,
          agent_id,
          ...(parent_id !== undefined && { parent_id }),
          ...(siblings && { siblings }),
        };
      }
      return before?.live === undefined ? message : withRead({ ...message, live: before.live });
    }),
    ...shown.slice(later),
  ];
}

/**
 * What of the messages shown is still on the path that ends with `tail`, which begins among them or is the whole of it:
 * those that the service has told of and that are not where they were belong to another branch, or are deleted. So do
 * those that it has not told of yet, where a question behind them is on the path: they are no newer than that.
 */
export function stillOnPath(
  shown: readonly MessageView[],
  tail: readonly Message[],
  isWhole: boolean,
): readonly MessageView[] {
  const there = new Set(tail.map((message) => message.message_id));
  const begins = shown.findIndex(({ message_id: id }) => id === tail[0]?.message_id);
  const known = shown.findLastIndex(({ message_id: id, role }) => role === "user" && there.has(id));
  return shown.filter(
    ({ message_id: id, parent_id: parent }, at) =>
      (at < begins && !isWhole) || there.has(id) || (parent === undefined && at > known),
  );
}

/** A question and its reply put to the end, unless they are there; a further question stands before the reply. */
export function withTurn(
  shown: readonly MessageView[],
  event: Extract<ReplyEvent, { type: "user_message" }>,
  agentId: string,
): readonly MessageView[] {
  const has = (id: string) => shown.some((message) => message.message_id === id);
  const shared = {
    session_id: event.session_id,
    timestamp: event.timestamp,
    agent_id: agentId,
    metadata: {},
  };
  const question: MessageView = {
    ...shared,
    message_id: event.user_message_id,
    role: "user",
    content: event.message,
    status: "complete",
  };
  const reply: MessageView = {
    ...shared,
    message_id: event.message_id,
    role: "assistant",
    content: "",
    status: "streaming",
    reply_to: event.user_message_id,
  };
  if (has(question.message_id) && has(reply.message_id)) return shown;
  // It has become part of what waits: the reply is to this one now.
  const at = shown.findIndex((message) => message.message_id === reply.message_id);
  const before = shown[at];
  if (before !== undefined) {
    return [
      ...shown.slice(0, at),
      question,
      { ...before, reply_to: question.message_id },
      ...shown.slice(at + 1),
    ];
  }
  return [...shown, ...(has(question.message_id) ? [] : [question]), reply];
}

/** A reply here that waits, or seems to run though the service is busy with another or with none. */
export function hasLooseEnds(
  shown: readonly MessageView[],
  activeMessageId: string | null | undefined,
  isFollowed: (messageId: string) => boolean,
): boolean {
  return shown.some(
    (message) =>
      message.status === "queued" ||
      (message.status === "streaming" &&
        message.message_id !== activeMessageId &&
        !isFollowed(message.message_id)),
  );
}
