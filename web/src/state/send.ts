import { chatApi } from "../api/chat-api.ts";
import { ApiError, Unreachable } from "../api/request.ts";
import type { SessionConfig } from "../api/types.ts";
import { waitToRetry } from "./connection.ts";
import { adoptTurn, conversation, jumpToLatest } from "./conversation.ts";
import { identity } from "./identity.ts";
import { outbox, putOutgoing, removeOutgoing, type Outgoing } from "./outbox.ts";
import { refreshSessions } from "./sessions.ts";
import { tellTabs } from "./tabs.ts";
import { expectSpeech } from "../voice/player.ts";
import { voiceConfig } from "../voice/speech-settings.ts";

/** Sends a message into the open conversation; it is kept until the service has confirmed it. */
export function sendMessage(text: string, agentId: string | null, config: SessionConfig): void {
  const { sessionId, draftId, hasNewer } = conversation.get();
  if (hasNewer) void jumpToLatest();
  putOutgoing({
    key: crypto.randomUUID(),
    sessionId,
    draftId: sessionId === null ? draftId : null,
    text,
    agentId,
    config,
    voice: voiceConfig(),
    createdMs: Date.now(),
    state: "sending",
    error: null,
  });
  deliverAll();
}

/** Tries a refused message again. */
export function sendAgain(entry: Outgoing): void {
  putOutgoing({ ...entry, state: "sending", error: null });
  deliverAll();
}

/** One at a time for each conversation, so that messages arrive in the order they were written. */
const delivering = new Set<string>();

/** Takes up everything that waits to be sent. */
export function deliverAll(): void {
  const places = new Set<string>();
  for (const entry of outbox.get()) {
    const place = entry.sessionId ?? entry.draftId ?? entry.key;
    if (entry.state === "refused" || places.has(place)) continue;
    places.add(place);
    if (delivering.has(place)) continue;
    delivering.add(place);
    void deliver(entry)
      .catch(() => undefined)
      .finally(() => {
        delivering.delete(place);
        if (identity.get().kind !== "sign-in") deliverAll();
      });
  }
}

const never = new AbortController().signal;

async function deliver(entry: Outgoing): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    let retryAfterMs = 0;
    try {
      const response = await chatApi.send(entry, never);
      const sessionId = response.headers.get("X-Session-ID") ?? entry.sessionId ?? "";
      const messageId = response.headers.get("X-Message-ID") ?? "";
      if (entry.voice !== null) expectSpeech(messageId);
      joinDraft(entry, sessionId);
      adoptTurn(entry, { sessionId, messageId, response }, () => removeOutgoing(entry.key));
      tellTabs(sessionId);
      await refreshSessions();
      return;
    } catch (error) {
      if (error instanceof ApiError) {
        const isPassing =
          [429, 502, 503, 504].includes(error.status) && error.type !== "queue_full";
        if (error.status === 401) {
          putOutgoing({ ...entry, state: "waiting", error: null });
          throw error;
        }
        if (!isPassing) {
          putOutgoing({ ...entry, state: "refused", error: error.message });
          return;
        }
        retryAfterMs = (error.retryAfterSeconds ?? 1) * 1000;
        putOutgoing({ ...entry, state: "waiting", error: error.message });
      } else if (error instanceof Unreachable) {
        putOutgoing({ ...entry, state: "waiting", error: null });
      } else {
        putOutgoing({ ...entry, state: "refused", error: String(error) });
        return;
      }
    }
    await waitToRetry(attempt, never, retryAfterMs);
    // Discarded meanwhile.
    if (!outbox.get().some(({ key }) => key === entry.key)) return;
  }
}

/** What else was written into the same new conversation goes to its session now. */
function joinDraft(entry: Outgoing, sessionId: string): void {
  if (entry.sessionId !== null) return;
  for (const other of outbox.get()) {
    if (other.draftId === entry.draftId && other.key !== entry.key && other.sessionId === null) {
      putOutgoing({ ...other, sessionId, draftId: null });
    }
  }
}
