import type { MessageStore } from "../../../chat/message-store.ts";
import { isSearchPosition } from "../../../chat/search-routes.ts";
import { requireAction } from "../../../http/caller.ts";
import { decodeCursor, encodeCursor, isRowNumber } from "../../../http/cursor.ts";
import { moment } from "../../../http/moment.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { cutText } from "../../../lib/clean-text.ts";
import { isId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { SearchStore } from "../../../search/search-store.ts";
import { isSessionPosition } from "../../../sessions/routes.ts";
import type { FoundSession, SessionStore } from "../../../sessions/session-store.ts";
import { holds } from "../../../tree/ranges.ts";
import { headOf, pathTo } from "../../../tree/tree.ts";
import { maxListedLength } from "../schemas.ts";
import { page, type Args, type Call, type Result } from "./tool.ts";

export interface HistoryToolParts {
  readonly messages: Pick<MessageStore, "seqOf" | "history">;
  readonly sessionStore: Pick<SessionStore, "find" | "list">;
  readonly search: Pick<SearchStore, "find">;
  readonly identity: IdentityProvider;
}

/** What was said before, in whatever conversation. */
export function historyTools({ messages, sessionStore, search, identity }: HistoryToolParts) {
  /** Raises `session_not_found`. */
  const ownSession = async ({ exchange }: Call, sessionId: string): Promise<FoundSession> => {
    const session = isId(sessionId) ? await sessionStore.find(sessionId) : null;
    if (session === null || session.userId !== exchange.userId) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session;
  };

  return {
    async search_history({ exchange }: Call, args: Args<"search_history">) {
      const { request, userId } = exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("search");
      const after = args.cursor === undefined ? null : decodeCursor(args.cursor, isSearchPosition);
      const filter = {
        userId,
        sessionId: args.session_id,
        agentId: args.agent_id,
        role: args.role,
        since: moment("since", args.since),
        until: moment("until", args.until),
        status: args.status,
      };
      const { hits, next } = await search.find(args.q, filter, after, args.limit);
      return page<Result<"search_history">>({
        hits: hits.map((hit) => ({
          message_id: hit.messageId,
          session_id: hit.sessionId,
          session_title: hit.sessionTitle,
          role: hit.role,
          agent_id: hit.agentId,
          timestamp: hit.createdAt.toISOString(),
          snippet: hit.snippet,
        })),
        next_cursor: next === null ? null : encodeCursor(next),
      });
    },

    async list_sessions({ exchange }: Call, args: Args<"list_sessions">) {
      const { request, userId } = exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("list");
      const { status, agent_id: agentId, limit, cursor } = args;
      const after =
        cursor === undefined ? undefined : decodeCursor(cursor, isSessionPosition(false));
      const { sessions, hasMore } = await sessionStore.list(
        { userId, status, agentId },
        { limit, offset: 0, after },
      );
      const last = sessions.at(-1);
      return page<Result<"list_sessions">>({
        sessions: sessions.map((session) => ({
          session_id: session.sessionId,
          title: session.title,
          agent_id: session.agentId,
          status: session.status,
          message_count: session.messageCount,
          created_at: session.createdAt.toISOString(),
          last_activity: session.lastActivity.toISOString(),
        })),
        next_cursor:
          hasMore && last !== undefined
            ? encodeCursor({ lastActivity: last.position, sessionId: last.sessionId })
            : null,
      });
    },

    async read_session(call: Call, args: Args<"read_session">) {
      const { request } = call.exchange;
      await requireAction(request, identity, "access_chat_session");
      await request.charge("list");
      const { around, cursor, limit } = args;
      const session = await ownSession(call, args.session_id);
      const { sessionId, tree } = session;
      const path = pathTo(tree, headOf(tree));
      let range: Parameters<typeof messages.history>[3] = { kind: "before", seq: Infinity };
      if (cursor !== undefined) {
        range = { kind: "before", seq: decodeCursor(cursor, isBefore).before };
      } else if (around !== undefined) {
        const seq = isId(around) ? await messages.seqOf(sessionId, around) : null;
        if (seq === null || !holds(path, seq)) {
          throw new Problem("message_not_found", { messageId: around });
        }
        range = { kind: "around", seq };
      }
      const found = await messages.history(session, path, {}, range, limit);
      const [oldest] = found.messages;
      const isMore =
        range.kind === "around"
          ? oldest !== undefined && oldest.seq > (path[0]?.first ?? Infinity)
          : found.hasMore;
      const before = range.kind === "around" ? oldest?.seq : found.last;
      return page<Result<"read_session">>({
        session_id: sessionId,
        title: session.title,
        agent_id: session.agentId,
        status: session.status,
        messages: found.messages
          .filter(({ role }) => role !== "system")
          .map((message) => ({
            message_id: message.messageId,
            role: message.role,
            agent_id: message.agentId,
            status: message.status,
            text: cutText(message.content, maxListedLength),
            length: message.content.length,
            timestamp: message.createdAt.toISOString(),
          })),
        next_cursor: isMore && typeof before === "number" ? encodeCursor({ before }) : null,
      });
    },
  };
}

function isBefore(value: unknown): value is { readonly before: number } {
  return isRowNumber((value as { before?: unknown } | null)?.before);
}
