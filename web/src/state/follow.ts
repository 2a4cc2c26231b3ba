import { ApiError, isLast, type Reply } from "../../../packages/client/src/index.ts";
import { client, patiently } from "../api/client.ts";
import type { ReplyEvent } from "../api/types.ts";
import { agents, chosenAgent, startingAgent } from "./catalogue.ts";
import { isConnected } from "./connection.ts";
import { conversation, conversationSignal } from "./conversation.ts";
import { inFrames, type NumberedEvent } from "./in-frames.ts";
import { withTurn } from "./merge-messages.ts";
import { notifyError } from "./notices.ts";
import { applyEvent, type MessageView } from "./reply-view.ts";
import { sayReply } from "./say-reply.ts";
import { tellTabs } from "./tabs.ts";

interface Follow {
  /** Where it was just asked for. */
  readonly reply?: Reply | undefined;
  /** May be called several times. */
  readonly onShown?: (() => void) | undefined;
  /** The reply has ended, paused or waits, and its conversation is still open. */
  readonly whenOver: () => Promise<void>;
}

/** Told of every event of a followed reply, such as speech. */
const listeners = new Set<(message: MessageView, event: ReplyEvent) => void>();
const followed = new Map<string, AbortController>();
let mayFollow = true;

export function onReplyEvent(listener: (message: MessageView, event: ReplyEvent) => void): void {
  listeners.add(listener);
}

export function isFollowed(messageId: string): boolean {
  return followed.has(messageId);
}

/** Whether replies may be followed that nobody here has asked for. */
export function isFollowing(): boolean {
  return mayFollow;
}

/** Lets go of all streams while nobody looks: browsers allow few connections to one host. */
export function setFollowing(isWanted: boolean): void {
  mayFollow = isWanted;
  if (!isWanted) for (const own of followed.values()) own.abort();
}

/** Forgets the replies of a conversation that was left; their streams end with it. */
export function forgetFollowed(): void {
  followed.clear();
}

/** It is not known to be there before it is read again. */
function onRetry(): void {
  isConnected.set(false);
}

/** Shows a reply as it is made. Does nothing for one that is shown already. */
export function follow(messageId: string, { reply: asked, onShown, whenOver }: Follow): void {
  if (followed.has(messageId)) {
    asked?.leave();
    onShown?.();
    return;
  }
  const own = new AbortController();
  const outer = conversationSignal();
  const signal = AbortSignal.any([own.signal, outer]);
  followed.set(messageId, own);
  const after =
    conversation.get().messages.find(({ message_id: id }) => id === messageId)?.live?.lastEventId ??
    0;
  let isShown = false;
  const reply =
    asked ?? client.messages.follow(messageId, { ...patiently, after, signal, onRetry });
  const take = inFrames((events) => takeEvents(messageId, events, own));
  const run = async () => {
    try {
      for await (const event of reply.events({ ...patiently, signal, onRetry })) {
        // A message that was to be taken in, and was not, is answered in the same stream, by a reply of its own.
        if (event.message_id !== messageId || event.seq <= after) continue;
        take.put({ id: event.seq, event });
        if (!isShown) onShown?.();
        isShown = true;
      }
    } catch (error) {
      // It may be gone by now.
      const isGone = error instanceof ApiError && error.status === 404;
      if (!signal.aborted && !isGone) notifyError(error);
    } finally {
      take.flush();
      if (followed.get(messageId) === own) followed.delete(messageId);
    }
    if (!outer.aborted) await whenOver();
    onShown?.();
  };
  void run();
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
  sayReply(seen);
  for (const { event } of events) {
    for (const listener of listeners) listener(seen, event);
    if (isLast(event)) tellTabs(seen.session_id);
    // Browsers allow few connections: a reply that waits is followed when it is its turn.
    if (event.type === "queued") own.abort();
  }
}

/** Puts a question and its reply to the end, unless they are there. */
function showTurn(event: Extract<ReplyEvent, { type: "user_message" }>): void {
  conversation.set((current) => {
    if (current.sessionId !== event.session_id || current.hasNewer) return current;
    const agentId = current.session?.agent_id ?? agentToBegin();
    const messages = withTurn(current.messages, event, agentId);
    return messages === current.messages ? current : { ...current, messages };
  });
}

function agentToBegin(): string {
  return startingAgent(agents.get(), chosenAgent.get())?.agent_id ?? "";
}
