import type { Requirement } from "../../agents/agent-backend.ts";
import type { Database } from "../../database/database.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import { terminalEvent } from "../terminal-event.ts";
import { Problem } from "../../problems/problem.ts";
import { newestOf } from "../log/log-tail.ts";
import { abandonment } from "./cancel.ts";
import { claimedColumns, leaseUntil, withQuestion, type Claimant } from "./claim.ts";
import type { StartMode } from "./effect.ts";
import { endedEvent } from "./ended-event.ts";
import type { ClaimedReply, ReplyEnd } from "../reply.ts";
import { lockSession, statesBefore, type Transition } from "./transition.ts";

/** A reply that nobody makes any more although its row says so. */
export interface LostReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly userId: string;
  readonly canResume: boolean;
  /** Since its lease is over. */
  readonly overdueMs: number;
}

/** A lease that has run out: the database's clock decides. `$everything`: this process has the database for itself. */
const isLost = (owner: string, everything: string) =>
  `m.status IN ${statesBefore("take over")}
   AND (m.lease_until < now() OR (${everything} AND m.lease_owner IS DISTINCT FROM ${owner}))`;

/** How often a reply is taken over without getting any further, before it is given up. */
const maxRecoveries = 3;
/** However far it gets each time: one that ends its nodes does not go round for ever. */
const maxAttempts = 100;

/** Replies whose owner has been silent for the time of its lease, the longest first, without those that were looked at. */
export async function lostReplies(
  database: Database,
  { nodeId }: Claimant,
  limit: number,
  everything: boolean,
  lookedAt: readonly string[] = [],
): Promise<LostReply[]> {
  const { rows } = await database.query<LostReply>(
    `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", m.agent_id AS "agentId",
       m.turn ->> 'userId' AS "userId",
       m.backend_state IS NOT NULL AND m.cancel_reason IS NULL AS "canResume",
       (extract(epoch FROM now() - m.lease_until) * 1000)::float8 AS "overdueMs"
     FROM messages m WHERE ${isLost("$2", "$3")} AND m.message_id <> ALL($4::uuid[])
     ORDER BY m.lease_until LIMIT $1`,
    [limit, nodeId, everything, lookedAt],
  );
  return rows;
}

/** Sessions in which something waits although nothing runs: their node has died between two replies, or was full. */
export async function stalledSessions(database: Database, limit: number): Promise<string[]> {
  const { rows } = await database.query<{ sessionId: string }>(
    `SELECT DISTINCT q.session_id AS "sessionId" FROM messages q
     WHERE q.status IN ${statesBefore("start")} AND NOT EXISTS (
       SELECT 1 FROM messages a
       WHERE a.session_id = q.session_id AND a.status IN ('streaming', 'paused'))
     LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.sessionId);
}

interface TakeOver {
  readonly lost: LostReply;
  readonly everything: boolean;
  /** Its source can take the run up again, and there is room for it here. */
  readonly resumes: boolean;
}

type Taken = "taken" | "given up" | "not lost";

/**
 * A lost reply is this node's under the next attempt: it goes on where its source allows that, else it ends with the
 * text that had arrived. One that was taken over again and again and never stored ends at once, as it stands.
 */
export function takeOver(claimant: Claimant): Transition<TakeOver, Taken> {
  return {
    name: "take over",
    async apply(tx, { lost, everything, resumes }) {
      await lockSession(tx, lost.sessionId);
      const { rows } = await tx.query<
        ClaimedReply & { cancelReason: string | null; requirements: readonly Requirement[] | null }
      >(
        withQuestion(`
          UPDATE messages m SET attempt = m.attempt + 1, recoveries = m.recoveries + 1,
            lease_owner = $3, lease_until = ${leaseUntil(claimant)}
          WHERE m.session_id = $1 AND m.message_id = $2 AND ${isLost("$3", "$4")}
          RETURNING ${claimedColumns}, m.cancel_reason AS "cancelReason", m.requirements`),
        [lost.sessionId, lost.replyId, claimant.nodeId, everything],
      );
      const claimed = rows[0];
      if (claimed === undefined) return { result: "not lost", effects: [] };
      const { cancelReason, requirements, ...reply } = claimed;
      const isHopeless = reply.recoveries > maxRecoveries || reply.attempt > maxAttempts;
      if (isHopeless) return giveUp(tx, reply, cancelReason);
      const mode: StartMode =
        cancelReason !== null
          ? { kind: "end", why: new ReplyStopped("cancelled", cancelReason) }
          : resumes && reply.backendState !== null
            ? { kind: "resume", requirements }
            : { kind: "end", why: new ReplyStopped("lost") };
      return {
        result: "taken",
        effects: [{ do: "start", reply, mode }],
        jobs: mode.kind === "end" ? abandonment({ ...reply, userId: reply.turn.userId }) : [],
      };
    },
  };
}

/** Whatever stands in the way of its end stays out of it. */
async function giveUp(
  tx: Parameters<Transition<TakeOver, Taken>["apply"]>[0],
  reply: ClaimedReply,
  cancelReason: string | null,
): ReturnType<Transition<TakeOver, Taken>["apply"]> {
  const problem = new Problem("internal_error", {});
  const end: Omit<ReplyEnd, "audio"> = {
    status: cancelReason === null ? "failed" : "cancelled",
    finishReason: cancelReason ?? "error",
    usage: null,
    error:
      cancelReason === null
        ? {
            type: problem.type,
            code: problem.status,
            message: problem.text(reply.turn.language),
            data: problem.data,
          }
        : null,
    requirements: null,
    durationMs: 0,
    timeToFirstTokenMs: null,
  };
  // The log may hold events that no checkpoint covers; it is not asked here.
  const eventSeq = newestOf(reply, null) + 1;
  await tx.query(
    `UPDATE messages SET status = $4, finish_reason = $5, error = $6::jsonb, event_seq = $7,
       turn = NULL, requirements = NULL, lease_owner = NULL, lease_until = NULL
     WHERE session_id = $1 AND message_id = $2 AND attempt = $3 AND status IN ${statesBefore("give up")}`,
    [
      reply.sessionId,
      reply.replyId,
      reply.attempt,
      end.status,
      end.finishReason,
      end.error === null ? null : JSON.stringify(end.error),
      eventSeq,
    ],
  );
  return {
    result: "given up",
    effects: [
      {
        do: "tell",
        reply,
        after: eventSeq - 1,
        events: [terminalEvent(reply.agentId, reply.content, end)],
      },
      { do: "wake", sessionId: reply.sessionId },
    ],
    jobs: abandonment({ ...reply, userId: reply.turn.userId }),
    events: [
      endedEvent(
        { ...reply, userId: reply.turn.userId },
        { status: end.status, finishReason: end.finishReason, error: end.error },
      ),
    ],
  };
}
