import type { Job } from "../../jobs/job.ts";
import type { Turn } from "../turn.ts";
import { newestOf } from "../log/log-tail.ts";
import { abandonment } from "./cancel.ts";
import type { Effect } from "./effect.ts";
import type { ReplyState } from "./reply-store.ts";
import { statesBefore, unfinishedStatuses, type Transition } from "./transition.ts";

interface Forget {
  readonly sessionId: string;
  /** Only if nothing has happened in it for so many days; undefined: in any case. */
  readonly idleDays?: number | undefined;
}

interface ReplyRow {
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
}

/** Events of ended replies that readers may still be shown are kept no longer than this. */
const loggedFor = "1 day";

const unfinished = `(${unfinishedStatuses.map((status) => `'${status}'`).join(", ")})`;

/**
 * Deletes a session with everything that belongs to it; false when it is gone already, or has come back to life. Its
 * running reply is stopped wherever it runs, readers are told, and its agents forget it however long that takes.
 */
export const forget: Transition<Forget, boolean> = {
  name: "forget",
  async apply(tx, { sessionId, idleDays }, isRepeat) {
    const { rows: owners } = await tx.query<{ userId: string; agentId: string; isDue: boolean }>(
      `SELECT user_id AS "userId", agent_id AS "agentId",
         $2::int IS NULL OR last_activity < now() - make_interval(days => $2::int) AS "isDue"
       FROM sessions WHERE session_id = $1 FOR UPDATE`,
      [sessionId, idleDays ?? null],
    );
    const owner = owners[0];
    // Gone at the second try: the first one was committed. Readers find no row, and end.
    if (owner === undefined) return { result: isRepeat, effects: [] };
    if (!owner.isDue) return { result: false, effects: [] };
    const { rows: agents } = await tx.query<{ agentId: string }>(
      `SELECT DISTINCT agent_id AS "agentId" FROM messages WHERE session_id = $1`,
      [sessionId],
    );
    const { rows } = await tx.query<ReplyRow>(
      `SELECT message_id AS "replyId", status, attempt, recoveries,
         CASE WHEN status IN ${unfinished} THEN content ELSE '' END AS content,
         status = 'streaming' AND lease_until < now() AS "isLost", event_seq AS "eventSeq",
         agent_id AS "agentId", turn, backend_state AS "backendState" FROM messages
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
      {
        type: "forget-session",
        data: { sessionId, userId: owner.userId, agentIds: [...agentIds] },
      },
    ];
    return { result: true, effects: rows.flatMap((row) => effectsOf(row, sessionId)), jobs };
  },
};

function effectsOf(row: ReplyRow, sessionId: string): readonly Effect[] {
  const { replyId, status, isLost, content, attempt, eventSeq } = row;
  // Its owner finds no row, tells the end and drops the log.
  if (status === "streaming" && !isLost) return [{ do: "signal", replyId }];
  const drop: Effect = { do: "drop-log", replyId };
  if (status !== "queued" && status !== "paused" && !isLost) return [drop];
  const reply = { replyId, sessionId, attempt: attempt + 1 };
  // The log may hold events that no checkpoint covers.
  const after = isLost ? newestOf(row, null) : eventSeq;
  const end = { type: "cancelled", full_response: content, reason: "session_deleted" } as const;
  return [{ do: "tell", reply, after, events: [end] }, drop];
}
