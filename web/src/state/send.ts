import { client, patiently } from "../api/client.ts";
import { ApiError, ConnectionError, type NewMessage } from "../../../packages/client/src/index.ts";
import type { SessionConfig } from "../api/types.ts";
import { encodeFile } from "./encode-file.ts";
import { adoptTurn } from "./turns.ts";
import { chosenOnBusy } from "./busy.ts";
import { choicesSettled } from "./choose.ts";
import { conversation } from "./conversation.ts";
import { jumpToLatest } from "./open-conversation.ts";
import { identity } from "./identity.ts";
import { isUnfinished } from "./reply-view.ts";
import type { TakenFiles } from "./draft-files.ts";
import { keepFiles } from "./kept-files.ts";
import { filesOf, noteSent, outbox, putOutgoing, removeOutgoing, type Outgoing } from "./outbox.ts";
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
  { files, place: filesAt }: TakenFiles = noFiles,
): void {
  const { sessionId, draftId, hasNewer, messages } = conversation.get();
  if (hasNewer) void jumpToLatest();
  putOutgoing({
    key: crypto.randomUUID(),
    sessionId,
    draftId: sessionId === null ? draftId : null,
    text,
    agentId,
    config,
    // A choice that one was offered, and not one of another day.
    onBusy: messages.some(isUnfinished) ? chosenOnBusy.get() : null,
    voice: voiceConfig(),
    files: files.map(({ name, size }) => ({ name, size })),
    filesAt,
    createdMs: Date.now(),
    state: "sending",
    ...nothingWrong,
  });
  deliverAll();
}

const noFiles: TakenFiles = { files: [], place: null };
const nothingWrong = { error: null, errorType: null, retryAtMs: null } as const;

/** Tries a refused message again. */
export function sendAgain(entry: Outgoing): void {
  putOutgoing({ ...entry, state: "sending", ...nothingWrong });
  deliverAll();
}

/** As another message: the service has had one of this key. */
export async function sendAnew(entry: Outgoing): Promise<void> {
  const filesAt = entry.filesAt === null ? null : `files.${crypto.randomUUID()}`;
  if (filesAt !== null) await keepFiles(filesAt, await filesOf(entry));
  removeOutgoing(entry.key);
  sendAgain({ ...entry, key: crypto.randomUUID(), filesAt });
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

async function deliver(entry: Outgoing): Promise<void> {
  const discarded = whenDiscarded(entry.key);
  const wait = (error: unknown, pause?: { readonly delayMs: number; readonly isFixed: boolean }) =>
    putOutgoing({
      ...entry,
      state: "waiting",
      ...faultOf(error),
      retryAtMs: pause?.isFixed === true ? Date.now() + pause.delayMs : null,
    });
  try {
    await choicesSettled();
    const onProgress = (share: number) => noteSent(entry.key, share);
    const reply = client.send(await messageOf(entry), {
      ...patiently,
      ...(entry.files.length > 0 && { onProgress }),
      idempotencyKey: entry.key,
      signal: discarded.signal,
      onRetry: wait,
    });
    const { sessionId, messageId } = await reply.accepted;
    discarded.forget();
    if (entry.voice !== null) expectSpeech(messageId);
    joinDraft(entry, sessionId);
    adoptTurn(entry, { sessionId, messageId, reply }, () => removeOutgoing(entry.key));
    tellTabs(sessionId);
    await refreshSessions();
  } catch (error) {
    if (discarded.signal.aborted) return;
    discarded.forget();
    if (error instanceof ApiError && error.status === 401) {
      wait(null);
      throw error;
    }
    putOutgoing({ ...entry, state: "refused", ...faultOf(error) });
  } finally {
    noteSent(entry.key, null);
  }
}

function faultOf(error: unknown): Pick<Outgoing, "error" | "errorType" | "retryAtMs"> {
  if (!(error instanceof ApiError)) {
    // What browsers say of networks is for developers.
    return {
      ...nothingWrong,
      error: error instanceof ConnectionError ? null : messageOfFault(error),
    };
  }
  const { message, type, retryAfterSeconds: seconds } = error;
  return {
    error: message,
    errorType: type,
    retryAtMs: seconds === null ? null : Date.now() + seconds * 1_000,
  };
}

function messageOfFault(error: unknown): string | null {
  return error instanceof Error ? error.message : null;
}

/** Aborts when the entry is taken out of the outbox, until it is forgotten. */
function whenDiscarded(key: string): { readonly signal: AbortSignal; forget(): void } {
  const discarding = new AbortController();
  const forget = outbox.subscribe(() => {
    if (!outbox.get().some((entry) => entry.key === key)) discarding.abort();
  });
  return { signal: discarding.signal, forget };
}

/** Raises when the browser has lost some of its files. */
async function messageOf(entry: Outgoing): Promise<NewMessage> {
  const { sessionId, agentId, config, voice, text, onBusy } = entry;
  const files = await filesOf(entry);
  if (files.length !== entry.files.length) throw new Error(currentTexts().files.lost);
  return {
    session_id: sessionId,
    message: text,
    ...(sessionId === null && { agent_id: agentId, session_config: told(config) }),
    ...(onBusy !== null && { on_busy: onBusy }),
    ...(voice !== null && { voice_config: voice }),
    ...(files.length > 0 && { attachments: await Promise.all(files.map(encodeFile)) }),
  };
}

/** What is set of it. */
function told(config: SessionConfig): NonNullable<NewMessage["session_config"]> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
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
