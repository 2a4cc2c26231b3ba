import type { Message, SessionInfo } from "./api-types.ts";
import { applyEvent } from "./apply-event.ts";
import type { ChatClient } from "./client.ts";
import type { Again, Decision, Edit, NewMessage, SendOptions } from "./messages.ts";
import type { NumberedReplyEvent, Reply } from "./reply.ts";

export interface ConversationOptions {
  /** None: the first message begins a conversation. */
  readonly sessionId?: string | null | undefined;
  /** For every message that is sent, such as `agent_id`, `session_config`, `voice_config`. */
  readonly defaults?:
    | Omit<Partial<NewMessage>, "message" | "session_id" | "attachments">
    | undefined;
  /** Messages shown at first, and fetched by each `loadOlder`. */
  readonly pageSize?: number | undefined;
}

export interface ConversationState {
  /** Null until there is one. */
  readonly sessionId: string | null;
  readonly session: SessionInfo | null;
  /** The newest of the active path, in its order; replies grow while they are made. */
  readonly messages: readonly Message[];
  /** Sent, and not confirmed by the service yet. */
  readonly sending: readonly string[];
  readonly hasOlder: boolean;
  readonly isLoading: boolean;
  /** Whether a reply is being made or waits. */
  readonly isReplying: boolean;
  /** What went wrong last; the next thing that is done clears it. */
  readonly error: Error | null;
}

