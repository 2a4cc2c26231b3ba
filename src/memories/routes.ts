import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, mayRun, requireAction } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { UserMemories } from "./memories.ts";

interface MemoryRoutesOptions {
  readonly memories: UserMemories;
  readonly identity: IdentityProvider;
}

const tags = ["Memories"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const userIdSchema = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, pattern: "\\S", description: "Default: oneself." }),
);
const listTimeoutMs = 10_000;
const forgetTimeoutMs = 10_000;

/** What agents remember of a user beside conversations: to be seen, and to be erased. */
export function memoryRoutes({
  memories,
  identity,
}: MemoryRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/chat/memories",
      {
        schema: {
          tags,
          security,
          summary: "What agents remember of a user",
          description:
            "Beside conversations, at the agents' own source (AgentOS); the newest first, at most 1000 of each database " +
            "there. Agents that share a database share what they remember.",
          querystring: Type.Object({
            user_id: userIdSchema,
            agent_id: Type.Optional(
              Type.String({ minLength: 1, maxLength: 200, description: "Only what it knows." }),
            ),
          }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              memories: Type.Array(
                Type.Object({
                  memory_id: Type.String(),
                  memory: Type.String(),
                  topics: Type.Array(Type.String()),
                  agent_ids: Type.Array(Type.String(), {
                    description: "The agents that have access to it, as in `GET /chat/agents`.",
                  }),
                  updated_at: nullable(Type.String({ format: "date-time" })),
                }),
              ),
              count: Type.Integer({ minimum: 0 }),
              complete: Type.Boolean({
                description: "False: a server could not be asked, and may remember more.",
              }),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const { query } = request;
        const userId = callerUser(request, query.user_id);
        await requireAction(request, identity, "access_chat_session");
        const found = await memories.list(userId, AbortSignal.timeout(listTimeoutMs));
        const { agent_id: agentId } = query;
        const shown = found.memories.filter(
          ({ agentIds }) => agentId === undefined || agentIds.includes(agentId),
        );
        return {
          success: true as const,
          memories: shown.map(({ id, text, topics, agentIds, updatedAt }) => ({
            memory_id: id,
            memory: text,
            topics: [...topics],
            agent_ids: agentIds.filter((agentId) => mayRun(request, agentId)),
            updated_at: updatedAt,
          })),
          count: shown.length,
          complete: found.isComplete,
        };
      },
    );

    app.delete(
      "/chat/memories/:memory_id",
      {
        schema: {
          tags,
          security,
          summary: "Have an agent forget something",
          params: Type.Object({ memory_id: Type.String({ minLength: 1, maxLength: 1_000 }) }),
          querystring: Type.Object({ user_id: userIdSchema }),
          response: {
            200: Type.Object({ success: Type.Literal(true) }),
            ...problemResponses("memory_not_found", "agent_unavailable"),
          },
        },
      },
      async (request) => {
        const userId = callerUser(request, request.query.user_id);
        await requireAction(request, identity, "delete_chat_session");
        await memories.forget(
          userId,
          request.params.memory_id,
          AbortSignal.timeout(forgetTimeoutMs),
        );
        return { success: true as const };
      },
    );

    app.delete(
      "/chat/memories",
      {
        schema: {
          tags,
          security,
          summary: "Have all agents forget everything about a user",
          description:
            "However long that takes: with `pending` a server could not be asked, and is until it has forgotten. " +
            "Of users without any session it is looked at again for an hour, since replies that were just being made " +
            "may leave something behind.",
          querystring: Type.Object({ user_id: userIdSchema }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              deleted: Type.Integer({ minimum: 0, description: "Those that were there just now." }),
              pending: Type.Boolean(),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const userId = callerUser(request, request.query.user_id);
        await requireAction(request, identity, "delete_chat_session");
        const signal = AbortSignal.timeout(forgetTimeoutMs);
        const { deleted, isPending } = await memories.forgetAll(userId, signal);
        return { success: true as const, deleted, pending: isPending };
      },
    );
  };
}
