import sql from "sql-template-tag";
import type { Decision } from "../../agents/agent-backend.ts";
import { decideInWords } from "../../agents/decide-in-words.ts";
import type { Queryable } from "../../database/database.ts";
import { holds } from "../../tree/ranges.ts";
import { headOf, pathTo, withMessages, type Tree } from "../../tree/tree.ts";
import { withSteered, noExtras } from "../extras.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import type { Acceptance, Accepted, AcceptParts, UserMessage } from "./acceptance.ts";
import { storeBranches, type UnfinishedReply } from "./branches.ts";
import { continueReply } from "./continue.ts";
import { insertedColumns, questionRow } from "./question-row.ts";
import { inFront } from "./tell-waiting.ts";
import type { Change } from "./transition.ts";

/** A message that is the answer to what a paused reply asks. */
export interface InWords {
  readonly replyId: string;
  readonly agentId: string;
  readonly decisions: readonly Decision[];
  readonly message: UserMessage;
  /** The number of the message that it hangs below. */
  readonly parent: number;
}

/**
 * Reads a message as a decision where that is possible: a reply on its path is paused whose agent may be answered in
 * words, and the message asks for nothing else. Null: it is a message like any other. Lock the session first.
 */
export async function readInWords(
  tx: Queryable,
  { answersInWords }: Pick<AcceptParts, "answersInWords">,
  request: Acceptance,
  unfinished: readonly UnfinishedReply[],
  tree: Tree,
): Promise<InWords | null> {
  const paused = unfinished.find(({ status }) => status === "paused");
  const { message, sessionId } = request;
  if (paused === undefined || message === null || !isPlain(request, message)) return null;
  const { replyId, agentId } = paused;
  const parent = placeOf(request, paused, tree);
  if (parent === null || !answersInWords(agentId)) return null;
  if (request.agentId !== undefined && request.agentId !== agentId) return null;
  const asked = await inFront(tx, sessionId, unfinished);
  const decisions = decideInWords(message.text, asked?.requirements ?? []);
  return decisions === null ? null : { replyId, agentId, decisions, message, parent };
}

/** Who says what becomes of a message in a busy session, or how it is to be answered, means a message. */
function isPlain({ onBusy, isAlone, turn }: Acceptance, { attachments }: UserMessage): boolean {
  const asksForMore = turn.context !== undefined || turn.ownSettings !== undefined;
  return onBusy === null && isAlone !== true && !asksForMore && (attachments ?? []).length === 0;
}

/** What is said on another branch is no answer here. */
function placeOf({ at }: Acceptance, paused: UnfinishedReply, tree: Tree): number | null {
  if (at.kind === "below" && at.messageId === paused.replyId) return paused.seq;
  const head = headOf(tree);
  return at.kind === "head" && holds(pathTo(tree, head), paused.seq) ? head : null;
}

/**
 * Stores the message where it was said, and the paused reply goes on with what it has decided: one transaction, as a
 * decision by a button. Of the two numbers that were taken for a turn one is given back.
 */
export async function answerInWords(
  tx: Queryable,
  parts: AcceptParts,
  request: Acceptance,
  { replyId, agentId, decisions, message, parent }: InWords,
  before: Tree,
): Promise<Change<Accepted>> {
  const { sessionId, userMessageId } = request;
  const { result, effects } = await continueReply(
    tx,
    parts,
    { sessionId, replyId, decisions },
    false,
  );
  // The session is locked, and it was paused a moment ago.
  if (result === null) throw new Error("a paused reply was not to be continued");
  const at = { message_id: userMessageId, text_start: result.content.length };
  const extras = withSteered(result.extras ?? noExtras, at);
  const eventSeq = result.eventSeq + 1;
  await tx.query(
    `UPDATE messages SET event_seq = $3, extras = $4::jsonb WHERE session_id = $1 AND message_id = $2`,
    [sessionId, replyId, eventSeq, toJsonb(extras)],
  );
  await tx.query(
    "UPDATE sessions SET last_seq = last_seq - 1, message_count = message_count - 1 WHERE session_id = $1",
    [sessionId],
  );
  const tree = withMessages(before, parent, 1);
  const question = {
    messageId: userMessageId,
    seq: tree.lastSeq,
    content: message.text,
    attachments: null,
    isSpoken: false,
  };
  const answers = { replyId, after: result.eventSeq, decisions };
  const { text, values } = sql`
    INSERT INTO messages (${insertedColumns}) VALUES ${questionRow(sessionId, question, agentId, message, { answers })}`;
  await tx.query(text, values);
  if (parent !== headOf(before)) await storeBranches(tx, sessionId, tree);
  const reply = { ...result, extras, eventSeq };
  return {
    result: { ...reply, userMessageId, message: message.text, after: result.eventSeq },
    effects: [
      {
        do: "count",
        what: "turn-accepted",
        sessionId,
        replyId,
        agentId,
        type: message.type,
        queued: false,
      },
      {
        do: "tell",
        reply,
        after: result.eventSeq,
        events: [
          {
            type: "steered",
            user_message_id: userMessageId,
            message: message.text,
            text_start: at.text_start,
          },
        ],
      },
      ...effects.map((effect) => (effect.do === "start" ? { ...effect, reply } : effect)),
    ],
  };
}
