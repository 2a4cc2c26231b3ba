import type { Database } from "../../database/database.ts";
import { isId } from "../../lib/ids.ts";
import type { FoundSession } from "../../sessions/session-store.ts";
import { childrenOf } from "../../tree/tree.ts";

/** A stored message that a client may name. */
export interface KnownMessage {
  readonly seq: number;
  readonly messageId: string;
  readonly role: string;
  readonly status: string;
  readonly content: string;
  /** The client's own id of it. */
  readonly notedId: string | null;
}

/** So far back messages are looked for, in messages. */
const maxBack = 1_000;

export type KnownMessages = ReturnType<typeof createKnownMessages>;

const columns = `
  seq, message_id AS "messageId", role, status, content,
  metadata #>> '{ai_sdk,message_id}' AS "notedId"`;

/** Messages by the ids that clients have for them: ours of replies, their own of what users say. */
export function createKnownMessages(database: Database) {
  return {
    /** The newest first. */
    async find(
      { sessionId, tree }: FoundSession,
      ids: readonly string[],
    ): Promise<readonly KnownMessage[]> {
      const { rows } = await database.query<KnownMessage>(
        `SELECT ${columns} FROM messages
         WHERE session_id = $1 AND seq > $2 AND role IN ('user', 'assistant')
           AND (message_id = ANY($3::uuid[]) OR metadata #>> '{ai_sdk,message_id}' = ANY($4::text[]))
         ORDER BY seq DESC`,
        [sessionId, tree.lastSeq - maxBack, ids.filter(isId), ids],
      );
      return rows;
    },

    /** The newest reply below a message of the user; null: there is none. */
    async replyTo(
      { sessionId, tree }: FoundSession,
      { seq }: Pick<KnownMessage, "seq">,
    ): Promise<KnownMessage | null> {
      const { rows } = await database.query<KnownMessage>(
        `SELECT ${columns} FROM messages
         WHERE session_id = $1 AND seq = ANY($2::int[]) AND role = 'assistant'
         ORDER BY seq DESC LIMIT 1`,
        [sessionId, childrenOf(tree, seq)],
      );
      return rows[0] ?? null;
    },
  };
}
