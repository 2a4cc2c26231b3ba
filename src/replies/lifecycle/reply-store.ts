import sql from "sql-template-tag";
import type { Requirement } from "../../agents/agent-backend.ts";
import type { AttachmentInfo } from "../../attachments/attachment-store.ts";
import type { Database } from "../../database/database.ts";
import type { Spent } from "../../usage/spent.ts";
import type { OutputFormat } from "../structured-output.ts";
import { rowsOf } from "../../tree/rows-of.ts";
import { count, newest, type Ranges } from "../../tree/ranges.ts";
import type { TreeRow } from "../../tree/tree.ts";
import type { Turn } from "../turn.ts";

/** A reply that this node may now make: it holds the lease of this attempt. */
export interface ClaimedReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userMessageId: string;
  readonly agentId: string;
  readonly attempt: number;
  /** How often it was taken over since its text has last grown in its row. */
  readonly recoveries: number;
  /** Number of the last event known to be covered by `content`. */
  readonly eventSeq: number;
  readonly content: string;
  readonly reasoning: string;
  readonly turn: Turn;
  readonly backendState: Readonly<Record<string, unknown>> | null;
  readonly toolCalls: readonly StoredToolCall[] | null;
  readonly media: readonly object[] | null;
  /** Its speech up to a pause. */
  readonly audio: object | null;
  readonly message: string;
  readonly messageSeq: number;
  /** Its own number. */
  readonly seq: number;
  /** As it was when the reply was claimed: what the path to it is read from. */
  readonly conversation: TreeRow;
}

/** A stored tool call, as messages show it. */
export interface StoredToolCall {
  readonly tool_call_id: string;
  readonly name: string;
  status: "started" | "completed" | "failed";
  arguments?: unknown;
  result?: unknown;
  readonly agent_id: string;
}

/** What a reply has come to so far: the content of a checkpoint. */
export interface ReplyProgress {
  readonly content: string;
  readonly reasoning: string;
  readonly eventSeq: number;
  readonly toolCalls: readonly StoredToolCall[];
  readonly media: readonly object[];
  readonly backendState: Readonly<Record<string, unknown>> | null;
}

/** How much of the conversation a reply's model was sent. */
export interface ReplyContext {
  readonly messages: number;
  readonly estimated_tokens: number;
  readonly dropped: number;
}

/** How a reply ended, or why it stopped for now. */
export interface ReplyEnd {
  readonly status: "complete" | "cancelled" | "interrupted" | "failed" | "paused";
  readonly finishReason: string;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  /** The same by model; absent or empty: nothing is known. */
  readonly spent?: readonly Spent[];
  /** What its model was sent; absent where nobody said. */
  readonly context?: ReplyContext | null;
  /** The form that was asked for, of a reply that has come to its end. */
  readonly outputFormat?: OutputFormat | null;
  readonly error: {
    readonly type: string;
    readonly code: number;
    readonly message: string;
    /** What the problem was built from, so that it can be told again in another language. */
    readonly data: unknown;
  } | null;
  readonly requirements: readonly Requirement[] | null;
  readonly audio: object | null;
  readonly durationMs: number;
  readonly timeToFirstTokenMs: number | null;
}

/** The state of a reply as a view needs it. */
export interface ReplyState {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly status: string;
  readonly attempt: number;
  readonly eventSeq: number;
  readonly content: string;
  readonly reasoning: string;
  readonly finishReason: string | null;
  readonly usage: ReplyEnd["usage"];
  readonly context: ReplyContext | null;
  readonly outputFormat: OutputFormat | null;
  readonly error: ReplyEnd["error"];
  readonly requirements: readonly Requirement[] | null;
  readonly durationMs: number | null;
  readonly timeToFirstTokenMs: number | null;
  readonly userMessageId: string;
  readonly userMessage: string;
  readonly turn: Turn | null;
  readonly backendState: Readonly<Record<string, unknown>> | null;
  readonly createdAt: Date;
  /** Somebody wants the running reply to stop, and why. */
  readonly cancelReason: string | null;
}

export interface HistoryMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly status: string;
  readonly agentId: string | null;
  readonly seq: number;
  readonly files?: readonly {
    readonly id: string;
    readonly name: string;
    readonly mediaType: string;
    readonly size: number;
  }[];
}

/** Of one history, however much room there is. */
const maxHistoryMessages = 1_000;
const maxHistoryBytes = 1024 * 1024;

export type ReplyStore = ReturnType<typeof createReplyStore>;

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
      const { rows } = await database.query<ReplyState>(
        `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", s.user_id AS "userId",
           m.agent_id AS "agentId", m.status, m.attempt, m.event_seq AS "eventSeq", m.content,
           coalesce(m.reasoning, '') AS reasoning, m.finish_reason AS "finishReason", m.usage, m.context,
           m.output_format AS "outputFormat", m.error,
           m.requirements, m.duration_ms AS "durationMs",
           m.time_to_first_token_ms AS "timeToFirstTokenMs", m.turn, m.backend_state AS "backendState",
           m.created_at AS "createdAt", m.cancel_reason AS "cancelReason",
           u.message_id AS "userMessageId", u.content AS "userMessage"
         FROM messages m
         JOIN sessions s ON s.session_id = m.session_id
         JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
         WHERE m.message_id = $1 AND m.role = 'assistant'`,
        [replyId],
      );
      return rows[0] ?? null;
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
      }: { readonly messages: number; readonly maxBytes?: number },
    ): Promise<HistoryMessage[]> {
      const length = count(path);
      if (length === 0) return [];
      const limit = messages === 0 ? maxHistoryMessages : messages;
      // A part of the path keeps the cost the same however long the conversation is.
      for (let span = Math.min(limit, 50) + 10; ; span *= 4) {
        const part = newest(path, span);
        // Lengths are known without reading the texts: of those that are too much nothing is read.
        const { text, values } = sql`
          SELECT role, content, status, agent_id AS "agentId", seq, attachments, newer FROM (
            SELECT role, content, status, agent_id, seq, attachments,
              (sum(octet_length(content)) OVER (ORDER BY seq DESC) - octet_length(content))::float8 AS newer
            FROM ${rowsOf(sessionId, part, "role, content, status, agent_id, seq, attachments")}
            WHERE content <> '' AND status <> 'failed'
          ) AS told WHERE newer < ${maxBytes} ORDER BY seq DESC LIMIT ${limit}`;
        const { rows } = await database.query<HistoryRow>(text, values);
        const oldest = rows.at(-1);
        const isFull =
          oldest !== undefined && oldest.newer + Buffer.byteLength(oldest.content) >= maxBytes;
        // Messages without a word are skipped: where there were many, further back.
        if (rows.length === limit || isFull || span >= length) {
          return rows.reverse().map(toHistory);
        }
      }
    },
  };
}

interface HistoryRow extends Omit<HistoryMessage, "files"> {
  readonly attachments: readonly AttachmentInfo[] | null;
  /** Bytes of the messages after it. */
  readonly newer: number;
}

function toHistory({
  role,
  content,
  status,
  agentId,
  seq,
  attachments,
}: HistoryRow): HistoryMessage {
  const files = attachments?.map((file) => ({
    id: file.attachment_id,
    name: file.name,
    mediaType: file.media_type,
    size: file.size,
  }));
  return { role, content, status, agentId, seq, ...(files && { files }) };
}
