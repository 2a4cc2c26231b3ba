import type { Database } from "../../database/database.ts";
import { searchVector } from "../../lib/search-terms.ts";
import type { ReplyState } from "../../replies/lifecycle/reply-store.ts";

/**
 * Of an ended reply, keeps the first `length` UTF-16 units as its text and the rest as `unspoken`. False when its text is
 * not `content` any more, or was cut before: it is only ever cut once. Raises `storage_unavailable`.
 */
export type KeepSpoken = (
  reply: Pick<ReplyState, "sessionId" | "replyId" | "content">,
  length: number,
) => Promise<boolean>;

export function createKeepSpoken(database: Pick<Database, "query">): KeepSpoken {
  return async ({ sessionId, replyId, content }, length) => {
    const spoken = content.slice(0, length);
    const { rowCount } = await database.query(
      `UPDATE messages SET content = $4, unspoken = $5, search = array_to_tsvector($6::text[])
       WHERE session_id = $1 AND message_id = $2 AND content = $3 AND unspoken IS NULL
         AND status NOT IN ('queued', 'streaming', 'paused')`,
      [sessionId, replyId, content, spoken, content.slice(length), searchVector(spoken)],
    );
    return rowCount > 0;
  };
}
