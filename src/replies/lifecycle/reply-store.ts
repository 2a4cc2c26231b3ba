import type { Requirement } from "../../agents/agent-backend.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { searchVector } from "../../lib/search-terms.ts";
import type { Database, Queryable } from "../../database/database.ts";
import type { Turn } from "../turn.ts";

/** A reply that this node may now make: it holds the lease of this attempt. */
export interface ClaimedReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userMessageId: string;
  readonly agentId: string;
  readonly attempt: number;
  /** Number of the last event known to be covered by `content`. */
  readonly eventSeq: number;
  readonly content: string;
  readonly reasoning: string;
  readonly turn: Turn;
  readonly backendState: Readonly<Record<string, unknown>> | null;
  readonly toolCalls: readonly StoredToolCall[] | null;
  readonly media: readonly object[] | null;
  readonly message: string;
  readonly messageSeq: number;
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

/** How a reply ended, or why it stopped for now. */
export interface ReplyEnd {
  readonly status: "complete" | "cancelled" | "interrupted" | "failed" | "paused";
  readonly finishReason: string;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
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

/** A reply that was not over when its session was deleted. */
export interface UnfinishedReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly status: "queued" | "streaming" | "paused";
  readonly content: string;
  readonly attempt: number;
  readonly eventSeq: number;
}

interface HistoryMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly agentId: string | null;
}

export type ReplyStore = ReturnType<typeof createReplyStore>;

interface ReplyStoreOptions {
  readonly database: Database;
  /** Names this process in leases. */
  readonly nodeId: string;
  readonly leaseSeconds: number;
}

const claimedColumns = `
  m.message_id AS "replyId", m.session_id AS "sessionId", m.reply_to AS "userMessageId",
  m.agent_id AS "agentId", m.attempt, m.event_seq AS "eventSeq", m.content,
  coalesce(m.reasoning, '') AS reasoning, m.turn, m.backend_state AS "backendState",
  m.tool_calls AS "toolCalls", m.media`;

const withQuestion = (claim: string) => `
  WITH claimed AS (${claim})
  SELECT claimed.*, u.content AS message, u.seq AS "messageSeq"
  FROM claimed JOIN messages u
    ON u.session_id = claimed."sessionId" AND u.message_id = claimed."userMessageId"`;

