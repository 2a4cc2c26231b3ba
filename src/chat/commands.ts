import type { Attachment, Decision } from "../agents/agent-backend.ts";
import type { Catalogue } from "../agents/catalogue.ts";
import { checkSettings, settingsOf } from "../agents/run-settings.ts";
import { checkImages } from "../attachments/taken-images.ts";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import { mayAccess, type Caller } from "../http/caller.ts";
import { goneCaller } from "../http/gone-signal.ts";
import type { IdempotencyKey } from "../idempotency/idempotency-store.ts";
import type { Identity, IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { BeginningSession, UserMessage } from "../replies/lifecycle/acceptance.ts";
import type { Anchor } from "../replies/lifecycle/anchor.ts";
import type { OnBusy } from "../replies/lifecycle/make-place.ts";
import type { NewTurn, Replies } from "../replies/lifecycle/replies.ts";
import type { ReplyStore } from "../replies/lifecycle/reply-store.ts";
import type { Amendment } from "../replies/lifecycle/waiting.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";
import type { ClaimedReply, ReplyState } from "../replies/reply.ts";
import type { FollowReply } from "../replies/reading/follow-reply.ts";
import { isTakenIn } from "../replies/reading/follow-sent.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { Budgets } from "../usage/budgets.ts";
import { checkDecisions } from "./check-decisions.ts";
import { waitsForDecision, waitsForOf, type WaitsFor } from "./waits-for-decision.ts";

interface CommandParts {
  readonly identity: IdentityProvider;
  readonly sessions: Pick<Sessions, "prepare">;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly replies: Replies;
  readonly replyStore: Pick<
    ReplyStore,
    "answered" | "find" | "owner" | "messageOwner" | "queued" | "steers"
  >;
  readonly follow: FollowReply;
  readonly limiter: RateLimiter;
  readonly budgets: Pick<Budgets, "check">;
  /** Messages a minute and user; 0: no limit. */
  readonly messageRateLimit: number;
  /** The same of a key, over all for whom it acts. */
  readonly keyRateLimit: number;
}

/** A message that somebody wants to send, from whatever door it came. */
export interface SendMessage {
  /** Undefined: a session is made for `userId`. */
  readonly sessionId: string | undefined;
  /** Where it hangs in its session. */
  readonly at: Anchor;
  /** The session must belong to this user; null: whoever owns it (nobody has proven to be anybody). */
  readonly ownerId: string | null;
  /** For whom a session is made; also the scope of the rate limit. */
  readonly userId: string | undefined;
  /** Who sends it; null: nobody has proven to be anybody. */
  readonly identity: Identity | null;
  /** Of a session that is made; of one that exists, what is to be changed. */
  readonly sessionConfig: Readonly<Record<string, unknown>>;
  /** For this turn only. */
  readonly agentId: string | undefined;
  readonly onBusy: OnBusy | null;
  /** Its reply is to answer this message alone: what a session says of merging and steering does not hold. */
  readonly isAlone?: boolean;
  /** For this turn only, as callers write them. */
  readonly ownSettings?: Readonly<Record<string, unknown>>;
  /** Null: another reply to one that is there. */
  readonly message: UserMessage | null;
  readonly turn: NewTurn["turn"];
  readonly idempotency: IdempotencyKey | null;
  /** Of a session that is made, beside its configuration. */
  readonly beginning?: Pick<BeginningSession, "externalId" | "earlier" | "isTemporary">;
  /** False: whoever asked has gone, and will ask again where it still matters. Looked at before anything is stored. */
  readonly isWanted?: () => boolean;
}

/** What is asked of an agent at a message that is there. */
export type TurnAt = Omit<
  SendMessage,
  "sessionId" | "ownerId" | "userId" | "identity" | "at" | "message" | "beginning" | "isWanted"
>;

/** What of a waiting message is to be otherwise; what is absent stays as it is. */
export interface WaitingChange extends Pick<
  Amendment,
  "text" | "attachments" | "metadata" | "agentId" | "turn"
> {
  readonly sessionConfig: Readonly<Record<string, unknown>>;
  /** For this turn only, as callers write them. */
  readonly ownSettings: Readonly<Record<string, unknown>>;
}

/** The reply that a message has led to, now or when the same request came first. */
export interface SentMessage {
  readonly sessionId: string;
  readonly replyId: string;
  /** Of one that this request has made: what it was made of. */
  readonly made?: Pick<ClaimedReply, "agentId" | "userMessageId" | "message">;
  /** Number of the last event that was told before this message came. */
  readonly after?: number;
  /** The reply is to take the message in; until then, and where it ends without, the message's own reply is this one. */
  readonly waiting?: string;
}

/** A reply as a caller names it. */
export interface NamedReply {
  readonly messageId: string;
  /** The user that the caller says it belongs to. */
  readonly userId?: string | undefined;
}

export type Commands = ReturnType<typeof createCommands>;

/** How long a cancellation waits for the reply's end before it looks again. */
const cancelWaitMs = 6_000;

/**
 * What people can do with replies: every door (HTTP, WebSocket, voice, each protocol) only translates to these.
 * Everything that can be refused is refused here, before anything is stored, told or streamed.
 */
export function createCommands(parts: CommandParts) {
  const { identity, sessions, catalogue, replies, replyStore, limiter } = parts;

  /** A user who is refused takes nothing of what the others of his front end have. */
  const limitRate = async (scope: string, { identity: who }: Pick<Caller, "identity">) => {
    await takeOf(`messages:${scope}`, parts.messageRateLimit);
    if (who?.keyName !== undefined) {
      await takeOf(`messages of key:${who.keyName}`, parts.keyRateLimit);
    }
  };
  const takeOf = async (key: string, limit: number) => {
    if (limit === 0) return;
    const decision = await limiter.take(key, { limit, periodMs: 60_000 });
    if (decision.allowed) return;
    const seconds = Math.max(1, Math.ceil(decision.retryAfterMs / 1000));
    throw new Problem("rate_limited", { seconds }, { retryAfterSeconds: seconds });
  };

  /** What `look` finds of a reply that exists for the caller. Raises `message_not_found`. */
  const owned = async <T extends { readonly userId: string }>(
    look: (replyId: string) => Promise<T | null>,
    caller: Caller,
    { messageId, userId }: NamedReply,
  ): Promise<T> => {
    const reply = isId(messageId) ? await look(messageId) : null;
    if (
      reply === null ||
      !(await mayAccess(caller, reply.userId, userId, { message_id: messageId }))
    ) {
      throw new Problem("message_not_found", { messageId });
    }
    return reply;
  };

  const state = (caller: Caller, named: NamedReply): Promise<ReplyState> =>
    owned((replyId) => replyStore.find(replyId), caller, named);

  /** Resolves with its last event when the reply has ended or paused, or when `signal` aborts. */
  const ended = async (replyId: string, signal: AbortSignal): Promise<LoggedEvent | null> => {
    let last: LoggedEvent | null = null;
    // Its opening events interest nobody here.
    for await (const events of parts.follow(replyId, 1, signal)) last = events?.at(-1) ?? last;
    return last;
  };

  /** As `ended`, and also with the event that says so when it waits for a person's decision. */
  const settled = async (replyId: string, signal: AbortSignal): Promise<LoggedEvent | null> => {
    let last: LoggedEvent | null = null;
    for await (const events of parts.follow(replyId, 1, signal)) {
      last = events?.at(-1) ?? last;
      if (last !== null && waitsForDecision(last) !== null) break;
    }
    return last;
  };

  /** The same of whatever answers a message that was sent; which reply that is, may be known only then. */
  const answered = async (
    { replyId, waiting }: SentMessage,
    signal: AbortSignal,
  ): Promise<{ readonly replyId: string; readonly end: LoggedEvent | null }> => {
    for (;;) {
      const end = await settled(replyId, signal);
      if (waiting === undefined || signal.aborted) return { replyId, end };
      if ((await replyStore.owner(waiting)) === null) return { replyId, end };
      const own = await settled(waiting, signal);
      if (!isTakenIn(own)) return { replyId: waiting, end: own };
    }
  };

  /**
   * Raises when the agent does not exist for the caller, or cannot do what a message and its settings ask for. Asked when a
   * message is accepted, changed or decided about; what was accepted is answered, whatever becomes of rights meanwhile.
   */
  const checkTurn = (
    caller: Caller,
    agentId: string,
    attachments: readonly Attachment[],
    sessionConfig: Readonly<Record<string, unknown>>,
    ownSettings: Readonly<Record<string, unknown>>,
  ): void => {
    const agents = catalogue.seenBy(caller);
    if (!agents.isSeen(agentId)) throw new Problem("agent_not_found", { agentId });
    const agent = agents.entry(agentId);
    if (agent === undefined) return;
    checkImages(attachments, agent.descriptor.metadata["attachments"]);
    checkSettings(sessionConfig, "/session_config", agent);
    checkSettings(ownSettings, "", agent);
  };

  const send = async (request: SendMessage): Promise<SentMessage> => {
    const { sessionId, userId } = request;
    if (sessionId !== undefined && !isId(sessionId)) {
      throw new Problem("session_not_found", { sessionId });
    }
    await limitRate(userId ?? `session:${sessionId}`, request);
    const { keyName, token: userToken } = request.identity ?? {};
    const overdrawn = await parts.budgets.check({ userId, sessionId, keyName });
    // A repeat gets its first answer all the same, and only the database knows whether it is one.
    if (overdrawn !== null && request.idempotency === null) throw overdrawn;
    const agentId =
      request.agentId === undefined
        ? undefined
        : (await catalogue.seenBy(request).resolve(request.agentId)).agentId;
    const newSession =
      sessionId === undefined
        ? await sessions.prepare({
            caller: request,
            userId: userId ?? "",
            agentId,
            config: request.sessionConfig,
            metadata: {},
          })
        : null;
    const { ownerId, onBusy, message, idempotency, sessionConfig, ownSettings = {} } = request;
    const changesSession = sessionId !== undefined && Object.keys(sessionConfig).length > 0;
    const own = settingsOf(ownSettings);
    const turn = {
      ...request.turn,
      ...(keyName !== undefined && { keyName }),
      ...(Object.keys(own).length > 0 && { ownSettings: own }),
    };
    const accepted = await replies.accept(
      {
        sessionId: newSession?.sessionId ?? sessionId ?? "",
        newSession: newSession && { ...newSession, ...request.beginning },
        ownerId,
        at: request.at,
        message,
        agentId,
        onBusy,
        isAlone: request.isAlone === true,
        turn,
        ...(changesSession && { config: sessionConfig }),
        check(agentId) {
          if (overdrawn !== null) throw overdrawn;
          if (request.isWanted?.() === false) throw goneCaller();
          checkTurn(request, agentId, message?.attachments ?? [], sessionConfig, ownSettings);
        },
        idempotency,
      },
      userToken,
    );
    if (!("earlier" in accepted)) {
      const { replyId, turn, after } = accepted;
      const answer = leadsTo(replyId, turn.steers);
      return { sessionId: accepted.sessionId, ...answer, made: accepted, after };
    }
    const { sessionId: earlierSession, messageId } = accepted.earlier;
    // The key was used to create a session: that is another request.
    if (messageId === null) throw new Problem("idempotency_conflict", {});
    const answered = await replyStore.answered(messageId);
    if (answered !== null) {
      const { replyId, after, ...rest } = answered;
      const made = { ...rest, userMessageId: messageId };
      return { sessionId: earlierSession, replyId, made, after };
    }
    // What was deleted meanwhile is not made once more.
    if ((await replyStore.owner(messageId)) === null) {
      throw new Problem("message_not_found", { messageId });
    }
    const steers = await replyStore.steers(messageId);
    return { sessionId: earlierSession, ...leadsTo(messageId, steers ?? undefined) };
  };

  /** Where a message is that somebody wants something said at. */
  const placeOf = (caller: Caller, named: NamedReply) =>
    owned(replyStore.messageOwner, caller, named).catch(async (error: unknown) => {
      // Looking for messages is not free either.
      await limitRate(caller.identity?.userId ?? named.userId ?? "", caller);
      throw error;
    });

  /** A turn at a message, in the session that has it. */
  const sendAt = async (
    caller: Caller,
    named: NamedReply,
    turn: TurnAt,
    rest: Pick<SendMessage, "at" | "message">,
  ): Promise<SentMessage> => {
    const { sessionId, userId } = await placeOf(caller, named);
    const whose = { sessionId, ownerId: userId, userId, identity: caller.identity };
    return send({ ...turn, ...whose, ...rest });
  };

  return {
    /** Raises what keeps the caller from sending messages at all. */
    async authorize(caller: Caller): Promise<void> {
      if (caller.identity !== null) await identity.authorize(caller.identity, "send_message");
    },

    /** When it resolves, the message is durable and its reply runs, waits, or has long been made. */
    send,

    /** Another reply to the same message, of the ended reply that is named or of the user's message itself. */
    regenerate: (caller: Caller, named: NamedReply, turn: TurnAt): Promise<SentMessage> =>
      sendAt(caller, named, turn, {
        at: { kind: "again", messageId: named.messageId },
        message: null,
      }),

    /** A user's message said otherwise, beside it, and its reply. */
    edit: (
      caller: Caller,
      named: NamedReply,
      message: UserMessage,
      turn: TurnAt,
    ): Promise<SentMessage> =>
      sendAt(caller, named, turn, {
        at: { kind: "beside", messageId: named.messageId },
        message,
      }),

    /** A message that still waits, said otherwise. Raises `message_not_queued`. */
    async amend(
      caller: Caller,
      named: NamedReply,
      change: WaitingChange,
    ): Promise<{ readonly userMessageId: string }> {
      const { sessionId, userId } = await placeOf(caller, named);
      await limitRate(userId, caller);
      const { sessionConfig, ownSettings, turn, ...rest } = change;
      const agentId =
        change.agentId === undefined
          ? undefined
          : (await catalogue.seenBy(caller).resolve(change.agentId)).agentId;
      const own = settingsOf(ownSettings);
      return replies.amend({
        ...rest,
        agentId,
        sessionId,
        messageId: named.messageId,
        ...(Object.keys(sessionConfig).length > 0 && { config: sessionConfig }),
        turn: { ...turn, ...(Object.keys(own).length > 0 && { ownSettings: own }) },
        check: (agent) =>
          checkTurn(caller, agent, change.attachments ?? [], sessionConfig, ownSettings),
      });
    },

    /** Deletes a message and all that hangs below it; one that waits alone is withdrawn. What runs or waits among it ends as cancelled. */
    async remove(caller: Caller, named: NamedReply): Promise<void> {
      const { messageId } = named;
      const { sessionId } = await owned(replyStore.messageOwner, caller, named);
      if (!(await replies.remove(sessionId, messageId))) {
        throw new Problem("message_not_found", { messageId });
      }
    },

    state,

    /** Whose a reply is, without what it says: for those who will follow it for long. */
    owner: (caller: Caller, named: NamedReply) =>
      owned((replyId) => replyStore.owner(replyId), caller, named),

    settled,
    answered,

    /** What the reply to a message waits for now, for who does not follow it; null when it does not wait. */
    async waitsFor({ sessionId, replyId }: SentMessage): Promise<WaitsFor | null> {
      const queued = await replyStore.queued(sessionId, replyId);
      return queued === null ? null : waitsForOf(queued);
    },

    /**
     * Stops a reply and waits for its end, as long as that may take; one that was cancelled before is left as it is.
     * Raises `message_not_running` for one that has ended otherwise.
     */
    async cancel(caller: Caller, named: NamedReply): Promise<{ readonly replyId: string }> {
      const before = await state(caller, named);
      const { replyId, sessionId } = before;
      if (before.status === "cancelled") return before;
      const request = { replyId, sessionId, reason: "cancelled" };
      const result = await replies.cancel(request);
      if (result === "stopping") {
        await ended(replyId, AbortSignal.timeout(cancelWaitMs));
        // An owner that has not ended it by now may have died: then it is ended here.
        await replies.cancel(request);
      }
      if (result === "not_running") {
        const now = await state(caller, named);
        if (now.status !== "cancelled") {
          throw new Problem("message_not_running", { messageId: replyId, status: now.status });
        }
      }
      return before;
    },

    /**
     * A paused reply goes on with a person's decisions; resolves with the number of the last event before that. Raises
     * `validation_failed` when they do not fit what is open, `message_not_running` when it does not wait for any.
     */
    async continue(
      caller: Caller,
      named: NamedReply,
      decisions: readonly Decision[],
    ): Promise<SentMessage & { readonly after: number }> {
      const { replyId, sessionId, agentId, userId, status } = await state(caller, named);
      const reply =
        status === "paused"
          ? await replies.continue({
              replyId,
              sessionId,
              agentId,
              userId,
              decisions,
              check(requirements) {
                checkTurn(caller, agentId, [], {}, {});
                checkDecisions(requirements, decisions);
              },
              userToken: caller.identity?.token,
            })
          : null;
      if (reply === null) throw new Problem("message_not_running", { messageId: replyId, status });
      return { replyId, sessionId, after: reply.eventSeq };
    },
  };
}

/** What answers a message whose own reply is this one, as far as that is known. */
function leadsTo(
  replyId: string,
  steers: string | undefined,
): Pick<SentMessage, "replyId" | "waiting"> {
  return steers === undefined ? { replyId } : { replyId: steers, waiting: replyId };
}
