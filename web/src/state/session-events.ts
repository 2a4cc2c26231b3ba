import { client, patiently } from "../api/client.ts";
import { ApiError, type SessionEvent } from "../../../packages/client/src/index.ts";
import { waitUntil } from "./connection.ts";
import { conversation, noteFeedback } from "./conversation.ts";
import { dropSession, noteSession, refreshSessions } from "./sessions.ts";
import { createStore } from "./store.ts";
import { syncConversation } from "./sync.ts";

/** Whether everything that happens is told: then nobody needs to ask. */
export const isTold = createStore(false);

const listeners = new Set<(event: SessionEvent) => void>();

export function onSessionEvent(listener: (event: SessionEvent) => void): void {
  listeners.add(listener);
}

let listening: AbortController | null = null;

/** Follows what happens to the user's sessions until it is called again with false. */
export function setListening(isWanted: boolean): void {
  if (isWanted === (listening !== null)) return;
  listening?.abort();
  listening = isWanted ? new AbortController() : null;
  if (listening !== null) void listen(listening.signal);
}

/** As another user, or for the first time. */
export function listenAnew(): void {
  setListening(false);
  setListening(true);
}

/** Of a service that knows no events, or has no place for another reader, the page asks as before. */
const refusedMs = 10_000;

async function listen(signal: AbortSignal): Promise<void> {
  const onRetry = () => isTold.set(false);
  for (let after: number | undefined; !signal.aborted;) {
    try {
      for await (const event of client.sessions.events({ ...patiently, signal, after, onRetry })) {
        after = event.seq;
        take(event);
      }
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status === 401)) break;
      isTold.set(false);
      await waitUntil(refusedMs, signal, false).catch(() => undefined);
    }
  }
  if (listening === null || listening.signal === signal) isTold.set(false);
}

function take(event: SessionEvent): void {
  const { type, session_id: sessionId, session_info: session } = event;
  if (type === "ready" || type === "reset") {
    isTold.set(true);
    void refreshSessions();
    void syncConversation();
    return;
  }
  if (type === "feedback" && event.message_id !== undefined) {
    noteFeedback(event.message_id, event.feedback ?? undefined);
    return;
  }
  for (const listener of listeners) listener(event);
  if (session !== undefined) noteSession(session);
  else if (type === "session_deleted" && sessionId !== undefined) dropSession(sessionId);
  if (sessionId === conversation.get().sessionId) void syncConversation();
}
