import type { FoundSession } from "../../sessions/session-store.ts";
import { headOf, parentOf } from "../../tree/tree.ts";
import type { Anchor } from "../../replies/lifecycle/anchor.ts";
import { userMessage } from "../said.ts";
import type { KnownMessage, KnownMessages } from "./known-messages.ts";
import { notOurs, type ChatTurn } from "./request.ts";

/** Where a turn belongs: at a place, to a reply that is being made; null: ids do not tell. */
export type ChatPlace =
  | { readonly kind: "at"; readonly at: Anchor }
  | { readonly kind: "reply"; readonly replyId: string }
  | null;

/**
 * Finds it by the ids of the client's messages. What is being made already is not made once more: whoever asks again for a
 * lost answer gets that one.
 */
export async function placeChat(
  known: KnownMessages,
  session: FoundSession,
  turn: ChatTurn,
): Promise<ChatPlace> {
  const { messageId, earlierIds, isAgain, instead, said } = turn;
  const ids = [messageId, instead, ...earlierIds].filter((id) => id !== null);
  const found = ids.length === 0 ? [] : await known.find(session, ids);
  const named = (id: string | null) => (row: KnownMessage) =>
    id !== null && (row.notedId === id || row.messageId === id.toLowerCase());
  const { text } = userMessage(said);

  const above = await newestAbove(known, session, earlierIds, (id) => found.find(named(id)));
  const isFirst = earlierIds.length === 0;
  const parent = above?.seq ?? 0;
  const same = found.filter(
    (row) =>
      row.role === "user" &&
      named(messageId)(row) &&
      // Clients may send their last message alone.
      (isFirst
        ? isAgain || parentOf(session.tree, row.seq) === 0
        : parentOf(session.tree, row.seq) === parent),
  );
  const [newest] = same;
  const asked = isAgain
    ? (same.find(({ content }) => content === text) ?? newest)
    : newest?.content === text
      ? newest
      : undefined;
  if (asked !== undefined) {
    const reply = await known.replyTo(session, asked);
    if (reply !== null && isUnfinished(reply)) return { kind: "reply", replyId: reply.messageId };
    // Sent once more with the same words it is not said otherwise: its answer was lost, or was none.
    if (!isAgain && reply?.status === "complete") {
      return { kind: "reply", replyId: reply.messageId };
    }
    if (isAgain || reply !== null) {
      return { kind: "at", at: { kind: "again", messageId: asked.messageId } };
    }
  }
  const old = isAgain
    ? found.find((row) => row.role === "assistant" && named(instead)(row))
    : undefined;
  if (old !== undefined) {
    if (isUnfinished(old)) return { kind: "reply", replyId: old.messageId };
    return { kind: "at", at: { kind: "again", messageId: old.messageId } };
  }
  if (said.keepsFiles === true) {
    const [edited] = same;
    if (edited === undefined) throw notOurs("/messages");
    return { kind: "at", at: { kind: "beside", messageId: edited.messageId } };
  }
  if (above !== null) return { kind: "at", at: { kind: "below", messageId: above.messageId } };
  if (!isFirst) return null;
  // Of a history there is nothing: it is the first message, said otherwise, or one that goes on.
  const isEdit = same.length > 0;
  return { kind: "at", at: isEdit ? { kind: "below", messageId: null } : { kind: "head" } };
}

/** The newest message of those before that is known, or the reply to it. */
async function newestAbove(
  known: KnownMessages,
  session: FoundSession,
  ids: readonly string[],
  find: (id: string) => KnownMessage | undefined,
): Promise<KnownMessage | null> {
  for (const id of ids) {
    const row = find(id);
    if (row === undefined) continue;
    if (row.role === "assistant") return row;
    const reply = await known.replyTo(session, row);
    if (reply !== null) return reply;
    if (row.seq === headOf(session.tree)) return row;
  }
  return null;
}

function isUnfinished({ status }: KnownMessage): boolean {
  return status === "queued" || status === "streaming" || status === "paused";
}
