import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, requireAction, requireAdmin } from "../http/caller.ts";
import { moment } from "../http/moment.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { usageKinds } from "./spending.ts";
import type { UsageGroup, UsageRow, UsageStore } from "./usage-store.ts";

interface UsageRoutesOptions {
  readonly usage: UsageStore;
  readonly identity: IdentityProvider;
}

const tags = ["Usage"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const userIdSchema = Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" });
const tokens = Type.Integer({ minimum: 0 });

const sumMembers = {
  replies: Type.Integer({ minimum: 0 }),
  input_tokens: tokens,
  output_tokens: tokens,
  cached_tokens: Type.Integer({ minimum: 0, description: "Of the input, read from a cache." }),
  reasoning_tokens: Type.Integer({ minimum: 0, description: "Of the output." }),
  cost: nullable(
    Type.Number({
      minimum: 0,
      description: "In the currency of `models.prices`; null where nothing of it had a price.",
    }),
  ),
};

const memberOf = { day: "day", agent: "agent_id", model: "model", kind: "kind" } as const;
const kindSchema = Type.Union(
  usageKinds.map((kind) => Type.Literal(kind)),
  { description: "What it was used for." },
);

/** What models were used for, and what that cost. */
export function usageRoutes({ usage, identity }: UsageRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/usage",
      {
        schema: {
          tags,
          security,
          summary: "What a user, or all, have used",
          description:
            "Exact as soon as a reply has ended. Replies of messages and sessions that were deleted count too; " +
            "those that ended without any token count as replies. Titles and summaries that models write for a user's " +
            "conversations count with their tokens, and are no replies.",
          querystring: Type.Object({
            user_id: Type.Optional(userIdSchema),
            all_users: Type.Boolean({
              default: false,
              description: "Of everybody, whatever `user_id` says; administrators only.",
            }),
            group_by: Type.Union(
              (["day", "agent", "model", "kind"] as const).map((group) => Type.Literal(group)),
              { default: "day", description: "Days are those of UTC." },
            ),
            since: Type.Optional(
              Type.String({ format: "date-time", description: "Ended at this time or later." }),
            ),
            until: Type.Optional(
              Type.String({ format: "date-time", description: "Ended before this time." }),
            ),
            session_id: Type.Optional(
              Type.String({
                format: "uuid",
                description: "In this conversation of the user's, also when it was deleted.",
              }),
            ),
            agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
            model: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
            kind: Type.Optional(kindSchema),
          }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              rows: Type.Array(
                Type.Object({
                  day: Type.Optional(Type.String({ format: "date" })),
                  agent_id: Type.Optional(Type.String()),
                  model: Type.Optional(
                    nullable(Type.String({ description: "Null where it is not known." })),
                  ),
                  kind: Type.Optional(kindSchema),
                  ...sumMembers,
                }),
              ),
              total: Type.Object(sumMembers),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const { query } = request;
        if (query.all_users) await requireAdmin(request);
        const userId = query.all_users ? null : callerUser(request, query.user_id);
        await requireAction(request, identity, "access_chat_session");
        const group = query.group_by as UsageGroup;
        const sums = await usage.sums(
          {
            userId,
            sessionId: query.session_id,
            since: moment("since", query.since),
            until: moment("until", query.until),
            agentId: query.agent_id,
            model: query.model,
            kind: query.kind,
          },
          group,
        );
        const total = sums.at(-1);
        if (total === undefined) throw new Error("a sum of all is always there");
        return {
          success: true as const,
          rows: sums.slice(0, -1).map((row) => ({
            [memberOf[group]]: group === "model" && row.name === "" ? null : row.name,
            ...sumInfo(row),
          })),
          total: sumInfo(total),
        };
      },
    );

    app.delete(
      "/usage",
      {
        schema: {
          tags,
          security,
          summary: "Erase what is known of a user's use (administrators)",
          description:
            "For when the user is erased; what was used of the user's budgets is forgotten too.",
          querystring: Type.Object({ user_id: userIdSchema }),
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              deleted: Type.Integer({ minimum: 0 }),
            }),
            ...problemResponses("forbidden"),
          },
        },
      },
      async (request) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        return { success: true as const, deleted: await usage.erase(request.query.user_id) };
      },
    );
  };
}

function sumInfo(row: UsageRow) {
  return {
    replies: row.replies,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cached_tokens: row.cachedTokens,
    reasoning_tokens: row.reasoningTokens,
    cost: row.cost,
  };
}