/** One conversation as a page shows it, kept up to date by whatever device it goes on. */
export function createConversation(client: ChatClient, options: ConversationOptions = {}) {
  const { pageSize = 50, defaults = {} } = options;
  let state: ConversationState = {
    sessionId: options.sessionId ?? null,
    session: null,
    messages: [],
    sending: [],
    hasOlder: false,
    isLoading: (options.sessionId ?? null) !== null,
    isReplying: false,
    error: null,
  };
  /** As the service has stored them. */
  let stored: readonly Message[] = [];
  /** Replies as their events have told them, and the number of the last one. */
  const live = new Map<string, { readonly message: Message; readonly seq: number }>();
  const followed = new Map<string, Reply>();
  const listeners = new Set<() => void>();
  let shown = pageSize;
  let open = new AbortController();
  open.abort();

  const set = (changes: Partial<ConversationState>) => {
    state = { ...state, ...changes };
    for (const listener of listeners) listener();
  };
  const show = (changes: Partial<ConversationState> = {}) => {
    const messages = stored.map((message) => {
      const told = live.get(message.message_id)?.message;
      if (told === undefined) return message;
      // Where it stands is known to the service alone.
      const { parent_id, siblings, reply_to } = message;
      return { ...told, parent_id, siblings, reply_to };
    });
    const isReplying = messages.some(({ status }) => status === "streaming" || status === "queued");
    set({ messages, isReplying, ...changes });
  };

  /** Reads the session and the end of its path. */
  const load = async (sessionId: string, signal: AbortSignal): Promise<void> => {
    const session = await client.sessions.get(sessionId, { signal });
    const offset = Math.max(0, session.message_count - shown);
    const messages: Message[] = [];
    for (let hasMore = true; hasMore;) {
      const query = { offset: offset + messages.length, limit: Math.min(200, shown) };
      const page = await client.messages.history(sessionId, query, { signal });
      messages.push(...page.messages);
      hasMore = page.pagination.has_more && page.messages.length > 0;
    }
    signal.throwIfAborted();
    stored = messages;
    for (const id of live.keys()) if (!followed.has(id)) live.delete(id);
    show({ session, sessionId, hasOlder: offset > 0, isLoading: false });
    const active = session.active_message_id;
    if (active !== null && session.active_message_status === "streaming" && !followed.has(active)) {
      unwaited(follow(client.messages.follow(active, { signal }), active));
    }
  };

  let loading: Promise<void> | null = null;
  let isStale = false;
  const loadAll = async (): Promise<void> => {
    while (isStale && state.sessionId !== null && !open.signal.aborted) {
      isStale = false;
      const { signal } = open;
      try {
        await load(state.sessionId, signal);
      } catch (error) {
        if (!signal.aborted) set({ error: error as Error, isLoading: false });
      }
    }
  };

  /** Brings everything up to date; asked for meanwhile, once more. */
  const sync = (): Promise<void> => {
    isStale = true;
    loading ??= loadAll().finally(() => {
      loading = null;
    });
    return loading;
  };

  /** What goes wrong in it is shown. */
  const unwaited = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => set({ error: error as Error }));
  };

  /** What is being sent; equal texts are several. */
  let sending: readonly { readonly text: string }[] = [];
  const setSending = (next: typeof sending) => {
    sending = next;
    set({ sending: sending.map(({ text }) => text) });
  };

  /** `atEnd`: question and reply stand behind everything that is shown; elsewhere they are when they have been read. */
  const take = (event: NumberedReplyEvent, atEnd: (() => void) | undefined) => {
    const { message_id: id, session_id, timestamp } = event;
    const find = (wanted: string) => stored.find(({ message_id }) => message_id === wanted);
    const shared = { session_id, timestamp, metadata: {}, agent_id: state.session?.agent_id ?? "" };
    const before: Message = live.get(id)?.message ??
      find(id) ?? {
        ...shared,
        message_id: id,
        parent_id: null,
        role: "assistant",
        content: "",
        status: "streaming",
      };
    if (event.type === "user_message" && atEnd !== undefined && find(id) === undefined) {
      const question: Message = {
        ...shared,
        message_id: event.user_message_id,
        parent_id: stored.at(-1)?.message_id ?? null,
        role: "user",
        content: event.message,
        status: "complete",
      };
      const isKnown = find(question.message_id) !== undefined;
      stored = [...stored, ...(isKnown ? [] : [question]), before];
    }
    atEnd?.();
    live.set(id, { message: applyEvent(before, event), seq: event.seq });
    show();
  };

  const follow = async (reply: Reply, messageId: string, atEnd?: () => void): Promise<void> => {
    if (followed.has(messageId)) return reply.leave();
    followed.set(messageId, reply);
    const { signal } = open;
    try {
      for await (const event of reply.events({ signal })) take(event, atEnd);
    } catch (error) {
      if (!signal.aborted) set({ error: error as Error });
    } finally {
      followed.delete(messageId);
    }
    await sync();
  };

  /** Takes part in a reply that was just asked for; resolves when the service has accepted it. */
  const takePart = async (reply: Reply, atEnd?: () => void): Promise<void> => {
    try {
      const { sessionId, messageId } = await reply.accepted;
      if (state.sessionId === null) set({ sessionId });
      unwaited(follow(reply, messageId, atEnd));
      // Others may hang elsewhere than at the end.
      if (stored.length > 0) await sync();
    } catch (error) {
      set({ error: error as Error });
      throw error;
    }
  };

  const listen = async (signal: AbortSignal): Promise<void> => {
    try {
      const events = client.sessions.events({ signal, patienceMs: Number.POSITIVE_INFINITY });
      for await (const event of events) {
        const isOurs = event.session_id === state.sessionId && event.session_id !== undefined;
        if (isOurs || event.type === "ready" || event.type === "reset") unwaited(sync());
      }
    } catch {
      // Without it the conversation goes on; what other devices do is seen when it is read anew.
    }
  };

  return {
    getState: () => state,
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },

    /** Loads the conversation and keeps it up to date, until what is returned is called. May be opened again. */
    open(): () => void {
      open = new AbortController();
      const { signal } = open;
      unwaited(listen(signal));
      unwaited(sync());
      return () => {
        if (signal === open.signal) open.abort();
      };
    },

    /** Resolves when the service has stored it; the reply appears by itself. */
    async send(
      message: string | Omit<NewMessage, "session_id">,
      sendOptions?: SendOptions,
    ): Promise<void> {
      const body = typeof message === "string" ? { message } : message;
      const { session_config, ...others } = defaults;
      const isFirst = state.sessionId === null;
      const own = { text: body.message };
      const isSent = () => {
        if (sending.includes(own)) setSending(sending.filter((each) => each !== own));
      };
      set({ error: null });
      setSending([...sending, own]);
      const reply = client.send(
        {
          ...(isFirst && session_config && { session_config }),
          ...others,
          ...body,
          session_id: state.sessionId,
        },
        sendOptions,
      );
      try {
        await takePart(reply, "parent_message_id" in body ? undefined : isSent);
      } finally {
        isSent();
      }
    },

    /** Stops what is being made. */
    async stop(): Promise<void> {
      const running = state.messages.find(({ status }) => status === "streaming");
      if (running !== undefined) await client.messages.cancel(running.message_id);
    },

    regenerate: (messageId: string, body?: Again, sendOptions?: SendOptions): Promise<void> =>
      takePart(client.messages.regenerate(messageId, body, sendOptions)),

    edit: (messageId: string, body: string | Edit, sendOptions?: SendOptions): Promise<void> =>
      takePart(
        client.messages.edit(
          messageId,
          typeof body === "string" ? { message: body } : body,
          sendOptions,
        ),
      ),

    /** Answers what a paused reply asks. */
    decide: (messageId: string, decisions: readonly Decision[]): Promise<void> =>
      takePart(
        client.messages.continue(messageId, decisions, { after: live.get(messageId)?.seq ?? 0 }),
      ),

    /** Shows the branch that a message (one of `siblings.ids`) is on. */
    async showBranch(messageId: string): Promise<void> {
      if (state.sessionId === null) return;
      await client.sessions.update(state.sessionId, { head_message_id: messageId });
      await sync();
    },

    async delete(messageId: string): Promise<void> {
      await client.messages.delete(messageId);
      await sync();
    },

    async rate(...rating: Parameters<ChatClient["messages"]["rate"]>): Promise<void> {
      await client.messages.rate(...rating);
      await sync();
    },

    async loadOlder(): Promise<void> {
      shown += pageSize;
      await sync();
    },
  };
}
