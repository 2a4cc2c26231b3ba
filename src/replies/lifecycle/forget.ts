import type { BusinessEvent } from "../../events/business-event.ts";
import type { Job } from "../../jobs/job.ts";
import type { Turn } from "../turn.ts";
import { newestOf } from "../log/log-tail.ts";
import { abandonment } from "./cancel.ts";
import type { Effect } from "./effect.ts";
import { endedEvent } from "./ended-event.ts";
import type { ReplyState } from "../reply.ts";
import { readTree, threadsOf, type TreeRow } from "../../tree/tree.ts";
import { threadId } from "../thread-id.ts";
import { goneBefore, statesBefore, unfinishedStatuses, type Transition } from "./transition.ts";

interface Forget {
  readonly sessionId: string;
  /** Only if nothing has happened in it for so many days and nobody has pinned it; undefined: in any case. */
  readonly idleDays?: number | undefined;
}

/** A reply whose row is about to be deleted. */
export interface ForgottenReply {
  readonly replyId: string;
  readonly status: string;
  /** Its owner has died, and nobody will tell its end but whoever deletes it. */
  readonly isLost: boolean;
  readonly content: string;
  readonly attempt: number;
  readonly recoveries: number;
  readonly eventSeq: number;
  readonly agentId: string;
  readonly turn: Turn | null;
  readonly backendState: ReplyState["backendState"];
  /** Its agent may not be through with it, whatever was said to it or heard of it: it may write it down yet. */
  readonly mayBeWritten: boolean;
}

/** Events of ended replies that readers may still be shown are kept no longer than this. */
const loggedFor = "1 day";

const unfinished = `(${unfinishedStatuses.map((status) => `'${status}'`).join(", ")})`;

/** Of what is over the text is not needed. */
export const forgottenColumns = `
  m.message_id AS "replyId", m.status, m.attempt, m.recoveries,
  CASE WHEN m.status IN ${unfinished} THEN m.content ELSE '' END AS content,
  m.status = 'streaming' AND m.lease_until < now() AS "isLost", m.event_seq AS "eventSeq",
  m.agent_id AS "agentId", m.turn, m.backend_state AS "backendState",
  m.status <> 'complete' OR m.created_at > now() - interval '10 minutes' AS "mayBeWritten"`;

/**
 * Deletes a session with everything that belongs to it; false when it is gone already, or has come back to life. Its
 * running reply is stopped wherever it runs, readers are told, and its agents forget it however long that takes.
 */
export const forget: Transition<Forget, boolean> = {
  name: "forget",
  async apply(tx, { sessionId, idleDays }, isRepeat, before) {
    const { rows: owners } = await tx.query<
      TreeRow & { userId: string; agentId: string; isDue: boolean }
    >(
      `SELECT user_id AS "userId", agent_id AS "agentId", last_seq AS "lastSeq", tree,
         $2::int IS NULL OR (NOT pinned AND greatest(last_activity, imported_at) < now() - make_interval(days => $2::int)) AS "isDue"
       FROM sessions WHERE session_id = $1 FOR UPDATE`,
      [sessionId, idleDays ?? null],
    );
    const owner = owners[0];
    if (owner === undefined) return goneBefore(isRepeat, before);
    if (!owner.isDue) return { result: false, effects: [] };
    const { rows: agents } = await tx.query<{ agentId: string }>(
      `SELECT DISTINCT agent_id AS "agentId" FROM messages WHERE session_id = $1`,
      [sessionId],
    );
    const { rows } = await tx.query<ForgottenReply>(
      `SELECT ${forgottenColumns} FROM messages m
       WHERE session_id = $1 AND role = 'assistant' AND status IN ${statesBefore("forget")}
         AND (status IN ${unfinished} OR created_at > now() - interval '${loggedFor}')`,
      [sessionId],
    );
    await tx.query("DELETE FROM idempotency_keys WHERE session_id = $1", [sessionId]);
    await tx.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]);
    const agentIds = new Set([owner.agentId, ...agents.map(({ agentId }) => agentId)]);
    const jobs: Job[] = [
      ...rows
        .filter(({ status }) => status === "paused" || status === "streaming")
        .flatMap((row) => abandonment({ ...row, sessionId, userId: owner.userId })),
      ...forgetting(
        { sessionId, userId: owner.userId, agentIds: [...agentIds] },
        new Set([0, ...threadsOf(readTree(owner))]),
        rows,
      ),
    ];
    return {
      result: true,
      effects: rows.flatMap((row) => endOfForgotten(row, sessionId, "session_deleted")),
      jobs,
      events: rows.flatMap((row) =>
        eventOfForgotten({ ...row, sessionId, userId: owner.userId }, "session_deleted"),
      ),
    };
  },
};

/** Why there is no row any more. */
type GoneReason = "session_deleted" | "message_deleted" | "withdrawn" | "taken_in";

/** Agents that remember these lines of a session by themselves are to forget them. */
export function forgetting(
  { sessionId, ...whose }: Extract<Job, { type: "forget-session" }>["data"],
  threads: ReadonlySet<number>,
  replies: readonly ForgottenReply[],
): readonly Job[] {
  const looks = replies.some(({ mayBeWritten }) => mayBeWritten) ? { looks: 0 } : {};
  return [...threads].map((thread) => ({
    type: "forget-session",
    data: { sessionId: threadId(sessionId, thread), ...whose, ...looks },
  }));
}

/** What other services are told of one that was not over yet. */
export function eventOfForgotten(
  reply: ForgottenReply & { readonly sessionId: string; readonly userId: string },
  reason: GoneReason,
): readonly BusinessEvent[] {
  const isUnfinished = unfinishedStatuses.some((status) => status === reply.status);
  return isUnfinished ? [endedEvent(reply, { status: "cancelled", finishReason: reason })] : [];
}

/** Its readers are told; nothing of it stays in the log. */
export function endOfForgotten(
  row: ForgottenReply,
  sessionId: string,
  reason: GoneReason,
): readonly Effect[] {
  const { replyId, status, isLost, content, attempt, eventSeq } = row;
  // Its owner finds no row, tells the end and drops the log.
  if (status === "streaming" && !isLost) return [{ do: "signal", replyId }];
  const drop: Effect = { do: "drop-log", replyId };
  if (status !== "queued" && status !== "paused" && !isLost) return [drop];
  const reply = { replyId, sessionId, attempt: attempt + 1 };
  // The log may hold events that no checkpoint covers.
  const after = isLost ? newestOf(row, null) : eventSeq;
  const end = { type: "cancelled", full_response: content, reason } as const;
  return [{ do: "tell", reply, after, events: [end] }, drop];
}
