import type { AttachmentInfo, AttachmentStore } from "../../attachments/attachment-store.ts";
import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { newId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import type { Ranges } from "../../tree/ranges.ts";
import { isUnfinished } from "./branches.ts";

export interface CopiedMessage {
  readonly seq: number;
  readonly messageId: string;
  readonly replyTo: string | null;
  readonly status: string;
  readonly attachments: readonly AttachmentInfo[] | null;
}

/** The messages of a path, oldest first. Raises `message_running` while one of them is being made, or waits. */
export async function messagesToCopy(
  tx: Queryable,
  sessionId: string,
  path: Ranges,
): Promise<CopiedMessage[]> {
  const { rows } = await tx.query<CopiedMessage>(
    `SELECT m.seq, m.message_id AS "messageId", m.reply_to AS "replyTo", m.status, m.attachments
     FROM unnest($2::int[], $3::int[]) AS part (first, last)
     JOIN messages m ON m.session_id = $1 AND m.seq BETWEEN part.first AND part.last
     ORDER BY m.seq`,
    [sessionId, path.map(({ first }) => first), path.map(({ last }) => last)],
  );
  const running = rows.find(({ status }) => isUnfinished(status));
  if (running !== undefined) throw new Problem("message_running", { messageId: running.messageId });
  return rows;
}

/**
 * Puts copies of these messages, with their files and the summaries of them, into a session that holds nothing else:
 * numbered from 1, under ids of their own, else as they are. Sound stays where it is.
 */
export async function copyMessages(
  tx: Queryable,
  attachments: Pick<AttachmentStore, "copy">,
  messages: readonly CopiedMessage[],
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const ids = new Map(messages.map(({ messageId }) => [messageId, newId()]));
  const idOf = (messageId: string | null) => ids.get(messageId ?? "") ?? null;
  const infos: (string | null)[] = [];
  for (const { messageId, attachments: files } of messages) {
    const copy = { sessionId: to, messageId: idOf(messageId) ?? "" };
    infos.push(files && toJsonb(await attachments.copy(tx, messageId, copy, files)));
  }
  await tx.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to,
       metadata, created_at, usage, finish_reason, error, reasoning, tool_calls, media, extras, duration_ms,
       time_to_first_token_ms, attempt, event_seq, attachments, unspoken, context, output_format, turn)
     SELECT $2, copy.id, copy.seq, m.role, m.status, m.agent_id, m.content, copy.reply_to, m.metadata,
       m.created_at, m.usage, m.finish_reason, m.error, m.reasoning, m.tool_calls, m.media, nullif(m.extras - 'steered', '{}'),
       m.duration_ms, m.time_to_first_token_ms, m.attempt, m.event_seq, copy.attachments,
       m.unspoken, m.context, m.output_format, CASE WHEN m.role = 'user' AND m.turn ? 'answers' THEN
         jsonb_set(m.turn, '{answers,replyId}', coalesce(to_jsonb((
           SELECT reply.id FROM unnest($3::uuid[], $4::uuid[]) AS reply (of, id)
           WHERE reply.of = (m.turn #>> '{answers,replyId}')::uuid)), m.turn #> '{answers,replyId}')) END
     FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::jsonb[])
       WITH ORDINALITY AS copy (of, id, reply_to, attachments, seq)
     JOIN messages m ON m.session_id = $1 AND m.message_id = copy.of`,
    [
      from,
      to,
      messages.map(({ messageId }) => messageId),
      messages.map(({ messageId }) => idOf(messageId)),
      messages.map(({ replyTo }) => idOf(replyTo)),
      infos,
    ],
  );
  // Else the copy's model would be told nothing of what they stand for, until it has written them again.
  await tx.query(
    `INSERT INTO summaries (session_id, first_seq, last_seq, message_id, agent_id, content, created_at)
     SELECT $2, first.copy, last.copy, gen_random_uuid(), s.agent_id, s.content, s.created_at
     FROM summaries s
     JOIN unnest($3::int[]) WITH ORDINALITY AS first (seq, copy) ON first.seq = s.first_seq
     JOIN unnest($3::int[]) WITH ORDINALITY AS last (seq, copy) ON last.seq = s.last_seq
     WHERE s.session_id = $1`,
    [from, to, messages.map(({ seq }) => seq)],
  );
}
