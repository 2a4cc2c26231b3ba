import { setTimeout as delay } from "node:timers/promises";
import type { Database, Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import { markOf, ownerPrefix, termsOf } from "./terms.ts";
import { maxReadLength } from "./units.ts";

export interface SearchIndex {
  /** What a user has written last can be found when this resolves. */
  catchUp(userId: string): Promise<void>;
  start(): void;
  /** Resolves when nothing is being written any more. */
  stop(): Promise<void>;
}

interface SearchIndexOptions {
  readonly database: Database;
  readonly logger: Logger;
  readonly pollMs?: number;
}

interface Note {
  readonly queueId: number;
  readonly sessionId: string;
  /** Null: the session's title. */
  readonly seq: number | null;
}

interface Text {
  readonly sessionId: string;
  readonly seq: number | null;
  readonly userId: string;
  readonly text: string;
  readonly role: string;
  readonly agentId: string;
}

const batchSize = 20;
/** For more than that (an import, say) nobody who searches waits. */
const maxCaughtUp = 100;
/** Then another node may do what this one has taken. */
const takenForSeconds = 60;
/** So many notes of what was there before are made at once, when there is nothing newer to do. */
const backfillSize = 500;

/**
 * Makes the entries that are searched, from what the database notes down whenever a message or a title is written. Every
 * node does; whoever searches waits for his own. A message that cannot be read keeps nobody else's from being found.
 */
export function createSearchIndex({
  database,
  logger,
  pollMs = 1_000,
}: SearchIndexOptions): SearchIndex {
  const stopping = new AbortController();
  const { signal } = stopping;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  let isBackfilled = false;

  /** Makes the entries of these notes; one that cannot be made keeps the others from nothing. */
  const work = async (notes: readonly Note[]): Promise<void> => {
    try {
      await writeEntries(database, notes);
    } catch (error) {
      if (error instanceof Problem) throw error; // the database is away
      if (notes.length > 1) {
        for (const note of notes) await work([note]);
        return;
      }
      const [note] = notes;
      logger.error({ err: error, ...note }, "a text cannot be made searchable; trying again");
    }
  };

  const doRound = async () => {
    while (!signal.aborted) {
      const startedMs = performance.now();
      const notes = await take(database);
      await work(notes);
      if (notes.length > 0) {
        // Half of the time is everybody else's, however much there is to do.
        await delay(performance.now() - startedMs);
        continue;
      }
      isBackfilled ||= !(await database.transaction(noteEarlier));
      if (isBackfilled) return;
    }
  };

  const schedule = (delayMs: number) => {
    if (signal.aborted) return;
    timer = setTimeout(() => {
      round = doRound()
        .catch((error: unknown) =>
          logger.warn({ err: error }, "what was written last cannot be found yet; trying again"),
        )
        .then(() => schedule(pollMs));
    }, delayMs);
    timer.unref();
  };

  return {
    async catchUp(userId) {
      // Also what another node has taken: it may be dead, and twice does no harm.
      const { rows } = await database.query<Note>(
        `SELECT ${noteColumns} FROM search_queue WHERE user_id = $1 ORDER BY queue_id DESC LIMIT $2`,
        [userId, maxCaughtUp],
      );
      for (let at = 0; at < rows.length; at += batchSize) {
        await work(rows.slice(at, at + batchSize));
      }
    },
    start: () => schedule(pollMs),
    stop() {
      stopping.abort();
      clearTimeout(timer);
      return round;
    },
  };
}

const noteColumns = `queue_id AS "queueId", session_id AS "sessionId", seq`;

async function take(database: Queryable): Promise<Note[]> {
  const { rows } = await database.query<Note>(
    `UPDATE search_queue SET due_at = now() + interval '${takenForSeconds} seconds' WHERE queue_id IN (
       SELECT queue_id FROM search_queue WHERE due_at <= now() ORDER BY queue_id LIMIT $1
       FOR UPDATE SKIP LOCKED)
     RETURNING ${noteColumns}`,
    [batchSize],
  );
  return rows;
}

/** Reading takes its time, and is done before anything is locked. */
async function writeEntries(database: Database, notes: readonly Note[]): Promise<void> {
  if (notes.length === 0) return;
  const ofMessages = notes.filter(({ seq }) => seq !== null);
  const ofTitles = notes.filter(({ seq }) => seq === null);
  const messages = await entriesOf(ofMessages, await readMessages(database, ofMessages));
  const titles = await entriesOf(ofTitles, await readTitles(database, ofTitles));
  await database.transaction(async (tx) => {
    // Whoever deletes one locks its row first, so he never waits for what is written here while this waits for him.
    await tx.query(
      "SELECT 1 FROM sessions WHERE session_id = ANY($1::uuid[]) ORDER BY session_id FOR KEY SHARE",
      [[...new Set(notes.map(({ sessionId }) => sessionId))]],
    );
    if (ofMessages.length > 0) await writeMessages(tx, messages);
    if (ofTitles.length > 0) await writeTitles(tx, titles);
    await tx.query("DELETE FROM search_queue WHERE queue_id = ANY($1::bigint[])", [
      notes.map(({ queueId }) => queueId),
    ]);
  });
}

async function readMessages(database: Queryable, notes: readonly Note[]): Promise<Text[]> {
  if (notes.length === 0) return [];
  const { rows } = await database.query<Text>(
    `SELECT m.session_id AS "sessionId", m.seq, s.user_id AS "userId", m.role, m.agent_id AS "agentId",
       CASE WHEN m.metadata ->> 'kind' = 'summary' THEN '' ELSE left(m.content, ${maxReadLength}) END AS text
     FROM unnest($1::uuid[], $2::int[]) AS n (session_id, seq)
     JOIN messages m ON m.session_id = n.session_id AND m.seq = n.seq
     JOIN sessions s ON s.session_id = m.session_id`,
    [notes.map(({ sessionId }) => sessionId), notes.map(({ seq }) => seq)],
  );
  return rows;
}

async function readTitles(database: Queryable, notes: readonly Note[]): Promise<Text[]> {
  if (notes.length === 0) return [];
  const { rows } = await database.query<Text>(
    `SELECT session_id AS "sessionId", NULL AS seq, user_id AS "userId", '' AS role, '' AS "agentId",
       coalesce(title, '') AS text
     FROM sessions WHERE session_id = ANY($1::uuid[])`,
    [notes.map(({ sessionId }) => sessionId)],
  );
  return rows;
}

async function entriesOf(notes: readonly Note[], texts: readonly Text[]): Promise<string> {
  const keyOf = (item: Pick<Note, "sessionId" | "seq">) => `${item.sessionId} ${item.seq}`;
  const versions = new Map<string, number>();
  for (const note of notes) {
    versions.set(keyOf(note), Math.max(note.queueId, versions.get(keyOf(note)) ?? 0));
  }
  const entries = [];
  for (const text of texts) {
    const key = keyOf(text);
    const version = versions.get(key);
    // Two notes of one text are one entry.
    if (version === undefined || !versions.delete(key)) continue;
    const prefix = ownerPrefix(text.userId);
    const terms = [...marksOf(text), ...(await termsOf(text.text))].map((term) => prefix + term);
    entries.push({ session_id: text.sessionId, seq: text.seq, version, terms });
  }
  return toJsonb(entries);
}

function marksOf({ sessionId, seq, role, agentId }: Text): string[] {
  const ofSession = markOf("session", sessionId);
  return seq === null ? [ofSession] : [ofSession, markOf("role", role), markOf("agent", agentId)];
}

async function writeMessages(tx: Queryable, entries: string): Promise<void> {
  await tx.query(
    `INSERT INTO message_search AS e (session_id, seq, user_id, created_at, version, terms)
     SELECT session_id, seq, s.user_id, m.created_at, r.version, array_to_tsvector(r.terms)
     FROM jsonb_to_recordset($1::jsonb) AS r (session_id uuid, seq int, version bigint, terms text[])
     JOIN messages m USING (session_id, seq) JOIN sessions s USING (session_id)
     ON CONFLICT (session_id, seq) DO UPDATE SET version = excluded.version, terms = excluded.terms
     WHERE e.version < excluded.version`,
    [entries],
  );
}

async function writeTitles(tx: Queryable, entries: string): Promise<void> {
  await tx.query(
    `INSERT INTO session_search AS e (session_id, user_id, created_at, version, terms)
     SELECT session_id, s.user_id, s.created_at, r.version, array_to_tsvector(r.terms)
     FROM jsonb_to_recordset($1::jsonb) AS r (session_id uuid, version bigint, terms text[])
     JOIN sessions s USING (session_id)
     ON CONFLICT (session_id) DO UPDATE SET version = excluded.version, terms = excluded.terms
     WHERE e.version < excluded.version`,
    [entries],
  );
}

interface Step {
  readonly kind: string;
  readonly sessionId: string;
  readonly seq: number;
}

/**
 * Notes down more of what was written before there was anything to note it, the newest sessions first. False when there
 * is no more.
 */
async function noteEarlier(tx: Queryable): Promise<boolean> {
  const { rows } = await tx.query<Step>(
    `SELECT kind, session_id AS "sessionId", seq FROM search_backfill ORDER BY kind DESC LIMIT 1 FOR UPDATE`,
  );
  const step = rows[0];
  if (step === undefined) return false;
  const { kind, sessionId, seq } = step;
  const { rows: noted } = await tx.query<{ sessionId: string; seq: number | null }>(
    kind === "titles"
      ? `INSERT INTO search_queue (user_id, session_id)
         SELECT user_id, session_id FROM sessions WHERE session_id < $1 ORDER BY session_id DESC LIMIT $2
         RETURNING session_id AS "sessionId", seq`
      : `INSERT INTO search_queue (user_id, session_id, seq)
         SELECT s.user_id, m.session_id, m.seq FROM (
           SELECT session_id, seq FROM messages WHERE (session_id, seq) < ($1, $3::int)
           ORDER BY session_id DESC, seq DESC LIMIT $2) AS m
         JOIN sessions s ON s.session_id = m.session_id
         RETURNING session_id AS "sessionId", seq`,
    kind === "titles" ? [sessionId, backfillSize] : [sessionId, backfillSize, seq],
  );
  const last = noted.reduce<{ sessionId: string; seq: number | null } | undefined>(
    (lowest, note) =>
      lowest === undefined ||
      note.sessionId < lowest.sessionId ||
      (note.sessionId === lowest.sessionId && (note.seq ?? 0) < (lowest.seq ?? 0))
        ? note
        : lowest,
    undefined,
  );
  if (last === undefined) {
    await tx.query("DELETE FROM search_backfill WHERE kind = $1", [kind]);
  } else {
    await tx.query("UPDATE search_backfill SET session_id = $2, seq = $3 WHERE kind = $1", [
      kind,
      last.sessionId,
      last.seq ?? 0,
    ]);
  }
  return true;
}
