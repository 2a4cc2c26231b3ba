import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { movedBehind, parentOf, type Tree } from "../../tree/tree.ts";
import type { ClaimedReply, TakenIn } from "../reply.ts";
import type { Turn } from "../turn.ts";
import { lockTree, storeBranches } from "./branches.ts";
import { endOfForgotten, forgottenColumns, type ForgottenReply } from "./forget.ts";
import { statesBefore, type Transition } from "./transition.ts";

interface TakeIn {
  readonly reply: Pick<ClaimedReply, "replyId" | "sessionId" | "attempt">;
  /** What its run has been given already. */
  readonly given: ReadonlySet<string>;
}

/** Of a user's message `u`: the reply that has taken it in. */
export const takenInBy = `(u.turn ->> 'takenInBy')::uuid`;

interface Own {
  readonly seq: number;
  readonly replyTo: string;
  readonly turn: Turn;
}

interface Waiting extends ForgottenReply {
  readonly seq: number;
  readonly questionId: string;
  readonly questionSeq: number;
}

/**
 * A running reply takes in what waits directly behind it in order to steer it: it moves to the place of the last of the
 * replies that would have been made to that, and they end. Resolves with all that it has taken in and its run has not been
 * given; nothing when the attempt is not the owner's any more, or is to stop.
 */
export const takeIn: Transition<TakeIn, readonly TakenIn[]> = {
  name: "take in",
  async apply(tx, { reply, given }) {
    const { sessionId } = reply;
    const session = await lockTree(tx, sessionId);
    const own = session === null ? null : await findOwn(tx, reply);
    if (session === null || own === null) return { result: [], effects: [] };
    const waiting = await directlyBehind(tx, reply, own, session.tree);
    const { from, by } = own.turn.steered ?? { from: own.replyTo, by: [] };
    const all = [...by, ...waiting.taken.map(({ questionId }) => questionId)];
    if (waiting.taken.length > 0) {
      await move(tx, reply, own, waiting.taken, { from, by: all });
      await storeBranches(tx, sessionId, waiting.tree);
    }
    const { rows } = await tx.query<TakenIn>(
      `SELECT message_id AS "messageId", content, attachments IS NOT NULL AS "hasAttachments" FROM messages
       WHERE session_id = $1 AND message_id = ANY($2::uuid[]) ORDER BY seq`,
      [sessionId, all.filter((messageId) => !given.has(messageId))],
    );
    return {
      result: rows,
      effects: waiting.taken.flatMap((each) => endOfForgotten(each, sessionId, "taken_in")),
    };
  },
};

async function findOwn(
  tx: Queryable,
  { sessionId, replyId, attempt }: TakeIn["reply"],
): Promise<Own | null> {
  // For update of its key: what refers to it by its number waits.
  const { rows } = await tx.query<Own>(
    `SELECT seq, reply_to AS "replyTo", turn FROM messages
     WHERE session_id = $1 AND message_id = $2 AND attempt = $3 AND status IN ${statesBefore("finish")}
       AND cancel_reason IS NULL FOR UPDATE`,
    [sessionId, replyId, attempt],
  );
  return rows[0] ?? null;
}

/** As many of those that wait for it as form one line with it, and the tree without them. */
async function directlyBehind(
  tx: Queryable,
  { sessionId, replyId }: TakeIn["reply"],
  own: Own,
  tree: Tree,
): Promise<{ readonly taken: readonly Waiting[]; readonly tree: Tree }> {
  const { rows } = await tx.query<Waiting>(
    `SELECT ${forgottenColumns}, m.seq, u.message_id AS "questionId", u.seq AS "questionSeq"
     FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
     WHERE m.session_id = $1 AND m.status IN ${statesBefore("take in")} AND m.turn ->> 'steers' = $2
     ORDER BY m.seq`,
    [sessionId, replyId],
  );
  const numbers = [own.seq, ...rows.map(({ seq }) => seq)];
  const apart = rows.findIndex(
    ({ questionSeq }, at) => parentOf(tree, questionSeq) !== numbers[at],
  );
  for (let many = apart === -1 ? rows.length : apart; many > 0; many -= 1) {
    const taken = rows.slice(0, many);
    const questions = taken.map(({ questionSeq }) => questionSeq);
    const moved = movedBehind(tree, numbers.slice(0, many), questions, numbers[many] as number);
    if (moved !== null) return { taken, tree: moved };
  }
  return { taken: [], tree };
}

async function move(
  tx: Queryable,
  { sessionId, replyId }: TakeIn["reply"],
  own: Own,
  taken: readonly Waiting[],
  steered: NonNullable<Turn["steered"]>,
): Promise<void> {
  const last = taken.at(-1) as Waiting;
  const replyIds = taken.map((each) => each.replyId);
  const questionIds = taken.map(({ questionId }) => questionId);
  await tx.query("DELETE FROM messages WHERE session_id = $1 AND message_id = ANY($2::uuid[])", [
    sessionId,
    replyIds,
  ]);
  await tx.query(
    `UPDATE messages SET turn = jsonb_build_object('takenInBy', $3::text)
     WHERE session_id = $1 AND message_id = ANY($2::uuid[])`,
    [sessionId, questionIds, replyId],
  );
  // One that was paused may have an entry; it gets another one with its end.
  await tx.query("DELETE FROM message_search WHERE session_id = $1 AND seq = $2", [
    sessionId,
    own.seq,
  ]);
  await tx.query(
    `UPDATE messages SET seq = $3, reply_to = $4, turn = jsonb_set(turn, '{steered}', $5::jsonb)
     WHERE session_id = $1 AND message_id = $2`,
    [sessionId, replyId, last.seq, last.questionId, toJsonb(steered)],
  );
  // Whoever repeats the request of one of them is answered with this reply.
  await tx.query(
    "UPDATE idempotency_keys SET message_id = $3 WHERE session_id = $1 AND message_id = ANY($2::uuid[])",
    [sessionId, replyIds, replyId],
  );
}
