import { client } from "../api/client.ts";
import { ApiError, ConnectionError } from "../../../packages/client/src/index.ts";
import { waitToRetry } from "./connection.ts";
import {
  conversation,
  conversationSignal,
  emptyConversation,
  leaveConversation,
  updateConversation,
  type Conversation,
} from "./conversation.ts";
import { forgetFollowed, isFollowed } from "./follow.ts";
import { loadAround, loadBeside, loadTail } from "./load-pages.ts";
import { mergeMessages } from "./merge-messages.ts";
import { notifyError } from "./notices.ts";
import { followActive } from "./sync.ts";

/** Opens a conversation; null begins one. */
export async function openConversation(
  sessionId: string | null,
  target: Conversation["target"] = null,
  draftId?: string,
): Promise<void> {
  const signal = leaveConversation();
  forgetFollowed();
  const before = conversation.get();
  const isSame = sessionId !== null && before.sessionId === sessionId;
  conversation.set({
    ...emptyConversation(),
    ...(draftId !== undefined && { draftId }),
    ...(isSame && { draftId: before.draftId, session: before.session }),
    sessionId,
    state: sessionId === null ? "ready" : "loading",
  });
  if (sessionId === null) return;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await loadWindow(sessionId, target, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status === 404) {
        updateConversation({ state: "missing" });
        return;
      }
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
        notifyError(error);
        return;
      }
      await waitToRetry(attempt, signal).catch(() => undefined);
    }
  }
}

/** The messages around `target`, or the newest. */
async function loadWindow(
  sessionId: string,
  target: Conversation["target"],
  signal: AbortSignal,
): Promise<void> {
  if (target !== null) {
    const around = await loadAround(sessionId, target.messageId, signal).catch(
      async (error: unknown) => {
        if (!(error instanceof ApiError && error.type === "message_not_found")) throw error;
        // It is on another branch: that is shown then.
        await client.sessions.update(sessionId, { head_message_id: target.messageId });
        return loadAround(sessionId, target.messageId, signal);
      },
    );
    signal.throwIfAborted();
    updateConversation({ ...around, state: "ready", target });
  } else {
    const session = await client.sessions.get(sessionId, { signal });
    const { messages, offset } = await loadTail(session, signal);
    signal.throwIfAborted();
    updateConversation({
      session,
      state: "ready",
      messages,
      hasOlder: offset > 0,
      hasNewer: false,
      target: null,
    });
  }
  followActive();
}

let loadingPage = false;

/** Loads the page before the oldest message shown. */
export function loadOlder(): Promise<void> {
  return loadPage(async ({ messages }, sessionId, signal) => {
    const first = messages[0];
    if (first === undefined) return;
    const page = await loadBeside(sessionId, { before: first.message_id }, signal);
    signal.throwIfAborted();
    conversation.set((current) => ({
      ...current,
      messages: [...page.messages, ...current.messages],
      hasOlder: page.hasMore,
    }));
  });
}

/** Loads the page after the newest message shown. */
export function loadNewer(): Promise<void> {
  return loadPage(async ({ messages }, sessionId, signal) => {
    // Summaries stand beside the path: nothing is behind one.
    const last = messages.findLast(({ role }) => role !== "system");
    if (last === undefined) return;
    const page = await loadBeside(sessionId, { after: last.message_id }, signal);
    signal.throwIfAborted();
    conversation.set((current) => ({
      ...current,
      messages: mergeMessages(current.messages, page.messages, isFollowed),
      hasNewer: page.hasMore,
    }));
    followActive();
  });
}

async function loadPage(
  load: (current: Conversation, sessionId: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const current = conversation.get();
  const signal = conversationSignal();
  if (loadingPage || current.sessionId === null) return;
  loadingPage = true;
  try {
    await load(current, current.sessionId, signal);
  } catch (error) {
    if (!signal.aborted && !(error instanceof ConnectionError)) notifyError(error);
  } finally {
    loadingPage = false;
  }
}

/** Brings a message into view, from wherever in the history. */
export async function jumpTo(messageId: string, words = ""): Promise<void> {
  const { sessionId, messages } = conversation.get();
  const target = { messageId, words };
  if (messages.some(({ message_id: id }) => id === messageId)) updateConversation({ target });
  else if (sessionId !== null) await openConversation(sessionId, target);
}

export async function jumpToLatest(): Promise<void> {
  const { sessionId, hasNewer } = conversation.get();
  if (sessionId !== null && hasNewer) await openConversation(sessionId);
}
