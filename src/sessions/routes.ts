import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type, type Static } from "typebox";
import type { Catalogue } from "../agents/catalogue.ts";
import { callerUser, mayAccess, requireAction, requireAdmin } from "../http/caller.ts";
import { decodeCursor, encodeCursor } from "../http/cursor.ts";
import { idempotencyHeaders, idempotencyKey } from "../http/idempotency-header.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, ref, timestampSchema } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { metadataSchema, sessionConfigPatchSchema, sessionConfigSchema } from "./session-config.ts";
import { sessionInfo } from "./session-info.ts";
import type { Session, SessionPosition, SessionStore } from "./session-store.ts";
import type { Sessions } from "./sessions.ts";

interface SessionRoutesOptions {
  readonly sessions: Sessions;
  readonly store: SessionStore;
  readonly catalogue: Catalogue;
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
const listQuery = Type.Object({
  user_id: Type.Optional(userIdSchema),
  status: Type.Optional(Type.Union([Type.Literal("active"), Type.Literal("archived")])),
  agent_id: Type.Optional(Type.String({ maxLength: 200 })),
  q: Type.Optional(Type.String({ maxLength: 200, description: "Part of the title." })),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
  offset: Type.Integer({ minimum: 0, maximum: 100_000, default: 0 }),
  cursor: Type.Optional(Type.String({ maxLength: 500 })),
});
const batchBody = Type.Object({
  session_ids: Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 100 }),
  operation: Type.Union([
    Type.Literal("delete"),
    Type.Literal("archive"),
    Type.Literal("activate"),
  ]),
  user_id: Type.Optional(userIdSchema),
});
const tags = ["Sessions"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];

