import { client } from "../api/client.ts";
import { ApiError, ConnectionError } from "../../../packages/client/src/index.ts";
import { announcements } from "./announcements.ts";
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
import { notify, notifyError } from "./notices.ts";
import { followActive, syncConversation } from "./sync.ts";
import { tellTabs } from "./tabs.ts";
import { currentTexts } from "../text/use-texts.ts";

/** Where the conversation is opened, or was to be. */
let wantedTarget: Conversation["target"] = null;

/** Opens a conversation; null begins one. */
export async function openConversation(
  sessionId: string | null,
  target: Conversation["target"] = null,
  draftId?: string,
): Promise<void> {
  const signal = leaveConversation();
  wantedTarget = target;
  forgetFollowed();
  announcements.set([]);
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
      // Whoever signs in again opens it again.
      if (error instanceof ApiError && error.status === 401) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
        updateConversation({ state: "refused" });
        notifyError(error);
        return;
      }
      await waitToRetry(attempt, signal).catch(() => undefined);
    }
  }
}

/** As another user, or once more: what could not be opened before is opened, the rest brought up to date. */
export async function reopenConversation(): Promise<void> {
  const { sessionId, state, draftId } = conversation.get();
  if (state === "ready") await syncConversation();
  else await openConversation(sessionId, wantedTarget, draftId);
}

/** The messages around `target`, or the newest. */
async function loadWindow(
  sessionId: string,
  target: Conversation["target"],
  signal: AbortSignal,
): Promise<void> {
  const around = target === null ? null : await findMessage(sessionId, target.messageId, signal);
  signal.throwIfAborted();
  if (around !== null) {
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

/** A message with what is around it, on whatever branch it is: that one is shown then. Null, and a notice: it cannot be shown. */
async function findMessage(sessionId: string, messageId: string, signal: AbortSignal) {
  const isOf = (error: unknown, ...types: string[]) =>
    error instanceof ApiError && types.includes(error.type);
  try {
    return await loadAround(sessionId, messageId, signal);
  } catch (error) {
    if (isOf(error, "validation_failed")) return refuse(currentTexts().messageGone);
    if (!isOf(error, "message_not_found")) throw error;
  }
  try {
    await client.sessions.update(sessionId, { head_message_id: messageId }, { signal });
    tellTabs(sessionId);
    return await loadAround(sessionId, messageId, signal);
  } catch (error) {
    if (isOf(error, "message_not_found")) return refuse(currentTexts().messageGone);
    if (isOf(error, "session_busy")) return refuse(currentTexts().messageElsewhere);
    throw error;
  }
}

function refuse(text: string): null {
  notify({ kind: "error", text });
  return null;
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
