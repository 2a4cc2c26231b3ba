import { describeAttachment, type AttachmentStore } from "../../attachments/attachment-store.ts";
import type { Queryable } from "../../database/database.ts";
import { checkObjectSize } from "../../http/member-size.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { Problem } from "../../problems/problem.ts";
import { withdrawn, type Tree } from "../../tree/tree.ts";
import { earlierIds } from "../asked.ts";
import type { Turn } from "../turn.ts";
import type { UserMessage } from "./acceptance.ts";
import { seqOf, storeBranches } from "./branches.ts";
import {
  endOfForgotten,
  eventOfForgotten,
  forgottenColumns,
  type ForgottenReply,
} from "./forget.ts";
import { tellWaitingAnew } from "./tell-waiting.ts";
import { statesBefore, type Change, type Transition } from "./transition.ts";

/** A message that a waiting reply will answer. */
interface WaitingMessage {
  readonly messageId: string;
  readonly seq: number;
  readonly isSpoken: boolean;
  readonly hasFiles: boolean;
  /** It came with the reply, and waits as that does; else it has been there before, and has been answered. */
  readonly comesAlong: boolean;
}

/** A reply whose time has not come. */
interface WaitingReply extends ForgottenReply {
  readonly seq: number;
  readonly turn: Turn;
  /** What it will answer, oldest first; the last one is the one that it is to. */
  readonly questions: readonly WaitingMessage[];
}

interface Waiting {
  readonly reply: WaitingReply;
  /** One of its messages, where that is named; null: the reply. */
  readonly named: WaitingMessage | null;
}

/** By the id of the reply or of a message that came with it; null when it does not wait. Lock the session first: nobody can start it meanwhile. */
export async function findWaiting(
  tx: Queryable,
  sessionId: string,
  messageId: string,
): Promise<Waiting | null> {
  // Messages of one transaction have the same time.
  const { rows } = await tx.query<WaitingReply>(
    `SELECT ${forgottenColumns}, m.seq, (
       SELECT jsonb_agg(jsonb_build_object(
         'messageId', u.message_id, 'seq', u.seq, 'isSpoken', u.audio IS NOT NULL,
         'hasFiles', u.attachments IS NOT NULL,
         'comesAlong', m.turn ? 'merges' OR (u.created_at = m.created_at AND u.seq = m.seq - 1)) ORDER BY u.seq)
       FROM messages u
       WHERE u.session_id = m.session_id AND u.message_id = ANY(${earlierIds("m.turn")} || m.reply_to)) AS questions
     FROM messages m
     WHERE m.session_id = $1 AND m.status IN ${statesBefore("withdraw")}
       AND ($2::uuid IN (m.message_id, m.reply_to) OR m.turn -> 'joins' ? $2::text)`,
    [sessionId, messageId],
  );
  for (const reply of rows) {
    if (reply.replyId === messageId) return { reply, named: null };
    const named = reply.questions.find((question) => question.messageId === messageId);
    if (named?.comesAlong === true) return { reply, named };
  }
  return null;
}

/**
 * Part of a transaction that holds the session's lock. One of several messages goes alone, and the reply is to those
 * that are left; else the reply goes with what came with it.
 */
export async function withdraw(
  tx: Queryable,
  session: { readonly sessionId: string; readonly userId: string; readonly tree: Tree },
  { reply, named }: Waiting,
): Promise<Change<true>> {
  const { sessionId, userId, tree } = session;
  const { replyId, seq, questions, turn } = reply;
  const isLeft = ({ messageId }: WaitingMessage) => messageId !== named?.messageId;
  const left = questions.filter(isLeft);
  if (named !== null && left.some(({ comesAlong }) => comesAlong)) {
    await answerOnly(tx, { sessionId, replyId, turn }, left);
    await deleteMessages(tx, sessionId, [named.messageId]);
    await storeBranches(tx, sessionId, withdrawn(tree, named.seq, named.seq));
    return { result: true, effects: [] };
  }
  const gone = questions.filter(({ comesAlong }) => comesAlong);
  await deleteMessages(tx, sessionId, [replyId, ...gone.map(({ messageId }) => messageId)]);
  await storeBranches(tx, sessionId, withdrawn(tree, gone[0]?.seq ?? seq, seq));
  return {
    result: true,
    effects: [
      ...endOfForgotten(reply, sessionId, "withdrawn"),
      ...(await tellWaitingAnew(tx, sessionId)),
    ],
    events: eventOfForgotten({ ...reply, sessionId, userId }, "withdrawn"),
  };
}

async function deleteMessages(
  tx: Queryable,
  sessionId: string,
  messageIds: readonly string[],
): Promise<void> {
  for (const table of ["attachments", "audio", "messages"]) {
    await tx.query(`DELETE FROM ${table} WHERE session_id = $1 AND message_id = ANY($2::uuid[])`, [
      sessionId,
      messageIds,
    ]);
  }
}

async function answerOnly(
  tx: Queryable,
  {
    sessionId,
    replyId,
    turn,
  }: { readonly sessionId: string; readonly replyId: string; readonly turn: Turn },
  questions: readonly WaitingMessage[],
): Promise<void> {
  const { hasAttachments: _had, ...rest } = turn;
  const now: Turn = {
    ...rest,
    joins: questions.slice(0, -1).map(({ messageId }) => messageId),
    ...(questions.some(({ hasFiles }) => hasFiles) && { hasAttachments: true }),
  };
  await tx.query(
    `UPDATE messages SET reply_to = $3, turn = $4::jsonb WHERE session_id = $1 AND message_id = $2`,
    [sessionId, replyId, questions.at(-1)?.messageId, toJsonb(now)],
  );
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
      // By the reply's id it is the message that it is to.
      const question = waiting?.named ?? waiting?.reply.questions.at(-1);
      if (waiting === null || question?.comesAlong !== true) {
        const isThere = (await seqOf(tx, sessionId, messageId)) !== null;
        throw new Problem(isThere ? "message_not_queued" : "message_not_found", { messageId });
      }
      if (config !== undefined) checkObjectSize(sessions[0]?.config ?? {}, "/session_config");
      const { replyId, questions, turn: before } = waiting.reply;
      const agentId = amendment.agentId ?? waiting.reply.agentId;
      amendment.check(agentId);
      const questionId = question.messageId;
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
      const { hasAttachments: _had, ...rest } = before;
      const hasFiles = questions.some((each) =>
        each === question && files !== undefined ? files.length > 0 : each.hasFiles,
      );
      const isLast = question === questions.at(-1);
      const turn: Turn = {
        ...rest,
        ...amendment.turn,
        ...(question.isSpoken && isLast && { processedMessage: text }),
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
