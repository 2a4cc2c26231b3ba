import sql, { join, raw, type Sql } from "sql-template-tag";
import type { AttachmentInfo } from "../attachments/attachment-store.ts";
import type { Database } from "../database/database.ts";
import { jsonBytes, maxPageBytes, selectPage } from "../database/select-page.ts";
import type { OutputFormat } from "../replies/structured-output.ts";
import { maxCounted, type SearchStore } from "../search/search-store.ts";

/** A message as stored. */
export interface StoredMessage {
  readonly messageId: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly role: "user" | "assistant" | "system";
  readonly status: string;
  readonly agentId: string;
  readonly content: string;
  readonly replyTo: string | null;
  readonly metadata: object;
  readonly createdAt: Date;
  readonly usage: { input_tokens: number; output_tokens: number } | null;
  readonly context: object | null;
  readonly outputFormat: OutputFormat | null;
  readonly finishReason: string | null;
  readonly error: { type: string; code: number; message: string; data?: unknown } | null;
  readonly reasoning: string | null;
  readonly toolCalls: object[] | null;
  readonly media: object[] | null;
  readonly audio: object | null;
  readonly requirements: object[] | null;
  readonly attachments: AttachmentInfo[] | null;
  /** Of a spoken reply that was interrupted: what follows `content` and nobody heard. */
  readonly unspoken: string | null;
}

export interface HistoryFilter {
  readonly role?: string | undefined;
  readonly agentId?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Words to search for, and the owner of the session. */
  readonly words?: { readonly q: string; readonly userId: string } | undefined;
}

/** Which part of the history: by position from the oldest, or around a message. */
export type HistoryRange =
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "after"; readonly seq: number }
  | { readonly kind: "before"; readonly seq: number }
  | { readonly kind: "around"; readonly seq: number };

export type MessageStore = ReturnType<typeof createMessageStore>;

const columns = `
  message_id AS "messageId", session_id AS "sessionId", seq, role, status, agent_id AS "agentId", content,
  reply_to AS "replyTo", metadata, created_at AS "createdAt", usage, finish_reason AS "finishReason", error,
  reasoning, tool_calls AS "toolCalls", media, audio, requirements, attachments, unspoken, context,
  output_format AS "outputFormat"`;

/** What a message takes of a page: all that can be long. */
const bytes = `
  octet_length(content) * CASE WHEN output_format IS NULL THEN 1 ELSE 2 END + coalesce(octet_length(reasoning), 0) + coalesce(octet_length(unspoken), 0) +
  ${jsonBytes(["metadata", "tool_calls", "media", "audio", "requirements", "attachments", "error"])}`;

/** Part of a history, oldest first. */
export interface HistoryPage {
  readonly messages: StoredMessage[];
  /** Whether there is more in the direction of reading: older messages for `before`, newer ones otherwise. */
  readonly hasMore: boolean;
  /** Where reading goes on: the number of the last message that was looked at. Null where nothing was. */
  readonly last: number | null;
}

