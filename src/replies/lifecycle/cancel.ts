import type { Queryable } from "../../database/database.ts";
import type { Job } from "../../jobs/job.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import { claimedColumns, heldHere, leaseUntil, withQuestion, type Claimant } from "./claim.ts";
import type { Effect } from "./effect.ts";
import { endedEvent } from "./ended-event.ts";
import type { ClaimedReply, ReplyState } from "../reply.ts";
import { tellWaitingAnew } from "./tell-waiting.ts";
import { lockSession, statesBefore, type Change, type Transition } from "./transition.ts";
import type { Turn } from "../turn.ts";

/** What a cancellation found: the end is stored; the end will follow shortly; there was nothing to stop. */
export type CancelResult = "cancelled" | "stopping" | "not_running";

export interface CancelRequest {
  readonly sessionId: string;
  readonly replyId: string;
  /** Told as the reason of the end. */
  readonly reason: string;
}

interface IdleRow {
  readonly attempt: number;
  readonly eventSeq: number;
  readonly content: string;
  readonly agentId: string;
  readonly userId: string;
  readonly turn: Turn | null;
  readonly backendState: ReplyState["backendState"];
  readonly wasPaused: boolean;
}

/**
 * Ends a reply that nobody makes, or has it ended by its owner; one without an owner (its node has died) ends here.
 * Part of a transaction that holds the session's lock.
 */
export async function cancelReply(
  tx: Queryable,
  claimant: Claimant,
  request: CancelRequest,
): Promise<Change<CancelResult>> {
  return (
    (await cancelIdle(tx, request)) ??
    (await claimLost(tx, claimant, request)) ??
    (await askToStop(tx, request)) ?? { result: "not_running", effects: [] }
  );
}

