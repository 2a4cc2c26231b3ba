import type { AttachmentInfo } from "../../attachments/attachment-store.ts";
import type { Queryable } from "../../database/database.ts";
import { Problem } from "../../problems/problem.ts";
import { childrenOf, headOf, parentOf, type Tree } from "../../tree/tree.ts";
import { isAnswer, maxTogether } from "../asked.ts";
import { isUnfinished } from "./branches.ts";

/** Where a turn hangs in its conversation. */
export type Anchor =
  /** Below the last message of the active path. */
  | { readonly kind: "head" }
  /** Below this reply; null: it begins a conversation of its own. */
  | { readonly kind: "below"; readonly messageId: string | null }
  /** Beside this user's message, which it says otherwise. */
  | { readonly kind: "beside"; readonly messageId: string }
  /** It is another reply to this user's message, or to that of this reply. */
  | { readonly kind: "again"; readonly messageId: string };

/** A user's message that is there already. */
export interface Question {
  readonly messageId: string;
  readonly seq: number;
  readonly content: string;
  readonly attachments: readonly AttachmentInfo[] | null;
  readonly isSpoken: boolean;
}

export interface Anchored {
  /** The number of the message that it hangs below; 0: none. */
  readonly parent: number;
  /** What is asked again, or said otherwise. */
  readonly question: Question | null;
  /** What the user had said since the reply before that, oldest first: it is answered together with it. */
  readonly earlier: readonly Question[];
}

interface AnchorRow extends Question {
  readonly role: string;
  readonly status: string;
  readonly replyTo: string | null;
  readonly isAnswer: boolean;
}

/** Finds the place. Raises `message_not_found`, `message_running` and `validation_failed`. Lock the session first. */
export async function findAnchor(
  tx: Queryable,
  sessionId: string,
  tree: Tree,
  anchor: Anchor,
): Promise<Anchored> {
  if (anchor.kind === "head") return { parent: headOf(tree), question: null, earlier: [] };
  const { messageId } = anchor;
  if (messageId === null) return { parent: 0, question: null, earlier: [] };
  const row = await find(tx, sessionId, messageId);
  switch (anchor.kind) {
    case "below":
      // After a deletion the head may be a user's message: who names it says what would be so anyway.
      if (row.role !== "assistant" && row.seq !== headOf(tree)) {
        throw invalid(
          "/parent_message_id",
          "must be a message of the assistant",
          "必须是助手的消息",
        );
      }
      return { parent: row.seq, question: null, earlier: [] };
    case "beside":
      if (row.role !== "user")
        throw invalid("", "only messages of users can be edited", "只能编辑用户的消息");
      await checkAnswered(tx, sessionId, tree, row);
      return {
        parent: parentOf(tree, row.seq),
        question: row,
        earlier: await saidBefore(tx, sessionId, tree, row.seq),
      };
    case "again": {
      if (row.role === "user") {
        await checkAnswered(tx, sessionId, tree, row);
        const earlier = await saidBefore(tx, sessionId, tree, row.seq);
        return { parent: row.seq, question: row, earlier };
      }
      if (isUnfinished(row.status)) throw new Problem("message_running", { messageId });
      if (row.replyTo === null) throw invalid("", "is no reply", "不是回复");
      const question = await find(tx, sessionId, row.replyTo);
      const earlier = await saidBefore(tx, sessionId, tree, question.seq);
      return { parent: question.seq, question, earlier };
    }
  }
}

/** The messages of the user right above this one, oldest first. */
async function saidBefore(
  tx: Queryable,
  sessionId: string,
  tree: Tree,
  seq: number,
): Promise<Question[]> {
  const said: Question[] = [];
  for (let above = parentOf(tree, seq); above > 0 && said.length < maxTogether - 1;) {
    const { rows } = await tx.query<AnchorRow>(
      `SELECT ${anchorColumns} FROM messages WHERE session_id = $1 AND seq = $2`,
      [sessionId, above],
    );
    const [row] = rows;
    if (row?.role !== "user") break;
    if (!row.isAnswer) said.unshift(row);
    above = parentOf(tree, row.seq);
  }
  return said;
}

const anchorColumns = `
  message_id AS "messageId", seq, role, status, reply_to AS "replyTo", content, attachments,
  audio IS NOT NULL AS "isSpoken", ${isAnswer} AS "isAnswer"`;

async function find(tx: Queryable, sessionId: string, messageId: string): Promise<AnchorRow> {
  const { rows } = await tx.query<AnchorRow>(
    `SELECT ${anchorColumns} FROM messages WHERE session_id = $1 AND message_id = $2`,
    [sessionId, messageId],
  );
  const [row] = rows;
  if (row === undefined) throw new Problem("message_not_found", { messageId });
  return row;
}

/** Raises `message_running` while a reply to this message is being made, or waits. */
async function checkAnswered(
  tx: Queryable,
  sessionId: string,
  tree: Tree,
  { seq, messageId }: Question,
): Promise<void> {
  const { rows } = await tx.query<{ status: string }>(
    `SELECT status FROM messages WHERE session_id = $1 AND seq = ANY($2::int[])
     UNION ALL
     SELECT status FROM messages
     WHERE session_id = $1 AND status IN ('streaming', 'paused') AND turn -> 'joins' ? $3
     UNION ALL
     SELECT status FROM messages WHERE session_id = $1 AND status = 'queued' AND turn -> 'joins' ? $3`,
    [sessionId, childrenOf(tree, seq), messageId],
  );
  if (rows.some(({ status }) => isUnfinished(status))) {
    throw new Problem("message_running", { messageId });
  }
}

function invalid(path: string, message: string, zh: string): Problem {
  return new Problem("validation_failed", {}, { details: [{ path, message, zh }] });
}
