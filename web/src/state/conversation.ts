import { chatApi } from "../api/chat-api.ts";
import { ApiError, Unreachable } from "../api/request.ts";
import type { Decision, Message, ReplyEvent, SessionInfo } from "../api/types.ts";
import { agents, chosenAgent, startingAgent } from "./catalogue.ts";
import { waitToRetry } from "./connection.ts";
import { followReply } from "./follow-reply.ts";
import { announcement, notifyError } from "./notices.ts";
import { applyEvent, isLast, isUnfinished, type MessageView } from "./reply-view.ts";
import { deletedSessions, noteSession } from "./sessions.ts";
import { createStore } from "./store.ts";
import { tellTabs } from "./tabs.ts";

/** The conversation that is open: an unbroken part of its messages, oldest first. */
export interface Conversation {
  /** Null: it begins with the first message. */
  readonly sessionId: string | null;
  /** Names a conversation until it has a session, and stays. */
  readonly draftId: string;
  /** Another one for each unbroken part that is shown. */
  readonly windowId: string;
  readonly session: SessionInfo | null;
  readonly state: "loading" | "ready" | "missing";
  readonly messages: readonly MessageView[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** A message to be brought into view, with the words that were looked for. */
  readonly target: { readonly messageId: string; readonly words: string } | null;
}

const pageSize = 50;

/** Told of every event of a followed reply, such as speech. */
const listeners = new Set<(message: MessageView, event: ReplyEvent) => void>();

export const conversation = createStore<Conversation>(emptyConversation());

/** Ends everything that was begun for the conversation before. */
let scope = new AbortController();
const followed = new Map<string, AbortController>();
let mayFollow = true;

function emptyConversation(): Conversation {
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

function update(change: Partial<Conversation>): void {
  conversation.set((current) => ({ ...current, ...change }));
}

export function onReplyEvent(listener: (message: MessageView, event: ReplyEvent) => void): void {
  listeners.add(listener);
}

/** Opens a conversation; null begins one. */
export async function openConversation(
  sessionId: string | null,
  target: Conversation["target"] = null,
  draftId?: string,
): Promise<void> {
  scope.abort();
  scope = new AbortController();
  const { signal } = scope;
  followed.clear();
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
        update({ state: "missing" });
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
    const page = await chatApi.history(
      sessionId,
      { around: target.messageId, limit: pageSize },
      signal,
    );
    const first = page.messages[0];
    const older =
      first === undefined
        ? null
        : await chatApi.history(sessionId, { before: first.message_id, limit: 1 }, signal);
    signal.throwIfAborted();
    update({
      session: page.session_info,
      state: "ready",
      messages: page.messages,
      hasOlder: (older?.messages.length ?? 0) > 0,
      hasNewer: page.pagination.has_more,
      target,
    });
  } else {
    const session = await chatApi.session(sessionId, signal);
    const { messages, offset } = await loadTail(session, signal);
    signal.throwIfAborted();
    update({
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

/** The newest messages and how many there are before them. */
async function loadTail(session: SessionInfo, signal: AbortSignal) {
  const offset = Math.max(0, session.message_count - pageSize);
  const messages: Message[] = [];
  for (let more = true; more;) {
    const page = await chatApi.history(
      session.session_id,
      { offset: offset + messages.length, limit: pageSize },
      signal,
    );
    messages.push(...page.messages);
    more = page.pagination.has_more && page.messages.length > 0;
  }
  return { messages, offset };
}

let loadingPage = false;

/** Loads the page before the oldest message shown. */
export function loadOlder(): Promise<void> {
  return loadPage(async ({ messages }, sessionId, signal) => {
    const first = messages[0];
    if (first === undefined) return;
    const page = await chatApi.history(
      sessionId,
      { before: first.message_id, limit: pageSize },
      signal,
    );
    signal.throwIfAborted();
    conversation.set((current) => ({
      ...current,
      messages: [...page.messages, ...current.messages],
      hasOlder: page.pagination.has_more,
    }));
  });
}

/** Loads the page after the newest message shown. */
export function loadNewer(): Promise<void> {
  return loadPage(async ({ messages }, sessionId, signal) => {
    const last = messages.at(-1);
    if (last === undefined) return;
    const page = await chatApi.history(
      sessionId,
      { after: last.message_id, limit: pageSize },
      signal,
    );
    signal.throwIfAborted();
    conversation.set((current) => ({
      ...current,
      messages: merged(current.messages, page.messages),
      hasNewer: page.pagination.has_more,
    }));
    followActive();
  });
}

async function loadPage(
  load: (current: Conversation, sessionId: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const current = conversation.get();
  const { signal } = scope;
  if (loadingPage || current.sessionId === null) return;
  loadingPage = true;
  try {
    await load(current, current.sessionId, signal);
  } catch (error) {
    if (!signal.aborted && !(error instanceof Unreachable)) notifyError(error);
  } finally {
    loadingPage = false;
  }
}

/** Brings a message into view, from wherever in the history. */
export async function jumpTo(messageId: string, words = ""): Promise<void> {
  const { sessionId, messages } = conversation.get();
  const target = { messageId, words };
  if (messages.some(({ message_id: id }) => id === messageId)) update({ target });
  else if (sessionId !== null) await openConversation(sessionId, target);
}

export async function jumpToLatest(): Promise<void> {
  const { sessionId, hasNewer } = conversation.get();
  if (sessionId !== null && hasNewer) await openConversation(sessionId);
}

let syncing: Promise<void> | null = null;
let syncAgain = false;

/** Brings the open conversation up to date with the service. Failures wait for the next time. */
export function syncConversation(): Promise<void> {
  if (syncing !== null) {
    syncAgain = true;
    return syncing;
  }
  syncing = (async () => {
    do {
      syncAgain = false;
      await syncOnce();
    } while (syncAgain);
    syncing = null;
  })();
  return syncing;
}

async function syncOnce(): Promise<void> {
  const { sessionId, session: known, state, hasNewer } = conversation.get();
  const { signal } = scope;
  if (sessionId === null || state !== "ready") return;
  try {
    const session = await chatApi.session(sessionId, signal);
    const isChanged =
      known === null ||
      session.message_count !== known.message_count ||
      session.last_activity !== known.last_activity ||
      session.active_message_id !== known.active_message_id ||
      session.active_message_status !== known.active_message_status ||
      hasLooseEnds(session);
    const tail = isChanged && !hasNewer ? await loadTail(session, signal) : null;
    signal.throwIfAborted();
    noteSession(session);
    conversation.set((current) => {
      if (tail === null) return { ...current, session };
      const first = tail.messages[0]?.message_id;
      const isConnected =
        tail.offset === 0 ||
        current.messages.some(({ message_id: messageId }) => messageId === first);
      return {
        ...current,
        session,
        messages: isConnected ? merged(current.messages, tail.messages) : merged([], tail.messages),
        hasOlder: isConnected ? current.hasOlder : tail.offset > 0,
      };
    });
    followActive();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.status === 404) {
      if (!deletedSessions.get().has(sessionId)) update({ state: "missing" });
    } else if (error instanceof ApiError && error.status !== 401 && error.status < 500) {
      notifyError(error);
    }
  }
}

/** A reply here that waits, or seems to run though the service is busy with another or with none. */
function hasLooseEnds(session: SessionInfo): boolean {
  return conversation
    .get()
    .messages.some(
      (message) =>
        message.status === "queued" ||
        (message.status === "streaming" &&
          message.message_id !== session.active_message_id &&
          !followed.has(message.message_id)),
    );
}

/**
 * The messages shown, with newer knowledge of some and others behind them. What was added while that knowledge was on
 * its way stays behind it.
 */
function merged(shown: readonly MessageView[], newer: readonly Message[]): MessageView[] {
  const known = new Map(shown.map((message) => [message.message_id, message]));
  const added = new Set(newer.map((message) => message.message_id));
  const lastCommon = shown.findLastIndex(({ message_id: id }) => added.has(id));
  const isKept = ({ message_id: id }: MessageView) => !added.has(id);
  const later = lastCommon === -1 ? shown.length : lastCommon + 1;
  return [
    ...shown.slice(0, later).filter(isKept),
    ...newer.map((message): MessageView => {
      const before = known.get(message.message_id);
      // What is followed is ahead of what was stored.
      if (before !== undefined && followed.has(message.message_id)) {
        return { ...before, agent_id: message.agent_id };
      }
      return before?.live === undefined ? message : { ...message, live: before.live };
    }),
    ...shown.slice(later),
  ];
}

function followActive(): void {
  if (!mayFollow) return;
  const { session, messages } = conversation.get();
  const active = session?.active_message_id ?? null;
  if (active === null || session?.active_message_status === "paused") return;
  if (messages.some((message) => message.message_id === active && isUnfinished(message))) {
    follow(active);
  }
}

/** Shows a reply as it is made. Does nothing for one that is shown already. */
function follow(messageId: string, opened?: Response, onShown?: () => void): void {
  if (followed.has(messageId)) {
    void opened?.body?.cancel();
    onShown?.();
    return;
  }
  const own = new AbortController();
  const { signal: outer } = scope;
  const signal = AbortSignal.any([own.signal, outer]);
  followed.set(messageId, own);
  const after =
    conversation.get().messages.find(({ message_id: id }) => id === messageId)?.live?.lastEventId ??
    0;
  let isShown = false;
  const take = inFrames((events) => takeEvents(messageId, events, own));
  const run = async () => {
    try {
      await followReply({
        messageId,
        after,
        opened,
        signal,
        onEvent(id, event) {
          take.put({ id, event });
          if (!isShown) onShown?.();
          isShown = true;
        },
      });
    } catch (error) {
      if (!signal.aborted) notifyError(error);
    } finally {
      take.flush();
      if (followed.get(messageId) === own) followed.delete(messageId);
    }
    if (!outer.aborted) await syncConversation();
    onShown?.();
  };
  void run();
}

interface NumberedEvent {
  readonly id: number;
  readonly event: ReplyEvent;
}

/** When nothing is drawn, as in a tab that nobody looks at, text is taken over at least this often. */
const maxFrameMs = 100;

/**
 * Text that comes faster than it can be drawn is handed over once a frame: taking up a long reply again brings
 * thousands of events at once. Anything but text is handed over at once, behind the text before it.
 */
function inFrames(handOver: (events: readonly NumberedEvent[]) => void) {
  let waiting: NumberedEvent[] = [];
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    waiting = [];
    if (events.length > 0) handOver(events);
  };
  return {
    flush,
    put(item: NumberedEvent) {
      waiting.push(item);
      const isText = item.event.type === "assistant_chunk" || item.event.type === "reasoning_chunk";
      if (!isText) flush();
      else if (timer === undefined) {
        frame = requestAnimationFrame(flush);
        timer = setTimeout(flush, maxFrameMs);
      }
    },
  };
}

function takeEvents(
  messageId: string,
  events: readonly NumberedEvent[],
  own: AbortController,
): void {
  for (const { event } of events) if (event.type === "user_message") showTurn(event);
  let seen: MessageView | undefined;
  conversation.set((current) => ({
    ...current,
    messages: current.messages.map((message) => {
      if (message.message_id !== messageId) return message;
      seen = events.reduce((view, { id, event }) => applyEvent(view, id, event), message);
      return seen;
    }),
  }));
  if (seen === undefined) return;
  for (const { event } of events) {
    for (const listener of listeners) listener(seen, event);
    if (isLast(event)) {
      announcement.set(seen.content.slice(0, 4_000));
      tellTabs(seen.session_id);
    }
    // Browsers allow few connections: a reply that waits is followed when it is its turn.
    if (event.type === "queued") own.abort();
  }
}

/** Puts a question and its reply to the end, unless they are there. */
function showTurn(event: Extract<ReplyEvent, { type: "user_message" }>): void {
  conversation.set((current) => {
    if (current.sessionId !== event.session_id || current.hasNewer) return current;
    const has = (id: string) => current.messages.some((message) => message.message_id === id);
    const shared = {
      session_id: event.session_id,
      timestamp: event.timestamp,
      agent_id: current.session?.agent_id ?? agentToBegin(),
      metadata: {},
    };
    const question: MessageView = {
      ...shared,
      message_id: event.user_message_id,
      role: "user",
      content: event.message,
      status: "complete",
    };
    const reply: MessageView = {
      ...shared,
      message_id: event.message_id,
      role: "assistant",
      content: "",
      status: "streaming",
      reply_to: event.user_message_id,
    };
    const added = [question, reply].filter(({ message_id: id }) => !has(id));
    return added.length === 0 ? current : { ...current, messages: [...current.messages, ...added] };
  });
}

function agentToBegin(): string {
  return startingAgent(agents.get(), chosenAgent.get())?.agent_id ?? "";
}

/** Takes over a turn that the service has just accepted; `onShown` may be called several times. */
export function adoptTurn(
  place: { readonly sessionId: string | null; readonly draftId: string | null },
  accepted: { readonly sessionId: string; readonly messageId: string; readonly response: Response },
  onShown: () => void,
): void {
  const current = conversation.get();
  const isHere =
    current.sessionId === null
      ? current.draftId === place.draftId
      : current.sessionId === accepted.sessionId;
  if (!isHere) {
    void accepted.response.body?.cancel();
    onShown();
    return;
  }
  if (current.sessionId === null) update({ sessionId: accepted.sessionId, state: "ready" });
  follow(accepted.messageId, accepted.response, onShown);
  void syncConversation();
}

export async function stopReply(messageId: string): Promise<void> {
  try {
    const message = await chatApi.cancel(messageId);
    if (!followed.has(messageId)) {
      conversation.set((current) => ({
        ...current,
        messages: current.messages.map((each) =>
          each.message_id === messageId ? { ...each, ...message } : each,
        ),
      }));
    }
  } catch (error) {
    // It has ended by itself in the meantime.
    if (!(error instanceof ApiError && error.status === 409)) notifyError(error);
  }
  tellTabs(conversation.get().sessionId ?? "");
  await syncConversation();
}

/** Tells a paused reply what a person has decided; it goes on. */
export async function decide(messageId: string, decisions: readonly Decision[]): Promise<void> {
  const { signal } = scope;
  try {
    follow(messageId, await chatApi.resume(messageId, decisions, signal));
  } catch (error) {
    if (signal.aborted) return;
    notifyError(error);
  }
  await syncConversation();
}

/** Lets go of all streams while nobody looks: browsers allow few connections to one host. */
export function setFollowing(isWanted: boolean): void {
  mayFollow = isWanted;
  if (!isWanted) for (const own of followed.values()) own.abort();
}
