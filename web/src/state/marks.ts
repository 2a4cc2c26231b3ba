import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import type { Rating } from "../api/types.ts";
import { conversationSignal, noteFeedback, updateConversation } from "./conversation.ts";
import { loadTail } from "./load-pages.ts";
import { notifyError } from "./notices.ts";
import type { MessageView } from "./reply-view.ts";
import { noteSession } from "./sessions.ts";
import { followActive } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** What the user thinks of a reply; `rating: null` takes it back. False when it could not be told. */
export async function rate(
  { message_id: messageId }: Pick<MessageView, "message_id">,
  opinion: { rating: Rating | null; tags?: readonly string[]; comment?: string },
): Promise<boolean> {
  try {
    const { feedback } = await client.messages.rate(messageId, opinion);
    noteFeedback(messageId, feedback);
    return true;
  } catch (error) {
    notifyError(error, () => void rate({ message_id: messageId }, opinion));
    return false;
  }
}

/** Deletes a message with all that follows it, and shows what is left. */
export async function deleteMessage(
  message: Pick<MessageView, "message_id" | "session_id">,
): Promise<void> {
  const { message_id: messageId, session_id: sessionId } = message;
  const signal = conversationSignal();
  try {
    await client.messages.delete(messageId).catch((error: unknown) => {
      // It has been deleted, and nobody heard of it.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
    tellTabs(sessionId);
    const session = await client.sessions.get(sessionId, { signal });
    const { messages, offset } = await loadTail(session, signal);
    signal.throwIfAborted();
    noteSession(session);
    updateConversation({ session, messages, hasOlder: offset > 0, hasNewer: false });
    followActive();
  } catch (error) {
    if (!signal.aborted) notifyError(error, () => void deleteMessage(message));
  }
}
