import { chatApi, type EncodedFile } from "../api/chat-api.ts";
import { ApiError, Unreachable } from "../api/request.ts";
import type { SessionConfig } from "../api/types.ts";
import { waitToRetry } from "./connection.ts";
import { encodeFile } from "./encode-file.ts";
import { adoptTurn } from "./turns.ts";
import { conversation } from "./conversation.ts";
import { jumpToLatest } from "./open-conversation.ts";
import { identity } from "./identity.ts";
import { keepFiles, readFiles } from "./kept-files.ts";
import { outbox, outgoingFiles, putOutgoing, removeOutgoing, type Outgoing } from "./outbox.ts";
import { refreshSessions } from "./sessions.ts";
import { tellTabs } from "./tabs.ts";
import { expectSpeech } from "../voice/player.ts";
import { currentTexts } from "../text/use-texts.ts";
import { voiceConfig } from "../voice/speech-settings.ts";

/** Sends a message into the open conversation; it is kept until the service has confirmed it. */
export function sendMessage(
  text: string,
  agentId: string | null,
  config: SessionConfig,
  files: readonly File[] = [],
): void {
  const { sessionId, draftId, hasNewer } = conversation.get();
  if (hasNewer) void jumpToLatest();
  const key = crypto.randomUUID();
  void keepFiles(outgoingFiles(key), files);
  putOutgoing({
    key,
    sessionId,
    draftId: sessionId === null ? draftId : null,
    text,
    agentId,
    config,
    voice: voiceConfig(),
    files: files.map(({ name, size }) => ({ name, size })),
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
      const files = await encodedFiles(entry);
      const response = await chatApi.send(entry, files, never);
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
          [429, 502, 503, 504].includes(error.status) &&
          !["queue_full", "budget_exceeded"].includes(error.type);
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
        const reason = error instanceof Error ? error.message : String(error);
        putOutgoing({ ...entry, state: "refused", error: reason });
        return;
      }
    }
    await waitToRetry(attempt, never, retryAfterMs);
    // Discarded meanwhile.
    if (!outbox.get().some(({ key }) => key === entry.key)) return;
  }
}

/** Raises when the browser has lost some of them. */
async function encodedFiles(entry: Outgoing): Promise<EncodedFile[]> {
  if (entry.files.length === 0) return [];
  const files = await readFiles(outgoingFiles(entry.key));
  if (files.length !== entry.files.length) throw new Error(currentTexts().files.lost);
  return Promise.all(files.map(encodeFile));
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
