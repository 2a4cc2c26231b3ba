import sql, { empty, raw, type Sql } from "sql-template-tag";
import type { AttachmentInfo } from "../../attachments/attachment-store.ts";
import type { Database } from "../../database/database.ts";
import { rowsOf } from "../../tree/rows-of.ts";
import { count, newest, type Ranges } from "../../tree/ranges.ts";
import type { ClaimedReply, HistoryMessage, ReplyState } from "../reply.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import { isAnswer, type AnswerTurn } from "../asked.ts";
import { unfinishedReplies } from "./branches.ts";
import { inFront, queuedEvent } from "./tell-waiting.ts";
import { statesBefore } from "./transition.ts";
import { isTimeout, withPatience } from "./with-patience.ts";

/** Of one history, however much room there is. */
const maxHistoryMessages = 1_000;
const maxHistoryBytes = 1024 * 1024;
/** Its message is accepted, and its end waits for the database too: one broken connection must not be what a reply fails of. */
const historyPatienceMs = 5_000;

export type ReplyStore = ReturnType<typeof createReplyStore>;

const selectState = `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", s.user_id AS "userId",
    m.agent_id AS "agentId", m.status, m.attempt, m.event_seq AS "eventSeq", m.content,
    coalesce(m.reasoning, '') AS reasoning, m.extras, m.finish_reason AS "finishReason", m.usage, m.context,
    m.output_format AS "outputFormat", m.error,
    m.requirements, m.duration_ms AS "durationMs",
    m.time_to_first_token_ms AS "timeToFirstTokenMs", m.turn, m.backend_state AS "backendState",
    m.created_at AS "createdAt", m.cancel_reason AS "cancelReason",
    u.message_id AS "userMessageId", u.content AS "userMessage"
  FROM messages m
  JOIN sessions s ON s.session_id = m.session_id
  JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
  WHERE m.role = 'assistant'`;

