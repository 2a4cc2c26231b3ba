import sql, { empty } from "sql-template-tag";
import { describeAttachment, type AttachmentInfo } from "../../attachments/attachment-store.ts";
import { settingsOf } from "../../agents/run-settings.ts";
import type { OpenTransaction, Queryable } from "../../database/database.ts";
import { checkObjectSize } from "../../http/member-size.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { newId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import {
  headOf,
  parentOf,
  readTree,
  storeTree,
  withMessages,
  type StoredTree,
  type Tree,
} from "../../tree/tree.ts";
import type { Turn } from "../turn.ts";
import { storeBranches, unfinishedReplies, type UnfinishedReply } from "./branches.ts";
import type { Acceptance, Accepted, AcceptParts, BeginningSession } from "./acceptance.ts";
import { acceptAtOnce } from "./accept-at-once.ts";
import { answerInWords, readInWords } from "./answer-in-words.ts";
import { findAnchor, type Anchored, type Question } from "./anchor.ts";
import { claimedColumns, conversationOf, questionOf, type Claimant } from "./claim.ts";
import type { Effect } from "./effect.ts";
import { findHost, join } from "./join.ts";
import { makePlace, onBusyOf, type Place } from "./make-place.ts";
import { newReply, opening, titleOf } from "./new-reply.ts";
import { insertedColumns, questionRow, replyRow } from "./question-row.ts";
import { inFront } from "./tell-waiting.ts";
import type { ClaimedReply } from "../reply.ts";
import { takenInBy } from "./take-in.ts";
import { statesBefore, type Change, type Transition } from "./transition.ts";

/** Another request holds the idempotency key: nothing has changed, and its result can be looked up. */
export class KeyTaken extends Error {
  override readonly name = "KeyTaken";
  readonly userId: string;

  constructor(userId: string) {
    super("idempotency key taken");
    this.userId = userId;
  }
}

/** Another session has the name meanwhile: nothing has changed, and it can be looked up. */
export class ExternalIdTaken extends Error {
  override readonly name = "ExternalIdTaken";

  constructor() {
    super("external id taken");
  }
}

interface SessionRow {
  readonly userId: string;
  readonly agentId: string;
  readonly status: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** With the numbers of this turn. */
  readonly lastSeq: number;
  readonly tree: StoredTree | null;
}

/**
 * Stores a turn in one transaction: idempotency key, numbers under the session's lock, the user's message, the
 * assistant's message that the reply fills. After the commit the message is durable and its reply is either this node's
 * to start or in the queue; a message that is to be merged may become part of a turn that waits. Cost does not depend
 * on the length of the conversation.
 *
 * Raises `session_not_found`, `session_archived`, `session_busy`, `queue_full`, what `admit` raises, and KeyTaken.
 */
