import type { Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { storeBranches, unfinishedReplies } from "../replies/lifecycle/branches.ts";
import { readTree, withUntold, type TreeRow } from "../tree/tree.ts";
import type { EarlierMessage } from "../replies/lifecycle/acceptance.ts";

interface LockedSession extends TreeRow {
  readonly agentId: string;
  readonly status: string;
}

/**
 * Puts messages that were said elsewhere at the end of a conversation; nobody answers them. `firstId` is the id of the
 * first. Raises `session_not_found`, `session_archived`, and `session_busy` while a reply is made, or waits.
 */
export async function addMessages(
  tx: Queryable,
  sessionId: string,
  messages: readonly EarlierMessage[],
  firstId: string,
): Promise<void> {
  const { rows } = await tx.query<LockedSession>(
    `SELECT agent_id AS "agentId", status, last_seq AS "lastSeq", tree FROM sessions
     WHERE session_id = $1 FOR UPDATE`,
    [sessionId],
  );
  const [session] = rows;
  if (session === undefined) throw new Problem("session_not_found", { sessionId });
  if (session.status !== "active") throw new Problem("session_archived", { sessionId });
  const [busy] = await unfinishedReplies(tx, sessionId);
  if (busy !== undefined) throw new Problem("session_busy", { messageId: busy.replyId });
  const before = readTree(session);
  const added = messages.map(({ role, text }, index) => ({
    seq: before.lastSeq + index + 1,
    message_id: index === 0 ? firstId : newId(),
    role,
    content: text,
  }));
  await tx.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, metadata)
     SELECT $1, message_id, seq, role, 'complete', $2, content, '{"imported": true}'
     FROM jsonb_to_recordset($3::jsonb) AS given (message_id uuid, seq int, role text, content text)`,
    [sessionId, session.agentId, toJsonb(added)],
  );
  const tree = withUntold(before, messages.length);
  await tx.query("UPDATE sessions SET last_seq = $2, last_activity = now() WHERE session_id = $1", [
    sessionId,
    tree.lastSeq,
  ]);
  await storeBranches(tx, sessionId, tree);
}
