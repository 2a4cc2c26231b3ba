import type { FastifyReply, FastifyRequest } from "fastify";
import type { Catalogue } from "../../agents/catalogue.ts";
import { settingNames } from "../../agents/run-settings.ts";
import type { MessageStore } from "../../chat/message-store.ts";
import { requireAction } from "../../http/caller.ts";
import type { IdempotencyStore } from "../../idempotency/idempotency-store.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import type { OpenReply } from "../../replies/reading/follow-reply.ts";
import type { SseView } from "../../replies/reading/sse.ts";
import { headOf, pathTo } from "../../tree/tree.ts";
import { userOf } from "../caller.ts";
import type { ExternalIds } from "../conversation-name.ts";
import type { WatchDisconnect } from "../disconnect.ts";
import { faulty } from "../faulty.ts";
import type { OpenedTurn, ProtocolTurn, TurnOpener } from "../open-turn.ts";
import type { PlaceTurn } from "../place-turn.ts";
import { openView } from "../view.ts";
import { readResume } from "./interrupts.ts";
import { runProjection } from "./project.ts";
import {
  heldBy,
  isGiven,
  isOfOldClient,
  keyOf,
  readTurn,
  refuseTools,
  threadName,
  type RunInput,
  type RunTurn,
} from "./request.ts";
import type { StoredCall } from "./run/telling.ts";

export interface RunOptions {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
  readonly openReply: OpenReply;
  readonly messages: Pick<MessageStore, "find" | "history">;
  readonly idempotency: Pick<IdempotencyStore, "find">;
  readonly externalIds: ExternalIds;
  readonly placeTurn: PlaceTurn;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

/** What a client's message is noted with, so that it is known again. */
export interface Noted {
  readonly run_id?: string;
  readonly message_id?: string;
}

export function notedOf(message: { readonly metadata: object } | null): Noted {
  const { ag_ui: noted } = (message?.metadata ?? {}) as { ag_ui?: unknown };
  return typeof noted === "object" && noted !== null ? noted : {};
}

export type RunAgent = ReturnType<typeof createRunAgent>;

/** Makes and shows runs: the one way behind every path on which clients ask for one. */
export function createRunAgent(options: RunOptions) {
  const { turns, disconnect, openReply, messages, catalogue, sse, identity } = options;

  /** A client without a history goes on in the thread; nothing can be compared then but its message's id. */
  const placeOf = async (
    userId: string,
    thread: ReturnType<typeof threadName>,
    { earlier, said, messageId }: RunTurn,
  ): Promise<ProtocolTurn["place"]> => {
    if (earlier.length > 0) return undefined;
    const session = await options.externalIds.find(userId, thread);
    if (session === null) return undefined;
    const { sessionId, tree } = session;
    const path = pathTo(tree, headOf(tree));
    const page = await messages.history(session, path, {}, { kind: "offset", offset: 0 }, 1);
    const known = notedOf(page.messages[0] ?? null).message_id;
    if (messageId === null || known !== messageId) {
      return { sessionId, at: { kind: "head" }, interrupts: false };
    }
    const asked = await options.placeTurn(session, [], said.text);
    const below = { at: { kind: "below", messageId: null }, interrupts: false } as const;
    return { sessionId, ...(asked ?? below) };
  };

  const open = async (
    request: FastifyRequest<{ Body: RunInput }>,
    reply: FastifyReply,
    agentId: string,
  ): Promise<OpenedTurn> => {
    const { body } = request;
    refuseTools(body);
    const conversation = threadName(body.threadId);
    const key = keyOf(body, agentId);
    const isAnswer = isGiven(body.resume);
    const answered = isAnswer ? readResume(body.resume) : null;
    const asked = isAnswer ? null : readTurn(body, options);
    await requireAction(request, identity, "send_message");
    const userId = userOf(request);
    const agent = await catalogue.seenBy(request).resolve(agentId);
    const watched = { userId, key, ofKey: request.identity?.onDisconnect };
    if (answered !== null) {
      const { messageId, decisions } = answered;
      const turn = await turns.decide(request, { messageId, userId }, decisions, key);
      disconnect.watch(reply.raw, turn, watched);
      return turn;
    }
    const turn = asked as RunTurn;
    if (turn.isAnswered && (await options.idempotency.find(userId, key)) === null) {
      throw faulty("/messages", "must end with a message of the user", "必须以用户消息结尾");
    }
    const canBeTold = settingNames(agent.backend).includes("instructions");
    const place = await placeOf(userId, conversation, turn);
    const noted: Noted = {
      run_id: body.runId,
      ...(turn.messageId !== null && { message_id: turn.messageId }),
    };
    const opened = await turns.open({
      request,
      reply,
      userId,
      conversation,
      ...(place && { place }),
      isKept: true,
      earlier: turn.earlier,
      said: turn.said,
      metadata: { ag_ui: noted },
      agentId: agent.agentId,
      ownSettings: turn.instructions !== "" && canBeTold ? { instructions: turn.instructions } : {},
      key,
    });
    disconnect.watch(reply.raw, opened, watched);
    return opened;
  };

  return async (
    request: FastifyRequest<{ Body: RunInput }>,
    reply: FastifyReply,
    agentId: string,
  ): Promise<void> => {
    const resumed = cursorOf(request);
    using viewer = sse.admit(request);
    const { threadId, runId } = request.body;
    const isOld = isOfOldClient(request.body);
    const held = heldBy(request.body, request.headers["content-length"]);
    const { replyId, sessionId, after, shown } = await open(request, reply, agentId);
    // Files are stored by now, and a request lives as long as its stream.
    (request as FastifyRequest).body = undefined;
    request.forgetBody();
    const stored = await messages.find(replyId);
    const projection = runProjection({
      messageId: replyId,
      threadId,
      runId,
      after,
      shown: (stored?.content ?? "").slice(0, shown),
      held,
      isOld,
      storedCalls: (stored?.toolCalls ?? []) as StoredCall[],
    });
    viewer.show(request, reply, {
      headers: { "X-Session-ID": sessionId, "X-Message-ID": replyId },
      fields: { replyId },
      hasEndLine: false,
      open: openView(openReply(replyId, 0), projection, resumed),
    });
  };
}

/** The number of the last event that the client has. Raises `bad_request`. */
function cursorOf({ headers }: Pick<FastifyRequest, "headers">): number {
  const given = headers["last-event-id"];
  if (given === undefined || given === "") return -1;
  if (typeof given === "string" && /^\d{1,15}$/.test(given)) return Number(given);
  throw faulty(
    "/headers/last-event-id",
    "must be the number of an event of this run",
    "必须是此次运行的事件编号",
  );
}
