import type { AttachmentInfo } from "../attachments/attachment-store.ts";
import type { Database } from "../database/database.ts";
import { searchQuery } from "../lib/search-terms.ts";

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
  /** Words to search for. */
  readonly q?: string | undefined;
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
  reasoning, tool_calls AS "toolCalls", media, audio, requirements, attachments, unspoken`;

/** All SQL of reading messages. */
export function createMessageStore(database: Database) {
  const where = (sessionId: string, filter: HistoryFilter) => {
    const params: unknown[] = [sessionId];
    const conditions = ["session_id = $1"];
    const add = (condition: (parameter: string) => string, value: unknown) => {
      params.push(value);
      conditions.push(condition(`$${params.length}`));
    };
    if (filter.role !== undefined) add((p) => `role = ${p}`, filter.role);
    if (filter.agentId !== undefined) add((p) => `agent_id = ${p}`, filter.agentId);
    if (filter.since !== undefined) add((p) => `created_at >= ${p}::timestamptz`, filter.since);
    if (filter.until !== undefined) add((p) => `created_at <= ${p}::timestamptz`, filter.until);
    if (filter.q !== undefined) {
      const query = searchQuery(filter.q);
      if (query === null) conditions.push("false");
      else {
        add((p) => `search @@ ${p}::tsquery`, query.tsquery);
        for (const phrase of query.phrases) {
          add((p) => `position(${p} in lower(normalize(content, NFKC))) > 0`, phrase);
        }
      }
    }
    return { params, conditions, add };
  };

  const select = async (
    built: ReturnType<typeof where>,
    order: "ASC" | "DESC",
    limit: number,
    offset = 0,
  ): Promise<StoredMessage[]> => {
    const params = [...built.params, limit, offset];
    const { rows } = await database.query<StoredMessage>(
      `SELECT ${columns} FROM messages WHERE ${built.conditions.join(" AND ")}
       ORDER BY seq ${order} LIMIT $${params.length - 1} OFFSET $${params.length}`,
      params,
    );
    return order === "ASC" ? rows : rows.reverse();
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

    /** Oldest first. `around` puts the message into the middle. */
    async history(
      sessionId: string,
      filter: HistoryFilter,
      range: HistoryRange,
      limit: number,
    ): Promise<StoredMessage[]> {
      const built = where(sessionId, filter);
      switch (range.kind) {
        case "offset":
          return select(built, "ASC", limit, range.offset);
        case "after":
          built.add((p) => `seq > ${p}`, range.seq);
          return select(built, "ASC", limit);
        case "before":
          built.add((p) => `seq < ${p}`, range.seq);
          return select(built, "DESC", limit);
        case "around": {
          const older = where(sessionId, filter);
          older.add((p) => `seq < ${p}`, range.seq);
          built.add((p) => `seq >= ${p}`, range.seq);
          const half = Math.floor(limit / 2);
          const [before, rest] = [
            await select(older, "DESC", half),
            await select(built, "ASC", limit - half),
          ];
          return [...before, ...rest];
        }
      }
    },

    async count(sessionId: string, filter: HistoryFilter): Promise<number> {
      const { params, conditions } = where(sessionId, filter);
      const { rows } = await database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM messages WHERE ${conditions.join(" AND ")}`,
        params,
      );
      return rows[0]?.count ?? 0;
    },

    /** Messages that wait for an earlier reply of their session, in all sessions. */
    async countQueued(): Promise<number> {
      const { rows } = await database.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM messages WHERE status = 'queued'",
      );
      return rows[0]?.count ?? 0;
    },

    /** Whether anything follows message number `seq` under the same filter. */
    async hasAfter(sessionId: string, filter: HistoryFilter, seq: number): Promise<boolean> {
      const built = where(sessionId, filter);
      built.add((p) => `seq > ${p}`, seq);
      return (await select(built, "ASC", 1)).length > 0;
    },
  };
}
