import { chatApi } from "../api/chat-api.ts";
import { readEventStream } from "../api/event-stream.ts";
import { ApiError } from "../api/request.ts";
import type { Feedback, SessionInfo } from "../api/types.ts";
import { waitToRetry } from "./connection.ts";
import { conversation, noteFeedback } from "./conversation.ts";
import { dropSession, noteSession, refreshSessions } from "./sessions.ts";
import { createStore } from "./store.ts";
import { syncConversation } from "./sync.ts";

/** What the service tells of the user's sessions, from whatever device. */
interface SessionEvent {
  readonly type: string;
  readonly session_id?: string;
  readonly session_info?: SessionInfo;
  readonly message_id?: string;
  readonly feedback?: Feedback | null;
}

/** Whether everything that happens is told: then nobody needs to ask. */
export const isTold = createStore(false);

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

async function listen(signal: AbortSignal): Promise<void> {
  let after: number | null = null;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    let atLeastMs = 0;
    try {
      const response = await chatApi.sessionEvents(after, signal);
      for await (const item of readEventStream<SessionEvent>(response, signal)) {
        if (item.kind === "done") break;
        attempt = 0;
        after = item.id;
        take(item.event);
      }
    } catch (error) {
      // Of a service that knows no events, or has no place for another reader, the page asks as before.
      if (error instanceof ApiError) atLeastMs = (error.retryAfterSeconds ?? 10) * 1000;
      if (error instanceof ApiError && error.status === 401) break;
    }
    if (signal.aborted) break;
    isTold.set(false);
    await waitToRetry(attempt, signal, atLeastMs).catch(() => undefined);
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
  if (session !== undefined) noteSession(session);
  else if (type === "session_deleted" && sessionId !== undefined) dropSession(sessionId);
  if (sessionId === conversation.get().sessionId) void syncConversation();
}
