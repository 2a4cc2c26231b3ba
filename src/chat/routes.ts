import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { mayAccess, requireAction } from "../http/caller.ts";
import { idempotencyHeaders, idempotencyKey } from "../http/idempotency-header.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { FollowReply } from "../replies/reading/follow-reply.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { ReplyState, ReplyStore } from "../replies/lifecycle/reply-store.ts";
import type { SseView } from "../replies/reading/sse.ts";
import { answer } from "./answer.ts";
import { messageBody, type MessageBody } from "./message-body.ts";
import { messageInfo } from "./message-info.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";
import { streamResponse } from "./stream-docs.ts";
import { toTurn } from "./to-turn.ts";
import type { SentMessage, Turns } from "./turns.ts";

interface ChatRoutesOptions {
  readonly turns: Turns;
  readonly messages: MessageStore;
  readonly replyStore: ReplyStore;
  readonly replies: Replies;
  readonly follow: FollowReply;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  /** Of all files of a message together. */
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
  /** The reply's speech for an answer in one piece; null without. */
  readonly audioResponse: (reply: StoredMessage) => Promise<object | null>;
}

const tags = ["Messages"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const messageParams = Type.Object({ message_id: idParameter("A message.") });
const namedUser = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});
/** How long a cancellation waits for the reply's end before it answers with what there is. */
const cancelWaitMs = 6_000;

/** Messages: sent, streamed, followed, stopped, continued. */
export function chatRoutes(options: ChatRoutesOptions): FastifyPluginAsyncTypebox {
  const { turns, messages, replyStore, replies, follow, sse, identity } = options;

  const send = async (
    request: FastifyRequest<{ Body: MessageBody }>,
    operation: string,
  ): Promise<SentMessage> => {
    await requireAction(request, identity, "send_message");
    const sent = await turns.send(
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
    return sent;
  };

  /** What `look` finds of a reply that the caller may see. */
  const owned = async <T extends { readonly userId: string }>(
    look: (replyId: string) => Promise<T | null>,
    request: FastifyRequest,
    messageId: string,
    named?: string,
  ): Promise<T> => {
    const reply = isId(messageId) ? await look(messageId) : null;
    if (reply === null || !mayAccess(request, reply.userId, named)) {
      throw new Problem("message_not_found", { messageId });
    }
    return reply;
  };

  const ownedReply = (request: FastifyRequest, messageId: string, named?: string) =>
    owned((replyId) => replyStore.find(replyId), request, messageId, named);

  /** Resolves when the reply has ended or paused, or when `signal` aborts. */
  const ended = async (replyId: string, signal: AbortSignal) => {
    // Its opening events interest nobody here.
    const events = follow(replyId, 1, signal);
    while (!(await events.next()).done);
  };

  const found = async (messageId: string): Promise<StoredMessage> => {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  };

  return async (app) => {
    const body = messageBody(options.maxMessageLength);
    // Base64 takes four bytes for three.
    const bodyLimit = options.maxBodyBytes + Math.ceil((options.maxUploadBytes * 4) / 3);
    const sendProblems = problemResponses(
      "malformed_json",
      "session_not_found",
      "agent_not_found",
      "session_busy",
      "session_archived",
      "idempotency_conflict",
      "queue_full",
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
          headers: idempotencyHeaders,
          body,
          response: { 200: ref("Answer"), ...sendProblems },
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
        const gone = new AbortController();
        // Of this response, not of its socket: that one serves other requests after it.
        response.raw.once("close", () => gone.abort());
        await ended(sent.replyId, gone.signal);
        const reply = await found(sent.replyId);
        const question = await found(reply.replyTo ?? "");
        return answer(reply, question, null, await options.audioResponse(reply));
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
        sse.admit();
        const sent = await send(request, "POST /chat/message/stream");
        await sse.stream(request, reply, { ...sent, after: 0 });
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
        if (message === null || !mayAccess(request, message.userId, request.query.user_id)) {
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
        const after = cursorOf(request.headers["last-event-id"] ?? request.query.after);
        await requireAction(request, identity, "access_chat_session");
        const { message_id: messageId } = request.params;
        const look = (id: string) => replyStore.owner(id);
        const shown = await owned(look, request, messageId, request.query.user_id);
        sse.admit();
        await sse.stream(request, reply, { ...shown, after });
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
        const state = await ownedReply(request, request.params.message_id, request.query.user_id);
        const result =
          state.status === "cancelled" ? "cancelled" : await replies.cancel(state, "cancelled");
        if (result === "stopping") {
          await ended(state.replyId, AbortSignal.timeout(cancelWaitMs));
        }
        const message = await found(state.replyId);
        if (result === "not_running" && message.status !== "cancelled") {
          throw new Problem("message_not_running", {
            messageId: state.replyId,
            status: message.status,
          });
        }
        return messageInfo(message);
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
          body: Type.Object(
            {
              decisions: Type.Array(
                Type.Object({
                  id: Type.String(),
                  approved: Type.Boolean(),
                  note: Type.Optional(Type.String({ maxLength: 10_000 })),
                  result: Type.Optional(Type.Unknown()),
                }),
                { minItems: 1, maxItems: 100 },
              ),
            },
            { examples: [{ decisions: [{ id: "call_1", approved: true }] }] },
          ),
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
        const state = await ownedReply(request, request.params.message_id, request.query.user_id);
        const { decisions } = request.body;
        if (state.status === "paused") checkDecisions(state, decisions);
        replies.admit(state.agentId, state.userId);
        sse.admit();
        const claimed =
          state.status === "paused"
            ? await replyStore.claimPaused(state.sessionId, state.replyId)
            : null;
        if (claimed === null) {
          throw new Problem("message_not_running", {
            messageId: state.replyId,
            status: state.status,
          });
        }
        replies.continue(claimed, decisions, request.identity?.token);
        await sse.stream(request, reply, {
          replyId: state.replyId,
          sessionId: state.sessionId,
          after: claimed.eventSeq,
        });
      },
    );
  };
}

/** Strict: anything but digits would otherwise replay everything to a client that is merely confused. */
function cursorOf(value: string | string[] | undefined): number {
  if (value === undefined || value === "") return 0;
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  throw new Problem("bad_request", {
    en: "Last-Event-ID and after must be the id of an event: digits only.",
    zh: "Last-Event-ID 与 after 必须是事件编号，只能包含数字。",
  });
}

function checkDecisions(state: ReplyState, decisions: readonly { id: string }[]): void {
  const open = new Set((state.requirements ?? []).map((requirement) => requirement.id));
  const details = decisions.flatMap(({ id }, index) =>
    open.delete(id)
      ? []
      : [{ path: `/decisions/${index}/id`, message: `${id} is not an open requirement` }],
  );
  for (const id of open) details.push({ path: "/decisions", message: `${id} is not decided` });
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
}
