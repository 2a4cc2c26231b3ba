import sql, { raw, type Sql } from "sql-template-tag";
import { toJsonb } from "../../lib/clean-text.ts";
import type { UserMessage } from "./acceptance.ts";
import type { Question } from "./anchor.ts";

/** Of what is inserted, in the order of `questionRow`. */
export const insertedColumns = raw(
  `session_id, message_id, seq, role, status, agent_id, content, metadata,
   audio, attachments, reply_to, attempt, lease_owner, lease_until, event_seq, turn`,
);

export function questionRow(
  sessionId: string,
  { messageId, seq, attachments }: Question,
  agentId: string,
  { text, metadata, audio }: UserMessage,
  turn: object | null = null,
): Sql {
  return sql`
    (${sessionId}, ${messageId}, ${seq}, 'user', 'complete', ${agentId}, ${text}, ${toJsonb(metadata)}::jsonb,
     ${audio === null ? null : toJsonb(audio)}::jsonb,
     ${attachments === null ? null : toJsonb(attachments)}::jsonb, NULL, 0, NULL, NULL, 0,
     ${turn === null ? null : toJsonb(turn)}::jsonb)`;
}
