import type { FastifyReply, FastifyRequest } from "fastify";
import type { Catalogue } from "../../agents/catalogue.ts";
import { settingNames } from "../../agents/run-settings.ts";
import type { MessageStore } from "../../chat/message-store.ts";
import { requireAction } from "../../http/caller.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import { idempotencyKey } from "../../idempotency/idempotency-header.ts";
import type { OpenReply } from "../../replies/reading/follow-reply.ts";
import { mapPages } from "../../replies/reading/pages.ts";
import type { SseView } from "../../replies/reading/sse.ts";
import { userOf } from "../caller.ts";
import type { ExternalIds } from "../conversation-name.ts";
import type { WatchDisconnect } from "../disconnect.ts";
import type { OpenedTurn, TurnOpener } from "../open-turn.ts";
import { openView } from "../view.ts";
import type { KnownMessages } from "./known-messages.ts";
import { noteOf, storedOf } from "./message.ts";
import { placeChat } from "./place-chat.ts";
import type { ChatOptions } from "./chat-state.ts";
import { chatProjection } from "./project.ts";
import {
  chatName,
  decisionsOf,
  notOurs,
  readChat,
  type ChatBody,
  type ChatTurn,
} from "./request.ts";

export interface ChatParts {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
  readonly openReply: OpenReply;
  readonly messages: Pick<MessageStore, "find">;
  readonly externalIds: ExternalIds;
  readonly knownMessages: KnownMessages;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
}

type Opened = OpenedTurn & Pick<ChatOptions, "answered">;
type Viewer = ReturnType<SseView["admit"]>;

const operation = "POST /ai/:agent_id";

/** `/ai/chat` is whatever agent a chat has, unless one is called that. */
export function agentOf(
  catalogue: Pick<Catalogue, "seenBy">,
  request: FastifyRequest,
  agentId: string,
): string | undefined {
  const isNone = agentId === "chat" && catalogue.seenBy(request).entry(agentId) === undefined;
  return isNone ? undefined : agentId;
}

/** From requests of the AI SDK to replies, and from replies to its streams. */
export function createOpenChat(parts: ChatParts) {
  const { turns, disconnect, openReply, messages, externalIds, catalogue, identity } = parts;

  const begin = async (
    request: FastifyRequest<{ Body: ChatBody }>,
    reply: FastifyReply,
    turn: ChatTurn,
    agentId: string | undefined,
  ): Promise<Opened> => {
    const { key } = turn;
    const conversation = chatName(request.body.id);
    const userId = userOf(request);
    const agent = await catalogue.seenBy(request).resolve(agentId);
    const session = await externalIds.find(userId, conversation);
    if (session === null && turn.said.keepsFiles === true) throw notOurs("/messages");
    const place = session && (await placeChat(parts.knownMessages, session, turn));
    if (session !== null && place?.kind === "reply") {
      const { replyId } = place;
      return { sessionId: session.sessionId, replyId, after: 0, shown: 0, isKept: true, reader: 0 };
    }
    const { instructions, messageId } = turn;
    const canBeTold = instructions !== "" && settingNames(agent.backend).includes("instructions");
    const opened = await turns.open({
      request,
      reply,
      userId,
      conversation,
      ...(session !== null &&
        place?.kind === "at" && {
          place: { sessionId: session.sessionId, at: place.at, interrupts: false },
        }),
      isKept: true,
      earlier: turn.earlier,
      said: turn.said,
      metadata: messageId === null ? {} : { ...noteOf(messageId) },
      agentId: agentId === undefined && session !== null ? undefined : agent.agentId,
      ownSettings: canBeTold ? { instructions } : {},
      key,
    });
    disconnect.watch(reply.raw, opened, { userId, key, ofKey: request.identity?.onDisconnect });
    return opened;
  };

  /** A reply, or what of it follows a decision, from its first event on. */
  const show = async (
    viewer: Viewer,
    request: FastifyRequest,
    reply: FastifyReply,
    {
      sessionId,
      replyId,
      after,
      shown,
      answered,
    }: Pick<Opened, "sessionId" | "replyId" | "after" | "shown" | "answered">,
  ): Promise<void> => {
    const stored = await messages.find(replyId);
    const projection = chatProjection({
      messageId: replyId,
      sessionId,
      agentId: stored?.agentId ?? "",
      createdAt: stored?.createdAt ?? new Date(),
      after,
      shown: (stored?.content ?? "").slice(0, shown),
      ...(answered && { answered }),
      ...(stored && { stored: storedOf(stored) }),
    });
    viewer.show(request, reply, {
      headers: {
        "X-Session-ID": sessionId,
        "X-Message-ID": replyId,
        "X-Vercel-AI-UI-Message-Stream": "v1",
      },
      fields: { replyId },
      // Whoever comes back gets all of it: behind an event nobody goes on.
      open: mapPages(openView(openReply(replyId, 0), projection), ({ json }) => ({
        seq: null,
        json,
      })),
    });
  };

  return {
    show,

    async open(
      request: FastifyRequest<{ Body: ChatBody; Params: { agent_id: string } }>,
      reply: FastifyReply,
    ): Promise<Opened> {
      const { agent_id: named } = request.params;
      const { body } = request;
      const asked = readChat(body, named, parts);
      chatName(body.id);
      const key = idempotencyKey(request, operation) ?? asked.key;
      await requireAction(request, identity, "send_message");
      const agentId = agentOf(catalogue, request, named);
      if (asked.kind === "turn") return begin(request, reply, { ...asked, key }, agentId);
      await catalogue.seenBy(request).resolve(agentId);
      const userId = userOf(request);
      const { messageId, answers } = asked;
      const stored = await messages.find(messageId);
      const requirements = (stored?.requirements ?? []) as { readonly id: string }[];
      const decisions = decisionsOf(asked, requirements);
      const turn = await turns.decide(request, { messageId, userId }, decisions, key);
      disconnect.watch(reply.raw, turn, { userId, key, ofKey: request.identity?.onDisconnect });
      return { ...turn, answered: answers };
    },
  };
}
