import type { Decision, Requirement } from "../agents/agent-backend.ts";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Commands, SentMessage } from "../chat/commands.ts";
import type { Caller } from "../http/caller.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { Problem } from "../problems/problem.ts";
import { ExternalIdTaken } from "../replies/lifecycle/accept.ts";
import type { EarlierMessage, ExternalId } from "../replies/lifecycle/acceptance.ts";
import type { ReplyStore } from "../replies/lifecycle/reply-store.ts";
import type { ReplyState } from "../replies/reply.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ExternalIds } from "./conversation-name.ts";
import type { PlaceTurn, TurnPlace } from "./place-turn.ts";
import { userMessage, type Said } from "./said.ts";

/** What a request of a protocol wants answered. */
export interface ProtocolTurn {
  /** Who asks, and in what language. */
  readonly request: Pick<FastifyRequest, "identity" | "language" | "id" | "traceparent">;
  /** Where the answer goes: nothing is begun for somebody who has gone. */
  readonly reply: Pick<FastifyReply, "raw">;
  readonly userId: string;
  /** What its conversation is called; null: it belongs to none. */
  readonly conversation: ExternalId | null;
  /** Where it goes on, where the client says so by ids of ours: nothing is compared then. */
  readonly place?: { readonly sessionId: string } & TurnPlace;
  /** The client tells nothing of what was said before: a conversation that there is goes on at its end. */
  readonly goesOn?: boolean;
  /** A conversation begins with it although it has no name. */
  readonly isKept: boolean;
  /** What the client says was said before. */
  readonly earlier: readonly EarlierMessage[];
  readonly said: Said;
  /** Noted at the message of the user. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly agentId: string | undefined;
  /** For this turn only, as callers of the native paths write them. */
  readonly ownSettings: Readonly<Record<string, unknown>>;
  readonly key: IdempotencyKey;
}

/** A reply that a request has led to, now or when it came first. */
export interface OpenedTurn extends Pick<SentMessage, "sessionId" | "replyId"> {
  /** The last event of it that is not for this request. */
  readonly after: number;
  /** How much of the reply's text is not, either. */
  readonly shown: number;
  /** It belongs to a conversation that goes on. */
  readonly isKept: boolean;
  /** The request's number among those that have come for it. */
  readonly reader: number;
}

interface TurnParts {
  readonly commands: Pick<Commands, "send" | "continue" | "state">;
  readonly idempotency: Pick<
    IdempotencyStore,
    "find" | "findAnswer" | "takeLost" | "lose" | "join" | "claimAlone"
  >;
  readonly replyStore: Pick<ReplyStore, "owner" | "find">;
  readonly logger: Logger;
  readonly externalIds: ExternalIds;
  readonly placeTurn: PlaceTurn;
}

export type TurnOpener = ReturnType<typeof createTurnOpener>;

/**
 * The one way from requests of protocols to replies. Who asks again after a lost answer gets the reply of the first time,
 * with or without a key; a request with a conversation's name goes on where its history ends there; one whose history is
 * nowhere in it, and one without a name, are answered by themselves and leave nothing behind.
 */