/** Sessions: made, listed, changed, deleted; each belongs to one user and to anybody else does not exist. */
export function sessionRoutes(options: SessionRoutesOptions): FastifyPluginAsyncTypebox {
  const { sessions, store, catalogue, identity } = options;

  /** The session if it exists for the caller; raises `session_not_found` otherwise. */
  const owned = async (
    request: FastifyRequest,
    sessionId: string,
    named?: string,
  ): Promise<Session> => {
    const session = isId(sessionId) ? await store.find(sessionId) : null;
    if (session === null || !mayAccess(request, session.userId, named)) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session;
  };

  const remove = async (request: FastifyRequest, sessionId: string, named?: string) => {
    await owned(request, sessionId, named);
    if (!(await sessions.delete(sessionId))) throw new Problem("session_not_found", { sessionId });
  };

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
          agentId: query.agent_id,
          titlePart: query.q,
        };
        const after =
          query.cursor === undefined ? undefined : decodeCursor(query.cursor, isSessionPosition);
        const [found, total] = await Promise.all([
          store.list(filter, { limit: query.limit + 1, offset: query.offset, after }),
          store.count(filter),
        ]);
        const page = found.slice(0, query.limit);
        const last = page.at(-1);
        const hasMore = found.length > query.limit;
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
            "`config` and `metadata` are merged member by member; a member that is null is removed.",
          params: sessionParams,
          querystring: namedUser,
          body: Type.Object(
            {
              title: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
              status: Type.Optional(Type.Union([Type.Literal("active"), Type.Literal("archived")])),
              agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
              config: Type.Optional(sessionConfigPatchSchema),
              metadata: Type.Optional(metadataSchema),
            },
            { examples: [{ title: "Plans for spring" }] },
          ),
          response: {
            200: ref("SessionInfo"),
            ...problemResponses("malformed_json", "session_not_found", "agent_not_found"),
          },
        },
      },
      async (request) => {
        const { body } = request;
        const sessionId = request.params.session_id;
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, sessionId, request.query.user_id);
        const config = body.config && merged(session.config, body.config);
        const agentId = body.agent_id && (await catalogue.resolve(body.agent_id)).agentId;
        await store.update(sessionId, {
          ...(body.title !== undefined && { title: body.title }),
          ...(body.status !== undefined && { status: body.status }),
          ...(agentId !== undefined && { agentId }),
          ...(config !== undefined && { config }),
          ...(body.metadata !== undefined && {
            metadata: merged(session.metadata, body.metadata),
          }),
        });
        return sessionInfo(await owned(request, sessionId, request.query.user_id));
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
              ...problemResponses("session_not_found"),
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

    app.post(
      "/sessions/batch",
      {
        schema: {
          tags,
          security,
          summary: "Delete, archive or activate several sessions",
          body: batchBody,
          response: {
            200: Type.Object({
              success: Type.Boolean({ description: "Whether all of them succeeded." }),
              processed_count: Type.Integer(),
              failed_count: Type.Integer(),
              results: Type.Array(
                Type.Object({
                  session_id: Type.String(),
                  status: Type.Union([Type.Literal("success"), Type.Literal("failed")]),
                  message: Type.Optional(Type.String()),
                  error: Type.Optional(Type.String()),
                }),
              ),
              errors: Type.Array(Type.String()),
            }),
            ...problemResponses("malformed_json"),
          },
        },
      },
      async (request) => {
        const { session_ids: sessionIds, user_id: named, operation } = request.body;
        const action = operation === "delete" ? "delete_chat_session" : "access_chat_session";
        await requireAction(request, identity, action);
        const results = [];
        for (const sessionId of sessionIds) {
          results.push(await applyOne(request, operation, sessionId, named));
        }
        const failed = results.filter((result) => result.status === "failed");
        return {
          success: failed.length === 0,
          processed_count: results.length - failed.length,
          failed_count: failed.length,
          results,
          errors: failed.map((result) => `Session ${result.session_id}: ${result.error}`),
        };
      },
    );

    /** One item of a batch; a fault of one does not touch the others. */
    const applyOne = async (
      request: FastifyRequest,
      operation: Static<typeof batchBody>["operation"],
      sessionId: string,
      named: string | undefined,
    ) => {
      try {
        if (operation === "delete") await remove(request, sessionId, named);
        else {
          await owned(request, sessionId, named);
          const status = operation === "archive" ? "archived" : "active";
          if (!(await store.update(sessionId, { status }))) {
            throw new Problem("session_not_found", { sessionId });
          }
        }
        return { session_id: sessionId, status: "success" as const, message: `${operation}: done` };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return {
          session_id: sessionId,
          status: "failed" as const,
          error: error.text(request.language),
        };
      }
    };

    app.get(
      "/sessions/user/:user_id/stats",
      {
        schema: {
          tags,
          security,
          summary: "How a user's sessions are distributed",
          params: Type.Object({ user_id: Type.String() }),
          response: {
            200: Type.Object({
              user_id: Type.String(),
              total_sessions: Type.Integer(),
              active_sessions: Type.Integer(),
              archived_sessions: Type.Integer(),
              total_messages: Type.Integer(),
              average_messages_per_session: Type.Number(),
              agent_usage: Type.Record(
                Type.String(),
                Type.Object({ session_count: Type.Integer(), message_count: Type.Integer() }),
              ),
              timestamp: timestampSchema,
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const userId = callerUser(request, request.params.user_id);
        await requireAction(request, identity, "access_chat_session");
        const statistics = await store.statistics(userId);
        const average = statistics.total === 0 ? 0 : statistics.messages / statistics.total;
        return {
          user_id: userId,
          total_sessions: statistics.total,
          active_sessions: statistics.active,
          archived_sessions: statistics.archived,
          total_messages: statistics.messages,
          average_messages_per_session: Math.round(average * 100) / 100,
          agent_usage: Object.fromEntries(
            statistics.agents.map((agent) => [
              agent.agentId,
              { session_count: agent.sessions, message_count: agent.messages },
            ]),
          ),
          timestamp: new Date().toISOString(),
        };
      },
    );

    app.post(
      "/sessions/cleanup",
      {
        schema: {
          tags,
          security,
          summary: "Delete sessions without recent activity (admin)",
          querystring: Type.Object({
            days_threshold: Type.Integer({ minimum: 1, maximum: 365, default: 7 }),
            dry_run: Type.Boolean({ default: true }),
          }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              dry_run: Type.Boolean(),
              found_inactive: Type.Integer(),
              would_delete: Type.Optional(Type.Integer()),
              deleted_count: Type.Optional(Type.Integer()),
              inactive_sessions: Type.Array(
                Type.Object({
                  session_id: Type.String(),
                  user_id: Type.String(),
                  last_activity: timestampSchema,
                  days_inactive: Type.Integer(),
                }),
                { maxItems: 10 },
              ),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { days_threshold: days, dry_run: dryRun } = request.query;
        const [found, sample] = await Promise.all([
          store.countInactive(days),
          store.inactive(days, 10),
        ]);
        const deleted = dryRun ? 0 : await sessions.deleteInactive(days, found);
        return {
          success: true as const,
          dry_run: dryRun,
          found_inactive: found,
          ...(dryRun ? { would_delete: found } : { deleted_count: deleted }),
          inactive_sessions: sample.map((session) => ({
            session_id: session.sessionId,
            user_id: session.userId,
            last_activity: session.lastActivity.toISOString(),
            days_inactive: Math.floor((Date.now() - session.lastActivity.getTime()) / 86_400_000),
          })),
        };
      },
    );
  };
}

function isSessionPosition(value: unknown): value is SessionPosition {
  if (typeof value !== "object" || value === null) return false;
  const { lastActivity, sessionId } = value as Partial<SessionPosition>;
  return (
    typeof lastActivity === "string" &&
    !Number.isNaN(Date.parse(lastActivity)) &&
    typeof sessionId === "string" &&
    isId(sessionId)
  );
}

/** Member by member; null removes. */
function merged(
  old: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ ...old, ...patch }).filter(([, value]) => value !== null),
  );
}