export function accept(parts: AcceptParts): Transition<Acceptance, Accepted> {
  return {
    name: "accept",
    atOnce: acceptAtOnce(parts),
    async apply(tx, request, isRepeat, unanswered) {
      const earlier = isRepeat ? await acceptedBefore(tx, parts, request, unanswered) : null;
      if (earlier !== null) return earlier;
      const { sessionId, newSession } = request;
      // Before a session is made: a repeat is no further one.
      if (newSession !== null) await claimKey(tx, parts, request, newSession.userId);
      const locked =
        newSession === null
          ? lockAndCount(tx, request)
          : begin(tx, parts, newSession, request.message?.text ?? "");
      // Asked behind the lock, and so read under it: it takes no round trip of its own.
      const asked = newSession === null ? unfinishedReplies(tx, sessionId) : nothing;
      const [session, unfinished] = await Promise.all([locked, asked]);
      parts.knownSessions.saw(sessionId, session);
      const agentId = request.agentId ?? session.agentId;
      const before = treeBefore(session, request);
      const wish = request.onBusy ?? onBusyOf(session.config);
      const isShared = wish === "merge" || wish === "steer";
      const onBusy = isShared && request.isAlone === true ? "enqueue" : wish;
      const { message } = request;
      const inWords = await readInWords(tx, parts, request, unfinished, before);
      const host =
        newSession === null && onBusy === "merge" && inWords === null
          ? await findHost(tx, parts, request, { tree: before, agentId })
          : null;
      // A repeat is led to the reply that it has become part of, or to what it has decided.
      const own = inWords === null ? request.replyId : request.userMessageId;
      const keyed = { ...request, replyId: host?.replyId ?? own };
      if (newSession === null) await claimKey(tx, parts, keyed, session.userId);
      if (session.status !== "active") throw new Problem("session_archived", { sessionId });
      request.check?.(inWords?.agentId ?? agentId);
      if (inWords !== null) {
        request.admit(inWords.agentId, session.userId);
        return answerInWords(tx, parts, request, inWords, before);
      }
      if (host !== null && message !== null) return join(tx, parts, { ...request, message }, host);
      const anchored = await findAnchor(tx, sessionId, before, request.at);
      const { maxQueued, canSteer } = parts;
      const { parent: below } = anchored;
      const hanging = { sessionId, agentId: request.agentId, parent: below };
      const wanted = { ...hanging, onBusy, maxQueued, canSteer };
      const place = await makePlace(tx, parts, wanted, unfinished);
      // What waits takes no place of its source and user: it gets one when its turn comes.
      if (place.queuePosition === null) request.admit(agentId, session.userId);
      const { insteadOf } = place;
      const parent =
        insteadOf === null || request.at.kind !== "head" ? below : above(before, insteadOf);
      const tree = await hang(tx, sessionId, before, parent, manyOf(request));
      const reply = await insertMessages(tx, parts, request, {
        session,
        anchored,
        tree,
        agentId,
        waits: place.queuePosition !== null,
        merges: onBusy === "merge",
        steers: place.steers,
      });
      return {
        result: { ...reply, after: 0 },
        jobs: place.jobs,
        events: place.events,
        effects: [
          ...(newSession === null || newSession.isTemporary === true
            ? []
            : [counted(newSession, agentId)]),
          ...place.effects,
          ...opening(reply, request, place),
        ],
      };
    },
  };
}

/** A session that begins with its first message. */
const nothing: Promise<UnfinishedReply[]> = Promise.resolve([]);

/** Its messages leave the path as well: what stands there instead hangs where they do. */
function above(tree: Tree, { seq, messages }: NonNullable<Place["insteadOf"]>): number {
  let parent = parentOf(tree, seq);
  for (let left = messages; left > 0; left -= 1) parent = parentOf(tree, parent);
  return parent;
}

async function claimKey(
  tx: Queryable,
  parts: AcceptParts,
  { idempotency, sessionId, replyId }: Acceptance,
  userId: string,
): Promise<void> {
  if (idempotency === null) return;
  const result = { sessionId, messageId: replyId };
  const isNew = await parts.idempotency.claim(tx, userId, idempotency, result);
  if (!isNew) throw new KeyTaken(userId);
}

