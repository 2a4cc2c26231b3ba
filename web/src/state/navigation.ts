import { conversation, type Conversation } from "./conversation.ts";
import { openConversation } from "./open-conversation.ts";
import { outbox } from "./outbox.ts";

/** Where in all that was said; a null session: a new conversation. */
interface Place {
  readonly sessionId: string | null;
  readonly messageId: string | null;
}

/** The place named by the page's address. */
function addressedPlace(): Place {
  const parameters = new URLSearchParams(location.search);
  return { sessionId: parameters.get("session"), messageId: parameters.get("message") };
}

function addressOf({ sessionId, messageId }: Place): string {
  const url = new URL(location.href);
  url.hash = "";
  for (const [name, value] of [
    ["session", sessionId],
    ["message", messageId],
  ] as const) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.href;
}

/** An address that opens the conversation at this message, for whoever may see it. */
export function linkTo(sessionId: string, messageId: string): string {
  return addressOf({ sessionId, messageId });
}

function targetOf({ messageId }: Place): Conversation["target"] {
  return messageId === null ? null : { messageId, words: "" };
}

/** Opens a session, there where `target` is, or with null begins a conversation: a step that the browser can go back from. */
export function goTo(sessionId: string | null, target: Conversation["target"] = null): void {
  history.pushState(null, "", addressOf({ sessionId, messageId: target?.messageId ?? null }));
  void openConversation(sessionId, target);
}

/** Opens what the address names, and keeps address and conversation in step from now on. */
export function startNavigation(): void {
  const place = addressedPlace();
  const { sessionId } = place;
  // A first message that has not got through before the page was reloaded.
  const unsent = sessionId === null ? outbox.get().find((entry) => entry.draftId !== null) : null;
  void openConversation(sessionId, targetOf(place), unsent?.draftId ?? undefined);
  let shown = location.search;
  window.addEventListener("popstate", () => {
    // Steps to a footnote stay in the conversation.
    if (location.search === shown) return;
    shown = location.search;
    const wanted = addressedPlace();
    void openConversation(wanted.sessionId, targetOf(wanted));
  });
  conversation.subscribe(() => {
    const { sessionId: current, state, target } = conversation.get();
    const addressed = addressedPlace();
    // A new conversation has got its session, or its reader has gone on from the message that the address named.
    const hasBegun = current !== null && addressed.sessionId === null;
    const hasGoneOn = addressed.messageId !== null && state === "ready" && target === null;
    if (hasBegun || (hasGoneOn && current === addressed.sessionId)) {
      history.replaceState(null, "", addressOf({ sessionId: current, messageId: null }));
    }
    shown = location.search;
  });
}
