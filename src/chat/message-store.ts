import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { AttachmentInfo } from "../attachments/attachment-store.ts";
import { boundedCount, countedAtMost } from "../database/bounded-count.ts";
import type { Database } from "../database/database.ts";
import { jsonBytes, maxPageBytes, selectPage } from "../database/select-page.ts";
import { earlierIds, type AnswerTurn } from "../replies/asked.ts";
import type { Extras } from "../replies/extras.ts";
import type { OutputFormat } from "../replies/structured-output.ts";
import type { Feedback } from "./feedback-store.ts";
import { maxCounted, type SearchStore } from "../search/search-store.ts";
import { clip, count, newest, oldest, type Ranges } from "../tree/ranges.ts";
import { rowsOf } from "../tree/rows-of.ts";
import { childrenOf, parentOf, readTree, type StoredTree, type Tree } from "../tree/tree.ts";

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
  /** The message before it on its path; null for the first one. */
  readonly parentId: string | null;
  /** Itself and those of the same role below the same parent, in their order; absent: there is no other. */
  readonly siblings?: readonly string[];
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
  readonly extras: Extras | null;
  readonly audio: object | null;
  readonly requirements: object[] | null;
  readonly attachments: AttachmentInfo[] | null;
  /** Of a spoken reply that was interrupted: what follows `content` and nobody heard. */
  readonly unspoken: string | null;
  readonly feedback: Feedback | null;
  /** Of a user's message that was the answer to what a paused reply has asked. */
  readonly answers: AnswerTurn["answers"] | null;
  /** There is a summary of what was said up to it. */
  readonly hasSummary?: boolean;
}

export interface HistoryFilter {
  readonly role?: string | undefined;
  readonly agentId?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Words to search for, and the owner of the session. */
  readonly words?: { readonly q: string; readonly userId: string } | undefined;
}

/** Which part of a path: by position from the oldest, or around a message. */
export type HistoryRange =
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "after"; readonly seq: number }
  | { readonly kind: "before"; readonly seq: number }
  | { readonly kind: "around"; readonly seq: number };

export type MessageStore = ReturnType<typeof createMessageStore>;

const columns = `
  message_id AS "messageId", session_id AS "sessionId", seq, role, status, agent_id AS "agentId", content,
  reply_to AS "replyTo", metadata, created_at AS "createdAt", usage, finish_reason AS "finishReason", error,
  reasoning, tool_calls AS "toolCalls", media, extras, audio, requirements, attachments, unspoken, context,
  output_format AS "outputFormat", feedback, CASE WHEN role = 'user' THEN turn -> 'answers' END AS answers`;

/** As messages are, of a summary: beside the path, below the last message that it covers. */
const summaryColumns = `
  u.message_id AS "messageId", u.session_id AS "sessionId", u.last_seq AS seq, 'system' AS role,
  'complete' AS status, u.agent_id AS "agentId", u.content, u.created_at AS "createdAt", jsonb_build_object(
    'kind', 'summary', 'covers', jsonb_build_array(
      (SELECT message_id FROM messages WHERE session_id = u.session_id AND seq = u.first_seq), l.message_id)) AS metadata,
  l.message_id AS "parentId", NULL AS "replyTo", NULL AS usage, NULL AS "finishReason", NULL AS error,
  NULL AS reasoning, NULL AS "toolCalls", NULL AS media, NULL AS extras, NULL AS audio, NULL AS requirements,
  NULL AS attachments, NULL AS unspoken, NULL AS context, NULL AS "outputFormat", NULL AS feedback, NULL AS answers
  FROM summaries u JOIN messages l ON l.session_id = u.session_id AND l.seq = u.last_seq`;

/** What a message takes of a page: all that can be long. */
const bytes = `
  octet_length(content) * CASE WHEN output_format IS NULL THEN 1 ELSE 2 END + coalesce(octet_length(reasoning), 0) + coalesce(octet_length(unspoken), 0) +
  ${jsonBytes(["metadata", "tool_calls", "media", "extras", "audio", "requirements", "attachments", "error", "feedback"])}`;

