import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { MessageStore, StoredMessage } from "../../../chat/message-store.ts";
import { requireAction } from "../../../http/caller.ts";
import { nullable } from "../../../http/schemas.ts";
import { idempotencyHeaders, idempotencyKey } from "../../../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { isId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FoundSession, Session, SessionStore } from "../../../sessions/session-store.ts";
import type { Sessions } from "../../../sessions/sessions.ts";
import { headOf, pathTo } from "../../../tree/tree.ts";
import { userOf } from "../../caller.ts";
import { readMetadata } from "../metadata.ts";
import { errorResponses, security, tags } from "../schemas.ts";

interface ConversationRoutesOptions {
  readonly sessions: Pick<Sessions, "create" | "update" | "delete">;
  readonly sessionStore: Pick<SessionStore, "find">;
  readonly messages: Pick<MessageStore, "history" | "seqOf">;
  readonly identity: IdentityProvider;
}

const open = { additionalProperties: true };
const metadata = Type.Optional(nullable(Type.Record(Type.String(), Type.Unknown())));
const params = Type.Object({
  conversation_id: Type.String({ description: "`conv_` and the id of a session." }),
});
const conversationSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("conversation"),
    created_at: Type.Integer(),
    metadata: Type.Record(Type.String(), Type.Unknown()),
  },
  { title: "Conversation" },
);

/** Sessions as conversations of OpenAI's; what a response's `conversation` names. */
export function conversationRoutes(options: ConversationRoutesOptions): FastifyPluginAsyncTypebox {
  const { sessions, sessionStore, messages, identity } = options;

  const owned = async (request: FastifyRequest, id: string): Promise<FoundSession> => {
    const sessionId = id.replace(/^conv_/, "");
    const session = isId(sessionId) ? await sessionStore.find(sessionId) : null;
    if (session === null || session.userId !== userOf(request)) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session;
  };

  return async (app) => {
    app.post(
      "/v1/conversations",
      {
        schema: {
          tags,
          security,
          summary: "Begin a conversation",
          headers: idempotencyHeaders,
          body: Type.Object({ metadata }, { ...open, examples: [{ metadata: { topic: "x" } }] }),
          response: {
            200: conversationSchema,
            ...errorResponses("malformed_json", "unsupported_parameter", "idempotency_conflict"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "create_chat_session");
        const { items } = request.body as { items?: unknown };
        if (Array.isArray(items) && items.length > 0) {
          throw new Problem("unsupported_parameter", { parameter: "items" });
        }
        const wanted = {
          caller: request,
          userId: userOf(request),
          agentId: undefined,
          config: {},
          metadata: readMetadata(request.body.metadata),
        };
        const key = idempotencyKey(request, "POST /v1/conversations");
        return conversationOf(await sessions.create(wanted, key));
      },
    );

    app.get(
      "/v1/conversations/:conversation_id",
      {
        schema: {
          tags,
          security,
          summary: "A conversation",
          params,
          response: { 200: conversationSchema, ...errorResponses("session_not_found") },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        return conversationOf(await owned(request, request.params.conversation_id));
      },
    );

    app.post(
      "/v1/conversations/:conversation_id",
      {
        schema: {
          tags,
          security,
          summary: "Change what is noted of a conversation",
          params,
          body: Type.Object({ metadata }, { ...open, examples: [{ metadata: { topic: "y" } }] }),
          response: {
            200: conversationSchema,
            ...errorResponses("malformed_json", "session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.conversation_id);
        const given = readMetadata(request.body.metadata);
        // What is not named any more goes.
        const gone = Object.keys(session.metadata).map((name) => [name, null]);
        const patch = { metadata: { ...Object.fromEntries(gone), ...given } };
        await sessions.update(session.sessionId, patch);
        return conversationOf({ ...session, metadata: given });
      },
    );

    app.delete(
      "/v1/conversations/:conversation_id",
      {
        schema: {
          tags,
          security,
          summary: "Delete a conversation",
          params,
          response: {
            200: Type.Object({
              id: Type.String(),
              object: Type.Literal("conversation.deleted"),
              deleted: Type.Literal(true),
            }),
            ...errorResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "delete_chat_session");
        const { sessionId } = await owned(request, request.params.conversation_id);
        await sessions.delete(sessionId);
        const id = `conv_${sessionId}`;
        return { id, object: "conversation.deleted" as const, deleted: true as const };
      },
    );

    app.get(
      "/v1/conversations/:conversation_id/items",
      {
        schema: {
          tags,
          security,
          summary: "The messages of a conversation's active path",
          params,
          querystring: Type.Object({
            after: Type.Optional(Type.String({ maxLength: 200, description: "Id of an item." })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
            order: Type.Optional(
              Type.String({ maxLength: 10, description: "`desc` unless `asc`." }),
            ),
          }),
          response: {
            200: Type.Object({
              object: Type.Literal("list"),
              data: Type.Array(Type.Unknown()),
              first_id: nullable(Type.String()),
              last_id: nullable(Type.String()),
              has_more: Type.Boolean(),
            }),
            ...errorResponses("session_not_found", "message_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.conversation_id);
        const { after, limit = 20, order } = request.query;
        const isUp = order === "asc";
        const from = after === undefined ? null : await seqOf(session, after);
        const range = isUp
          ? ({ kind: "after", seq: from ?? 0 } as const)
          : ({ kind: "before", seq: from ?? Infinity } as const);
        const path = pathTo(session.tree, headOf(session.tree));
        const page = await messages.history(session, path, {}, range, limit);
        const shown = page.messages.filter(({ role }) => role !== "system");
        const data = (isUp ? shown : shown.reverse()).map(itemOf);
        return {
          object: "list" as const,
          data,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
          has_more: page.hasMore,
        };
      },
    );
  };

  async function seqOf({ sessionId }: Session, itemId: string): Promise<number> {
    const messageId = itemId.replace(/^msg_/, "");
    const seq = isId(messageId) ? await messages.seqOf(sessionId, messageId) : null;
    if (seq === null) throw new Problem("message_not_found", { messageId: itemId });
    return seq;
  }
}

function conversationOf({ sessionId, createdAt, metadata }: Session) {
  return {
    id: `conv_${sessionId}`,
    object: "conversation" as const,
    created_at: Math.floor(createdAt.getTime() / 1000),
    metadata: { ...metadata },
  };
}

function itemOf({ messageId, role, content, status }: StoredMessage) {
  const isOver = status !== "queued" && status !== "streaming";
  return {
    id: `msg_${messageId}`,
    type: "message",
    role,
    status:
      status === "complete" || status === "paused"
        ? "completed"
        : isOver
          ? "incomplete"
          : "in_progress",
    content: [
      role === "user"
        ? { type: "input_text", text: content }
        : { type: "output_text", text: content, annotations: [], logprobs: [] },
    ],
  };
}
