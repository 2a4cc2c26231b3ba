import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Commands } from "../../chat/commands.ts";
import { maxMessageBytes } from "../../chat/message-body.ts";
import type { MessageStore } from "../../chat/message-store.ts";
import { requireAction } from "../../http/caller.ts";
import { idempotencyHeaders } from "../../idempotency/idempotency-header.ts";
import { isId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import type { FoundSession } from "../../sessions/session-store.ts";
import { headOf, pathTo } from "../../tree/tree.ts";
import { userOf } from "../caller.ts";
import { isName } from "../conversation-name.ts";
import { turnRefusals } from "../refusals.ts";
import { replyOf, userMessageOf } from "./message.ts";
import { agentOf, createOpenChat, type ChatParts } from "./open-chat.ts";
import { chatName } from "./request.ts";
import { chatBody, errorResponses, security, tags, uiMessageSchema } from "./schemas.ts";

interface ChatRoutesOptions extends Omit<ChatParts, "messages"> {
  readonly messages: Pick<MessageStore, "find" | "history" | "seqOf">;
  readonly commands: Pick<Commands, "cancel">;
  readonly maxBodyBytes: number;
}

const example = `data: {"type":"start","messageId":"019b…","messageMetadata":{"session_id":"019b…","agent_id":"general-chat","created_at":"2026-11-28T10:00:00.000Z"}}

data: {"type":"start-step"}

data: {"type":"text-start","id":"text_1"}

data: {"type":"text-delta","id":"text_1","delta":"4"}

data: {"type":"text-end","id":"text_1"}

data: {"type":"finish-step"}

data: {"type":"finish","finishReason":"stop","messageMetadata":{"finish_reason":"stop"}}

data: [DONE]

`;

const params = Type.Object({
  agent_id: Type.String({
    description: "`chat`: the default agent, of a chat that there is its own.",
    examples: ["general-chat"],
  }),
});
const chatParams = Type.Object({
  ...params.properties,
  chat_id: Type.String({ description: "As the client calls it, or a session's id." }),
});

const streamed = {
  description: "A UI message stream.",
  headers: { "X-Session-ID": { type: "string" }, "X-Message-ID": { type: "string" } },
  content: { "text/event-stream": { schema: { type: "string" }, example } },
};

/** Chats of the AI SDK (`useChat`): sent, resumed, read and stopped. */
export function chatRoutes(options: ChatRoutesOptions): FastifyPluginAsyncTypebox {
  const { commands, externalIds, messages, catalogue, sse, identity } = options;
  const chat = createOpenChat(options);

  /** The user's session of that name; null: it has not begun. Raises what keeps it from him. */
  const found = async (
    request: FastifyRequest,
    { agent_id: agentId, chat_id: chatId }: { agent_id: string; chat_id: string },
  ): Promise<FoundSession | null> => {
    await catalogue.seenBy(request).resolve(agentOf(catalogue, request, agentId));
    return externalIds.find(userOf(request), chatName(chatId, "/chat_id"));
  };

  return async (app) => {
    app.post(
      "/ai/:agent_id",
      {
        bodyLimit: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes),
        schema: {
          tags,
          security,
          summary: "A turn of a chat, another reply, or what a paused one waits for",
          headers: idempotencyHeaders,
          params,
          body: chatBody,
          response: {
            200: streamed,
            ...errorResponses(...turnRefusals),
          },
        },
      },
      async (request, reply) => {
        using viewer = sse.admit(request);
        const opened = await chat.open(request, reply);
        // Files are stored by now, and a request lives as long as its stream.
        (request as FastifyRequest).body = undefined;
        request.forgetBody();
        await chat.show(viewer, request, reply, opened);
        return undefined;
      },
    );

    app.get(
      "/ai/:agent_id/:chat_id/stream",
      {
        schema: {
          tags,
          security,
          summary: "What is being made in a chat, from its start",
          params: chatParams,
          querystring: Type.Object({
            message_id: Type.Optional(
              Type.String({
                maxLength: 64,
                description: "This reply of the chat, also where it is over.",
              }),
            ),
          }),
          response: {
            200: streamed,
            204: { type: "null", description: "Nothing is being made." },
            ...errorResponses("agent_not_found", "message_not_found", "overloaded"),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        using viewer = sse.admit(request);
        const session = await found(request, request.params);
        const { message_id: wanted } = request.query;
        const messageId = wanted ?? session?.activeMessageId;
        if (messageId === undefined || messageId === null) return reply.code(204).send(null);
        const message =
          session === null || !isId(messageId) ? null : await messages.find(messageId);
        if (message?.role !== "assistant" || message.sessionId !== session?.sessionId) {
          throw new Problem("message_not_found", { messageId });
        }
        const { sessionId } = session;
        await chat.show(viewer, request, reply, {
          sessionId,
          replyId: message.messageId,
          after: 0,
          shown: 0,
        });
        return undefined;
      },
    );

    app.get(
      "/ai/:agent_id/:chat_id/messages",
      {
        schema: {
          tags,
          security,
          summary: "The messages of a chat, for `useChat`'s `messages`: the newest, oldest first",
          params: chatParams,
          querystring: Type.Object({
            limit: Type.Integer({ minimum: 1, maximum: 200, default: 100 }),
            before: Type.Optional(
              Type.String({
                maxLength: 256,
                description: "Those before the message with this id.",
              }),
            ),
          }),
          response: {
            200: Type.Array(uiMessageSchema),
            ...errorResponses("agent_not_found", "message_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await found(request, request.params);
        if (session === null) return [];
        const { limit, before } = request.query;
        const seq = before === undefined ? Number.POSITIVE_INFINITY : await seqOf(session, before);
        const path = pathTo(session.tree, headOf(session.tree));
        const page = await messages.history(session, path, {}, { kind: "before", seq }, limit);
        return page.messages
          .filter(({ role }) => role !== "system")
          .map((message) => (message.role === "user" ? userMessageOf(message) : replyOf(message)));
      },
    );

    const seqOf = async (session: FoundSession, id: string): Promise<number> => {
      const rows = isName(id) ? await options.knownMessages.find(session, [id]) : [];
      const seq = rows[0]?.seq ?? (isId(id) ? await messages.seqOf(session.sessionId, id) : null);
      if (seq === null) throw new Problem("message_not_found", { messageId: id });
      return seq;
    };

    app.post(
      "/ai/:agent_id/:chat_id/stop",
      {
        schema: {
          tags,
          security,
          summary: "Stop what is being made in a chat",
          params: chatParams,
          response: {
            200: Type.Object({
              stopped: Type.Boolean({ description: "False: nothing was being made." }),
            }),
            ...errorResponses("agent_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        const session = await found(request, request.params);
        const messageId = session?.activeMessageId;
        if (messageId === undefined || messageId === null) return { stopped: false };
        try {
          await commands.cancel(request, { messageId, userId: userOf(request) });
          return { stopped: true };
        } catch (error) {
          if (error instanceof Problem && error.type === "message_not_running") {
            return { stopped: false };
          }
          throw error;
        }
      },
    );
  };
}
