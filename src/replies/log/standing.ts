import type { Queryable } from "../../database/database.ts";

/** How a reply's row stands, for a node that does not make it. */
export interface Standing {
  readonly status: string;
  /** Of its checkpoint while it is being made, of its last event else. */
  readonly eventSeq: number;
}

/** By id; what is gone is not in it. */
export type AskStanding = (replyIds: readonly string[]) => Promise<ReadonlyMap<string, Standing>>;

export function createStanding(database: Queryable): AskStanding {
  return async (replyIds) => {
    const { rows } = await database.query<Standing & { replyId: string }>(
      `SELECT message_id AS "replyId", status, event_seq AS "eventSeq" FROM messages
       WHERE message_id = ANY($1)`,
      [replyIds],
    );
    return new Map(rows.map(({ replyId, ...standing }) => [replyId, standing]));
  };
}
