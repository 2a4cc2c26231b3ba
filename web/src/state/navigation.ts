import { conversation, type Conversation } from "./conversation.ts";
import { openConversation } from "./open-conversation.ts";
import { outbox } from "./outbox.ts";

const parameter = "session";

/** The session named by the page's address; null: a new conversation. */
function addressedSession(): string | null {
  return new URLSearchParams(location.search).get(parameter);
}

function addressOf(sessionId: string | null): string {
  const url = new URL(location.href);
  if (sessionId === null) url.searchParams.delete(parameter);
  else url.searchParams.set(parameter, sessionId);
  return url.href;
}

/** Opens a session, there where `target` is, or with null begins a conversation: a step that the browser can go back from. */
export function goTo(sessionId: string | null, target: Conversation["target"] = null): void {
  history.pushState(null, "", addressOf(sessionId));
  void openConversation(sessionId, target);
}

/** Opens what the address names, and keeps address and conversation in step from now on. */
export function startNavigation(): void {
  const sessionId = addressedSession();
  // A first message that has not got through before the page was reloaded.
  const unsent = sessionId === null ? outbox.get().find((entry) => entry.draftId !== null) : null;
  void openConversation(sessionId, null, unsent?.draftId ?? undefined);
  window.addEventListener("popstate", () => {
    // Steps to a footnote stay in the conversation.
    if (addressedSession() !== conversation.get().sessionId) {
      void openConversation(addressedSession());
    }
  });
  conversation.subscribe(() => {
    const current = conversation.get().sessionId;
    // A new conversation has got its session.
    if (current !== null && addressedSession() === null) {
      history.replaceState(null, "", addressOf(current));
    }
  });
}
