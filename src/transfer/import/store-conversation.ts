import { v5 } from "uuid";
import type { AttachmentInfo, AttachmentStore } from "../../attachments/attachment-store.ts";
import { sqlState, type Database, type Queryable } from "../../database/database.ts";
import { cleanText, toJsonb } from "../../lib/clean-text.ts";
import { isId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import { boundedExtras } from "../../replies/extras.ts";
import { lockTree, storeBranches, unfinishedReplies } from "../../replies/lifecycle/branches.ts";
import type { InsertSession } from "../../sessions/insert-session.ts";
import { holds } from "../../tree/ranges.ts";
import { headOf, pathTo, readTree, withHead, withMessages, type Tree } from "../../tree/tree.ts";
import type { Arranged } from "./arrange.ts";
import { ImportFault, type SourceConversation, type SourceMessage } from "./conversation.ts";
import type { LongTexts } from "./long-texts.ts";
import type { ReadFile } from "./read-file.ts";

export interface StoreParts {
  readonly database: Database;
  readonly attachments: Pick<AttachmentStore, "add" | "checkQuota">;
  readonly insertSession: InsertSession;
}

/** How what was read becomes what is stored. */
export interface Reading {
  readonly texts: Pick<LongTexts, "whole" | "wholeValue" | "shortened">;
  readonly readFile: ReadFile;
  /** An agent that there is; the default one for any other. */
  readonly agentOf: (agentId: string | null) => string;
}

export interface StoredConversation {
  readonly sessionId: string;
  readonly status: "imported" | "updated" | "skipped";
  /** Stored now. */
  readonly messages: number;
}

/** A message that is not there yet. */
interface Added {
  readonly message: SourceMessage;
  readonly messageId: string;
  readonly seq: number;
  readonly replyTo: string | null;
  readonly createdAt: Date;
}

/** Of all ids that are made of others'. */
const namespace = "0b0c8a4e-6c5d-5d0b-9d6a-3f1d5a0c7e21";
const maxContentBytes = 16 * 1024 * 1024;
const batchBytes = 1024 * 1024;
const batchRows = 500;
/** Two imports of the same at once: the second one finds what the first has made. */
const uniqueViolation = "23505";
/** Agents that remember by themselves have yet to be told what was said. */
const emptyTree = {
  lastSeq: 0,
  tree: { segments: [[1, 0, null, 1]], threads: 1, removed: 0 },
} as const;

/**
 * Stores a conversation, all of it or nothing, under ids that follow from its user and its source: the second time only
 * what is new is added. Raises ImportFault, and Problems about room.
 */
export async function storeConversation(
  parts: StoreParts,
  userId: string,
  conversation: SourceConversation,
  arranged: Arranged,
  reading: Reading,
): Promise<StoredConversation> {
  const store = () =>
    parts.database.transaction((tx) =>
      storeAll(tx, parts, userId, conversation, arranged, reading),
    );
  try {
    return await store();
  } catch (error) {
    if (sqlState(error) !== uniqueViolation) throw error;
    return store();
  }
}

async function storeAll(
  tx: Queryable,
  parts: StoreParts,
  userId: string,
  conversation: SourceConversation,
  { messages, parents }: Arranged,
  reading: Reading,
): Promise<StoredConversation> {
  const { source, id, createdAt } = conversation;
  const derived = `${userId}\n${source}\n${id}`;
  const sessionId = (await ownSession(tx, userId, conversation)) ?? v5(derived, namespace);
  const locked = await lockTree(tx, sessionId);
  const base = locked?.tree ?? readTree(emptyTree);
  const there = locked === null ? new Map<string, number>() : await numbersOf(tx, sessionId);
  // Where it is this very session, by the ids that they have; else by those that they get.
  const ids = messages.map((message) =>
    there.has(message.id) ? message.id : v5(`${sessionId}\n${message.id}`, namespace),
  );
  const isNew = ids.map((messageId) => !there.has(messageId));
  const { tree, seqs } = grow(base, parents, (index) => there.get(ids[index] ?? ""));
  const times = timesOf(messages, parents, createdAt);
  const added = messages.flatMap((message, index): Added[] =>
    isNew[index] === true
      ? [
          {
            message,
            messageId: ids[index] ?? "",
            seq: seqs[index] ?? 0,
            replyTo: ids[questionOf(index, messages, parents)] ?? null,
            createdAt: times[index] ?? new Date(),
          },
        ]
      : [],
  );
  if (locked !== null && added.length === 0) return { sessionId, status: "skipped", messages: 0 };
  if (locked === null) await insertSession(tx, parts, sessionId, userId, conversation, reading);
  await insertMessages(tx, parts, sessionId, conversation, added, reading);
  const head = messages.findIndex((message) => message.id === conversation.headId);
  const wanted = seqs[head] ?? tree.lastSeq;
  await storeBranches(tx, sessionId, await withSuitableHead(tx, sessionId, base, tree, wanted));
  const newestMs = times.reduce((latest, time) => Math.max(latest, time.getTime()), 0);
  const began = createdAt ?? times[0] ?? null;
  await tx.query(
    `UPDATE sessions SET created_at = coalesce($2::timestamptz, created_at), last_seq = $3, imported_at = now(),
       last_activity = CASE WHEN $4 THEN $5::timestamptz ELSE greatest(last_activity, $5::timestamptz) END
     WHERE session_id = $1`,
    [
      sessionId,
      locked === null && began !== null ? began.toISOString() : null,
      tree.lastSeq,
      locked === null && times.length > 0,
      times.length > 0 ? new Date(newestMs).toISOString() : null,
    ],
  );
  // A new one is told by itself; of one that has grown nothing else may have changed.
  if (locked !== null) await tx.query(tellSql, [userId, sessionId]);
  return {
    sessionId,
    status: locked === null ? "imported" : "updated",
    messages: added.length,
  };
}

/** Our own export of a session that is still there and this user's. */
async function ownSession(
  tx: Queryable,
  userId: string,
  { source, id }: SourceConversation,
): Promise<string | null> {
  if (source !== "chat-service" || !isId(id)) return null;
  const { rows } = await tx.query<{ sessionId: string }>(
    `SELECT session_id AS "sessionId" FROM sessions WHERE session_id = $1 AND user_id = $2`,
    [id, userId],
  );
  return rows[0]?.sessionId ?? null;
}

async function numbersOf(tx: Queryable, sessionId: string): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ messageId: string; seq: number }>(
    `SELECT message_id AS "messageId", seq FROM messages WHERE session_id = $1`,
    [sessionId],
  );
  return new Map(rows.map(({ messageId, seq }) => [messageId, seq]));
}

