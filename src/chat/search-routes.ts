import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, requireAction } from "../http/caller.ts";
import { decodeCursor, encodeCursor, isMoment, isRowNumber } from "../http/cursor.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable, timestampSchema } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import {
  maxCounted,
  type SearchFilter,
  type SearchHit,
  type SearchPosition,
  type SearchStore,
} from "../search/search-store.ts";
import { moment } from "../http/moment.ts";

interface SearchRoutesOptions {
  readonly search: Pick<SearchStore, "find" | "count">;
  readonly identity: IdentityProvider;
}

const roles = ["user", "assistant", "system"] as const;

const searchQuery = Type.Object({
  q: Type.String({
    maxLength: 500,
    description:
      'Words that all occur, in any order and any language; `"…"` is a phrase, and the last word may be the beginning of one.',
    examples: ["budget", '"lead times"', "北京"],
  }),
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" })),
  session_id: Type.Optional(Type.String({ maxLength: 64 })),
  agent_id: Type.Optional(Type.String({ maxLength: 200 })),
  role: Type.Optional(Type.Union(roles.map((role) => Type.Literal(role)))),
  since: Type.Optional(Type.String({ format: "date-time" })),
  until: Type.Optional(Type.String({ format: "date-time" })),
  status: Type.Optional(
    Type.Union([Type.Literal("active"), Type.Literal("archived")], {
      description: "Of the session.",
    }),
  ),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
  cursor: Type.Optional(Type.String({ maxLength: 500 })),
  total: Type.Boolean({ default: false, description: "Whether to count as well." }),
});

const hitSchema = Type.Object({
  message_id: nullable(Type.String({ format: "uuid", description: "Null: the session's title." })),
  session_id: Type.String({ format: "uuid" }),
  session_title: nullable(Type.String()),
  session_status: Type.String(),
  role: nullable(Type.String({ description: "Null for a title." })),
  agent_id: Type.String(),
  timestamp: timestampSchema,
  in_active_path: Type.Boolean({ description: "Whether the conversation shows it now." }),
  snippet: Type.String({ description: "At most 200 UTF-16 units around the first match." }),
  matches: Type.Array(Type.Array(Type.Integer(), { minItems: 2, maxItems: 2 }), {
    description: "Beginnings and ends in the snippet, in UTF-16 units.",
  }),
});

const paginationSchema = Type.Object({
  limit: Type.Integer(),
  has_more: Type.Boolean({
    description:
      "A page may be short, and even empty, and have more behind it: so much is looked at for one.",
  }),
  next_cursor: nullable(Type.String()),
  total: Type.Optional(
    Type.Union([Type.Integer(), Type.String({ pattern: "^\\d+\\+$" })], {
      description: `With \`total=true\`: counted to ${maxCounted}; of more, "${maxCounted}+".`,
    }),
  ),
});

/** Search over everything that a user and his agents have said. */
export function searchRoutes({ search, identity }: SearchRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/chat/search",
      {
        schema: {
          tags: ["Messages"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "Search all conversations of a user, newest first",
          description:
            "Finds messages, and sessions by their titles where no `role`, `since` or `until` is asked for. " +
            "Case, width and accents do not matter; scripts that are written without spaces are found from one character on.",
          querystring: searchQuery,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              hits: Type.Array(hitSchema),
              pagination: paginationSchema,
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const { query } = request;
        const userId = callerUser(request, query.user_id);
        await requireAction(request, identity, "access_chat_session");
        const after =
          query.cursor === undefined ? null : decodeCursor(query.cursor, isSearchPosition);
        const filter: SearchFilter = {
          userId,
          sessionId: query.session_id,
          agentId: query.agent_id,
          role: query.role,
          since: moment("since", query.since),
          until: moment("until", query.until),
          status: query.status,
        };
        const { hits, next } = await search.find(query.q, filter, after, query.limit);
        const counted = query.total ? await search.count(query.q, filter) : null;
        return {
          success: true as const,
          hits: hits.map(hitInfo),
          pagination: {
            limit: query.limit,
            has_more: next !== null,
            next_cursor: next === null ? null : encodeCursor(next),
            ...(counted !== null && {
              total: counted.isMore ? `${counted.count}+` : counted.count,
            }),
          },
        };
      },
    );
  };
}

function hitInfo(hit: SearchHit) {
  return {
    message_id: hit.messageId,
    session_id: hit.sessionId,
    session_title: hit.sessionTitle,
    session_status: hit.sessionStatus,
    role: hit.role,
    agent_id: hit.agentId,
    timestamp: hit.createdAt.toISOString(),
    in_active_path: hit.isInActivePath,
    snippet: hit.snippet,
    matches: hit.matches.map(([start, end]): [number, number] => [start, end]),
  };
}

export function isSearchPosition(value: unknown): value is SearchPosition {
  if (typeof value !== "object" || value === null) return false;
  const { at, sessionId, seq } = value as Partial<SearchPosition>;
  return isMoment(at) && typeof sessionId === "string" && isId(sessionId) && isRowNumber(seq);
}
