import type { Queryable } from "../../database/database.ts";
import type { Job } from "../../jobs/job.ts";
import type { Ranges } from "../../tree/ranges.ts";
import { subtreeOf, threadOf, without } from "../../tree/tree.ts";
import { lockTree, seqOf, storeBranches } from "./branches.ts";
import { abandonment } from "./cancel.ts";
import {
  endOfForgotten,
  eventOfForgotten,
  forgetting,
  forgottenColumns,
  type ForgottenReply,
} from "./forget.ts";
import { tellWaitingAnew } from "./tell-waiting.ts";
import { goneBefore, statesBefore, type Transition } from "./transition.ts";
import { findWaiting, withdraw } from "./waiting.ts";

interface Removal {
  readonly sessionId: string;
  readonly messageId: string;
}

/** The rows of these numbers, of the session `$1`. */
const removed = `
  unnest($2::int[], $3::int[]) AS part (first, last)
  WHERE m.session_id = $1 AND m.seq BETWEEN part.first AND part.last`;

/**
 * Deletes a message with all that hangs below it; false when it is gone already. What runs or waits among it is stopped
 * wherever that is, and readers are told. What agents remember of that line of the conversation they forget, however
 * long that takes; what is left of it is told to them anew. A message that only waits is withdrawn: what waits behind it
 * stays.
 */
export const remove: Transition<Removal, boolean> = {
  name: "remove",
  async apply(tx, { sessionId, messageId }, isRepeat, before) {
    const session = await lockTree(tx, sessionId);
    const seq = await seqOf(tx, sessionId, messageId);
    if (session === null || seq === null) return goneBefore(isRepeat, before);
    const { tree, userId } = session;
    const waiting = await findWaiting(tx, sessionId, messageId);
    if (waiting !== null) return withdraw(tx, { sessionId, ...session }, waiting);
    const gone = subtreeOf(tree, seq);
    const replies = await repliesIn(tx, sessionId, gone);
    // What has only ever waited no agent knows of.
    const known = replies.filter(({ attempt }) => attempt > 0);
    const agentIds = [...new Set(known.map(({ agentId }) => agentId))];
    await tx.query(
      `DELETE FROM attachments a USING messages m, ${removed} AND a.message_id = m.message_id`,
      of(sessionId, gone),
    );
    await tx.query(
      `DELETE FROM audio a USING messages m, ${removed} AND a.session_id = $1 AND a.message_id = m.message_id`,
      of(sessionId, gone),
    );
    await tx.query(`DELETE FROM messages m USING ${removed}`, of(sessionId, gone));
    await storeBranches(tx, sessionId, without(tree, seq, known.length > 0));
    const threads = new Set(known.map((reply) => threadOf(tree, reply.seq)));
    const jobs: Job[] = [
      ...replies
        .filter(({ status }) => status === "paused" || status === "streaming")
        .flatMap((reply) => abandonment({ ...reply, sessionId, userId })),
      ...forgetting({ sessionId, userId, agentIds }, threads, replies),
    ];
    return {
      result: true,
      effects: [
        ...replies.flatMap((reply) => endOfForgotten(reply, sessionId, "message_deleted")),
        ...(await tellWaitingAnew(tx, sessionId)),
        { do: "wake", sessionId },
      ],
      jobs,
      events: replies.flatMap((reply) =>
        eventOfForgotten({ ...reply, sessionId, userId }, "message_deleted"),
      ),
    };
  },
};

function of(sessionId: string, ranges: Ranges): unknown[] {
  return [sessionId, ranges.map(({ first }) => first), ranges.map(({ last }) => last)];
}

async function repliesIn(
  tx: Queryable,
  sessionId: string,
  ranges: Ranges,
): Promise<(ForgottenReply & { readonly seq: number })[]> {
  const { rows } = await tx.query<ForgottenReply & { readonly seq: number }>(
    `SELECT ${forgottenColumns}, m.seq FROM messages m, ${removed}
       AND m.role = 'assistant' AND m.status IN ${statesBefore("remove")}`,
    of(sessionId, ranges),
  );
  return rows;
}
