import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Catalogue } from "../../agents/catalogue.ts";
import { requireAction } from "../../http/caller.ts";
import { decodeCursor, encodeCursor } from "../../http/cursor.ts";
import { nullable } from "../../http/schemas.ts";
import type { IdentityProvider } from "../../identity/identity.ts";
import { Problem } from "../../problems/problem.ts";
import { isSessionPosition } from "../../sessions/routes.ts";
import type { FoundSession, Session, SessionStore } from "../../sessions/session-store.ts";
import type { Sessions } from "../../sessions/sessions.ts";
import { threadName } from "../ag-ui/request.ts";
import { errorResponses, security, tags } from "../ag-ui/schemas.ts";
import { userOf } from "../caller.ts";
import type { ExternalIds } from "../conversation-name.ts";

interface ThreadRoutesOptions {
  readonly sessions: Pick<Sessions, "update" | "delete">;
  readonly sessionStore: Pick<SessionStore, "list">;
  readonly externalIds: ExternalIds;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly identity: IdentityProvider;
}

const open = { additionalProperties: true };
const params = Type.Object({ thread_id: Type.String() });
const threadSchema = Type.Object(
  {
    id: Type.String({ description: "As the client calls it, else the session's id." }),
    organizationId: Type.String(),
    agentId: Type.String(),
    createdById: Type.String(),
    name: nullable(Type.String()),
    archived: Type.Boolean(),
    createdAt: Type.String({ format: "date-time" }),
    updatedAt: Type.String({ format: "date-time" }),
    lastRunAt: Type.String({ format: "date-time" }),
  },
  { title: "Thread" },
);

/** Sessions as CopilotKit's threads. */
export function threadRoutes(options: ThreadRoutesOptions): FastifyPluginAsyncTypebox {
  const { sessions, sessionStore, externalIds, catalogue, identity } = options;

  const owned = async (request: FastifyRequest, threadId: string): Promise<FoundSession> => {
    const session = await externalIds.find(userOf(request), threadName(threadId, "/thread_id"));
    if (session === null) throw new Problem("session_not_found", { sessionId: threadId });
    return session;
  };

  return async (app) => {
    app.get(
      "/copilotkit/threads",
      {
        schema: {
          tags,
          security,
          summary: "The user's threads with an agent, newest activity first",
          querystring: Type.Object({
            agentId: Type.Optional(Type.String({ maxLength: 200 })),
            includeArchived: Type.Optional(Type.Boolean()),
            limit: Type.Integer({ minimum: 1, maximum: 100, default: 50 }),
            cursor: Type.Optional(Type.String({ maxLength: 500 })),
          }),
          response: {
            200: Type.Object({
              threads: Type.Array(threadSchema),
              nextCursor: nullable(Type.String()),
            }),
            ...errorResponses(),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const { agentId, includeArchived, limit, cursor } = request.query;
        const userId = userOf(request);
        // An agent that does not exist for the caller has no threads either.
        if (agentId !== undefined && !catalogue.seenBy(request).isSeen(agentId)) {
          return { threads: [], nextCursor: null };
        }
        const { sessions: page, hasMore } = await sessionStore.list(
          { userId, agentId, status: includeArchived === true ? undefined : "active" },
          {
            limit,
            offset: 0,
            after:
              cursor === undefined ? undefined : decodeCursor(cursor, isSessionPosition(false)),
          },
        );
        const ids = page.map(({ sessionId }) => sessionId);
        const names = await externalIds.namesOf(userId, "ag-ui", ids);
        const last = page.at(-1);
        return {
          threads: page.map((session) => threadOf(session, names.get(session.sessionId))),
          nextCursor:
            hasMore && last !== undefined
              ? encodeCursor({ lastActivity: last.position, sessionId: last.sessionId })
              : null,
        };
      },
    );

    app.patch(
      "/copilotkit/threads/:thread_id",
      {
        schema: {
          tags,
          security,
          summary: "Rename a thread, archive it, or take it out of the archive",
          params,
          body: Type.Object(
            {
              name: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
              archived: Type.Optional(Type.Boolean()),
            },
            { ...open, examples: [{ name: "Plans for spring" }] },
          ),
          response: {
            200: Type.Object({ success: Type.Literal(true) }),
            ...errorResponses("malformed_json", "session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const { sessionId } = await owned(request, request.params.thread_id);
        const { name, archived } = request.body;
        await sessions.update(sessionId, {
          ...(name !== undefined && { title: name }),
          ...(archived !== undefined && { status: archived ? "archived" : "active" }),
        });
        return { success: true as const };
      },
    );

    app.post(
      "/copilotkit/threads/:thread_id/archive",
      {
        schema: {
          tags,
          security,
          summary: "Archive a thread",
          params,
          response: {
            200: Type.Object({ success: Type.Literal(true) }),
            ...errorResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const { sessionId } = await owned(request, request.params.thread_id);
        await sessions.update(sessionId, { status: "archived" });
        return { success: true as const };
      },
    );

    app.delete(
      "/copilotkit/threads/:thread_id",
      {
        schema: {
          tags,
          security,
          summary: "Delete a thread with everything in it",
          params,
          response: {
            200: Type.Object({ success: Type.Literal(true) }),
            ...errorResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "delete_chat_session");
        const { sessionId } = await owned(request, request.params.thread_id);
        await sessions.delete(sessionId);
        return { success: true as const };
      },
    );
  };
}

function threadOf(session: Session, name: string | undefined) {
  const lastActivity = session.lastActivity.toISOString();
  return {
    id: name ?? session.sessionId,
    organizationId: "",
    agentId: session.agentId,
    createdById: session.userId,
    name: session.title,
    archived: session.status === "archived",
    createdAt: session.createdAt.toISOString(),
    updatedAt: lastActivity,
    lastRunAt: lastActivity,
  };
}
