import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import { conversation } from "./conversation.ts";
import { notifyError } from "./notices.ts";
import type { MessageView } from "./reply-view.ts";
import { syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** Whether the reply to a message of the user waits, and nothing else has answered it. */
export function waits({ message_id: id }: MessageView): boolean {
  const { messages } = conversation.get();
  // What is answered together stands together, and the reply is to the last of it.
  const later = messages.slice(messages.findIndex((message) => message.message_id === id));
  const next = later.findIndex(({ role }) => role !== "user");
  const last = next === -1 ? id : (later[next - 1]?.message_id ?? id);
  const replies = messages.filter(({ reply_to: answered }) => answered === id || answered === last);
  return replies.some(({ status, siblings }) => status === "queued" && siblings === undefined);
}

/** Says a waiting message otherwise; false when it could not be done. */
export async function amend(question: MessageView, text: string): Promise<boolean> {
  try {
    const changed = await client.messages.amend(question.message_id, { message: text });
    conversation.set((current) => ({
      ...current,
      messages: current.messages.map((message) =>
        message.message_id === changed.message_id ? { ...message, ...changed } : message,
      ),
    }));
    tellTabs(question.session_id);
    return true;
  } catch (error) {
    notifyError(error);
    void syncConversation();
    return false;
  }
}

/** Takes a waiting message back, with its reply. */
export async function withdraw({
  message_id: replyId,
  reply_to: questionId,
  session_id: sessionId,
  siblings,
}: MessageView): Promise<void> {
  try {
    await client.messages.delete(replyId);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) return notifyError(error);
  }
  const gone = siblings === undefined ? [replyId, questionId] : [replyId];
  conversation.set((current) => ({
    ...current,
    messages: current.messages.filter(({ message_id: id }) => !gone.includes(id)),
  }));
  tellTabs(sessionId);
  await syncConversation();
}
