import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type, type Static } from "typebox";
import { mayAccess, requireAction } from "../http/caller.ts";
import { decodeCursor, encodeCursor, isRowNumber } from "../http/cursor.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { sessionInfo } from "../sessions/session-info.ts";
import type { FoundSession, SessionStore } from "../sessions/session-store.ts";
import { holds, skip, type Ranges } from "../tree/ranges.ts";
import { everything, headOf, newestBelow, pathTo } from "../tree/tree.ts";
import { sent, type KeptPages } from "./kept-pages.ts";
import { moment } from "../http/moment.ts";
import type { HistoryFilter, HistoryRange, MessageStore } from "./message-store.ts";

interface HistoryRoutesOptions {
  readonly messages: MessageStore;
  readonly pages: KeptPages;
  readonly sessions: SessionStore;
  readonly identity: IdentityProvider;
}

/** Position in a history: go on behind (`after`) or in front of (`before`) this number. */
interface HistoryCursor {
  readonly after?: number;
  readonly before?: number;
}

const historyQuery = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  offset: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1_000_000, description: "From the oldest." }),
  ),
  path: Type.Optional(
    Type.String({
      maxLength: 64,
      description:
        "Id of a message: the path through it. `all`: every message, in the order in which they were accepted. " +
        "Absent: the active path.",
    }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 500 })),
  before: Type.Optional(Type.String({ maxLength: 64, description: "Messages before this one." })),
  after: Type.Optional(Type.String({ maxLength: 64, description: "Messages after this one." })),
  around: Type.Optional(Type.String({ maxLength: 64, description: "Messages around this one." })),
  role: Type.Optional(
    Type.Union([Type.Literal("user"), Type.Literal("assistant"), Type.Literal("system")]),
  ),
  agent_id: Type.Optional(Type.String({ maxLength: 200 })),
  since: Type.Optional(Type.String({ format: "date-time" })),
  until: Type.Optional(Type.String({ format: "date-time" })),
  q: Type.Optional(
    Type.String({
      maxLength: 500,
      description:
        'Words that occur, in any language; `"…"` is a phrase, and the last word may be the beginning of one. ' +
        "`total` is then counted to 1,000.",
    }),
  ),
});

/** The history of a session: pages by position, by cursor or around a message; filtered and searched. */
export function historyRoutes(options: HistoryRoutesOptions): FastifyPluginAsyncTypebox {
  const { messages, pages, sessions, identity } = options;

  /** The number of a message that must be among these. */
  const seqOf = async (sessionId: string, messageId: string, path: Ranges): Promise<number> => {
    const seq = isId(messageId) ? await messages.seqOf(sessionId, messageId) : null;
    if (seq === null || !holds(path, seq)) throw new Problem("message_not_found", { messageId });
    return seq;
  };

  const pathOf = async ({ sessionId, tree }: FoundSession, path?: string): Promise<Ranges> => {
    if (path === undefined) return pathTo(tree, headOf(tree));
    const all = everything(tree);
    if (path === "all") return all;
    return pathTo(tree, newestBelow(tree, await seqOf(sessionId, path, all)));
  };

  const rangeOf = async (
    sessionId: string,
    path: Ranges,
    query: Static<typeof historyQuery>,
    isFiltered: boolean,
  ): Promise<HistoryRange> => {
    if (query.cursor !== undefined) {
      const cursor = decodeCursor(query.cursor, isHistoryCursor);
      return cursor.before === undefined
        ? { kind: "after", seq: cursor.after ?? 0 }
        : { kind: "before", seq: cursor.before };
    }
    for (const kind of ["before", "after", "around"] as const) {
      const messageId = query[kind];
      if (messageId !== undefined) return { kind, seq: await seqOf(sessionId, messageId, path) };
    }
    const offset = query.offset ?? 0;
    if (isFiltered) return { kind: "offset", offset };
    // A path knows how long it is: no rows are skipped one by one.
    return { kind: "after", seq: (skip(path, offset)[0]?.first ?? Infinity) - 1 };
  };

  return async (app) => {
    app.get(
      "/chat/history/:session_id",
      {
        schema: {
          tags: ["Messages"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "The messages of a session, oldest first",
          description:
            "Of the active path, or of the one that `path` names: cursors, offset, total and filters count in that. A page has at most `limit` messages, and at most about 1 MiB of them: follow `next_cursor` while `has_more`.",
          params: Type.Object({ session_id: idParameter("A session.") }),
          querystring: historyQuery,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              session_id: Type.String({ format: "uuid" }),
              messages: Type.Array(ref("Message")),
              pagination: ref("Pagination"),
              session_info: ref("SessionInfo"),
            }),
            ...problemResponses("session_not_found", "message_not_found"),
          },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const sessionId = request.params.session_id;
        await requireAction(request, identity, "access_chat_session");
        const session = isId(sessionId) ? await sessions.find(sessionId) : null;
        if (session === null || !(await mayAccess(request, session.userId, query.user_id))) {
          throw new Problem("session_not_found", { sessionId });
        }
        const filter: HistoryFilter = {
          role: query.role,
          agentId: query.agent_id,
          since: moment("since", query.since),
          until: moment("until", query.until),
          words: query.q === undefined ? undefined : { q: query.q, userId: session.userId },
        };
        const isFiltered = Object.values(filter).some((value) => value !== undefined);
        const path = await pathOf(session, query.path);
        const range = await rangeOf(sessionId, path, query, isFiltered);
        const { hasMore, last, ...page } = isFiltered
          ? sent(await messages.history(session, path, filter, range, query.limit))
          : await pages.read(session, path, range, query.limit);
        const next =
          range.kind === "before" ? { before: last ?? undefined } : { after: last ?? undefined };
        const total = await messages.count(sessionId, path, filter);
        // Last, since errors are no such pages.
        reply
          .type("application/json; charset=utf-8")
          .serializer(
            ({ messages: _, ...rest }: object & { messages: unknown }) =>
              `${JSON.stringify(rest).slice(0, -1)},"messages":${page.messages}}`,
          );
        return {
          success: true as const,
          session_id: sessionId,
          // In JSON already.
          messages: [],
          pagination: {
            total,
            limit: query.limit,
            offset: query.offset ?? 0,
            has_more: hasMore,
            next_cursor: hasMore ? encodeCursor(next) : null,
          },
          session_info: sessionInfo(session),
        };
      },
    );
  };
}

function isHistoryCursor(value: unknown): value is HistoryCursor {
  if (typeof value !== "object" || value === null) return false;
  const { after, before } = value as HistoryCursor;
  return after === undefined ? isRowNumber(before) : before === undefined && isRowNumber(after);
}