/** What is read of replies, and the leases of those who make them; everything else is a transition. */
export function createReplyStore(database: Database) {
  return {
    /** Where a reply stands, for its owner; null when its row is gone. */
    async standing(
      sessionId: string,
      replyId: string,
    ): Promise<{ readonly attempt: number; readonly cancelReason: string | null } | null> {
      const { rows } = await database.query<{ attempt: number; cancelReason: string | null }>(
        `SELECT attempt, cancel_reason AS "cancelReason" FROM messages
         WHERE session_id = $1 AND message_id = $2`,
        [sessionId, replyId],
      );
      return rows[0] ?? null;
    },

    /** Whether a message waits for this reply to take it in. */
    async isSteered({
      sessionId,
      replyId,
    }: Pick<ClaimedReply, "sessionId" | "replyId">): Promise<boolean> {
      const { rowCount } = await database.query(
        `SELECT 1 FROM messages
         WHERE session_id = $1 AND status IN ${statesBefore("take in")} AND turn ->> 'steers' = $2 LIMIT 1`,
        [sessionId, replyId],
      );
      return rowCount > 0;
    },

    /** Its owner does not make it: whoever looks for lost replies finds it at once. */
    async letGo(reply: Pick<ClaimedReply, "sessionId" | "replyId" | "attempt">): Promise<void> {
      await database.query(
        `UPDATE messages SET lease_until = now() - interval '1 second', lease_owner = NULL
         WHERE session_id = $1 AND message_id = $2 AND attempt = $3 AND status = 'streaming'`,
        [reply.sessionId, reply.replyId, reply.attempt],
      );
    },

    /** Whose a reply is, without what it says: for those who will follow it for long. */
    async owner(
      replyId: string,
    ): Promise<Pick<ReplyState, "replyId" | "sessionId" | "userId"> | null> {
      const { rows } = await database.query<Pick<ReplyState, "replyId" | "sessionId" | "userId">>(
        `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", s.user_id AS "userId"
         FROM messages m JOIN sessions s ON s.session_id = m.session_id
         WHERE m.message_id = $1 AND m.role = 'assistant'`,
        [replyId],
      );
      return rows[0] ?? null;
    },

    /** The running reply that is to take the message of this waiting one in; null: none is, or it does not wait. */
    async steers(replyId: string): Promise<string | null> {
      const { rows } = await database.query<{ steers: string | null }>(
        // By its id, and not among all that waits.
        `SELECT turn ->> 'steers' AS steers FROM (
           SELECT turn, status FROM messages WHERE message_id = $1 OFFSET 0) AS m
         WHERE m.status IN ${statesBefore("take in")}`,
        [replyId],
      );
      return rows[0]?.steers ?? null;
    },

    /** What a message was the answer to, and what it said; null where it was none. */
    async answered(messageId: string): Promise<
      | (Pick<ClaimedReply, "sessionId" | "replyId" | "agentId" | "message"> & {
          readonly after: number;
        })
      | null
    > {
      const { rows } = await database.query<{
        sessionId: string;
        agentId: string;
        message: string;
        turn: AnswerTurn;
      }>(
        `SELECT session_id AS "sessionId", agent_id AS "agentId", content AS message, turn
         FROM messages WHERE message_id = $1 AND role = 'user' AND ${isAnswer}`,
        [messageId],
      );
      const [row] = rows;
      if (row === undefined) return null;
      const { turn, ...rest } = row;
      const { replyId, after } = turn.answers;
      return { ...rest, replyId, after };
    },

    /** What a reply waits for now, in the words that its readers were told; null when it does not wait. */
    async queued(
      sessionId: string,
      replyId: string,
    ): Promise<Extract<ReplyEventBody, { type: "queued" }> | null> {
      const unfinished = await unfinishedReplies(database, sessionId);
      const waiting = unfinished.filter(({ status }) => status === "queued");
      const index = waiting.findIndex((reply) => reply.replyId === replyId);
      if (index === -1) return null;
      return queuedEvent(index + 1, await inFront(database, sessionId, unfinished));
    },

    /** Whose a message of whatever role is; null when there is none. */
    async messageOwner(
      messageId: string,
    ): Promise<Pick<ReplyState, "sessionId" | "userId"> | null> {
      const { rows } = await database.query<Pick<ReplyState, "sessionId" | "userId">>(
        `SELECT m.session_id AS "sessionId", s.user_id AS "userId"
         FROM messages m JOIN sessions s ON s.session_id = m.session_id WHERE m.message_id = $1`,
        [messageId],
      );
      return rows[0] ?? null;
    },

    /** Null when there is no such reply (any more). */
    async find(replyId: string): Promise<ReplyState | null> {
      const { rows } = await database.query<ReplyState>(`${selectState} AND m.message_id = $1`, [
        replyId,
      ]);
      return rows[0] ?? null;
    },

    /** Those of them that there are (still). */
    async findAll(replyIds: readonly string[]): Promise<Map<string, ReplyState>> {
      const { rows } = await database.query<ReplyState>(
        `${selectState} AND m.message_id = ANY($1::uuid[])`,
        [replyIds],
      );
      return new Map(rows.map((row) => [row.replyId, row]));
    },

    /**
     * The last `messages` messages (0: any number) of a path that have something to say, oldest first; the first of them
     * is the one that reaches `maxBytes` of text.
     */
    async history(
      sessionId: string,
      path: Ranges,
      {
        messages,
        maxBytes = maxHistoryBytes,
        withSummary = false,
      }: {
        readonly messages: number;
        readonly maxBytes?: number;
        /** Before them the newest summary of the path, in place of what it covers. */
        readonly withSummary?: boolean;
      },
    ): Promise<HistoryMessage[]> {
      const length = count(path);
      if (length === 0) return [];
      const limit = messages === 0 ? maxHistoryMessages : messages;
      const summary = withSummary
        ? sql`WITH summary AS (${newestSummary(sessionId, path)})`
        : empty;
      const isLeft = withSummary
        ? sql`AND seq > coalesce((SELECT last_seq FROM summary), 0)`
        : empty;
      const andSummary = withSummary
        ? sql`
          UNION ALL SELECT 'system', content, 'complete', agent_id, last_seq, NULL, NULL, 0, true FROM summary`
        : empty;
      // A part of the path keeps the cost the same however long the conversation is.
      for (let span = Math.min(limit, 50) + 10; ; span *= 4) {
        const part = newest(path, span);
        // Lengths are known without reading the texts: of those that are too much nothing is read.
        const { text, values } = sql`${summary}
          (SELECT role, content, status, agent_id AS "agentId", seq, context, attachments, newer, false AS "isSummary" FROM (
            SELECT role, content, status, agent_id, seq, context, attachments,
              (sum(octet_length(content)) OVER (ORDER BY seq DESC) - octet_length(content))::float8 AS newer
            FROM ${rowsOf(sessionId, part, "role, content, status, agent_id, seq, context, attachments, turn")}
            WHERE content <> '' AND status <> 'failed' AND NOT ${raw(isAnswer)} ${isLeft}
          ) AS told WHERE newer < ${maxBytes} ORDER BY seq DESC LIMIT ${limit})${andSummary}`;
        const { rows: found } = await withPatience(
          () => database.query<HistoryRow>(text, values),
          historyPatienceMs,
          // An outage tells of itself.
          () => undefined,
          (error) => !isTimeout(error),
        );
        const covering = found.find(({ isSummary }) => isSummary);
        const rows = found.filter(({ isSummary }) => !isSummary);
        const oldest = rows.at(-1);
        const isCovered = covering !== undefined && covering.seq >= (part[0]?.first ?? 0) - 1;
        const isFull =
          isCovered ||
          (oldest !== undefined && oldest.newer + Buffer.byteLength(oldest.content) >= maxBytes);
        // Messages without a word are skipped: where there were many, further back.
        if (rows.length === limit || isFull || span >= length) {
          return [...(covering === undefined ? [] : [covering]), ...rows.reverse()].map(toHistory);
        }
      }
    },
  };
}

interface HistoryRow extends Omit<HistoryMessage, "files"> {
  readonly attachments: readonly AttachmentInfo[] | null;
  /** Bytes of the messages after it. */
  readonly newer: number;
  readonly isSummary: boolean;
}

function newestSummary(sessionId: string, path: Ranges): Sql {
  return sql`
    SELECT content, agent_id, last_seq FROM summaries
    JOIN unnest(${path.map(({ first }) => first)}::int[], ${path.map(({ last }) => last)}::int[]) AS part (first, last)
      ON last_seq BETWEEN part.first AND part.last
    WHERE session_id = ${sessionId} ORDER BY last_seq DESC LIMIT 1`;
}

function toHistory({
  role,
  content,
  status,
  agentId,
  seq,
  context,
  attachments,
  isSummary,
}: HistoryRow): HistoryMessage {
  const files = attachments?.map((file) => ({
    id: file.attachment_id,
    name: file.name,
    mediaType: file.media_type,
    size: file.size,
  }));
  return {
    role,
    content,
    status,
    agentId,
    seq,
    context,
    ...(files && { files }),
    ...(isSummary && { isSummary }),
  };
}
