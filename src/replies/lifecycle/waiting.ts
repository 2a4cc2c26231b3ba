import { describeAttachment, type AttachmentStore } from "../../attachments/attachment-store.ts";
import type { Queryable } from "../../database/database.ts";
import { checkObjectSize } from "../../http/member-size.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { Problem } from "../../problems/problem.ts";
import { withdrawn, type Tree } from "../../tree/tree.ts";
import type { Turn } from "../turn.ts";
import type { UserMessage } from "./accept.ts";
import { seqOf, storeBranches } from "./branches.ts";
import {
  endOfForgotten,
  eventOfForgotten,
  forgottenColumns,
  type ForgottenReply,
} from "./forget.ts";
import { statesBefore, type Change, type Transition } from "./transition.ts";

/** A reply whose time has not come, and what it will answer. */
interface Waiting extends ForgottenReply {
  readonly seq: number;
  readonly turn: Turn;
  readonly questionId: string;
  /** It came with the reply, and waits as that does; else it has been there before, and has been answered. */
  readonly comesAlong: boolean;
  readonly isSpoken: boolean;
  readonly hasFiles: boolean;
}

/** By the id of either message; null when it does not wait. Lock the session first: nobody can start it meanwhile. */
export async function findWaiting(
  tx: Queryable,
  sessionId: string,
  messageId: string,
): Promise<Waiting | null> {
  // Messages of one transaction have the same time.
  const { rows } = await tx.query<Waiting>(
    `SELECT * FROM (
       SELECT ${forgottenColumns}, m.seq, u.message_id AS "questionId",
         u.created_at = m.created_at AND u.seq = m.seq - 1 AS "comesAlong",
         u.audio IS NOT NULL AS "isSpoken", u.attachments IS NOT NULL AS "hasFiles"
       FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
       WHERE m.session_id = $1 AND m.status IN ${statesBefore("withdraw")}
         AND $2::uuid IN (m.message_id, m.reply_to)) AS waiting
     WHERE "replyId" = $2::uuid OR "comesAlong"`,
    [sessionId, messageId],
  );
  return rows[0] ?? null;
}

/** Part of a transaction that holds the session's lock. */
export async function withdraw(
  tx: Queryable,
  session: { readonly sessionId: string; readonly userId: string; readonly tree: Tree },
  waiting: Waiting,
): Promise<Change<true>> {
  const { sessionId, userId, tree } = session;
  const { replyId, seq, questionId, comesAlong } = waiting;
  const gone = comesAlong ? [questionId, replyId] : [replyId];
  for (const table of ["attachments", "audio", "messages"]) {
    await tx.query(`DELETE FROM ${table} WHERE session_id = $1 AND message_id = ANY($2::uuid[])`, [
      sessionId,
      gone,
    ]);
  }
  await storeBranches(tx, sessionId, withdrawn(tree, seq - gone.length + 1, seq));
  return {
    result: true,
    effects: endOfForgotten(waiting, sessionId, "withdrawn"),
    events: eventOfForgotten({ ...waiting, sessionId, userId }, "withdrawn"),
  };
}

/** What is said otherwise; what is absent stays as it is. */
export interface Amendment {
  readonly sessionId: string;
  readonly messageId: string;
  readonly text: string;
  readonly attachments: UserMessage["attachments"];
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly agentId?: string | undefined;
  /** Merged into the session's configuration, member by member. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly turn: Pick<Turn, "context" | "voice" | "ownSettings">;
  /** Raises when the agent cannot do what this asks for. */
  readonly check: (agentId: string) => void;
}

/**
 * Says a waiting message otherwise; resolves with its id. Raises `message_not_queued` when it does not wait (any more):
 * whoever starts it locks the session too.
 */
export function amend(
  attachments: Pick<AttachmentStore, "insert">,
): Transition<Amendment, { readonly userMessageId: string }> {
  return {
    name: "amend",
    async apply(tx, amendment) {
      const { sessionId, messageId, text, metadata, config } = amendment;
      const { rows: sessions } = await tx.query<{ config: Record<string, unknown> }>(
        `UPDATE sessions SET config = config || coalesce($2::jsonb, '{}') WHERE session_id = $1 RETURNING config`,
        [sessionId, config === undefined ? null : toJsonb(config)],
      );
      const waiting = await findWaiting(tx, sessionId, messageId);
      if (waiting === null || !waiting.comesAlong) {
        const isThere = (await seqOf(tx, sessionId, messageId)) !== null;
        throw new Problem(isThere ? "message_not_queued" : "message_not_found", { messageId });
      }
      if (config !== undefined) checkObjectSize(sessions[0]?.config ?? {}, "/session_config");
      const agentId = amendment.agentId ?? waiting.agentId;
      amendment.check(agentId);
      const { questionId, replyId } = waiting;
      const files = amendment.attachments?.map((file) => ({
        info: describeAttachment(file),
        bytes: file.bytes,
      }));
      if (files !== undefined) {
        await tx.query("DELETE FROM attachments WHERE session_id = $1 AND message_id = $2", [
          sessionId,
          questionId,
        ]);
        await attachments.insert(tx, { sessionId, messageId: questionId }, files);
      }
      const infos = files?.map(({ info }) => info) ?? [];
      await tx.query(
        `UPDATE messages SET content = $3, agent_id = $4, metadata = coalesce($5::jsonb, metadata),
           attachments = CASE WHEN $6 THEN $7::jsonb ELSE attachments END
         WHERE session_id = $1 AND message_id = $2`,
        [
          sessionId,
          questionId,
          text,
          agentId,
          metadata === undefined ? null : toJsonb(metadata),
          files !== undefined,
          infos.length === 0 ? null : toJsonb(infos),
        ],
      );
      const { hasAttachments: _had, ...before } = waiting.turn;
      const hasFiles = files === undefined ? waiting.hasFiles : files.length > 0;
      const turn: Turn = {
        ...before,
        ...amendment.turn,
        ...(waiting.isSpoken && { processedMessage: text }),
        ...(hasFiles && { hasAttachments: true }),
      };
      await tx.query(
        "UPDATE messages SET turn = $3::jsonb, agent_id = $4 WHERE session_id = $1 AND message_id = $2",
        [sessionId, replyId, toJsonb(turn), agentId],
      );
      return { result: { userMessageId: questionId }, effects: [] };
    },
  };
}
