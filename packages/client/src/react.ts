import { useEffect, useState, useSyncExternalStore } from "react";
import type { ChatClient } from "./client.ts";
import { createConversation, type ConversationOptions } from "./conversation.ts";

export type { ConversationOptions, ConversationState } from "./conversation.ts";

/**
 * A conversation and what can be done in it. Another `sessionId` opens another one; that of the conversation which the first
 * message has begun stays in it. `client` must be the same from render to render.
 */
export function useConversation(client: ChatClient, options: ConversationOptions = {}) {
  const wanted = options.sessionId ?? null;
  const [held, setHeld] = useState(() => hold(client, wanted, options));
  let current = held;
  const isBegun = wanted !== null && wanted === held.conversation.getState().sessionId;
  if (client !== held.client || (wanted !== held.wanted && !isBegun)) {
    current = hold(client, wanted, options);
    setHeld(current);
  }
  const { conversation } = current;
  useEffect(() => conversation.open(), [conversation]);
  const state = useSyncExternalStore(
    conversation.subscribe,
    conversation.getState,
    conversation.getState,
  );
  const { getState: _state, subscribe: _subscribe, open: _open, ...actions } = conversation;
  return { ...state, ...actions };
}

function hold(client: ChatClient, wanted: string | null, options: ConversationOptions) {
  return { client, wanted, conversation: createConversation(client, options) };
}