/** The tree with those messages that have no number yet, and the numbers of all. */
function grow(
  base: Tree,
  parents: readonly number[],
  numberOf: (index: number) => number | undefined,
): { tree: Tree; seqs: readonly number[] } {
  let tree = base;
  const seqs: number[] = [];
  let start: { readonly parent: number; many: number } | null = null;
  const close = () => {
    if (start !== null) tree = withMessages(tree, start.parent, start.many);
    start = null;
  };
  for (const [index, place] of parents.entries()) {
    const known = numberOf(index);
    if (known !== undefined) {
      seqs.push(known);
      continue;
    }
    const parent = place === 0 ? 0 : (seqs[place - 1] ?? 0);
    const last: number = tree.lastSeq + (start?.many ?? 0);
    // What follows the one before it is one piece of the tree with it.
    if (start !== null && parent === last) start.many += 1;
    else {
      close();
      start = { parent, many: 1 };
    }
    seqs.push(last + 1);
  }
  close();
  return { tree, seqs };
}

/** The path that the file shows; where the user has moved on from there, what he looks at stays. */
async function withSuitableHead(
  tx: Queryable,
  sessionId: string,
  base: Tree,
  tree: Tree,
  wanted: number,
): Promise<Tree> {
  const before = headOf(base);
  const goesOn = before === 0 || holds(pathTo(tree, wanted), before);
  const isFree = goesOn && (await unfinishedReplies(tx, sessionId)).length === 0;
  return withHead(tree, isFree ? wanted : before);
}

/** Place of the user's message that a reply answers: the nearest above it, -1 where there is none near. */
function questionOf(
  index: number,
  messages: readonly SourceMessage[],
  parents: readonly number[],
): number {
  if (messages[index]?.role !== "assistant") return -1;
  let at = index;
  for (let steps = 0; steps < 100 && at >= 0; steps += 1) {
    at = (parents[at] ?? 0) - 1;
    if (messages[at]?.role === "user") return at;
  }
  return -1;
}

/** What has no time has that of its parent. */
function timesOf(
  messages: readonly SourceMessage[],
  parents: readonly number[],
  createdAt: Date | null,
): Date[] {
  const times: Date[] = [];
  for (const [index, message] of messages.entries()) {
    times.push(message.createdAt ?? times[(parents[index] ?? 0) - 1] ?? createdAt ?? new Date());
  }
  return times;
}

async function insertSession(
  tx: Queryable,
  parts: StoreParts,
  sessionId: string,
  userId: string,
  conversation: SourceConversation,
  { texts, agentOf }: Reading,
): Promise<void> {
  const { title, status, config, metadata, pinned, tags, agentId } = conversation;
  const session = {
    sessionId,
    userId,
    agentId: agentOf(agentId),
    title: titleOf(title),
    config: texts.shortened(config),
    metadata: texts.shortened(metadata),
  };
  try {
    await parts.insertSession(tx, session, 0, status);
  } catch (error) {
    // Who may have no further active one still gets what is his.
    if (!(error instanceof Problem) || error.type !== "rate_limited") throw error;
    await parts.insertSession(tx, session, 0, "archived");
  }
  await tx.query("UPDATE sessions SET pinned = $2, tags = $3::text[] WHERE session_id = $1", [
    sessionId,
    pinned,
    tags.map(cleanText),
  ]);
}

