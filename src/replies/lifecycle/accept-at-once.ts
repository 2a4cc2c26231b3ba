import sql, { empty, raw } from "sql-template-tag";
import { settingsOf } from "../../agents/run-settings.ts";
import { madeSearchable, termsAtHand } from "../../search/entry.ts";
import type { Acceptance, Accepted, AcceptParts } from "./acceptance.ts";
import type { KnownSession } from "./known-sessions.ts";
import { newReply, opening } from "./new-reply.ts";
import { insertedColumns, questionRow, replyRow } from "./question-row.ts";
import { askForSession, statesBefore, type Transition } from "./transition.ts";

/** Of a turn at the end of a conversation, without files, in a session that this node knows. */
type Simple = Acceptance & {
  readonly message: NonNullable<Acceptance["message"]>;
  readonly session: KnownSession & { readonly configJson: string };
};

/**
 * A message at the end of a conversation that has a title and no branches, in which nothing runs or waits, as most are:
 * one statement behind the lock, which asks itself whether that is so, and whether the session still is as it was when this
 * node saw it last. Else nothing is changed, not even its key is taken.
 */
export function acceptAtOnce(
  parts: AcceptParts,
): NonNullable<Transition<Acceptance, Accepted>["atOnce"]> {
  return (request) => {
    const simple = simpleOf(parts, request);
    if (simple === null) return null;
    const { sessionId, session, message } = simple;
    const agentId = simple.agentId ?? session.agentId;
    try {
      request.check?.(agentId);
      request.admit(agentId, session.userId);
    } catch {
      // It may be refused for what is so no more; else it is refused again.
      return null;
    }
    const question = {
      messageId: simple.userMessageId,
      content: message.text,
      attachments: null,
    };
    const turn = { ...simple.turn, userId: session.userId, settings: settingsOf(session.config) };
    const replyAt = (lastSeq: number) =>
      newReply({
        request: simple,
        question: { ...question, seq: lastSeq - 1 },
        earlier: [],
        agentId,
        turn,
        waits: false,
        conversation: { lastSeq, tree: null },
      });
    return async (tx) => {
      askForSession(tx, sessionId);
      const rows = [
        questionRow(sessionId, { ...question, seq: raw("ready.last_seq + 1") }, agentId, message),
        replyRow({ ...replyAt(0), seq: raw("ready.last_seq + 2") }, "streaming", parts),
      ] as const;
      const { text, values } = sql`
        WITH ready AS (
          SELECT session_id, last_seq FROM sessions s WHERE ${isAsSeen(simple)} AND ${nothingUnfinished(sessionId)}
        )${claimOf(parts, simple)}, said AS (
          INSERT INTO messages (${insertedColumns})
          SELECT given.* FROM ${readyOf(simple)}, LATERAL (VALUES ${rows[0]}, ${rows[1]}) AS given (${insertedColumns})
        )${entryOf(simple, agentId)}
        UPDATE sessions s SET last_seq = s.last_seq + 2, message_count = s.message_count + 2, last_activity = now()
        FROM ${readyOf(simple)} WHERE s.session_id = ready.session_id
        RETURNING s.last_seq AS "lastSeq"`;
      const { rows: found } = await tx.query<{ lastSeq: number }>(text, values);
      const [row] = found;
      if (row === undefined) return null;
      const reply = replyAt(row.lastSeq);
      const place = { queuePosition: null, waitsFor: null };
      return { result: { ...reply, after: 0 }, effects: opening(reply, request, place) };
    };
  };
}

function simpleOf({ knownSessions }: AcceptParts, request: Acceptance): Simple | null {
  const { newSession, message, at, config, sessionId, ownerId } = request;
  if (newSession !== null || message === null || config !== undefined) return null;
  if (at.kind !== "head" || message.attachments?.length !== 0) return null;
  const session = knownSessions.find(sessionId);
  if (session === undefined || (ownerId !== null && ownerId !== session.userId)) return null;
  return { ...request, message, session };
}

const isAsSeen = ({ sessionId, session }: Simple) => sql`
  s.session_id = ${sessionId} AND s.user_id = ${session.userId} AND s.agent_id = ${session.agentId}
  AND s.config = ${session.configJson}::jsonb AND s.status = 'active' AND s.tree IS NULL AND NOT s.temporary AND s.title IS NOT NULL`;

/** Two looks, because there is an index for each. */
const nothingUnfinished = (sessionId: string) => sql`
  NOT EXISTS (SELECT 1 FROM messages q WHERE q.session_id = ${sessionId} AND q.status IN ('streaming', 'paused'))
  AND NOT EXISTS (SELECT 1 FROM messages q WHERE q.session_id = ${sessionId} AND q.status IN ${raw(statesBefore("start"))})`;

/** What holds the key already is led to by whoever asks again. */
function claimOf({ idempotency }: AcceptParts, { idempotency: key, session, ...request }: Simple) {
  if (key === null) return empty;
  const result = { sessionId: request.sessionId, messageId: request.replyId };
  return sql`, claimed AS (${idempotency.claiming(session.userId, key, result, sql`FROM ready`)} RETURNING 1)`;
}

/** Nothing has ever had the number of its question. */
function entryOf(simple: Simple, agentId: string) {
  const { sessionId, session, message } = simple;
  const { userId } = session;
  const terms = termsAtHand({ sessionId, userId, role: "user", agentId }, message.text);
  if (terms === null) return empty;
  return sql`, question AS (
    SELECT session_id, last_seq + 1 AS seq, ${userId} AS user_id, now() AS created_at, ${terms}::text[] AS terms
    FROM ${readyOf(simple)}), searchable AS (${raw(madeSearchable("question"))})`;
}

const readyOf = ({ idempotency }: Simple) => raw(idempotency === null ? "ready" : "ready, claimed");