async function cancelIdle(
  tx: Queryable,
  { sessionId, replyId, reason }: CancelRequest,
): Promise<Change<CancelResult> | null> {
  const { rows } = await tx.query<IdleRow>(
    `WITH before AS (
       SELECT m.message_id, m.status, m.turn, m.backend_state, s.user_id
       FROM messages m JOIN sessions s ON s.session_id = m.session_id
       WHERE m.session_id = $1 AND m.message_id = $2)
     UPDATE messages m SET status = 'cancelled', finish_reason = $3, event_seq = m.event_seq + 1,
       attempt = m.attempt + 1, requirements = NULL, turn = NULL, backend_state = NULL
     FROM before
     WHERE m.session_id = $1 AND m.message_id = before.message_id
       AND m.status IN ${statesBefore("cancel")}
     RETURNING m.attempt, m.event_seq AS "eventSeq", m.content, m.agent_id AS "agentId",
       before.user_id AS "userId", before.turn, before.backend_state AS "backendState",
       before.status = 'paused' AS "wasPaused"`,
    [sessionId, replyId, reason],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { attempt, eventSeq, content } = row;
  return {
    result: "cancelled",
    effects: [
      {
        do: "tell",
        reply: { replyId, sessionId, attempt },
        after: eventSeq - 1,
        events: [{ type: "cancelled", full_response: content, reason }],
      },
      { do: "wake", sessionId },
    ],
    jobs: row.wasPaused ? abandonment({ ...row, replyId, sessionId }) : [],
    events: [
      endedEvent({ ...row, replyId, sessionId }, { status: "cancelled", finishReason: reason }),
    ],
  };
}

/** The lease of a dead node's reply, to end it as cancelled with all the text that arrived. */
async function claimLost(
  tx: Queryable,
  claimant: Claimant,
  { sessionId, replyId, reason }: CancelRequest,
): Promise<Change<CancelResult> | null> {
  const { rows } = await tx.query<ClaimedReply>(
    withQuestion(`
      UPDATE messages m SET attempt = m.attempt + 1, recoveries = m.recoveries + 1, cancel_reason = $4,
        lease_owner = $3, lease_until = ${leaseUntil(claimant)}
      WHERE m.session_id = $1 AND m.message_id = $2 AND m.status IN ${statesBefore("stop")}
        AND m.lease_until < now()
      RETURNING ${claimedColumns}`),
    [sessionId, replyId, claimant.nodeId, reason],
  );
  const reply = rows[0];
  if (reply === undefined) return null;
  return {
    result: "stopping",
    effects: [
      { do: "start", reply, mode: { kind: "end", why: new ReplyStopped("cancelled", reason) } },
    ],
    jobs: abandonment({ ...reply, userId: reply.turn.userId }),
  };
}

async function askToStop(
  tx: Queryable,
  { sessionId, replyId, reason }: CancelRequest,
): Promise<Change<CancelResult> | null> {
  const { rowCount } = await tx.query(
    `UPDATE messages SET cancel_reason = coalesce(cancel_reason, $3)
     WHERE session_id = $1 AND message_id = $2 AND status IN ${statesBefore("stop")}`,
    [sessionId, replyId, reason],
  );
  return rowCount === 0 ? null : { result: "stopping", effects: [{ do: "signal", replyId }] };
}

/** Stops a reply wherever it is. After "stopping" its end follows shortly, in the stream and in its row. */
export function cancel(claimant: Claimant): Transition<CancelRequest, CancelResult> {
  return {
    name: "cancel",
    async apply(tx, request, isRepeat, before) {
      const { sessionId } = request;
      await lockSession(tx, sessionId);
      const change = await cancelReply(tx, claimant, request);
      if (change.result === "cancelled") {
        // First they hear that they wait for something else, then the first of them begins.
        const told = await tellWaitingAnew(tx, sessionId);
        const [end, ...rest] = change.effects;
        return { ...change, effects: [...(end ? [end] : []), ...told, ...rest] };
      }
      if (!isRepeat) return change;
      return (
        (await cancelledBefore(tx, request, before)) ??
        (await claimedBefore(tx, claimant, request)) ??
        change
      );
    },
  };
}

/** The first try was committed: its end is told once more. */
async function cancelledBefore(
  tx: Queryable,
  { sessionId, replyId, reason }: CancelRequest,
  before: Change<CancelResult> | null | undefined,
): Promise<Change<CancelResult> | null> {
  const { rows } = await tx.query<{ attempt: number; eventSeq: number; content: string }>(
    `SELECT attempt, event_seq AS "eventSeq", content FROM messages
     WHERE session_id = $1 AND message_id = $2 AND status = 'cancelled' AND finish_reason = $3`,
    [sessionId, replyId, reason],
  );
  const row = rows[0];
  if (row === undefined) return null;
  if (before?.result === "cancelled") return { result: "cancelled", effects: before.effects };
  const tell: Effect = {
    do: "tell",
    reply: { replyId, sessionId, attempt: row.attempt },
    after: row.eventSeq - 1,
    events: [{ type: "cancelled", full_response: row.content, reason }],
  };
  return { result: "cancelled", effects: [tell, { do: "wake", sessionId }] };
}

/** The first try was committed, and it may have claimed the lease of a lost reply: nobody else ends that. */
async function claimedBefore(
  tx: Queryable,
  claimant: Claimant,
  { sessionId, replyId, reason }: CancelRequest,
): Promise<Change<CancelResult> | null> {
  const reply = await heldHere(tx, claimant, sessionId);
  if (reply?.replyId !== replyId) return null;
  const why = new ReplyStopped("cancelled", reason);
  // One that is being made here is not started once more, but hears the signal.
  return {
    result: "stopping",
    effects: [
      { do: "signal", replyId },
      { do: "start", reply, mode: { kind: "end", why } },
    ],
  };
}

/** Lets go of a run that its source still has; nothing for a reply that never told a state. */
export function abandonment(reply: {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly attempt: number;
  readonly turn: Turn | null;
  readonly backendState: ReplyState["backendState"];
}): Job[] {
  const { replyId, sessionId, userId, agentId, attempt, turn, backendState } = reply;
  if (backendState === null || turn === null) return [];
  const { requestId, language } = turn;
  return [
    {
      type: "abandon-run",
      data: {
        replyId,
        attempt,
        sessionId,
        userId,
        agentId,
        requestId,
        language,
        state: backendState,
      },
    },
  ];
}
