import type { Attachment } from "../agents/agent-backend.ts";
import { describeAttachment, type AttachmentStore } from "../attachments/attachment-store.ts";
import type { Database, Queryable } from "../database/database.ts";
import type {
  EarlierResult,
  IdempotencyKey,
  IdempotencyStore,
} from "../idempotency/idempotency-store.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { newId } from "../lib/ids.ts";
import { searchVector } from "../lib/search-terms.ts";
import { Problem } from "../problems/problem.ts";
import type { ClaimedReply, ReplyStore } from "../replies/lifecycle/reply-store.ts";
import type { Turn } from "../replies/turn.ts";
import type { PreparedSession } from "../sessions/sessions.ts";

export type AcceptTurn = ReturnType<typeof createAcceptTurn>;

export type OnBusy = "enqueue" | "reject" | "interrupt";

/** A message that a user wants to send, checked as far as that is possible without the database. */
export interface TurnRequest {
  readonly sessionId: string;
  /** To be made in the same transaction; null: the session exists. */
  readonly newSession: PreparedSession | null;
  /** Null: whoever owns the session (nobody has proven to be anybody). */
  readonly userId: string | null;
  readonly message: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** For this turn only; else the session's. */
  readonly agentId: string | undefined;
  /** Null: the session's `on_busy`, else enqueue. */
  readonly onBusy: OnBusy | null;
  readonly turn: Omit<Turn, "userId" | "settings">;
  /** What the user's message says about the audio it was spoken in. */
  readonly audio: object | null;
  /** Files that come with the message. */
  readonly attachments: readonly Attachment[];
  readonly idempotency: IdempotencyKey | null;
}

export interface AcceptedTurn {
  readonly reply: ClaimedReply;
  /** Place in the queue, from 1; null when the reply may start at once. */
  readonly queuePosition: number | null;
  /** Replies that waited or were paused and gave way to this one, already stored as cancelled. */
  readonly displaced: readonly {
    readonly replyId: string;
    readonly sessionId: string;
    readonly content: string;
    readonly ended: { readonly eventSeq: number; readonly attempt: number };
    readonly wasPaused: boolean;
  }[];
  /** A running reply that was asked to give way; its owner has to be told. */
  readonly interrupted: string | null;
}

interface AcceptOptions {
  readonly database: Database;
  readonly replies: ReplyStore;
  readonly idempotency: IdempotencyStore;
  readonly nodeId: string;
  readonly leaseSeconds: number;
  readonly maxQueued: number;
  readonly attachments: Pick<AttachmentStore, "insert">;
  /** With numbers for its first `messages` messages taken. */
  readonly insertSession: (
    tx: Queryable,
    session: PreparedSession,
    messages: number,
  ) => Promise<unknown>;
  /** Raises when there is no room for another reply of this agent or user. */
  readonly admit: (agentId: string, userId: string) => void;
}

interface SessionRow {
  readonly userId: string;
  readonly agentId: string;
  readonly status: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly lastSeq: number;
}

/**
 * Stores a turn in one transaction: idempotency key, numbers under the session's lock, the user's message, the
 * assistant's message that the reply fills. When it resolves, the message is durable and its reply is either this
 * node's to start or in the queue. Cost does not depend on the length of the conversation.
 *
 * Resolves with the earlier result when the idempotency key was used for the same request before. Raises
 * `session_not_found`, `session_archived`, `session_busy`, `queue_full`, `idempotency_conflict`.
 */
