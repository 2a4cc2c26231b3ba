import sql, { raw, type Sql } from "sql-template-tag";
import { toJsonb } from "../../lib/clean-text.ts";
import type { ClaimedReply } from "../reply.ts";
import type { UserMessage } from "./acceptance.ts";
import type { Question } from "./anchor.ts";
import { leaseUntil, type Claimant } from "./claim.ts";

/** Of what is inserted, in the order of the rows below, which have the types of their columns wherever they stand. */
export const insertedColumns = raw(
  `session_id, message_id, seq, role, status, agent_id, content, metadata,
   audio, attachments, reply_to, attempt, lease_owner, lease_until, event_seq, turn`,
);

/** The number of a message, or what it comes to. */
type Seq = number | Sql;

export function questionRow(
  sessionId: string,
  question: Pick<Question, "messageId" | "attachments"> & { readonly seq: Seq },
  agentId: string,
  { text, metadata, audio }: UserMessage,
  turn: object | null = null,
): Sql {
  const { messageId, seq, attachments } = question;
  return sql`
    (${sessionId}::uuid, ${messageId}::uuid, ${seq}::int, 'user', 'complete', ${agentId}, ${text}, ${toJsonb(metadata)}::jsonb,
     ${audio === null ? null : toJsonb(audio)}::jsonb,
     ${attachments === null ? null : toJsonb(attachments)}::jsonb, NULL, 0, NULL, NULL, 0,
     ${turn === null ? null : toJsonb(turn)}::jsonb)`;
}

/** Of a reply that has just been accepted: it waits, or `claimant` makes it. */
export function replyRow(
  reply: Pick<
    ClaimedReply,
    "sessionId" | "replyId" | "agentId" | "userMessageId" | "attempt" | "eventSeq" | "turn"
  > & { readonly seq: Seq },
  status: "queued" | "streaming",
  claimant: Claimant,
): Sql {
  const { sessionId, replyId, seq, agentId, userMessageId, attempt, eventSeq, turn } = reply;
  const lease =
    status === "queued" ? sql`NULL, NULL` : sql`${claimant.nodeId}, ${raw(leaseUntil(claimant))}`;
  return sql`
    (${sessionId}::uuid, ${replyId}::uuid, ${seq}::int, 'assistant', ${status}, ${agentId},
     '', '{}', NULL, NULL, ${userMessageId}::uuid, ${attempt}::int, ${lease}, ${eventSeq}::int, ${toJsonb(turn)}::jsonb)`;
}