export function createTurnOpener(parts: TurnParts) {
  const { commands, idempotency, replyStore, externalIds, placeTurn, logger } = parts;

  /**
   * What the same request has led to: with its key, because it says that it comes again, or because nobody has heard of its
   * answer. Many clients try again without a word (LangChain, the AI SDK).
   */
  const before = async (userId: string, key: IdempotencyKey): Promise<OpenedTurn | null> => {
    const isFirst = key.implied === "first";
    const earlier = isFirst
      ? await idempotency.takeLost(userId, key)
      : await idempotency.find(userId, key);
    if (earlier === null || earlier.messageId === null) return null;
    const { sessionId, messageId } = earlier;
    if ((await replyStore.owner(messageId)) === null) return null;
    // What was stopped, or has failed, is asked for anew.
    const isStopped = isFirst && ended.has((await replyStore.find(messageId))?.status ?? "failed");
    if (isStopped) return null;
    const reader = await idempotency.join(userId, key, messageId);
    const isKept = await externalIds.isKept(sessionId);
    return { sessionId, replyId: messageId, after: 0, shown: 0, isKept, reader };
  };

  const send = async (turn: ProtocolTurn): Promise<OpenedTurn> => {
    const { request, reply, conversation, userId, earlier, isKept, key } = turn;
    const { identity, language, id: requestId, traceparent } = request;
    const message = userMessage(turn.said, turn.metadata);
    const found = conversation && (await externalIds.find(userId, conversation));
    const end =
      turn.goesOn === true ? ({ at: { kind: "head" }, interrupts: false } as const) : null;
    const isAside =
      found !== null &&
      turn.place === undefined &&
      end === null &&
      earlier.length === 0 &&
      (await externalIds.release(found, message.text));
    const session = isAside ? null : found;
    const place =
      turn.place ?? (session && (end ?? (await placeTurn(session, earlier, message.text))));
    const sessionId = turn.place?.sessionId ?? session?.sessionId;
    const isOwn = place !== null || (session === null && (conversation !== null || isKept));
    const sent = await commands.send({
      sessionId: place === null ? undefined : sessionId,
      at: place?.at ?? { kind: "head" },
      ownerId: userId,
      userId,
      identity,
      sessionConfig: {},
      agentId: turn.agentId,
      onBusy:
        place?.interrupts === true || session?.activeMessageStatus === "paused"
          ? "interrupt"
          : null,
      isAlone: true,
      ownSettings: turn.ownSettings,
      message: place?.at.kind === "again" ? null : message,
      turn: { language, requestId, ...(traceparent !== undefined && { traceparent }) },
      idempotency: key,
      beginning: { externalId: isOwn ? conversation : null, earlier, isTemporary: !isOwn },
      isWanted: () => !reply.raw.destroyed && !reply.raw.closed,
    });
    const { replyId, made } = sent;
    const reader = made === undefined ? await idempotency.join(userId, key, replyId) : 1;
    return { sessionId: sent.sessionId, replyId, after: 0, shown: 0, isKept: isOwn, reader };
  };

  /** Should whoever asks go before anything is sent. Somebody who has heard of the answer asks again on purpose. */
  const watchLoss = (
    { reply: { raw }, userId, key }: ProtocolTurn,
    { replyId, reader }: OpenedTurn,
  ): void => {
    if (key.implied === undefined) return;
    const leave = () => {
      if (raw.headersSent) return;
      idempotency.lose(userId, key, replyId, reader).catch((error: unknown) => {
        logger.warn({ replyId, err: error }, "an answer that was lost could not be noted");
      });
    };
    if (raw.destroyed || raw.closed) leave();
    else raw.once("close", leave);
  };

  const begin = async (turn: ProtocolTurn): Promise<OpenedTurn> => {
    const earlier = await before(turn.userId, turn.key);
    if (earlier !== null) return earlier;
    try {
      return await send(turn);
    } catch (error) {
      // Somebody else has begun the conversation meanwhile: this goes on in it.
      if (!(error instanceof ExternalIdTaken)) throw error;
      return send(turn);
    }
  };

  const decidedBefore = async (
    { messageId, userId }: NamedReply,
    { sessionId, status }: Pick<ReplyState, "sessionId" | "status">,
    key: IdempotencyKey,
  ): Promise<OpenedTurn | null> => {
    const told = key.implied === "first" ? null : await idempotency.findAnswer<Told>(userId, key);
    if (told === null || status === "paused") return null;
    const isKept = await externalIds.isKept(sessionId);
    const reader = await idempotency.join(userId, key, messageId);
    return { ...told, sessionId, replyId: messageId, isKept, reader };
  };

  return {
    async open(turn: ProtocolTurn): Promise<OpenedTurn> {
      const opened = await begin(turn);
      watchLoss(turn, opened);
      return opened;
    },

    /** What came of the same decision when it was made before; null: it is a new one, or its reply waits still. */
    decided: async (caller: Caller, named: NamedReply, key: IdempotencyKey) =>
      decidedBefore(named, await commands.state(caller, named), key),

    /** A paused reply goes on with what its client has decided. A repeat gets what came of the first. */
    async decide(
      caller: Caller,
      named: NamedReply,
      decisions: readonly Decision[],
      key: IdempotencyKey,
    ): Promise<OpenedTurn> {
      const { messageId, userId } = named;
      const state = await commands.state(caller, named);
      const before = await decidedBefore(named, state, key);
      if (before !== null) return before;
      const { sessionId } = state;
      const isKept = await externalIds.isKept(sessionId);
      const opened = { sessionId, replyId: messageId, isKept };
      const now = { after: state.eventSeq, shown: state.content.length };
      await idempotency.claimAlone(userId, key, opened, now);
      const values = withValues(decisions, state.requirements ?? []);
      const { after } = await commands.continue(caller, named, values);
      return { ...opened, ...now, after, reader: 1 };
    },
  };
}

/** A reply of a user's, by both their names. */
interface NamedReply {
  readonly messageId: string;
  readonly userId: string;
}

/** Of replies, nobody waits for these. */
const ended: ReadonlySet<string> = new Set(["cancelled", "interrupted", "failed"]);

/** What is asked for as input comes as JSON, because what tools return is a text in protocols. Raises `bad_request`. */
function withValues(
  decisions: readonly Decision[],
  requirements: readonly Requirement[],
): Decision[] {
  return decisions.map((decision) => {
    const { kind } = requirements.find(({ id }) => id === decision.id) ?? {};
    if (kind !== "input" || typeof decision.result !== "string") return decision;
    try {
      return { ...decision, result: JSON.parse(decision.result) as unknown };
    } catch {
      throw new Problem("bad_request", {
        en: `What ${decision.id} asks for must be given as JSON.`,
        zh: `${decision.id} 所需的内容必须以 JSON 提供。`,
      });
    }
  });
}

/** Where a reply stood when it went on. */
interface Told {
  readonly after: number;
  readonly shown: number;
}
