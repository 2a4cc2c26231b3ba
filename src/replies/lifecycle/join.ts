import { isDeepStrictEqual } from "node:util";
import sql from "sql-template-tag";
import { describeAttachment, type AttachmentInfo } from "../../attachments/attachment-store.ts";
import { maxAttachments } from "../../attachments/read-attachments.ts";
import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { headOf, type Tree } from "../../tree/tree.ts";
import { maxTogether } from "../asked.ts";
import type { ClaimedReply } from "../reply.ts";
import type { Turn } from "../turn.ts";
import type { Acceptance, Accepted, AcceptParts } from "./acceptance.ts";
import { unfinishedReplies } from "./branches.ts";
import { claimedColumns, conversationOf, questionOf } from "./claim.ts";
import { openingEvent } from "./opening.ts";
import { insertedColumns, questionRow } from "./question-row.ts";
import { inFront, queuedEvent } from "./tell-waiting.ts";
import { statesBefore, type Change } from "./transition.ts";

/** Where a message stands that may become part of a turn. */
interface Standing {
  /** Before it came. */
  readonly tree: Tree;
  readonly agentId: string;
}

/**
 * The reply that waits last in the session, where this message can become part of its turn: that one came to be merged
 * too, nothing was said elsewhere since, both want the same of the same agent, and together they are within the limits
 * of one message. Null: the message waits for itself. Lock the session first.
 */
export async function findHost(
  tx: Queryable,
  limits: Pick<AcceptParts, "maxMessageLength" | "maxUploadBytes">,
  { sessionId, at, message, turn }: Acceptance,
  { tree, agentId }: Standing,
): Promise<ClaimedReply | null> {
  const last = headOf(tree);
  if (message === null || last === 0 || last !== tree.lastSeq) return null;
  const { rows } = await tx.query<ClaimedReply>(
    `SELECT ${claimedColumns}, ${questionOf("m.session_id", "m.turn")}, ${conversationOf("m.session_id")}
     FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
     WHERE m.session_id = $1 AND m.seq = $2 AND m.status IN ${statesBefore("join")} AND m.turn ? 'merges'`,
    [sessionId, last],
  );
  const [host] = rows;
  if (host === undefined || host.agentId !== agentId) return null;
  const isHere = at.kind === "head" || (at.kind === "below" && at.messageId === host.replyId);
  if (!isHere || !isDeepStrictEqual(wishesOf(host.turn), wishesOf(turn))) return null;
  const ids = [...host.joined.map(({ messageId }) => messageId), host.userMessageId];
  if (ids.length >= maxTogether) return null;
  const { rows: said } = await tx.query<{
    length: number;
    files: readonly AttachmentInfo[] | null;
  }>(
    `SELECT char_length(content) AS length, attachments AS files FROM messages
     WHERE session_id = $1 AND message_id = ANY($2::uuid[])`,
    [sessionId, ids],
  );
  const lengths = [message.text.length, ...said.map(({ length }) => length + 2)];
  const sizes = [
    ...(message.attachments ?? []).map(({ bytes }) => bytes.length),
    ...said.flatMap(({ files }) => (files ?? []).map(({ size }) => size)),
  ];
  const fits =
    sum(lengths) <= limits.maxMessageLength &&
    sizes.length <= maxAttachments &&
    sum(sizes) <= limits.maxUploadBytes;
  return fits ? host : null;
}

/** What a turn asks for apart from what is said, as it is stored. */
function wishesOf({
  keyName,
  ownSettings,
  context,
  voice,
  processedMessage,
}: Acceptance["turn"]): unknown {
  const isSpoken = processedMessage !== undefined;
  return JSON.parse(toJsonb({ keyName, ownSettings, context, voice, isSpoken }));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/**
 * The message takes the number of the reply, which moves behind it: what belongs together stays a range of numbers, and
 * nothing of the tree is to be stored. Two numbers were taken for it, as for every turn; one of them is given back.
 */
export async function join(
  tx: Queryable,
  { attachments }: Pick<AcceptParts, "attachments">,
  request: Acceptance & { readonly message: NonNullable<Acceptance["message"]> },
  host: ClaimedReply,
): Promise<Change<Accepted>> {
  const { sessionId, userMessageId, message } = request;
  const { replyId, agentId } = host;
  const files = (message.attachments ?? []).map((file) => ({
    info: describeAttachment(file),
    bytes: file.bytes,
  }));
  const infos = files.map(({ info }) => info);
  const joins = [...host.joined.map(({ messageId }) => messageId), host.userMessageId];
  const { processedMessage } = request.turn;
  const turn: Turn = {
    ...host.turn,
    joins,
    ...(infos.length > 0 && { hasAttachments: true }),
    ...(processedMessage !== undefined && { processedMessage }),
  };
  const eventSeq = host.eventSeq + 2;
  const [seq, lastSeq] = [host.seq, host.seq + 1];
  await tx.query(
    `UPDATE sessions SET last_seq = $2, message_count = message_count - 1 WHERE session_id = $1`,
    [sessionId, lastSeq],
  );
  await tx.query(
    `UPDATE messages SET seq = $3, reply_to = $4, event_seq = $5, turn = $6::jsonb, created_at = greatest(created_at, now())
     WHERE session_id = $1 AND message_id = $2 AND status IN ${statesBefore("join")}`,
    [sessionId, replyId, lastSeq, userMessageId, eventSeq, toJsonb(turn)],
  );
  const question = {
    messageId: userMessageId,
    seq,
    content: message.text,
    attachments: infos.length === 0 ? null : infos,
    isSpoken: false,
  };
  const { text, values } = sql`
    INSERT INTO messages (${insertedColumns}) VALUES ${questionRow(sessionId, question, agentId, message)}`;
  await tx.query(text, values);
  await attachments.insert(tx, { sessionId, messageId: userMessageId }, files);
  const unfinished = await unfinishedReplies(tx, sessionId);
  const position = unfinished.filter(({ status }) => status === "queued").length;
  const reply: Accepted = {
    ...host,
    userMessageId,
    message: message.text,
    messageSeq: seq,
    joined: [
      ...host.joined,
      { messageId: host.userMessageId, seq: host.messageSeq, content: host.message },
    ],
    seq: lastSeq,
    eventSeq,
    turn,
    conversation: { ...host.conversation, lastSeq },
    after: host.eventSeq,
  };
  return {
    result: reply,
    effects: [
      {
        do: "count",
        what: "turn-accepted",
        sessionId,
        replyId,
        agentId,
        type: message.type,
        queued: true,
        joins: joins.length,
      },
      {
        do: "tell",
        reply,
        after: host.eventSeq,
        events: [
          openingEvent(reply),
          queuedEvent(position, await inFront(tx, sessionId, unfinished), joins),
        ],
      },
    ],
  };
}