/** Asked for once and by the session: of an EXISTS for each row the planner may make a scan of everybody's summaries. */
const hasSummary = (sessionId: string) => sql`, numbered.seq = ANY (ARRAY(
  SELECT u.last_seq FROM summaries u WHERE u.session_id = ${sessionId})) AS "hasSummary"`;

/** Part of a history, oldest first. */
export interface HistoryPage {
  readonly messages: StoredMessage[];
  /** Whether there is more in the direction of reading: older messages for `before`, newer ones otherwise. */
  readonly hasMore: boolean;
  /** Where reading goes on: the number of the last message that was looked at. Null where nothing was. */
  readonly last: number | null;
}

function conditionsOf(filter: HistoryFilter): Sql[] {
  const { role, agentId, since, until } = filter;
  const conditions: Sql[] = [];
  if (role !== undefined) conditions.push(sql`role = ${role}`);
  if (agentId !== undefined) conditions.push(sql`agent_id = ${agentId}`);
  if (since !== undefined) conditions.push(sql`created_at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`created_at <= ${until}::timestamptz`);
  return conditions;
}

const where = (conditions: readonly Sql[]) =>
  conditions.length === 0 ? empty : sql`WHERE ${join(conditions, " AND ")}`;

/** All SQL of reading messages. */
export function createMessageStore(database: Database, search: Pick<SearchStore, "inSession">) {
  const select = async (
    sessionId: string,
    ranges: Ranges,
    conditions: readonly Sql[],
    direction: "ASC" | "DESC",
    page: { readonly limit: number; readonly offset?: number; readonly maxBytes?: number },
  ): Promise<HistoryPage> => {
    const { limit, offset = 0, ...bound } = page;
    const { rows, hasMore } = await selectPage<StoredMessage>(database, {
      // What is numbered before a message is mostly on the page already.
      rows: sql`
        SELECT numbered.*, CASE WHEN lag(seq) OVER near = seq - 1 THEN lag("messageId") OVER near ELSE (
          SELECT message_id FROM messages WHERE session_id = ${sessionId} AND seq = numbered.seq - 1)
        END AS "parentId"${conditions.length === 0 ? hasSummary(sessionId) : empty} FROM (
          SELECT ${raw(columns)}, ${raw(bytes)} AS "bytes" FROM ${rowsOf(sessionId, ranges, "*")} ${where(conditions)}
          ORDER BY seq ${raw(direction)} LIMIT ${limit + 1} OFFSET ${offset}) AS numbered
        WINDOW near AS (ORDER BY seq)`,
      order: sql`"seq" ${raw(direction)}`,
      limit,
      ...bound,
    });
    const last = rows.at(-1)?.seq ?? null;
    return { messages: direction === "ASC" ? rows : rows.reverse(), hasMore, last };
  };

  /** Messages of a path, those with the words by way of the search. Without any filter a page is cut out of the path. */
  const read = async (
    sessionId: string,
    path: Ranges,
    filter: HistoryFilter,
    direction: "ASC" | "DESC",
    page: { readonly limit: number; readonly offset?: number; readonly maxBytes?: number },
  ): Promise<HistoryPage> => {
    const { words, ...rest } = filter;
    const { limit, offset = 0, ...bound } = page;
    const conditions = conditionsOf(rest);
    const [first, last] = [path[0], path.at(-1)];
    if (first === undefined || last === undefined)
      return { messages: [], hasMore: false, last: null };
    if (words === undefined) {
      const cut = direction === "ASC" ? oldest : newest;
      const part = conditions.length === 0 ? cut(path, offset + limit + 1) : path;
      return select(sessionId, part, conditions, direction, page);
    }
    const { seqs, next } = await search.inSession(
      words.q,
      { ...rest, userId: words.userId, sessionId, path },
      { from: direction === "ASC" ? first.first - 1 : last.last + 1, direction },
      offset + limit,
    );
    const wanted = seqs.slice(offset);
    const isWanted = sql`seq = ANY(${wanted}::int[])`;
    const found = await select(sessionId, path, [...conditions, isWanted], direction, {
      limit,
      ...bound,
    });
    if (found.hasMore) return found;
    return { ...found, hasMore: next !== null, last: next ?? found.last };
  };

  /** With their parents and siblings. Without branches the parent is the message numbered before, and there is nothing to ask. */
  const related = async <M extends StoredMessage>(
    tree: Tree,
    messages: readonly M[],
  ): Promise<M[]> => {
    const [sessionId] = messages.map((message) => message.sessionId);
    if (tree.segments.length === 1 || sessionId === undefined) return [...messages];
    const around = messages.map((message) => {
      const parent = parentOf(tree, message.seq);
      return { message, parent, children: childrenOf(tree, parent) };
    });
    const seqs = around.flatMap(({ message, parent, children }) => [
      ...(parent === message.seq - 1 ? [] : [parent]),
      ...(children.length > 1 ? children : []),
    ]);
    if (seqs.length === 0) return [...messages];
    const { rows } = await database.query<Pick<StoredMessage, "seq" | "messageId" | "role">>(
      `SELECT seq, message_id AS "messageId", role FROM messages
       WHERE session_id = $1 AND seq = ANY($2::int[])`,
      [sessionId, [...new Set(seqs)]],
    );
    const found = new Map(rows.map((row) => [row.seq, row]));
    return around.map(({ message, parent, children }) => {
      const siblings = children
        .flatMap((seq) => found.get(seq) ?? [])
        .filter(({ role }) => role === message.role)
        .map(({ messageId }) => messageId);
      return {
        ...message,
        ...(parent !== message.seq - 1 && { parentId: found.get(parent)?.messageId ?? null }),
        ...(siblings.length > 1 && { siblings }),
      };
    });
  };

  const findSummary = async (
    messageId: string,
  ): Promise<(StoredMessage & { userId: string }) | null> => {
    const { rows } = await database.query<StoredMessage & { userId: string }>(
      `SELECT s.user_id AS "userId", ${summaryColumns} JOIN sessions s ON s.session_id = u.session_id
       WHERE u.message_id = $1`,
      [messageId],
    );
    return rows[0] ?? null;
  };

  /** Each message followed by the summary of what was said up to it, where there is one. */
  const withSummaries = async (messages: StoredMessage[]): Promise<StoredMessage[]> => {
    const marked = messages.filter((message) => message.hasSummary === true);
    const found = new Map<number, StoredMessage>();
    const [first] = marked;
    if (first !== undefined) {
      const { rows } = await database.query<StoredMessage>(
        `SELECT ${summaryColumns} WHERE u.session_id = $1 AND u.last_seq = ANY($2::int[])`,
        [first.sessionId, marked.map(({ seq }) => seq)],
      );
      for (const row of rows) found.set(row.seq, row);
    }
    return messages.flatMap(({ hasSummary: _, ...message }) => {
      const summary = found.get(message.seq);
      return summary === undefined ? [message] : [message, summary];
    });
  };

  return {
    /** With the owner of its session; null when there is no such message. */
    async find(messageId: string): Promise<(StoredMessage & { userId: string }) | null> {
      const { rows } = await database.query<
        StoredMessage & { userId: string; lastSeq: number; tree: StoredTree | null }
      >(
        `SELECT m.*, s.user_id AS "userId", s.tree, s.last_seq AS "lastSeq", p.message_id AS "parentId" FROM (
           SELECT ${columns} FROM messages WHERE message_id = $1) m
         JOIN sessions s ON s.session_id = m."sessionId"
         LEFT JOIN messages p ON p.session_id = m."sessionId" AND p.seq = m.seq - 1`,
        [messageId],
      );
      const [row] = rows;
      if (row === undefined) return findSummary(messageId);
      const { lastSeq, tree, ...message } = row;
      return (await related(readTree({ lastSeq, tree }), [message]))[0] ?? null;
    },

    /** Number of a message within its session; null when it is not there. */
    async seqOf(sessionId: string, messageId: string): Promise<number | null> {
      const { rows } = await database.query<{ seq: number }>(
        "SELECT seq FROM messages WHERE session_id = $1 AND message_id = $2",
        [sessionId, messageId],
      );
      return rows[0]?.seq ?? null;
    },

    /**
     * At most `limit` messages of a path, fewer where they are very long. `around` puts the message into the middle.
     * Without a filter the summaries of what was said up to them come besides.
     */
    async history(
      { sessionId, tree }: { readonly sessionId: string; readonly tree: Tree },
      path: Ranges,
      filter: HistoryFilter,
      range: HistoryRange,
      limit: number,
    ): Promise<HistoryPage> {
      const up = (from: number, page: { limit: number; offset?: number; maxBytes?: number }) =>
        read(sessionId, clip(path, from, Infinity), filter, "ASC", page);
      const down = (to: number, page: { limit: number; maxBytes?: number }) =>
        read(sessionId, clip(path, 0, to), filter, "DESC", page);
      const part = async (): Promise<HistoryPage> => {
        switch (range.kind) {
          case "offset":
            return up(0, { limit, offset: range.offset });
          case "after":
            return up(range.seq + 1, { limit });
          case "before":
            return down(range.seq - 1, { limit });
          case "around": {
            const half = Math.floor(limit / 2);
            const maxBytes = maxPageBytes / 2;
            const rest = await up(range.seq, { limit: limit - half, maxBytes });
            if (half === 0) return rest;
            const before = await down(range.seq - 1, { limit: half, maxBytes });
            return { ...rest, messages: [...before.messages, ...rest.messages] };
          }
        }
      };
      const page = await part();
      const messages = await related(tree, page.messages);
      return { ...page, messages: await withSummaries(messages) };
    },

    /** With words, no further than to `maxCounted`. */
    async count(sessionId: string, path: Ranges, filter: HistoryFilter): Promise<number> {
      const { words, ...rest } = filter;
      if (path.length === 0) return 0;
      if (words !== undefined) {
        const found = await search.inSession(
          words.q,
          { ...rest, userId: words.userId, sessionId, path },
          { from: 0, direction: "ASC" },
          maxCounted,
        );
        return found.seqs.length;
      }
      const conditions = conditionsOf(rest);
      if (conditions.length === 0) return count(path);
      const { text, values } = sql`
        SELECT count(*)::int AS count FROM ${rowsOf(sessionId, path, "*")} ${where(conditions)}`;
      const { rows } = await database.query<{ count: number }>(text, values);
      return rows[0]?.count ?? 0;
    },

    /** What waits in a session, in its order, each with the messages that it will answer in front of it. */
    async waiting({
      sessionId,
      tree,
    }: {
      readonly sessionId: string;
      readonly tree: Tree;
    }): Promise<StoredMessage[]> {
      const { rows: turns } = await database.query<{ reply: number; questions: number[] }>(
        `SELECT m.seq AS reply, ARRAY(
           SELECT u.seq FROM messages u
           WHERE u.session_id = m.session_id AND u.message_id = ANY(${earlierIds("m.turn")} || m.reply_to)
           ORDER BY u.seq) AS questions
         FROM messages m WHERE m.session_id = $1 AND m.status = 'queued' ORDER BY m.seq`,
        [sessionId],
      );
      const seqs = [...new Set(turns.flatMap(({ reply, questions }) => [...questions, reply]))];
      const ranges = seqs.sort((a, b) => a - b).map((seq) => ({ first: seq, last: seq }));
      const found = new Map<number, StoredMessage>();
      // Pages are bounded in bytes; what waits is bounded in number.
      for (let rest: Ranges = ranges; rest.length > 0;) {
        const { messages, last } = await select(sessionId, rest, [], "ASC", { limit: rest.length });
        for (const message of await related(tree, messages)) found.set(message.seq, message);
        rest = last === null ? [] : clip(rest, last + 1, Infinity);
      }
      return turns.flatMap(({ reply, questions }) =>
        [...questions, reply].flatMap((seq) => found.get(seq) ?? []),
      );
    },

    /** Messages that wait for an earlier reply of their session, in all sessions. */
    async countQueued(): Promise<{ readonly queued: number; readonly oldestSeconds: number }> {
      const { rows } = await database.query<{ queued: number; oldestSeconds: number }>(
        `WITH queued AS (
           SELECT created_at FROM messages WHERE status = 'queued' ORDER BY session_id, seq LIMIT ${countedAtMost})
         SELECT ${boundedCount("messages_queued", "queued")} AS queued,
           (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM queued)::float8 AS "oldestSeconds"`,
      );
      return rows[0] ?? { queued: 0, oldestSeconds: 0 };
    },
  };
}
