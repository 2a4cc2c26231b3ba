import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import type { Message, SessionInfo } from "../api/types.ts";
import { waitToRetry } from "./connection.ts";
import { notifyError } from "./notices.ts";
import { createStore } from "./store.ts";

type Printing =
  | { readonly kind: "loading"; readonly loaded: number; readonly total: number }
  | {
      readonly kind: "ready";
      readonly session: SessionInfo;
      readonly messages: readonly Message[];
    };

/** A conversation on its way to paper. */
export const printing = createStore<Printing | null>(null);

const pageSize = 100;
let giveUp = new AbortController();

/** Loads all of a conversation, as it is shown, to be drawn whole: the list of messages draws only what is in view. */
export async function printConversation(sessionId: string): Promise<void> {
  giveUp.abort();
  giveUp = new AbortController();
  const { signal } = giveUp;
  printing.set({ kind: "loading", loaded: 0, total: 0 });
  try {
    const messages: Message[] = [];
    for (;;) {
      const page = await loadPage(sessionId, messages.length, signal);
      messages.push(...page.messages);
      if (!page.pagination.has_more || page.messages.length === 0) {
        printing.set({ kind: "ready", session: page.session_info, messages });
        return;
      }
      printing.set({ kind: "loading", loaded: messages.length, total: page.pagination.total });
    }
  } catch (error) {
    if (signal.aborted) return;
    printing.set(null);
    notifyError(error);
  }
}

/** It is on paper, or nobody wants it any more. */
export function endPrinting(): void {
  giveUp.abort();
  printing.set(null);
}

/** Goes on when the service is back. */
async function loadPage(sessionId: string, offset: number, signal: AbortSignal) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await client.messages.history(sessionId, { offset, limit: pageSize }, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      await waitToRetry(attempt, signal);
    }
  }
}
