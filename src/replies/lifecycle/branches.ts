import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { Problem } from "../../problems/problem.ts";
import { count, holds } from "../../tree/ranges.ts";
import {
  headOf,
  newestBelow,
  pathTo,
  readTree,
  storeTree,
  withHead,
  type Tree,
  type TreeRow,
} from "../../tree/tree.ts";
import { unfinishedStatuses } from "./transition.ts";

/** A session whose branches nobody changes until the end of `tx`; null when it is gone. */
export async function lockTree(
  tx: Queryable,
  sessionId: string,
): Promise<{ readonly userId: string; readonly tree: Tree } | null> {
  const { rows } = await tx.query<TreeRow & { readonly userId: string }>(
    `SELECT user_id AS "userId", last_seq AS "lastSeq", tree FROM sessions
     WHERE session_id = $1 FOR UPDATE`,
    [sessionId],
  );
  const [row] = rows;
  return row === undefined ? null : { userId: row.userId, tree: readTree(row) };
}

/** The session's branches, and how long its active path is. */
export async function storeBranches(tx: Queryable, sessionId: string, tree: Tree): Promise<void> {
  const stored = storeTree(tree);
  await tx.query("UPDATE sessions SET tree = $2::jsonb, message_count = $3 WHERE session_id = $1", [
    sessionId,
    stored === null ? null : toJsonb(stored),
    count(pathTo(tree, headOf(tree))),
  ]);
}

/**
 * Makes the path through a message the active one, down to the leaf that was added last. False when the session is gone.
 * Raises `message_not_found`, and `session_busy` while a reply is made, or waits, that would not be on that path.
 */
export async function showBranch(
  tx: Queryable,
  sessionId: string,
  messageId: string,
): Promise<boolean> {
  const session = await lockTree(tx, sessionId);
  if (session === null) return false;
  const { tree } = session;
  const named = await seqOf(tx, sessionId, messageId);
  if (named === null) throw new Problem("message_not_found", { messageId });
  const head = newestBelow(tree, named);
  const path = pathTo(tree, head);
  const unfinished = await unfinishedReplies(tx, sessionId);
  const hidden = unfinished.find(({ seq }) => !holds(path, seq));
  if (hidden !== undefined) throw new Problem("session_busy", { messageId: hidden.replyId });
  if (head !== headOf(tree)) await storeBranches(tx, sessionId, withHead(tree, head));
  return true;
}

/** The number of a message; null when there is none. */
export async function seqOf(
  tx: Queryable,
  sessionId: string,
  messageId: string,
): Promise<number | null> {
  const { rows } = await tx.query<{ seq: number }>(
    "SELECT seq FROM messages WHERE session_id = $1 AND message_id = $2",
    [sessionId, messageId],
  );
  return rows[0]?.seq ?? null;
}

export interface UnfinishedReply {
  readonly replyId: string;
  readonly seq: number;
  readonly status: string;
  readonly agentId: string;
  /** The running reply that is to take its message in. */
  readonly steers: string | null;
  /** So many messages of the user came with it, or were taken in. */
  readonly messages: number;
  /** Somebody wants it to stop. */
  readonly isStopping: boolean;
}

/** What is being made in a session, is paused, or waits, in its order. */
export async function unfinishedReplies(
  tx: Queryable,
  sessionId: string,
): Promise<UnfinishedReply[]> {
  const { rows } = await tx.query<UnfinishedReply>(
    // Two halves, because there is an index for each: no reading through what has ended.
    `SELECT message_id AS "replyId", seq, status, agent_id AS "agentId",
       turn ->> 'steers' AS steers, cancel_reason IS NOT NULL AS "isStopping",
       CASE WHEN turn ? 'merges' THEN 1 + jsonb_array_length(coalesce(turn -> 'joins', '[]')) ELSE 1 END
         + jsonb_array_length(coalesce(turn #> '{steered,by}', '[]')) AS messages FROM (
       SELECT message_id, status, seq, agent_id, turn, cancel_reason FROM messages
       WHERE session_id = $1 AND status IN ('streaming', 'paused')
       UNION ALL
       SELECT message_id, status, seq, agent_id, turn, cancel_reason FROM messages
       WHERE session_id = $1 AND status = 'queued') AS unfinished
     ORDER BY seq`,
    [sessionId],
  );
  return rows;
}

export function isUnfinished(status: string): boolean {
  return unfinishedStatuses.some((each) => each === status);
}