async function insertMessages(
  tx: Queryable,
  { attachments }: StoreParts,
  sessionId: string,
  conversation: SourceConversation,
  added: readonly Added[],
  reading: Reading,
): Promise<void> {
  const feedback: object[] = [];
  let hasFiles = false;
  let rows: string[] = [];
  let bytes = 0;
  const write = async () => {
    if (rows.length > 0) await tx.query(insertSql, [sessionId, `[${rows.join(",")}]`]);
    rows = [];
    bytes = 0;
  };
  for (const each of added) {
    const { message, messageId } = each;
    const infos: AttachmentInfo[] = [];
    const missing: string[] = [];
    for (const file of message.files) {
      const read = await reading.readFile(file);
      if (read === null) missing.push(file.name);
      else {
        const to = { sessionId, messageId };
        infos.push(await attachments.add(tx, to, infos.length, read));
      }
    }
    hasFiles ||= infos.length > 0;
    const row = toJsonb(rowOf(each, conversation, infos, missing, reading));
    rows.push(row);
    bytes += row.length;
    const given = message.own?.feedback ?? null;
    if (given !== null && message.role === "assistant") {
      feedback.push({ message_id: messageId, rating: given.rating, created_at: given.timestamp });
    }
    if (bytes > batchBytes || rows.length >= batchRows) await write();
  }
  await write();
  if (feedback.length > 0) await tx.query(feedbackSql, [sessionId, toJsonb(feedback)]);
  if (hasFiles) await attachments.checkQuota(tx, sessionId);
}

function rowOf(
  { message, messageId, seq, replyTo, createdAt }: Added,
  conversation: SourceConversation,
  attachments: readonly AttachmentInfo[],
  missing: readonly string[],
  { texts, agentOf }: Reading,
): object {
  const { role, status, own, reasoning } = message;
  const content = cleanText(texts.whole(message.content));
  if (Buffer.byteLength(content) > maxContentBytes) throw tooLong();
  const whole = own === undefined ? null : texts.wholeValue(own);
  // What was folded away is a help to readers; what our own service knew stays as it was.
  const metadata =
    own === undefined ? texts.shortened(message.metadata) : texts.wholeValue(message.metadata);
  return {
    message_id: messageId,
    seq,
    role,
    status,
    agent_id: agentOf(own?.agentId ?? conversation.agentId),
    content,
    reply_to: replyTo,
    metadata: {
      ...metadata,
      ...(missing.length > 0 && { missing_files: missing.slice(0, 50) }),
    },
    created_at: createdAt.toISOString(),
    reasoning: reasoning === null ? null : texts.whole(reasoning),
    attachments: attachments.length > 0 ? attachments : null,
    usage: whole?.usage ?? null,
    finish_reason: whole?.finishReason ?? null,
    error: whole?.error ?? null,
    tool_calls: whole?.toolCalls ?? null,
    media: whole?.media ?? null,
    extras: boundedExtras(whole?.extras ?? null),
    unspoken: whole?.unspoken ?? null,
    context: whole?.context ?? null,
    output_format: whole?.outputFormat ?? null,
    feedback: whole?.feedback ?? null,
  };
}

const tellSql = `
  SELECT tell_devices($1, 'session_updated', $2::uuid, NULL, '{"changed": ["messages"]}'::jsonb)`;

const insertSql = `
  INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to, metadata, created_at,
    reasoning, attachments, usage, finish_reason, error, tool_calls, media, extras, unspoken, context, output_format, feedback)
  SELECT $1, message_id, seq, role, status, agent_id, content, reply_to, metadata, created_at, reasoning,
    nullif(attachments, 'null'), nullif(usage, 'null'), finish_reason, nullif(error, 'null'),
    nullif(tool_calls, 'null'), nullif(media, 'null'), nullif(extras, 'null'), unspoken, nullif(context, 'null'), output_format,
    nullif(feedback, 'null')
  FROM jsonb_to_recordset($2::jsonb) AS given (message_id uuid, seq int, role text, status text, agent_id text,
    content text, reply_to uuid, metadata jsonb, created_at timestamptz, reasoning text, attachments jsonb,
    usage jsonb, finish_reason text, error jsonb, tool_calls jsonb, media jsonb, extras jsonb, unspoken text, context jsonb,
    output_format text, feedback jsonb)`;

const feedbackSql = `
  INSERT INTO feedback (session_id, message_id, user_id, agent_id, model, rating, created_at)
  SELECT $1, given.message_id, s.user_id, m.agent_id, NULL, given.rating, given.created_at
  FROM jsonb_to_recordset($2::jsonb) AS given (message_id uuid, rating text, created_at timestamptz)
  JOIN messages m ON m.session_id = $1 AND m.message_id = given.message_id
  JOIN sessions s ON s.session_id = $1`;

function titleOf(title: string | null): string | null {
  const cleaned = cleanText(title ?? "").trim();
  return cleaned === "" ? null : cleaned.slice(0, 500).toWellFormed();
}

function tooLong(): ImportFault {
  const room = maxContentBytes / 1024 / 1024;
  return new ImportFault(`A message is longer than ${room} MiB.`, `有消息超过 ${room} MiB。`);
}
