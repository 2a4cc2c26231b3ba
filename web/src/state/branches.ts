import type { Reply } from "../../../packages/client/src/index.ts";
import { client } from "../api/client.ts";
import { expectSpeech } from "../voice/player.ts";
import { voiceConfig } from "../voice/speech-settings.ts";
import { conversation, conversationSignal, updateConversation } from "./conversation.ts";
import { follow } from "./follow.ts";
import { loadTail } from "./load-pages.ts";
import { notifyError } from "./notices.ts";
import type { MessageView } from "./reply-view.ts";
import { followActive, syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** Another reply to the same question, beside this one; one for each `key`. */
export async function regenerate(reply: MessageView, key?: string): Promise<void> {
  await branchOff(reply, (signal) =>
    client.messages.regenerate(
      reply.message_id,
      { voice_config: voiceConfig() },
      { signal, idempotencyKey: key },
    ),
  );
}

/** The question said otherwise, beside this one; false when it could not be sent. */
export function edit(question: MessageView, text: string): Promise<boolean> {
  return branchOff(question, (signal) =>
    client.messages.edit(
      question.message_id,
      { message: text, voice_config: voiceConfig() },
      { signal },
    ),
  );
}

/** Shows a reply that takes the place of this message and of what follows it. */
async function branchOff(
  { message_id: messageId, session_id: sessionId }: MessageView,
  send: (signal: AbortSignal) => Reply,
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
    if (!signal.aborted) notifyError(error);
    return false;
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
    if (!signal.aborted) notifyError(error);
  }
}