export function createAcceptTurn(options: AcceptOptions) {
  const { database, replies, idempotency } = options;

  return async function acceptTurn(
    request: TurnRequest,
  ): Promise<AcceptedTurn | { earlier: EarlierResult }> {
    const { sessionId } = request;
    const replyId = newId();
    const userMessageId = newId();
    try {
      return await database.transaction(async (tx) => {
        const session = await (request.newSession === null
          ? lockSession(tx, request)
          : beginSession(tx, request.newSession, request.message));
        if (
          request.idempotency !== null &&
          !(await idempotency.claim(tx, session.userId, request.idempotency, {
            sessionId,
            messageId: replyId,
          }))
        ) {
          throw new KeyTaken(session.userId);
        }
        if (session.status !== "active") throw new Problem("session_archived", { sessionId });
        const agentId = request.agentId ?? session.agentId;
        options.admit(agentId, session.userId);

        const place = request.newSession === null ? await makePlace(tx, request, session) : free;
        const turn: Turn = {
          ...request.turn,
          userId: session.userId,
          settings: settingsOf(session.config),
          ...(request.attachments.length > 0 && { hasAttachments: true }),
        };
        const files = request.attachments.map((file) => ({
          info: describeAttachment(file),
          bytes: file.bytes,
        }));
        const waits = place.queuePosition !== null;
        const seq = session.lastSeq - 1;
        const eventSeq = waits ? 2 : 1;
        await tx.query(
          `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, metadata,
             audio, search, reply_to, attempt, lease_owner, lease_until, event_seq, turn, attachments)
           VALUES
             ($1, $2, $3, 'user', 'complete', $4, $5, $6::jsonb, $7::jsonb,
              array_to_tsvector($8::text[]), NULL, 0, NULL, NULL, 0, NULL, $16::jsonb),
             ($1, $9, $3 + 1, 'assistant', $10, $4, '', '{}', NULL, NULL, $2, $11, $12,
              CASE WHEN $12::text IS NULL THEN NULL ELSE now() + make_interval(secs => $13) END,
              $14, $15::jsonb, NULL)`,
          [
            sessionId,
            userMessageId,
            seq,
            agentId,
            request.message,
            toJsonb(request.metadata),
            request.audio === null ? null : toJsonb(request.audio),
            searchVector(request.message),
            replyId,
            waits ? "queued" : "streaming",
            waits ? 0 : 1,
            waits ? null : options.nodeId,
            options.leaseSeconds,
            eventSeq,
            toJsonb(turn),
            files.length === 0 ? null : toJsonb(files.map(({ info }) => info)),
          ],
        );
        await options.attachments.insert(tx, { sessionId, messageId: userMessageId }, files);
        return {
          ...place,
          reply: {
            replyId,
            sessionId,
            userMessageId,
            agentId,
            attempt: waits ? 0 : 1,
            eventSeq,
            content: "",
            reasoning: "",
            turn,
            backendState: null,
            toolCalls: null,
            media: null,
            message: request.message,
            messageSeq: seq,
          },
        };
      });
    } catch (error) {
      if (!(error instanceof KeyTaken) || request.idempotency === null) throw error;
      const earlier = await idempotency.find(error.userId, request.idempotency);
      // Purged between the two looks: the caller may simply repeat the request.
      if (earlier === null) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
      return { earlier };
    }
  };

  /** A session that begins with this turn: nobody else can know of it. */
  async function beginSession(
    tx: Queryable,
    session: PreparedSession,
    message: string,
  ): Promise<SessionRow> {
    const title = session.title ?? titleOf(message);
    await options.insertSession(tx, { ...session, title }, 2);
    return { ...session, status: "active", lastSeq: 2 };
  }

  /** Takes two numbers under the session's lock; ownership is checked in the same statement. */
  async function lockSession(tx: Queryable, request: TurnRequest): Promise<SessionRow> {
    const { rows } = await tx.query<SessionRow>(
      `UPDATE sessions SET last_seq = last_seq + 2, message_count = message_count + 2,
         last_activity = now(), title = coalesce(title, $3)
       WHERE session_id = $1 AND ($2::text IS NULL OR user_id = $2)
       RETURNING user_id AS "userId", agent_id AS "agentId", status, config, last_seq AS "lastSeq"`,
      [request.sessionId, request.userId, titleOf(request.message)],
    );
    const session = rows[0];
    if (session === undefined) {
      throw new Problem("session_not_found", { sessionId: request.sessionId });
    }
    return session;
  }

  /** Decides what becomes of a message for a session that is still answering. */
  async function makePlace(
    tx: Queryable,
    request: TurnRequest,
    session: SessionRow,
  ): Promise<Omit<AcceptedTurn, "reply">> {
    const { sessionId } = request;
    const { rows: unfinished } = await tx.query<{
      replyId: string;
      status: "queued" | "streaming" | "paused";
      content: string;
    }>(
      // Two halves, because there is an index for each: no reading through what has ended.
      `SELECT message_id AS "replyId", status, content FROM (
         SELECT message_id, status, content, seq FROM messages
         WHERE session_id = $1 AND status IN ('streaming', 'paused')
         UNION ALL
         SELECT message_id, status, content, seq FROM messages
         WHERE session_id = $1 AND status = 'queued') AS unfinished
       ORDER BY seq`,
      [sessionId],
    );
    if (unfinished.length === 0) return free;
    const onBusy = request.onBusy ?? onBusyOf(session.config);
    const active = unfinished.find((reply) => reply.status !== "queued");
    if (onBusy === "reject") {
      const busy = active ?? unfinished[0];
      throw new Problem("session_busy", busy === undefined ? {} : { messageId: busy.replyId });
    }
    if (onBusy === "enqueue") {
      const waiting = unfinished.filter((reply) => reply.status === "queued").length;
      if (waiting >= options.maxQueued) {
        throw new Problem("queue_full", { limit: options.maxQueued }, { retryAfterSeconds: 5 });
      }
      return { queuePosition: waiting + 1, displaced: [], interrupted: null };
    }
    const displaced: AcceptedTurn["displaced"][number][] = [];
    let interrupted: string | null = null;
    for (const { replyId, status, content } of unfinished) {
      if (status === "streaming") {
        await replies.requestCancel(tx, sessionId, replyId, "interrupted_by_user");
        interrupted = replyId;
        continue;
      }
      const ended = await replies.cancelIdle(tx, sessionId, replyId, "interrupted_by_user");
      if (ended !== null) {
        displaced.push({ replyId, sessionId, content, ended, wasPaused: status === "paused" });
      }
    }
    return { queuePosition: interrupted === null ? null : 1, displaced, interrupted };
  }
}

/** Nothing else is unfinished in the session. */
const free = { queuePosition: null, displaced: [], interrupted: null };

/** Another request holds the idempotency key: the transaction is rolled back and its result looked up. */
class KeyTaken extends Error {
  readonly userId: string;

  constructor(userId: string) {
    super("idempotency key taken");
    this.userId = userId;
  }
}

function onBusyOf(config: Readonly<Record<string, unknown>>): OnBusy {
  const value = config["on_busy"];
  return value === "reject" || value === "interrupt" ? value : "enqueue";
}

function settingsOf(config: Readonly<Record<string, unknown>>): Turn["settings"] {
  const { model, temperature, instructions } = config;
  return {
    ...(typeof model === "string" && { model }),
    ...(typeof temperature === "number" && { temperature }),
    ...(typeof instructions === "string" && { instructions }),
  };
}

/** A session without a title is called by the beginning of its first message. */
function titleOf(message: string): string {
  const line = message.trim().replaceAll(/\s+/g, " ");
  const characters = Array.from(line);
  return characters.length <= 60 ? line : `${characters.slice(0, 59).join("")}…`;
}
