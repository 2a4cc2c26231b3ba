import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { mayAccess, requireAction } from "../http/caller.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import { eventNumber } from "../http/event-number.ts";
import { acceptedResponse, withPrefer } from "../http/prefer.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { SseView } from "../replies/reading/sse.ts";
import { decisionsBody } from "./decisions-body.ts";
import { maxMessageBytes, messageBody, type MessageBody } from "./message-body.ts";
import { messageInfo } from "./message-info.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";
import { streamResponse } from "./stream-docs.ts";
import { toTurn } from "./to-turn.ts";
import type { Commands, NamedReply, SentMessage } from "./commands.ts";
import type { WholeAnswer } from "./whole-answer.ts";

interface ChatRoutesOptions {
  readonly commands: Commands;
  readonly messages: MessageStore;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  /** Of all files of a message together. */
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
  readonly wholeAnswer: WholeAnswer;
}

const tags = ["Messages"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const messageParams = Type.Object({ message_id: idParameter("A message.") });
const namedUser = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});

/** Messages: sent, streamed, followed, stopped, continued. */
export function chatRoutes(options: ChatRoutesOptions): FastifyPluginAsyncTypebox {
  const { commands, messages, sse, identity } = options;

  const send = async (
    request: FastifyRequest<{ Body: MessageBody }>,
    operation: string,
  ): Promise<SentMessage> => {
    await requireAction(request, identity, "send_message");
    const sent = await commands.send(
      toTurn(request.body, {
        caller: request,
        requestId: request.id,
        traceparent: request.traceparent,
        language: request.language,
        idempotency: idempotencyKey(request, operation),
        maxUploadBytes: options.maxUploadBytes,
      }),
    );
    // Attachments may be large, are stored by now, and a request lives as long as its stream.
    (request as FastifyRequest).body = undefined;
    request.forgetBody();
    return sent;
  };

  const found = async (messageId: string): Promise<StoredMessage> => {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  };

  return async (app) => {
    const body = messageBody(options.maxMessageLength);
    const bodyLimit = maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes);
    const sendProblems = problemResponses(
      "malformed_json",
      "session_not_found",
      "message_not_found",
      "agent_not_found",
      "session_busy",
      "session_archived",
      "idempotency_conflict",
      "budget_exceeded",
      "queue_full",
      "storage_quota_exceeded",
      "agent_failed",
      "agent_unavailable",
      "overloaded",
      "shutting_down",
      "agent_timeout",
    );

    app.post(
      "/chat/message",
      {
        bodyLimit,
        schema: {
          tags,
          security,
          summary: "Send a message and wait for the whole reply",
          headers: withPrefer(idempotencyHeaders),
          body,
          response: { 200: ref("Answer"), 202: acceptedResponse, ...sendProblems },
        },
      },
      async (request, response) => {
        if (request.body.stream === true) {
          throw new Problem("bad_request", {
            en: "For a stream, send the same body to POST /chat/message/stream.",
            zh: "如需流式响应，请将相同的请求体发送到 POST /chat/message/stream。",
          });
        }
        const sent = await send(request, "POST /chat/message");
        return options.wholeAnswer(sent, response);
      },
    );

    app.post(
      "/chat/message/stream",
      {
        bodyLimit,
        schema: {
          tags,
          security,
          summary: "Send a message and follow the reply as it is made",
          headers: idempotencyHeaders,
          body,
          response: { 200: streamResponse, ...sendProblems },
        },
      },
      async (request, reply) => {
        using viewer = sse.admit(request);
        const sent = await send(request, "POST /chat/message/stream");
        viewer.stream(request, reply, { ...sent, after: sent.after ?? 0 });
      },
    );

    app.get(
      "/chat/message/:message_id",
      {
        schema: {
          tags,
          security,
          summary: "A message as it is now",
          params: messageParams,
          querystring: namedUser,
          response: { 200: ref("Message"), ...problemResponses("message_not_found") },
        },
      },
      async (request) => {
        const messageId = request.params.message_id;
        await requireAction(request, identity, "access_chat_session");
        const message = isId(messageId) ? await messages.find(messageId) : null;
        if (
          message === null ||
          !(await mayAccess(request, message.userId, request.query.user_id))
        ) {
          throw new Problem("message_not_found", { messageId });
        }
        return messageInfo(message);
      },
    );

    app.get(
      "/chat/message/:message_id/stream",
      {
        schema: {
          tags,
          security,
          summary: "Follow a reply that runs or has ended",
          params: messageParams,
          querystring: Type.Object({
            ...namedUser.properties,
            after: Type.Optional(
              Type.String({
                description: "Id of the last event seen; 0 or nothing: from the start.",
              }),
            ),
          }),
          headers: {
            type: "object",
            properties: {
              "last-event-id": { type: "string", description: "As `after`, and wins over it." },
            },
          },
          response: { 200: streamResponse, ...problemResponses("message_not_found", "overloaded") },
        },
      },
      async (request, reply) => {
        const after = eventNumber(request.headers["last-event-id"] ?? request.query.after) ?? 0;
        await requireAction(request, identity, "access_chat_session");
        const shown = await commands.owner(request, named(request));
        using viewer = sse.admit(request);
        viewer.stream(request, reply, { ...shown, after });
      },
    );

    app.post(
      "/chat/message/:message_id/cancel",
      {
        schema: {
          tags,
          security,
          summary: "Stop a reply, on whatever node it runs",
          params: messageParams,
          querystring: namedUser,
          response: {
            200: ref("Message"),
            ...problemResponses("malformed_json", "message_not_found", "message_not_running"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        const { replyId } = await commands.cancel(request, named(request));
        return messageInfo(await found(replyId));
      },
    );

    app.post(
      "/chat/message/:message_id/continue",
      {
        schema: {
          tags,
          security,
          summary: "Go on with a paused reply, as a stream",
          params: messageParams,
          querystring: namedUser,
          body: decisionsBody,
          response: {
            200: streamResponse,
            ...problemResponses(
              "malformed_json",
              "message_not_found",
              "message_not_running",
              "overloaded",
              "shutting_down",
            ),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "send_message");
        using viewer = sse.admit(request);
        const shown = await commands.continue(request, named(request), request.body.decisions);
        viewer.stream(request, reply, shown);
      },
    );
  };
}

function named({
  params,
  query,
}: {
  readonly params: { readonly message_id: string };
  readonly query: { readonly user_id?: string };
}): NamedReply {
  return { messageId: params.message_id, userId: query.user_id };
}
