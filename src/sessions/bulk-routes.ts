import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type, type Static } from "typebox";
import { callerUser, requireAction, requireAdmin } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable, timestampSchema } from "../http/schemas.ts";
import { Problem } from "../problems/problem.ts";
import type { SessionRoutesOptions } from "./routes.ts";
import { createSessionAccess } from "./session-access.ts";

const userIdSchema = Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" });
const batchBody = Type.Object({
  session_ids: Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 100 }),
  operation: Type.Union([
    Type.Literal("delete"),
    Type.Literal("archive"),
    Type.Literal("activate"),
  ]),
  user_id: Type.Optional(userIdSchema),
});
const daysRange = { minimum: 1, maximum: 365 };
const tags = ["Sessions"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];

/** Many sessions at once: batches, figures, cleaning up. */
export function bulkSessionRoutes(
  options: Omit<SessionRoutesOptions, "catalogue"> & {
    readonly countAudio: (userId: string) => Promise<number>;
    readonly countFeedback: (
      userId: string,
    ) => Promise<{ readonly up: number; readonly down: number }>;
  },
): FastifyPluginAsyncTypebox {
  const { sessions, store, identity } = options;
  const { owned, remove } = createSessionAccess(options);

  return async (app) => {
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
          if (!(await sessions.update(sessionId, { status }))) {
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
              total_audio: Type.Integer({ description: "Stored speech and recordings." }),
              average_messages_per_session: Type.Number(),
              feedback: Type.Object(
                { up: Type.Integer(), down: Type.Integer() },
                { description: "Replies that the user has rated." },
              ),
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
        const [statistics, audio, feedback] = await Promise.all([
          store.statistics(userId),
          options.countAudio(userId),
          options.countFeedback(userId),
        ]);
        const average = statistics.total === 0 ? 0 : statistics.messages / statistics.total;
        return {
          user_id: userId,
          total_sessions: statistics.total,
          active_sessions: statistics.active,
          archived_sessions: statistics.archived,
          total_messages: statistics.messages,
          total_audio: audio,
          average_messages_per_session: Math.round(average * 100) / 100,
          feedback,
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
          description: "What is asked for may stand in the body or in the query; the body wins.",
          querystring: Type.Object({
            days_threshold: Type.Integer({ ...daysRange, default: 7 }),
            dry_run: Type.Boolean({ default: true }),
          }),
          body: nullable(
            Type.Object({
              days_threshold: Type.Optional(Type.Integer(daysRange)),
              dry_run: Type.Optional(Type.Boolean()),
            }),
          ),
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
            ...problemResponses("malformed_json"),
          },
        },
      },
      async (request) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { days_threshold: days, dry_run: dryRun } = { ...request.query, ...request.body };
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
