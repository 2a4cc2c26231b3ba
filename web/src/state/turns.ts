import { client } from "../api/client.ts";
import type { Reply } from "../../../packages/client/src/index.ts";
import type { Decision } from "../api/types.ts";
import { conversation, conversationSignal, updateConversation } from "./conversation.ts";
import { follow, isFollowed } from "./follow.ts";
import { notifyError } from "./notices.ts";
import { syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** Takes over a turn that the service has just accepted; `onShown` may be called several times. */
export function adoptTurn(
  place: { readonly sessionId: string | null; readonly draftId: string | null },
  accepted: { readonly sessionId: string; readonly messageId: string; readonly reply: Reply },
  onShown: () => void,
): void {
  const current = conversation.get();
  const isHere =
    current.sessionId === null
      ? current.draftId === place.draftId
      : current.sessionId === accepted.sessionId;
  if (!isHere) {
    accepted.reply.leave();
    onShown();
    return;
  }
  if (current.sessionId === null)
    updateConversation({ sessionId: accepted.sessionId, state: "ready" });
  follow(accepted.messageId, {
    reply: accepted.reply,
    onShown,
    whenOver: syncConversation,
  });
  void syncConversation();
}

export async function stopReply(messageId: string): Promise<void> {
  try {
    await client.messages.cancel(messageId);
    if (!isFollowed(messageId)) {
      const message = await client.messages.get(messageId);
      conversation.set((current) => ({
        ...current,
        messages: current.messages.map((each) =>
          each.message_id === messageId ? { ...each, ...message } : each,
        ),
      }));
    }
  } catch (error) {
    notifyError(error, () => void stopReply(messageId));
  }
  tellTabs(conversation.get().sessionId ?? "");
  await syncConversation();
}

/** Tells a paused reply what a person has decided; it goes on. */
export async function decide(messageId: string, decisions: readonly Decision[]): Promise<void> {
  const signal = conversationSignal();
  try {
    const shown = conversation.get().messages.find(({ message_id: id }) => id === messageId);
    const after = shown?.live?.lastEventId ?? 0;
    const reply = client.messages.continue(messageId, decisions, { after, signal });
    await reply.accepted;
    follow(messageId, { reply, whenOver: syncConversation });
  } catch (error) {
    if (signal.aborted) return;
    notifyError(error);
  }
  await syncConversation();
}
