import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Catalogue } from "../agents/catalogue.ts";
import { checkSettings } from "../agents/run-settings.ts";
import { callerUser, requireAction } from "../http/caller.ts";
import { decodeCursor, encodeCursor, isMoment } from "../http/cursor.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import { checkObjectSize } from "../http/member-size.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, ref, timestampSchema } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { metadataSchema, sessionConfigPatchSchema, sessionConfigSchema } from "./session-config.ts";
import { createSessionAccess } from "./session-access.ts";
import { sessionInfo } from "./session-info.ts";
import type { SessionPosition, SessionStore } from "./session-store.ts";
import type { SearchStore } from "../search/search-store.ts";
import type { ForkSession } from "./fork.ts";
import type { Sessions } from "./sessions.ts";

export interface SessionRoutesOptions {
  readonly sessions: Sessions;
  readonly store: SessionStore;
  readonly search: Pick<SearchStore, "titled">;
  readonly fork: ForkSession;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly identity: IdentityProvider;
}

const userIdSchema = Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" });
const sessionParams = Type.Object({ session_id: idParameter("A session.") });
const namedUser = Type.Object({
  user_id: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: "In auth.mode open: only if it belongs to this user.",
    }),
  ),
});
const maxTags = 20;
const tagSchema = Type.String({ minLength: 1, maxLength: 40, pattern: "\\S" });
const listQuery = Type.Object({
  user_id: Type.Optional(userIdSchema),
  status: Type.Optional(Type.Union([Type.Literal("active"), Type.Literal("archived")])),
  agent_id: Type.Optional(Type.String({ maxLength: 200 })),
  q: Type.Optional(
    Type.String({ maxLength: 200, description: "Words of the title, as in `GET /chat/search`." }),
  ),
  pinned: Type.Optional(Type.Boolean()),
  tag: Type.Optional(
    Type.Union([tagSchema, Type.Array(tagSchema, { maxItems: maxTags })], {
      description: "Repeated: sessions with all of them.",
    }),
  ),
  order: Type.Union([Type.Literal("activity"), Type.Literal("pinned")], {
    default: "activity",
    description: "`pinned`: those first. A cursor belongs to its order.",
  }),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
  offset: Type.Integer({ minimum: 0, maximum: 100_000, default: 0 }),
  cursor: Type.Optional(Type.String({ maxLength: 500 })),
});
const tags = ["Sessions"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];

