import { settingsOf } from "../../agents/run-settings.ts";
import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { joinedMessages } from "../asked.ts";
import type { ClaimedReply } from "../reply.ts";
import { statesBefore } from "./transition.ts";

/** Who claims, and for how long without a sign of life. */
export interface Claimant {
  /** Names this process in leases. */
  readonly nodeId: string;
  readonly leaseSeconds: number;
}

/** The user's message that a reply was called with; it may have taken further ones in, and is to the last of them then. */
export const askedBy = `coalesce((m.turn -> 'steered' ->> 'from')::uuid, m.reply_to)`;

export const claimedColumns = `
  m.message_id AS "replyId", m.session_id AS "sessionId", ${askedBy} AS "userMessageId",
  m.seq, m.agent_id AS "agentId", m.attempt, m.recoveries, m.event_seq AS "eventSeq", m.content,
  coalesce(m.reasoning, '') AS reasoning, m.turn, m.backend_state AS "backendState",
  m.tool_calls AS "toolCalls", m.media, m.extras, m.audio`;

/** Of the session of a row: what its tree is read from. */
export const conversationOf = (sessionId: string) => `
  (SELECT jsonb_build_object('lastSeq', s.last_seq, 'tree', s.tree) FROM sessions s
   WHERE s.session_id = ${sessionId}) AS conversation`;

/** What the reply of a row answers; `u` is the user's message that it is to. */
export const questionOf = (sessionId: string, turn: string) => `
  u.content AS message, u.seq AS "messageSeq", ${joinedMessages(sessionId, turn)}`;

/** A statement that returns `claimedColumns`, with the user's message to each row. */
export const withQuestion = (claim: string) => `
  WITH claimed AS (${claim})
  SELECT claimed.*, ${questionOf('claimed."sessionId"', "claimed.turn")},
    ${conversationOf('claimed."sessionId"')}
  FROM claimed JOIN messages u
    ON u.session_id = claimed."sessionId" AND u.message_id = claimed."userMessageId"`;

/** The database's clock: those of nodes differ. */
export const leaseUntil = ({ leaseSeconds }: Claimant) =>
  `now() + make_interval(secs => ${leaseSeconds})`;

/** May a reply of this agent and user be made here now? A reply that may not stays where it is. */
export type HasRoom = (agentId: string, userId: string) => boolean;

export interface Waiting {
  readonly agentId: string;
  readonly userId: string;
  /** The session's, as it is now. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What waits longest in the session. Costs far less than to claim what is not there. Lock the session first. */
export async function nextWaiting(tx: Queryable, sessionId: string): Promise<Waiting | null> {
  const { rows } = await tx.query<Waiting>(
    `SELECT m.agent_id AS "agentId", m.turn ->> 'userId' AS "userId", s.config
     FROM messages m JOIN sessions s ON s.session_id = m.session_id
     WHERE m.session_id = $1 AND m.status IN ${statesBefore("start")} ORDER BY m.seq LIMIT 1`,
    [sessionId],
  );
  return rows[0] ?? null;
}

/**
 * The session's next waiting reply becomes this node's, with the settings that hold now; null when none waits, one is active, or there is no room here.
 * Lock the session first. `waiting`: what waits longest.
 */
export async function claimNext(
  tx: Queryable,
  claimant: Claimant,
  sessionId: string,
  hasRoom: HasRoom,
  waiting: Waiting | null,
): Promise<ClaimedReply | null> {
  if (waiting === null || !hasRoom(waiting.agentId, waiting.userId)) return null;
  const { rows } = await tx.query<ClaimedReply>(
    withQuestion(`
      UPDATE messages m SET status = 'streaming', attempt = m.attempt + 1,
        lease_owner = $2, lease_until = ${leaseUntil(claimant)},
        turn = jsonb_set(m.turn, '{settings}', $3::jsonb)
      WHERE m.session_id = $1
        AND m.message_id = (
          SELECT message_id FROM messages
          WHERE session_id = $1 AND status IN ${statesBefore("start")} ORDER BY seq LIMIT 1)
        AND NOT EXISTS (
          SELECT 1 FROM messages a
          WHERE a.session_id = $1 AND a.status IN ('streaming', 'paused'))
      RETURNING ${claimedColumns}`),
    [sessionId, claimant.nodeId, toJsonb(settingsOf(waiting.config))],
  );
  return rows[0] ?? null;
}

/** What this node holds the lease of in the session: the answer of a claim whose first answer was lost. */
export async function heldHere(
  tx: Queryable,
  { nodeId }: Claimant,
  sessionId: string,
): Promise<ClaimedReply | null> {
  const { rows } = await tx.query<ClaimedReply>(
    `SELECT ${claimedColumns}, ${questionOf("m.session_id", "m.turn")},
       ${conversationOf("m.session_id")}
     FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = ${askedBy}
     WHERE m.session_id = $1 AND m.status = 'streaming' AND m.lease_owner = $2 AND m.lease_until > now()`,
    [sessionId, nodeId],
  );
  return rows[0] ?? null;
}
