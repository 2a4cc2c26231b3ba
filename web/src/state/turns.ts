import { chatApi } from "../api/chat-api.ts";
import { ApiError } from "../api/request.ts";
import type { Decision } from "../api/types.ts";
import { conversation, conversationSignal, updateConversation } from "./conversation.ts";
import { follow, isFollowed } from "./follow.ts";
import { notifyError } from "./notices.ts";
import { syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";

/** Takes over a turn that the service has just accepted; `onShown` may be called several times. */
export function adoptTurn(
  place: { readonly sessionId: string | null; readonly draftId: string | null },
  accepted: { readonly sessionId: string; readonly messageId: string; readonly response: Response },
  onShown: () => void,
): void {
  const current = conversation.get();
  const isHere =
    current.sessionId === null
      ? current.draftId === place.draftId
      : current.sessionId === accepted.sessionId;
  if (!isHere) {
    void accepted.response.body?.cancel();
    onShown();
    return;
  }
  if (current.sessionId === null)
    updateConversation({ sessionId: accepted.sessionId, state: "ready" });
  follow(accepted.messageId, {
    opened: accepted.response,
    onShown,
    whenOver: syncConversation,
  });
  void syncConversation();
}

export async function stopReply(messageId: string): Promise<void> {
  try {
    const message = await chatApi.cancel(messageId);
    if (!isFollowed(messageId)) {
      conversation.set((current) => ({
        ...current,
        messages: current.messages.map((each) =>
          each.message_id === messageId ? { ...each, ...message } : each,
        ),
      }));
    }
  } catch (error) {
    // It has ended by itself in the meantime.
    if (!(error instanceof ApiError && error.status === 409)) notifyError(error);
  }
  tellTabs(conversation.get().sessionId ?? "");
  await syncConversation();
}

/** Tells a paused reply what a person has decided; it goes on. */
export async function decide(messageId: string, decisions: readonly Decision[]): Promise<void> {
  const signal = conversationSignal();
  try {
    const opened = await chatApi.resume(messageId, decisions, signal);
    follow(messageId, { opened, whenOver: syncConversation });
  } catch (error) {
    if (signal.aborted) return;
    notifyError(error);
  }
  await syncConversation();
}
