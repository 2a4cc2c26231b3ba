import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { MessageStore, StoredMessage } from "../../../chat/message-store.ts";
import type { Commands } from "../../../chat/commands.ts";
import { requireAction } from "../../../http/caller.ts";
import { nullable } from "../../../http/schemas.ts";
import { idempotencyHeaders, idempotencyKey } from "../../../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { isId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FoundSession, Session, SessionStore } from "../../../sessions/session-store.ts";
import type { Sessions } from "../../../sessions/sessions.ts";
import { headOf, pathTo } from "../../../tree/tree.ts";
import { keyOf, userOf } from "../../caller.ts";
import type { EarlierMessage } from "../../../replies/lifecycle/acceptance.ts";
import { faulty } from "../../faulty.ts";
import { checkSaid } from "../../said.ts";
import { textOfContent } from "../content.ts";
import { readMetadata } from "../metadata.ts";
import { errorResponses, security, tags } from "../schemas.ts";

interface ConversationRoutesOptions {
  readonly sessions: Pick<Sessions, "create" | "update" | "delete" | "addMessages">;
  readonly commands: Pick<Commands, "remove">;
  readonly sessionStore: Pick<SessionStore, "find">;
  readonly messages: Pick<MessageStore, "history" | "seqOf" | "find">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
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

const itemSchema = Type.Object({ id: Type.String() }, { ...open, title: "ConversationItem" });
const listSchema = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(Type.Unknown()),
  first_id: nullable(Type.String()),
  last_id: nullable(Type.String()),
  has_more: Type.Boolean(),
});

/** As OpenAI has it. */
const maxItems = 20;

/** Sessions as conversations of OpenAI's; what a response's `conversation` names. */
export function conversationRoutes(options: ConversationRoutesOptions): FastifyPluginAsyncTypebox {
  const { sessions, sessionStore, messages, commands, identity } = options;

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
        const { items: given } = request.body as { items?: unknown };
        const items = readItems(given ?? [], options.maxMessageLength);
        const wanted = {
          caller: request,
          userId: userOf(request),
          agentId: undefined,
          config: {},
          metadata: readMetadata(request.body.metadata),
        };
        const key = idempotencyKey(request, "POST /v1/conversations");
        const session = await sessions.create(wanted, key);
        if (items.length > 0 && session.totalMessageCount === 0) {
          await sessions.addMessages(
            session,
            items,
            keyOf(request, "POST /v1/conversations, items", null),
          );
        }
        return conversationOf(session);
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
            include: Type.Optional(Type.Unknown()),
            order: Type.Optional(
              Type.Union([Type.Literal("asc"), Type.Literal("desc")], { default: "desc" }),
            ),
          }),
          response: {
            200: listSchema,
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
        return listOf(isUp ? shown : shown.reverse(), page.hasMore);
      },
    );

    app.post(
      "/v1/conversations/:conversation_id/items",
      {
        schema: {
          tags,
          security,
          summary: "Put messages at a conversation's end, which nobody answers",
          headers: idempotencyHeaders,
          params,
          querystring: Type.Object({ include: Type.Optional(Type.Unknown()) }),
          body: Type.Object(
            { items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: maxItems }) },
            {
              ...open,
              examples: [{ items: [{ type: "message", role: "user", content: "Said before." }] }],
            },
          ),
          response: {
            200: listSchema,
            ...errorResponses(
              "malformed_json",
              "unsupported_parameter",
              "session_not_found",
              "session_archived",
              "session_busy",
              "idempotency_conflict",
            ),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        const session = await owned(request, request.params.conversation_id);
        const items = readItems(request.body.items, options.maxMessageLength);
        const operation = `POST /v1/conversations/${session.sessionId}/items`;
        const key = keyOf(request, operation, null);
        const firstId = await sessions.addMessages(session, items, key);
        const first = (await messages.seqOf(session.sessionId, firstId)) ?? 0;
        const { tree, ...now } = await owned(request, request.params.conversation_id);
        const range = { kind: "after", seq: first - 1 } as const;
        const path = pathTo(tree, first + items.length - 1);
        const page = await messages.history({ ...now, tree }, path, {}, range, items.length);
        return listOf(page.messages, false);
      },
    );

    const ofItem = Type.Object({
      ...params.properties,
      item_id: Type.String({ description: "`msg_` and the id of a message." }),
    });
    app.get(
      "/v1/conversations/:conversation_id/items/:item_id",
      {
        schema: {
          tags,
          security,
          summary: "A message of a conversation",
          params: ofItem,
          querystring: Type.Object({ include: Type.Optional(Type.Unknown()) }),
          response: {
            200: {
              description: "The item.",
              content: { "application/json": { schema: itemSchema } },
            },
            ...errorResponses("session_not_found", "message_not_found"),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.conversation_id);
        const messageId = messageIdOf(request.params.item_id);
        const message = messageId === "" ? null : await messages.find(messageId);
        if (message?.sessionId !== session.sessionId) {
          throw new Problem("message_not_found", { messageId: request.params.item_id });
        }
        return reply.send(itemOf(message));
      },
    );

    app.delete(
      "/v1/conversations/:conversation_id/items/:item_id",
      {
        schema: {
          tags,
          security,
          summary: "Delete a message of a conversation, and what followed it",
          params: ofItem,
          response: {
            200: conversationSchema,
            ...errorResponses("session_not_found", "message_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.conversation_id);
        await seqOf(session, request.params.item_id);
        const messageId = messageIdOf(request.params.item_id);
        await commands.remove(request, { messageId, userId: session.userId });
        return conversationOf(session);
      },
    );
  };

  async function seqOf({ sessionId }: Session, itemId: string): Promise<number> {
    const messageId = messageIdOf(itemId);
    const seq = messageId === "" ? null : await messages.seqOf(sessionId, messageId);
    if (seq === null) throw new Problem("message_not_found", { messageId: itemId });
    return seq;
  }
}

/** `msg_` and the id of a message, also with the place of an item in its response behind it; empty: no such id. */
function messageIdOf(itemId: string): string {
  const [, id = ""] = /^(?:msg_)?([0-9a-f-]{36})(?:_\d+){0,2}$/i.exec(itemId) ?? [];
  return isId(id) ? id.toLowerCase() : "";
}

/** Messages with a text. Raises `bad_request` and `unsupported_parameter` for anything else. */
function readItems(given: unknown, maxLength: number): EarlierMessage[] {
  if (!Array.isArray(given) || given.length > maxItems) {
    throw faulty(
      "/items",
      `must be a list of at most ${maxItems}`,
      `必须是最多 ${maxItems} 项的列表`,
    );
  }
  return given.map((item: unknown, index) => {
    const { type = "message", role, content } = (item ?? {}) as Readonly<Record<string, unknown>>;
    const path = `/items/${index}`;
    if (type !== "message" || (role !== "user" && role !== "assistant")) {
      throw new Problem("unsupported_parameter", {
        parameter: `items[${index}]`,
        en: "a conversation here holds messages of user and assistant",
        zh: "此处的会话仅包含 user 与 assistant 的消息",
      });
    }
    const text = textOfContent(content);
    checkSaid({ text, files: [] }, `${path}/content`, maxLength);
    return { role, text };
  });
}

function listOf(messages: readonly StoredMessage[], hasMore: boolean) {
  const data = messages.map(itemOf);
  return {
    object: "list" as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
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