/** A session that begins with this turn: nobody else can know of it. */
async function begin(
  tx: Queryable,
  parts: AcceptParts,
  session: BeginningSession,
  message: string,
): Promise<SessionRow> {
  const { sessionId, userId, externalId, earlier = [], isTemporary = false } = session;
  const autoTitle = session.title === null && !isTemporary ? titleOf(message) : null;
  const lastSeq = earlier.length + 2;
  const titled = { ...session, title: session.title ?? autoTitle, autoTitle };
  await parts.insertSession(tx, titled, lastSeq);
  if (externalId) {
    const { rowCount } = await tx.query(
      `INSERT INTO external_ids (user_id, namespace, external_id, session_id) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING`,
      [userId, externalId.namespace, externalId.id, sessionId],
    );
    if (rowCount === 0) throw new ExternalIdTaken();
  }
  if (earlier.length === 0) return { ...session, status: "active", lastSeq, tree: null };
  const rows = earlier.map(({ role, text }, index) => ({
    seq: index + 1,
    message_id: newId(),
    role,
    content: text,
  }));
  await tx.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, metadata)
     SELECT $1, message_id, seq, role, 'complete', $2, content, '{"imported": true}'
     FROM jsonb_to_recordset($3::jsonb) AS given (message_id uuid, seq int, role text, content text)`,
    [sessionId, session.agentId, toJsonb(rows)],
  );
  // Agents that remember by themselves have yet to be told what was said.
  const all = { first: 1, parent: 0, last: lastSeq, thread: 1 };
  const tree = { segments: [all], lastSeq, threads: 1 };
  await storeBranches(tx, sessionId, tree);
  return { ...session, status: "active", lastSeq, tree: storeTree(tree) };
}

/** The messages of a turn: the user's and the reply, or only that. */
function manyOf({ message }: Acceptance): number {
  return message === null ? 1 : 2;
}

function treeBefore({ lastSeq, tree }: SessionRow, request: Acceptance): Tree {
  return readTree({ lastSeq: lastSeq - manyOf(request), tree });
}

/** Below the head nothing is to be stored: the next numbers are there already. */
async function hang(
  tx: Queryable,
  sessionId: string,
  before: Tree,
  parent: number,
  many: number,
): Promise<Tree> {
  const tree = withMessages(before, parent, many);
  if (parent === headOf(before)) return tree;
  await storeBranches(tx, sessionId, tree);
  return tree;
}

/** Takes the turn's numbers under the session's lock; ownership is checked in the same statement. */
async function lockAndCount(tx: Queryable, request: Acceptance): Promise<SessionRow> {
  const { sessionId, ownerId, message, config } = request;
  const { title } = config ?? {};
  const { rows } = await tx.query<SessionRow>(
    `UPDATE sessions SET last_seq = last_seq + $6, message_count = message_count + $6,
       last_activity = now(), title = coalesce($4, title, $3),
       auto_title = CASE WHEN $4::text IS NOT NULL THEN NULL WHEN title IS NULL THEN $3 ELSE auto_title END,
       config = CASE WHEN $5::jsonb IS NULL THEN config ELSE config || $5::jsonb END
     WHERE session_id = $1 AND ($2::text IS NULL OR user_id = $2)
     RETURNING user_id AS "userId", agent_id AS "agentId", status, config, last_seq AS "lastSeq", tree`,
    [
      sessionId,
      ownerId,
      message === null ? null : titleOf(message.text),
      typeof title === "string" && title.trim() !== "" ? title : null,
      config === undefined ? null : toJsonb(config),
      manyOf(request),
    ],
  );
  const session = rows[0];
  if (session === undefined) throw new Problem("session_not_found", { sessionId });
  // Each change is bounded; what many of them add up to is too.
  if (config !== undefined) checkObjectSize(session.config, "/session_config");
  return session;
}

interface Standing {
  readonly session: SessionRow;
  readonly anchored: Anchored;
  readonly tree: Tree;
  readonly agentId: string;
  readonly waits: boolean;
  /** It came to be answered together with what else waits. */
  readonly merges: boolean;
  readonly steers: string | null;
}

async function insertMessages(
  tx: OpenTransaction,
  parts: AcceptParts,
  request: Acceptance,
  standing: Standing,
): Promise<ClaimedReply> {
  const { sessionId, userMessageId, message, turn: given } = request;
  const { session, anchored, tree, agentId, waits, steers } = standing;
  const { earlier } = anchored;
  const files = (message?.attachments ?? []).map((file) => ({
    info: describeAttachment(file),
    bytes: file.bytes,
  }));
  const infos = await shownFiles(tx, parts, request, anchored.question, files);
  const question =
    message === null
      ? anchored.question
      : {
          messageId: userMessageId,
          seq: tree.lastSeq - 1,
          content: message.text,
          attachments: infos.length === 0 ? null : infos,
          isSpoken: false,
        };
  if (question === null) throw new Error("a reply to no message");
  const isFirst = request.at.kind === "head" || request.at.kind === "below";
  const merges = waits && standing.merges && message !== null && isFirst;
  const turn: Turn = {
    ...given,
    ...(question.isSpoken && { processedMessage: question.content }),
    userId: session.userId,
    settings: settingsOf(session.config),
    ...(earlier.length > 0 && { joins: earlier.map(({ messageId }) => messageId) }),
    ...([...earlier, question].some(({ attachments }) => attachments !== null) && {
      hasAttachments: true,
    }),
    ...(merges && { merges }),
    ...(steers !== null && { steers }),
  };
  const status = waits ? "queued" : "streaming";
  const reply = newReply({
    request,
    question,
    earlier,
    agentId,
    turn,
    waits,
    conversation: { lastSeq: tree.lastSeq, tree: storeTree(tree) },
  });
  const asked =
    message === null ? empty : sql`${questionRow(sessionId, question, agentId, message)},`;
  const { text, values } = sql`
    INSERT INTO messages (${insertedColumns}) VALUES ${asked} ${replyRow(reply, status, parts)}`;
  tx.ask(text, values);
  if (files.length > 0)
    await parts.attachments.insert(tx, { sessionId, messageId: question.messageId }, files);
  return reply;
}

/** What the user's message shows of its files: those that came with it, or those of the message that it stands beside. */
async function shownFiles(
  tx: Queryable,
  { attachments }: AcceptParts,
  { sessionId, userMessageId, message }: Acceptance,
  beside: Question | null,
  files: readonly { readonly info: AttachmentInfo }[],
): Promise<AttachmentInfo[]> {
  const isKept = message?.attachments === null && beside !== null && beside.attachments !== null;
  if (!isKept) return files.map(({ info }) => info);
  const to = { sessionId, messageId: userMessageId };
  return attachments.copy(tx, beside.messageId, to, beside.attachments);
}

interface AcceptedRow extends Omit<ClaimedReply, "turn"> {
  /** Null: it has ended meanwhile. */
  readonly turn: Turn | null;
  /** Null: it does not wait any more. */
  readonly position: number | null;
  /** This node holds its lease. */
  readonly isHere: boolean;
}

/** The first try was committed. Others may have gone on with the reply since then: here follows what is left to do. */
async function acceptedBefore(
  tx: Queryable,
  { nodeId }: Claimant,
  request: Acceptance,
  unanswered: Change<Accepted> | null | undefined,
): Promise<Change<Accepted> | null> {
  const { sessionId, replyId, userMessageId, newSession } = request;
  const { rows } = await tx.query<AcceptedRow>(
    `SELECT ${claimedColumns}, ${questionOf("m.session_id", "m.turn")},
       ${conversationOf("m.session_id")},
       coalesce(m.status = 'streaming' AND m.lease_owner = $3, false) AS "isHere",
       CASE WHEN m.status IN ${statesBefore("start")} THEN (
         SELECT count(*)::int FROM messages q
         WHERE q.session_id = $1 AND q.status IN ${statesBefore("start")} AND q.seq <= m.seq)
       END AS position
     FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
     WHERE m.session_id = $1 AND m.message_id = $2`,
    [sessionId, replyId, nodeId],
  );
  const row = rows[0];
  if (row === undefined) {
    const taken = await takenInBefore(tx, request);
    if (taken !== null) return taken;
    // It has become part of another turn.
    const { rowCount } = await tx.query(
      "SELECT 1 FROM messages WHERE session_id = $1 AND message_id = $2",
      [sessionId, userMessageId],
    );
    return rowCount > 0 ? (unanswered ?? null) : null;
  }
  const { position, isHere, turn, ...rest } = row;
  const reply = { ...rest, turn: turn ?? { ...request.turn, userId: "", settings: {} } };
  const waitsFor =
    position === null ? null : await inFront(tx, sessionId, await unfinishedReplies(tx, sessionId));
  const goesOn = isHere || position !== null;
  return {
    result: { ...reply, after: 0 },
    effects: [
      ...(newSession === null || newSession.isTemporary === true
        ? []
        : [counted(newSession, reply.agentId)]),
      ...opening(reply, request, { queuePosition: position, waitsFor }).filter(
        ({ do: what }) => what === "count" || goesOn,
      ),
    ],
  };
}

/** The first try was committed, and the message has become part of the reply that ran: its own is there no more. */
async function takenInBefore(
  tx: Queryable,
  { sessionId, replyId, userMessageId, message, turn }: Acceptance,
): Promise<Change<Accepted> | null> {
  const { rows } = await tx.query<Omit<ClaimedReply, "turn">>(
    `SELECT ${claimedColumns}, ${questionOf("m.session_id", "m.turn")}, u.message_id AS "userMessageId",
       ${conversationOf("m.session_id")}
     FROM messages u JOIN messages m ON m.session_id = u.session_id AND m.message_id = ${takenInBy}
     WHERE u.session_id = $1 AND u.message_id = $2`,
    [sessionId, userMessageId],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { agentId } = row;
  const type = message?.type ?? "text";
  return {
    result: { ...row, turn: { ...turn, userId: "", settings: {} }, after: 0 },
    effects: [
      { do: "count", what: "turn-accepted", sessionId, replyId, agentId, type, queued: true },
    ],
  };
}

function counted({ sessionId }: BeginningSession, agentId: string): Effect {
  return { do: "count", what: "session-created", sessionId, agentId };
}