/** Sessions: made, listed, changed, deleted; each belongs to one user and to anybody else does not exist. */
export function sessionRoutes(options: SessionRoutesOptions): FastifyPluginAsyncTypebox {
  const { sessions, store, search, catalogue, identity } = options;
  const { owned, remove } = createSessionAccess(options);

  return async (app) => {
    app.post(
      "/chat/session",
      {
        schema: {
          tags,
          security,
          summary: "Create a session",
          headers: idempotencyHeaders,
          body: Type.Object(
            {
              user_id: Type.Optional(userIdSchema),
              agent_id: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 200 }))),
              session_config: Type.Optional(nullable(sessionConfigSchema)),
              metadata: Type.Optional(nullable(metadataSchema)),
            },
            { examples: [{ user_id: "alice", agent_id: "general-chat" }] },
          ),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              session_id: Type.String({ format: "uuid" }),
              session_info: ref("SessionInfo"),
            }),
            ...problemResponses(
              "malformed_json",
              "agent_not_found",
              "agent_unavailable",
              "idempotency_conflict",
            ),
          },
        },
      },
      async (request) => {
        const { body } = request;
        const userId = callerUser(request, body.user_id);
        await requireAction(request, identity, "create_chat_session");
        const session = await sessions.create(
          {
            caller: request,
            userId,
            agentId: body.agent_id ?? undefined,
            config: body.session_config ?? {},
            metadata: body.metadata ?? {},
          },
          idempotencyKey(request, "POST /chat/session"),
        );
        return {
          success: true as const,
          session_id: session.sessionId,
          session_info: sessionInfo(session),
        };
      },
    );

    app.get(
      "/chat/session/:session_id/status",
      {
        schema: {
          tags,
          security,
          summary: "The state of a session in short",
          params: sessionParams,
          querystring: namedUser,
          response: {
            200: Type.Object({
              session_id: Type.String({ format: "uuid" }),
              status: Type.String(),
              last_activity: timestampSchema,
              message_count: Type.Integer(),
              user_id: Type.String(),
              agent_id: Type.String(),
              created_at: timestampSchema,
              active_message_id: nullable(Type.String({ format: "uuid" })),
            }),
            ...problemResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.session_id, request.query.user_id);
        const info = sessionInfo(session);
        return {
          session_id: info.session_id,
          status: info.status,
          last_activity: info.last_activity,
          message_count: info.message_count,
          user_id: info.user_id,
          agent_id: info.agent_id,
          created_at: info.created_at,
          active_message_id: info.active_message_id,
        };
      },
    );

    app.get(
      "/sessions",
      {
        schema: {
          tags,
          security,
          summary: "A user's sessions, newest activity first",
          querystring: listQuery,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              user_id: Type.String(),
              sessions: Type.Array(ref("SessionInfo")),
              pagination: ref("Pagination"),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const { query } = request;
        const userId = callerUser(request, query.user_id);
        await requireAction(request, identity, "access_chat_session");
        const filter = {
          userId,
          status: query.status,
          pinned: query.pinned,
          tags: query.tag === undefined ? undefined : tagsOf([query.tag].flat()),
          agentId: query.agent_id,
          sessionIds: query.q === undefined ? undefined : await search.titled(query.q, userId),
        };
        const pinnedFirst = query.order === "pinned";
        const after =
          query.cursor === undefined
            ? undefined
            : decodeCursor(query.cursor, isSessionPosition(pinnedFirst));
        const [{ sessions: page, hasMore }, total] = await Promise.all([
          store.list(filter, { limit: query.limit, offset: query.offset, after, pinnedFirst }),
          store.count(filter),
        ]);
        const last = page.at(-1);
        return {
          success: true as const,
          user_id: userId,
          sessions: page.map(sessionInfo),
          pagination: {
            total,
            limit: query.limit,
            offset: query.offset,
            has_more: hasMore,
            next_cursor:
              hasMore && last !== undefined
                ? encodeCursor({
                    ...(pinnedFirst && { pinned: last.pinned }),
                    lastActivity: last.position,
                    sessionId: last.sessionId,
                  })
                : null,
          },
        };
      },
    );

    app.get(
      "/sessions/:session_id",
      {
        schema: {
          tags,
          security,
          summary: "A session",
          params: sessionParams,
          querystring: namedUser,
          response: { 200: ref("SessionInfo"), ...problemResponses("session_not_found") },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        return sessionInfo(await owned(request, request.params.session_id, request.query.user_id));
      },
    );

    app.patch(
      "/sessions/:session_id",
      {
        schema: {
          tags,
          security,
          summary: "Change a session",
          description:
            "`config` and `metadata` are merged member by member; a member that is null is removed. " +
            "Only messages are activity: this changes neither `last_activity` nor the order of the list.",
          params: sessionParams,
          querystring: namedUser,
          body: Type.Object(
            {
              title: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
              status: Type.Optional(Type.Union([Type.Literal("active"), Type.Literal("archived")])),
              agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
              head_message_id: Type.Optional(
                Type.String({
                  maxLength: 64,
                  description:
                    "Shows the path through this message, down to its newest leaf. 409 `session_busy` while a reply is made that " +
                    "is not on it.",
                }),
              ),
              config: Type.Optional(sessionConfigPatchSchema),
              metadata: Type.Optional(metadataSchema),
              pinned: Type.Optional(
                Type.Boolean({
                  description: "Pinned sessions are kept however long they are idle.",
                }),
              ),
              tags: Type.Optional(
                Type.Array(tagSchema, {
                  maxItems: maxTags,
                  description: "All of them; without space around them, each once.",
                }),
              ),
            },
            { examples: [{ title: "Plans for spring", pinned: true, tags: ["garden"] }] },
          ),
          response: {
            200: ref("SessionInfo"),
            ...problemResponses(
              "malformed_json",
              "session_not_found",
              "message_not_found",
              "agent_not_found",
              "session_busy",
            ),
          },
        },
      },
      async (request) => {
        const { body } = request;
        const sessionId = request.params.session_id;
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, sessionId, request.query.user_id);
        const headMessageId = body.head_message_id;
        if (headMessageId !== undefined && !isId(headMessageId)) {
          throw new Problem("message_not_found", { messageId: headMessageId });
        }
        // Each patch is bounded; what many of them add up to is too.
        for (const name of ["config", "metadata"] as const) {
          if (body[name] !== undefined) {
            checkObjectSize({ ...session[name], ...body[name] }, `/${name}`);
          }
        }
        const agents = catalogue.seenBy(request);
        const agentId = body.agent_id && (await agents.resolve(body.agent_id)).agentId;
        const agent = agents.entry(agentId ?? session.agentId);
        if (body.config !== undefined && agent !== undefined) {
          checkSettings(body.config, "/config", agent);
        }
        await sessions.update(sessionId, {
          ...(body.title !== undefined && { title: body.title }),
          ...(body.status !== undefined && { status: body.status }),
          ...(agentId !== undefined && { agentId }),
          ...(headMessageId !== undefined && { headMessageId }),
          ...(body.config !== undefined && { config: body.config }),
          ...(body.metadata !== undefined && { metadata: body.metadata }),
          ...(body.pinned !== undefined && { pinned: body.pinned }),
          ...(body.tags !== undefined && { tags: tagsOf(body.tags) }),
        });
        return sessionInfo(await owned(request, sessionId, request.query.user_id));
      },
    );

    app.post(
      "/sessions/:session_id/fork",
      {
        schema: {
          tags,
          security,
          summary: "A new session of the path up to a message",
          description: "With its files, and with the same agent, configuration and title.",
          headers: idempotencyHeaders,
          params: sessionParams,
          querystring: namedUser,
          body: Type.Object(
            {
              message_id: Type.String({ maxLength: 64, description: "The last one to be copied." }),
            },
            { title: "Fork" },
          ),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              session_id: Type.String({ format: "uuid" }),
              session_info: ref("SessionInfo"),
            }),
            ...problemResponses(
              "malformed_json",
              "session_not_found",
              "message_not_found",
              "message_running",
              "idempotency_conflict",
            ),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "create_chat_session");
        const { session_id: sourceId } = request.params;
        const source = await owned(request, sourceId, request.query.user_id);
        const key = idempotencyKey(request, "POST /sessions/fork", [sourceId, request.body]);
        const sessionId = await options.fork(source, request.body.message_id, key);
        const session = await owned(request, sessionId, request.query.user_id);
        return {
          success: true as const,
          session_id: sessionId,
          session_info: sessionInfo(session),
        };
      },
    );

    for (const url of ["/sessions/:session_id", "/chat/session/:session_id"]) {
      app.delete(
        url,
        {
          schema: {
            tags,
            security,
            summary: "Delete a session with its messages, audio and running reply",
            params: sessionParams,
            querystring: namedUser,
            response: {
              200: Type.Object({
                success: Type.Literal(true),
                message: Type.String(),
                session_id: Type.String(),
              }),
              ...problemResponses("malformed_json", "session_not_found"),
            },
          },
        },
        async (request) => {
          const sessionId = request.params.session_id;
          await requireAction(request, identity, "delete_chat_session");
          await remove(request, sessionId, request.query.user_id);
          return {
            success: true as const,
            message: request.language === "zh" ? "会话已删除" : "The session was deleted",
            session_id: sessionId,
          };
        },
      );
    }
  };
}

function tagsOf(given: readonly string[]): string[] {
  return [...new Set(given.map((tag) => tag.trim()))];
}

/** Of cursors of lists of sessions, whether or not these begin with the pinned ones. */
export function isSessionPosition(pinnedFirst: boolean) {
  return (value: unknown): value is SessionPosition => {
    if (typeof value !== "object" || value === null) return false;
    const { pinned, lastActivity, sessionId } = value as Partial<SessionPosition>;
    return (
      typeof pinned === (pinnedFirst ? "boolean" : "undefined") &&
      isMoment(lastActivity) &&
      typeof sessionId === "string" &&
      isId(sessionId)
    );
  };
}
