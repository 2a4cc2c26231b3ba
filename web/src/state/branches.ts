import type { Reply } from "../../../packages/client/src/index.ts";
import { client } from "../api/client.ts";
import { expectSpeech } from "../voice/player.ts";
import { voiceConfig } from "../voice/speech-settings.ts";
import { conversation, conversationSignal, updateConversation } from "./conversation.ts";
import { follow } from "./follow.ts";
import { loadTail } from "./load-pages.ts";
import { goTo } from "./navigation.ts";
import { notifyError } from "./notices.ts";
import type { MessageView } from "./reply-view.ts";
import { noteSession } from "./sessions.ts";
import { followActive, syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** Another reply to the same question, beside this one, by `other` where that is given; one for each `key`. */
export async function regenerate(
  reply: MessageView,
  other: { readonly model?: string; readonly agent_id?: string } = {},
  key: string = crypto.randomUUID(),
): Promise<void> {
  await branchOff(
    reply,
    (signal) =>
      client.messages.regenerate(
        reply.message_id,
        { ...other, voice_config: voiceConfig() },
        { signal, idempotencyKey: key },
      ),
    () => void regenerate(reply, other, key),
  );
}

/** Edits whose answers did not come: the same words again are the same request, which the service may have had. */
const tried = new Map<string, { readonly text: string; readonly key: string }>();

/** The question said otherwise, beside this one; false when it could not be sent. */
export async function edit(question: MessageView, text: string): Promise<boolean> {
  const { message_id: id } = question;
  const before = tried.get(id);
  const key = before?.text === text ? before.key : crypto.randomUUID();
  tried.set(id, { text, key });
  const isSent = await branchOff(question, (signal) =>
    client.messages.edit(
      id,
      { message: text, voice_config: voiceConfig() },
      { signal, idempotencyKey: key },
    ),
  );
  if (isSent) tried.delete(id);
  return isSent;
}

/** Shows a reply that takes the place of this message and of what follows it. */
async function branchOff(
  { message_id: messageId, session_id: sessionId }: MessageView,
  send: (signal: AbortSignal) => Reply,
  again?: () => void,
): Promise<boolean> {
  const signal = conversationSignal();
  try {
    const reply = send(signal);
    const { messageId: replyId } = await reply.accepted;
    if (voiceConfig() !== null) expectSpeech(replyId);
    conversation.set((current) => {
      const at = current.messages.findIndex(({ message_id: id }) => id === messageId);
      return at === -1
        ? current
        : { ...current, messages: current.messages.slice(0, at), hasNewer: false };
    });
    follow(replyId, { reply, whenOver: syncConversation });
    tellTabs(sessionId);
    void syncConversation();
    return true;
  } catch (error) {
    if (!signal.aborted) notifyError(error, again);
    return false;
  }
}

/** What was said up to here, in a conversation of its own, which is opened. */
export async function fork(
  message: Pick<MessageView, "message_id" | "session_id">,
  key: string = crypto.randomUUID(),
): Promise<void> {
  const { message_id: messageId, session_id: sessionId } = message;
  const signal = conversationSignal();
  try {
    const session = await client.sessions.fork(sessionId, messageId, { idempotencyKey: key });
    noteSession(session);
    tellTabs(session.session_id);
    // Whoever has gone elsewhere meanwhile finds it in the list.
    if (!signal.aborted) goTo(session.session_id);
  } catch (error) {
    notifyError(error, () => void fork(message, key));
  }
}

/** Shows the branch of a message, here and wherever the conversation is open. */
export async function showBranch(messageId: string): Promise<void> {
  const { sessionId } = conversation.get();
  const signal = conversationSignal();
  if (sessionId === null) return;
  try {
    const session = await client.sessions.update(sessionId, { head_message_id: messageId });
    const { messages, offset } = await loadTail(session, signal);
    signal.throwIfAborted();
    updateConversation({ session, messages, hasOlder: offset > 0, hasNewer: false });
    followActive();
    tellTabs(sessionId);
  } catch (error) {
    if (!signal.aborted) notifyError(error, () => void showBranch(messageId));
  }
}