function conditionsOf(sessionId: string, filter: HistoryFilter): Sql[] {
  const { role, agentId, since, until } = filter;
  const conditions = [sql`session_id = ${sessionId}`];
  if (role !== undefined) conditions.push(sql`role = ${role}`);
  if (agentId !== undefined) conditions.push(sql`agent_id = ${agentId}`);
  if (since !== undefined) conditions.push(sql`created_at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`created_at <= ${until}::timestamptz`);
  return conditions;
}

/** All SQL of reading messages. */
export function createMessageStore(database: Database, search: Pick<SearchStore, "inSession">) {
  const select = async (
    conditions: readonly Sql[],
    direction: "ASC" | "DESC",
    page: { readonly limit: number; readonly offset?: number; readonly maxBytes?: number },
  ): Promise<HistoryPage> => {
    const { limit, offset = 0, ...bound } = page;
    const { rows, hasMore } = await selectPage<StoredMessage>(database, {
      rows: sql`
        SELECT ${raw(columns)}, ${raw(bytes)} AS "bytes" FROM messages
        WHERE ${join(conditions, " AND ")}
        ORDER BY seq ${raw(direction)} LIMIT ${limit + 1} OFFSET ${offset}`,
      order: sql`"seq" ${raw(direction)}`,
      limit,
      ...bound,
    });
    const last = rows.at(-1)?.seq ?? null;
    return { messages: direction === "ASC" ? rows : rows.reverse(), hasMore, last };
  };

  /** Messages beyond `from`; those with the words are looked up first. */
  const read = async (
    sessionId: string,
    filter: HistoryFilter,
    { from, direction }: { readonly from: number; readonly direction: "ASC" | "DESC" },
    page: { readonly limit: number; readonly offset?: number; readonly maxBytes?: number },
  ): Promise<HistoryPage> => {
    const { words, ...rest } = filter;
    const conditions = conditionsOf(sessionId, rest);
    if (words === undefined) {
      const beyond = direction === "ASC" ? sql`seq > ${from}` : sql`seq < ${from}`;
      return select([...conditions, beyond], direction, page);
    }
    const { limit, offset = 0, ...bound } = page;
    const { seqs, next } = await search.inSession(
      words.q,
      { ...rest, userId: words.userId, sessionId },
      { from, direction },
      offset + limit,
    );
    const wanted = seqs.slice(offset);
    const found = await select([...conditions, sql`seq = ANY(${wanted}::int[])`], direction, {
      limit,
      ...bound,
    });
    if (found.hasMore) return found;
    return { ...found, hasMore: next !== null, last: next ?? found.last };
  };

  return {
    /** With the owner of its session; null when there is no such message. */
    async find(messageId: string): Promise<(StoredMessage & { userId: string }) | null> {
      const { rows } = await database.query<StoredMessage & { userId: string }>(
        `SELECT m.*, s.user_id AS "userId" FROM (
           SELECT ${columns} FROM messages WHERE message_id = $1) m
         JOIN sessions s ON s.session_id = m."sessionId"`,
        [messageId],
      );
      return rows[0] ?? null;
    },

    /** Number of a message within its session; null when it is not there. */
    async seqOf(sessionId: string, messageId: string): Promise<number | null> {
      const { rows } = await database.query<{ seq: number }>(
        "SELECT seq FROM messages WHERE session_id = $1 AND message_id = $2",
        [sessionId, messageId],
      );
      return rows[0]?.seq ?? null;
    },

    /** At most `limit` messages, fewer where they are very long. `around` puts the message into the middle. */
    async history(
      sessionId: string,
      filter: HistoryFilter,
      range: HistoryRange,
      limit: number,
    ): Promise<HistoryPage> {
      switch (range.kind) {
        case "offset":
          return read(
            sessionId,
            filter,
            { from: 0, direction: "ASC" },
            { limit, offset: range.offset },
          );
        case "after":
          return read(sessionId, filter, { from: range.seq, direction: "ASC" }, { limit });
        case "before":
          return read(sessionId, filter, { from: range.seq, direction: "DESC" }, { limit });
        case "around": {
          const half = Math.floor(limit / 2);
          const maxBytes = maxPageBytes / 2;
          const rest = await read(
            sessionId,
            filter,
            { from: range.seq - 1, direction: "ASC" },
            { limit: limit - half, maxBytes },
          );
          if (half === 0) return rest;
          const before = await read(
            sessionId,
            filter,
            { from: range.seq, direction: "DESC" },
            { limit: half, maxBytes },
          );
          return { ...rest, messages: [...before.messages, ...rest.messages] };
        }
      }
    },

    /** With words, no further than to `maxCounted`. */
    async count(sessionId: string, filter: HistoryFilter): Promise<number> {
      const { words, ...rest } = filter;
      if (words !== undefined) {
        const found = await search.inSession(
          words.q,
          { ...rest, userId: words.userId, sessionId },
          { from: 0, direction: "ASC" },
          maxCounted,
        );
        return found.seqs.length;
      }
      const { text, values } = sql`
        SELECT count(*)::int AS count FROM messages
        WHERE ${join(conditionsOf(sessionId, filter), " AND ")}`;
      const { rows } = await database.query<{ count: number }>(text, values);
      return rows[0]?.count ?? 0;
    },

    /** Messages that wait for an earlier reply of their session, in all sessions. */
    async countQueued(): Promise<{ readonly queued: number; readonly oldestSeconds: number }> {
      const { rows } = await database.query<{ queued: number; oldestSeconds: number }>(
        `SELECT count(*)::int AS queued,
                coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldestSeconds"
           FROM messages WHERE status = 'queued'`,
      );
      return rows[0] ?? { queued: 0, oldestSeconds: 0 };
    },
  };
}
