import type { Queryable } from "../../database/database.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import { wireRequirements } from "../terminal-event.ts";
import type { Effect } from "./effect.ts";
import type { WaitsFor } from "./make-place.ts";
import { statesBefore } from "./transition.ts";

interface WaitingRow {
  readonly replyId: string;
  readonly attempt: number;
  readonly eventSeq: number;
  readonly seq: number;
}

/**
 * Readers of what waits in a session are told what it waits for now. Part of a transaction that holds the session's
 * lock; a repeat tells the same under the same numbers.
 */
export async function tellWaiting(
  tx: Queryable,
  sessionId: string,
  waitsFor: WaitsFor,
  isRepeat: boolean,
): Promise<readonly Effect[]> {
  const { rows } = await tx.query<WaitingRow>(
    `UPDATE messages SET event_seq = event_seq + $2
     WHERE session_id = $1 AND status IN ${statesBefore("start")}
     RETURNING message_id AS "replyId", attempt, event_seq AS "eventSeq", seq`,
    [sessionId, isRepeat ? 0 : 1],
  );
  return rows
    .toSorted((one, other) => one.seq - other.seq)
    .map(({ replyId, attempt, eventSeq }, index) => ({
      do: "tell",
      reply: { replyId, sessionId, attempt },
      after: eventSeq - 1,
      events: [queuedEvent(index + 1, waitsFor)],
    }));
}

/** `joins`: messages that it is answered together with. */
export function queuedEvent(
  position: number,
  waitsFor: WaitsFor | null,
  joins: readonly string[] = [],
): Extract<ReplyEventBody, { type: "queued" }> {
  const together = joins.length === 0 ? {} : { joins: [...joins] };
  if (waitsFor === null) return { type: "queued", position, ...together };
  const { replyId, requirements } = waitsFor;
  return {
    type: "queued",
    position,
    reason: requirements === null ? "running" : "decision",
    waits_for: replyId,
    ...(requirements && { requirements: wireRequirements(requirements) }),
    ...together,
  };
}
