import type { Feedback, SessionInfo } from "../api/types.ts";
import type { MessageView } from "./reply-view.ts";
import { createStore } from "./store.ts";

/** The conversation that is open: an unbroken part of its messages, oldest first. */
export interface Conversation {
  /** Null: it begins with the first message. */
  readonly sessionId: string | null;
  /** Names a conversation until it has a session, and stays. */
  readonly draftId: string;
  /** Another one for each unbroken part that is shown. */
  readonly windowId: string;
  readonly session: SessionInfo | null;
  /** `refused`: the service has not let it be opened, and says why. */
  readonly state: "loading" | "ready" | "missing" | "refused";
  readonly messages: readonly MessageView[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** A message to be brought into view, with the words that were looked for. */
  readonly target: { readonly messageId: string; readonly words: string } | null;
}

export const conversation = createStore<Conversation>(emptyConversation());

let scope = new AbortController();

/** Aborted when another conversation is opened. */
export function conversationSignal(): AbortSignal {
  return scope.signal;
}

/** Ends everything that was begun for the conversation before. */
export function leaveConversation(): AbortSignal {
  scope.abort();
  scope = new AbortController();
  return scope.signal;
}

export function emptyConversation(): Conversation {
  return {
    sessionId: null,
    draftId: crypto.randomUUID(),
    windowId: crypto.randomUUID(),
    session: null,
    state: "ready",
    messages: [],
    hasOlder: false,
    hasNewer: false,
    target: null,
  };
}

/** What the user thinks of a reply, told here or on another device; undefined: nothing any more. */
export function noteFeedback(messageId: string, feedback: Feedback | undefined): void {
  conversation.set((current) => ({
    ...current,
    messages: current.messages.map((message) =>
      message.message_id === messageId ? { ...message, feedback } : message,
    ),
  }));
}

export function updateConversation(change: Partial<Conversation>): void {
  conversation.set((current) => ({ ...current, ...change }));
}
