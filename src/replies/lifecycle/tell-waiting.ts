import type { Requirement } from "../../agents/agent-backend.ts";
import type { Queryable } from "../../database/database.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import { wireRequirements } from "../terminal-event.ts";
import { unfinishedReplies, type UnfinishedReply } from "./branches.ts";
import type { Effect } from "./effect.ts";
import { statesBefore } from "./transition.ts";

export interface WaitsFor {
  readonly replyId: string;
  /** Null: it is being made. */
  readonly requirements: readonly Requirement[] | null;
}

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
  waitsFor: WaitsFor | null,
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

/**
 * The same where something in front of it has gone: it waits for whatever is in front by now, or for room to begin. Such
 * a change leaves nothing to repeat it by: its effects have to be kept.
 */
export async function tellWaitingAnew(
  tx: Queryable,
  sessionId: string,
): Promise<readonly Effect[]> {
  const unfinished = await unfinishedReplies(tx, sessionId);
  if (unfinished.every(({ status }) => status !== "queued")) return [];
  return tellWaiting(tx, sessionId, await inFront(tx, sessionId, unfinished), false);
}

/** What a message for a session with this unfinished waits for first. */
export async function inFront(
  tx: Queryable,
  sessionId: string,
  unfinished: readonly UnfinishedReply[],
): Promise<WaitsFor | null> {
  const active = unfinished.find((reply) => reply.status !== "queued");
  if (active === undefined) return null;
  const { replyId } = active;
  if (active.status !== "paused") return { replyId, requirements: null };
  const { rows } = await tx.query<{ requirements: readonly Requirement[] | null }>(
    "SELECT requirements FROM messages WHERE session_id = $1 AND message_id = $2",
    [sessionId, replyId],
  );
  return { replyId, requirements: rows[0]?.requirements ?? [] };
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
