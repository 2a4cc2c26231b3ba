import { lockSession, statesBefore, type Transition } from "./transition.ts";

export interface Cut {
  readonly sessionId: string;
  readonly replyId: string;
  /** The text that the cut is meant for. */
  readonly content: string;
  /** UTF-16 units of it that were heard. */
  readonly length: number;
}

/**
 * Of an ended reply, keeps what was heard as its text and the rest as `unspoken`. False when its text is not `content`
 * any more, or was cut before: it is only ever cut once.
 */
export const cutToHeard: Transition<Cut, boolean> = {
  name: "cut to what was heard",
  async apply(tx, { sessionId, replyId, content, length }) {
    await lockSession(tx, sessionId);
    const heard = content.slice(0, length);
    const { rowCount } = await tx.query(
      `UPDATE messages SET content = $4, unspoken = $5
       WHERE session_id = $1 AND message_id = $2 AND content = $3 AND unspoken IS NULL
         AND status IN ${statesBefore("cut to what was heard")}`,
      [sessionId, replyId, content, heard, content.slice(length)],
    );
    return { result: rowCount > 0, effects: [] };
  },
};