/** All SQL of running replies. Every write of an owner names its attempt, so that a fenced owner changes nothing. */
export function createReplyStore({ database, nodeId, leaseSeconds }: ReplyStoreOptions) {
  const lease = `now() + make_interval(secs => ${leaseSeconds})`;

  /** Costs far less than to claim what is not there. Ask after the session was locked. */
  const hasQueued = async (tx: Queryable, sessionId: string): Promise<boolean> => {
    const { rowCount } = await tx.query(
      "SELECT 1 FROM messages WHERE session_id = $1 AND status = 'queued' LIMIT 1",
      [sessionId],
    );
    return rowCount > 0;
  };

  /** The session's next waiting reply becomes this node's; null when none waits or one is active. Lock the session first. */
  const claimNext = async (tx: Queryable, sessionId: string): Promise<ClaimedReply | null> => {
    const { rows } = await tx.query<ClaimedReply>(
      withQuestion(`
        UPDATE messages m SET status = 'streaming', attempt = m.attempt + 1,
          lease_owner = $2, lease_until = ${lease}
        WHERE m.session_id = $1
          AND m.message_id = (
            SELECT message_id FROM messages
            WHERE session_id = $1 AND status = 'queued' ORDER BY seq LIMIT 1)
          AND NOT EXISTS (
            SELECT 1 FROM messages a
            WHERE a.session_id = $1 AND a.status IN ('streaming', 'paused'))
        RETURNING ${claimedColumns}`),
      [sessionId, nodeId],
    );
    return rows[0] ?? null;
  };

  return {
    claimNext,

    /**
     * Ends the attempt and takes the session's next waiting reply over, in one transaction. `ended` is false when the
     * attempt was not the owner's any more: then nothing has changed and nothing may be told.
     * `claim` false leaves the queue to other nodes. `onEnded` is part of the transaction.
     */
    async finish(
      reply: ClaimedReply,
      progress: ReplyProgress,
      end: ReplyEnd,
      claim: boolean,
      onEnded: (tx: Queryable) => Promise<void>,
    ): Promise<{ ended: boolean; next: ClaimedReply | null }> {
      return database.transaction(async (tx) => {
        const { rowCount } = await tx.query(
          `WITH session AS (
             UPDATE sessions SET last_activity = now() WHERE session_id = $1 RETURNING session_id)
           UPDATE messages m SET status = $10, content = $4, reasoning = $5, event_seq = $6,
             tool_calls = $7::jsonb, media = $8::jsonb, backend_state = $9::jsonb, finish_reason = $11,
             usage = $12::jsonb, error = $13::jsonb, requirements = $14::jsonb, audio = $15::jsonb,
             duration_ms = $16, time_to_first_token_ms = $17,
             turn = CASE WHEN $10 = 'paused' THEN turn END,
             lease_owner = NULL, lease_until = NULL,
             search = array_to_tsvector($18::text[])
           FROM session
           WHERE m.session_id = session.session_id AND m.message_id = $2 AND m.attempt = $3
             AND m.status = 'streaming'`,
          [
            reply.sessionId,
            reply.replyId,
            reply.attempt,
            ...progressParams(progress),
            end.status,
            end.finishReason,
            jsonOrNull(end.usage),
            jsonOrNull(end.error),
            jsonOrNull(end.requirements),
            jsonOrNull(end.audio),
            end.durationMs,
            end.timeToFirstTokenMs,
            searchVector(progress.content),
          ],
        );
        if (rowCount === 0) {
          // A commit whose answer was lost is tried again: then it is this very end that stands there.
          const { rowCount: ended } = await tx.query(
            `SELECT 1 FROM messages WHERE session_id = $1 AND message_id = $2 AND attempt = $3
               AND status = $4 AND event_seq = $5`,
            [reply.sessionId, reply.replyId, reply.attempt, end.status, progress.eventSeq],
          );
          return { ended: ended > 0, next: null };
        }
        await onEnded(tx);
        const goesOn = claim && end.status !== "paused" && (await hasQueued(tx, reply.sessionId));
        const next = goesOn ? await claimNext(tx, reply.sessionId) : null;
        return { ended: true, next };
      });
    },

    /**
     * Ends a reply that nobody is making (queued or paused) as cancelled; null when it was not in such a state. The
     * terminal event has the number `eventSeq` of the result.
     */
    async cancelIdle(
      tx: Queryable,
      sessionId: string,
      replyId: string,
      reason: string,
    ): Promise<{ eventSeq: number; attempt: number } | null> {
      const { rows } = await tx.query<{ eventSeq: number; attempt: number }>(
        `UPDATE messages SET status = 'cancelled', finish_reason = $3, event_seq = event_seq + 1,
           attempt = attempt + 1, requirements = NULL, turn = NULL, search = coalesce(search, ''::tsvector)
         WHERE session_id = $1 AND message_id = $2 AND status IN ('queued', 'paused')
         RETURNING event_seq AS "eventSeq", attempt`,
        [sessionId, replyId, reason],
      );
      return rows[0] ?? null;
    },

    /** Asks the owner of a running reply to stop; false when it is not running. */
    async requestCancel(
      tx: Queryable,
      sessionId: string,
      replyId: string,
      reason: string,
    ): Promise<boolean> {
      const { rowCount } = await tx.query(
        `UPDATE messages SET cancel_reason = coalesce(cancel_reason, $3)
         WHERE session_id = $1 AND message_id = $2 AND status = 'streaming'`,
        [sessionId, replyId, reason],
      );
      return rowCount > 0;
    },

    /** A paused reply becomes this node's again, under the next attempt; null when it is not paused. */
    async claimPaused(
      sessionId: string,
      replyId: string,
    ): Promise<(ClaimedReply & { requirements: readonly Requirement[] }) | null> {
      const { rows } = await database.query<
        ClaimedReply & { requirements: readonly Requirement[] }
      >(
        withQuestion(`
          UPDATE messages m SET status = 'streaming', attempt = m.attempt + 1,
            lease_owner = $3, lease_until = ${lease}
          WHERE m.session_id = $1 AND m.message_id = $2 AND m.status = 'paused'
          RETURNING ${claimedColumns}, m.requirements`),
        [sessionId, replyId, nodeId],
      );
      return rows[0] ?? null;
    },

    /**
     * Takes over replies whose owner has been silent for the time of its lease, or all that are marked running
     * (`everything`: after the start of a process that has the database for itself). The caller ends or resumes them.
     */
    async claimOrphans(limit: number, everything: boolean): Promise<ClaimedReply[]> {
      const { rows } = await database.query<ClaimedReply>(
        withQuestion(`
          UPDATE messages m SET attempt = m.attempt + 1, lease_owner = $2, lease_until = ${lease}
          FROM (
            SELECT session_id, message_id FROM messages
            WHERE status = 'streaming'
              AND (lease_until < now() OR ($3 AND lease_owner IS DISTINCT FROM $2))
            ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED) AS orphan
          WHERE m.session_id = orphan.session_id AND m.message_id = orphan.message_id
          RETURNING ${claimedColumns}`),
        [limit, nodeId, everything],
      );
      return rows;
    },

    /** Sessions in which something waits although nothing runs: their node has died between two replies. */
    async stalledSessions(limit: number): Promise<string[]> {
      const { rows } = await database.query<{ sessionId: string }>(
        `SELECT DISTINCT q.session_id AS "sessionId" FROM messages q
         WHERE q.status = 'queued' AND NOT EXISTS (
           SELECT 1 FROM messages a
           WHERE a.session_id = q.session_id AND a.status IN ('streaming', 'paused'))
         LIMIT $1`,
        [limit],
      );
      return rows.map((row) => row.sessionId);
    },

    /** Starts the next waiting reply of a session on this node. */
    claimWaiting(sessionId: string): Promise<ClaimedReply | null> {
      return database.transaction(async (tx) => {
        await tx.query("SELECT 1 FROM sessions WHERE session_id = $1 FOR UPDATE", [sessionId]);
        return claimNext(tx, sessionId);
      });
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

    /** Null when there is no such reply (any more). */
    async find(replyId: string): Promise<ReplyState | null> {
      const { rows } = await database.query<ReplyState>(
        `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", s.user_id AS "userId",
           m.agent_id AS "agentId", m.status, m.attempt, m.event_seq AS "eventSeq", m.content,
           coalesce(m.reasoning, '') AS reasoning, m.finish_reason AS "finishReason", m.usage, m.error,
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

    /** The last `limit` messages before number `beforeSeq` that have something to say, oldest first. */
    async history(sessionId: string, beforeSeq: number, limit: number): Promise<HistoryMessage[]> {
      if (beforeSeq <= 1) return [];
      // Numbers have no gaps: a range of them keeps the cost the same however long the conversation is.
      for (let span = limit + 10; ; span *= 4) {
        const firstSeq = beforeSeq - span;
        const { rows } = await database.query<HistoryMessage>(
          `SELECT role, content, agent_id AS "agentId" FROM messages
           WHERE session_id = $1 AND seq >= $2 AND seq < $3 AND content <> '' AND status <> 'failed'
           ORDER BY seq DESC LIMIT $4`,
          [sessionId, firstSeq, beforeSeq, limit],
        );
        // Messages without a word are skipped: where there were many, further back.
        if (rows.length === limit || firstSeq <= 1) return rows.reverse();
      }
    },
  };
}

function progressParams(progress: ReplyProgress): unknown[] {
  return [
    progress.content,
    progress.reasoning === "" ? null : progress.reasoning,
    progress.eventSeq,
    progress.toolCalls.length === 0 ? null : toJsonb(progress.toolCalls),
    progress.media.length === 0 ? null : toJsonb(progress.media),
    jsonOrNull(progress.backendState),
  ];
}

function jsonOrNull(value: unknown): string | null {
  return value === null ? null : toJsonb(value);
}
