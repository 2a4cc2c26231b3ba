import sql from "sql-template-tag";
import type { Database } from "../database/database.ts";
import type { EarlierMessage } from "../replies/lifecycle/acceptance.ts";
import type { Anchor } from "../replies/lifecycle/anchor.ts";
import type { FoundSession } from "../sessions/session-store.ts";
import { newest, type Ranges } from "../tree/ranges.ts";
import { rowsOf } from "../tree/rows-of.ts";
import { childrenOf, headOf, pathTo } from "../tree/tree.ts";
import { isAbout } from "./side-request.ts";

/** Of what a client says was said, the last so many messages have to be what is stored. */
const compared = 4;
/** Prompts about a conversation hold some of its last messages. */
const quotable = 8;
/** Of messages that say the same. */
const maxCandidates = 20;
/** So far back a branch may begin, in messages: front ends send side requests with each turn, and each looks here. */
const maxBack = 1_000;

interface StoredRow {
  readonly seq: number;
  readonly messageId: string;
  readonly role: string;
  readonly status: string;
  readonly content: string;
}

/** Where a turn goes on in a session. */
export interface TurnPlace {
  readonly at: Anchor;
  /** It takes the place of what is being made there: the same is asked again, and whoever asked does not wait for the first. */
  readonly interrupts: boolean;
}

export type PlaceTurn = ReturnType<typeof createPlaceTurn>;

/**
 * Where in a stored conversation a request goes on, by what its client says was said: on the active path, on a branch, or
 * at a message that is asked again. Null: nowhere, so it is about something else than the conversation. What a client says
 * is never taken for what was said.
 */
export function createPlaceTurn(database: Database) {
  const read = async (sessionId: string, path: Ranges, limit: number): Promise<StoredRow[]> => {
    const columns = `seq, message_id, role, status, content`;
    const { text, values } = sql`
      SELECT seq, message_id AS "messageId", role, status, content
      FROM ${rowsOf(sessionId, path, columns)}
      WHERE content <> '' OR status IN ('queued', 'streaming', 'paused')
      ORDER BY seq DESC LIMIT ${limit}`;
    const { rows } = await database.query<StoredRow>(text, values);
    return rows;
  };

  /** Whether the path to this message ends with what was given, newest first. */
  const endsWith = async (
    { sessionId, tree }: FoundSession,
    seq: number,
    given: readonly EarlierMessage[],
  ): Promise<boolean> => {
    // Messages without a word are skipped: where there were many, it is another conversation as far as this goes.
    const rows = await read(sessionId, newest(pathTo(tree, seq), 4 * compared), given.length);
    return given.every((message, index) => isSame(rows[index], message));
  };

  /** Replies that say this, the newest first. */
  const repliesSaying = async (
    { sessionId, tree }: FoundSession,
    text: string,
  ): Promise<StoredRow[]> => {
    const { rows } = await database.query<StoredRow>(
      `SELECT seq, message_id AS "messageId", role, status, content FROM messages
       WHERE session_id = $1 AND role = 'assistant' AND seq > $4
         AND btrim(regexp_replace(content, '\\s+', ' ', 'g')) = btrim(regexp_replace($2, '\\s+', ' ', 'g'))
       ORDER BY seq DESC LIMIT $3`,
      [sessionId, text, maxCandidates, tree.lastSeq - maxBack],
    );
    return rows;
  };

  /** The same message of the user's below this one, if he has sent it there before. */
  const askedAt = async (
    { sessionId, tree }: FoundSession,
    seq: number,
    question: string,
  ): Promise<TurnPlace | null> => {
    const children = childrenOf(tree, seq);
    if (children.length === 0) return null;
    const rows = await read(sessionId, children.map(only), children.length);
    const asked = rows.find(
      ({ role, content }) => role === "user" && normalised(content) === normalised(question),
    );
    if (asked === undefined) return null;
    const answers = childrenOf(tree, asked.seq);
    const replies = answers.length === 0 ? [] : await read(sessionId, answers.map(only), 100);
    if (!replies.some(isUnfinished)) {
      return { at: { kind: "again", messageId: asked.messageId }, interrupts: false };
    }
    const [parent] = seq === 0 ? [] : await read(sessionId, [only(seq)], 1);
    return { at: { kind: "below", messageId: parent?.messageId ?? null }, interrupts: true };
  };

  /** Where what is said without a word before it goes: it is the first message, said otherwise, unless it is about the conversation. */
  const beginning = async (
    session: FoundSession,
    head: number,
    question: string,
  ): Promise<TurnPlace | null> => {
    if (head === 0) return { at: { kind: "head" }, interrupts: false };
    const again = await askedAt(session, 0, question);
    if (again !== null) return again;
    const path = newest(pathTo(session.tree, head), quotable);
    const rows = await read(session.sessionId, path, quotable);
    if (rows.some(({ content }) => isAbout(question, content))) return null;
    return { at: { kind: "below", messageId: null }, interrupts: false };
  };

  return async (
    session: FoundSession,
    earlier: readonly EarlierMessage[],
    question: string,
  ): Promise<TurnPlace | null> => {
    const given = earlier.filter(({ text }) => normalised(text) !== "").slice(-compared);
    given.reverse();
    const head = headOf(session.tree);
    const [last] = given;
    if (last === undefined) return beginning(session, head, question);
    if (await endsWith(session, head, given)) return { at: { kind: "head" }, interrupts: false };
    if (last.role !== "assistant") return null;
    for (const { seq, messageId } of await repliesSaying(session, plain(last.text))) {
      if (!(await endsWith(session, seq, given))) continue;
      const again = await askedAt(session, seq, question);
      return again ?? { at: { kind: "below", messageId }, interrupts: false };
    }
    return null;
  };
}

function only(seq: number) {
  return { first: seq, last: seq };
}

function isUnfinished({ status }: StoredRow): boolean {
  return status === "queued" || status === "streaming" || status === "paused";
}

/** A client that stopped listening has the beginning of a reply; one that saw text taken back has that in front of it. */
function isSame(stored: StoredRow | undefined, { role, text }: EarlierMessage): boolean {
  if (stored === undefined || stored.role !== role) return false;
  const kept = normalised(stored.content);
  const given = normalised(role === "assistant" ? plain(text) : text);
  if (kept === given) return true;
  if (role !== "assistant" || given === "") return false;
  return isUnfinished(stored) || kept.startsWith(given) || given.endsWith(kept);
}

/** Front ends keep thinking and tools in the text, folded away. */
function plain(text: string): string {
  return text.replaceAll(/<details\b[^]*?<\/details>/g, "");
}

function normalised(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
