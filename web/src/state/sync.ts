import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import { conversation, conversationSignal, updateConversation } from "./conversation.ts";
import { follow, isFollowed, isFollowing } from "./follow.ts";
import { loadTail } from "./load-pages.ts";
import { hasLooseEnds, mergeMessages, stillOnPath } from "./merge-messages.ts";
import { notifyError } from "./notices.ts";
import { isUnfinished } from "./reply-view.ts";
import { deletedSessions, noteSession } from "./sessions.ts";

let syncing: Promise<void> | null = null;
let syncAgain = false;

/** Brings the open conversation up to date with the service. Failures wait for the next time. */
export function syncConversation(): Promise<void> {
  if (syncing !== null) {
    syncAgain = true;
    return syncing;
  }
  syncing = (async () => {
    do {
      syncAgain = false;
      await syncOnce();
    } while (syncAgain);
    syncing = null;
  })();
  return syncing;
}

async function syncOnce(): Promise<void> {
  const { sessionId, session: known, state, hasNewer } = conversation.get();
  const signal = conversationSignal();
  if (sessionId === null || state !== "ready") return;
  try {
    const session = await client.sessions.get(sessionId, { signal });
    const isChanged =
      known === null ||
      session.message_count !== known.message_count ||
      session.head_message_id !== known.head_message_id ||
      session.last_activity !== known.last_activity ||
      session.active_message_id !== known.active_message_id ||
      session.active_message_status !== known.active_message_status ||
      hasLooseEnds(conversation.get().messages, session.active_message_id, isFollowed);
    const tail = isChanged && !hasNewer ? await loadTail(session, signal) : null;
    signal.throwIfAborted();
    noteSession(session);
    conversation.set((current) => {
      if (tail === null) return { ...current, session };
      const first = tail.messages[0]?.message_id;
      const isConnected =
        tail.offset === 0 ||
        current.messages.some(({ message_id: messageId }) => messageId === first);
      return {
        ...current,
        session,
        messages: isConnected
          ? mergeMessages(
              stillOnPath(current.messages, tail.messages, tail.offset === 0),
              tail.messages,
              isFollowed,
            )
          : mergeMessages([], tail.messages, isFollowed),
        hasOlder: isConnected ? current.hasOlder : tail.offset > 0,
      };
    });
    followActive();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.status === 404) {
      if (!deletedSessions.get().has(sessionId)) updateConversation({ state: "missing" });
    } else if (error instanceof ApiError && error.status !== 401 && error.status < 500) {
      notifyError(error);
    }
  }
}

/** Shows the reply that the session is busy with, if it is one of those shown. */
export function followActive(): void {
  if (!isFollowing()) return;
  const { session, messages } = conversation.get();
  const active = session?.active_message_id ?? null;
  if (active === null || session?.active_message_status === "paused") return;
  if (messages.some((message) => message.message_id === active && isUnfinished(message))) {
    follow(active, { whenOver: syncConversation });
  }
}
