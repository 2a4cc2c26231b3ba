import { setTimeout as delay } from "node:timers/promises";
import { boundedCount, countedAtMost } from "../database/bounded-count.ts";
import type { Database, Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import { termsOfEntry, type Entry } from "./entry.ts";
import { searchRule, termsOf } from "./terms.ts";
import { maxReadLength } from "./units.ts";

export interface SearchIndex {
  /** What a user has written last can be found when this resolves, unless it cannot be made searchable. */
  catchUp(userId: string): Promise<void>;
  start(): void;
  /** This node has written something: saves it the wait. However often, it is looked at most once in `ringMs`. */
  ring(): void;
  /** Resolves when nothing is being written any more. */
  stop(): Promise<void>;
}

interface SearchIndexOptions {
  readonly database: Database;
  readonly logger: Logger;
  /** How often is looked when nothing rings: for what dead nodes have left, and for what was there before search. */
  readonly pollMs?: number;
  readonly ringMs?: number;
  readonly rule?: number;
  readonly makeTerms?: (text: string) => Promise<string[]>;
}

interface Note {
  readonly queueId: number;
  /** How often it was taken, this time too. */
  readonly attempts: number;
  readonly sessionId: string;
  /** Null: the session's title. */
  readonly seq: number | null;
}

interface Text extends Entry {
  readonly text: string;
}

const batchSize = 50;
/** For more than that (an import, say) nobody who searches waits. */
const maxCaughtUp = 100;
/** Then another node may do what this one has taken; twice as long after each try. */
const takenForSeconds = 60;
/** Tries of one text, in about an hour; then it is given up. */
const maxAttempts = 6;
/** So many notes of what was there before are made at once, when there is nothing newer to do. */
const backfillSize = 500;

/**
 * Makes the entries that are searched, from what the database notes down whenever a message or a title is written. Every
 * node does; whoever searches waits for his own. A message that cannot be read keeps nobody else's from being found.
 */
export function createSearchIndex({
  database,
  logger,
  pollMs = 30_000,
  ringMs = 1_000,
  rule = searchRule,
  makeTerms = termsOf,
}: SearchIndexOptions): SearchIndex {
  const stopping = new AbortController();
  const { signal } = stopping;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  let isInRound = false;
  let isRung = false;

  /** Makes the entries of these notes; one that cannot be made keeps the others from nothing. */
  const work = async (notes: readonly Note[]): Promise<void> => {
    try {
      await writeEntries(database, notes, makeTerms);
    } catch (error) {
      if (notes.length > 1) {
        // The database may be away, or one of these may take it longer than it has.
        if (error instanceof Problem && notes.every(isFirstTry)) throw error;
        for (const note of notes) await work([note]);
        return;
      }
      const [note] = notes;
      if (note === undefined) return;
      if (error instanceof Problem && isFirstTry(note)) throw error;
      logger.debug({ err: error, ...note }, "a text cannot be made searchable");
      if (note.attempts < maxAttempts) return;
      await giveUp(database, note, rule);
      const { sessionId, seq } = note;
      logger.error(
        { err: error, sessionId, seq },
        "a text that cannot be made searchable is given up",
      );
    }
  };

  const doRound = async () => {
    while (!signal.aborted) {
      isRung = false;
      const startedMs = performance.now();
      const notes = await take(database);
      // One that has failed may be to blame for those that were taken with it.
      await work(notes.filter(isFirstTry));
      for (const note of notes) if (!isFirstTry(note)) await work([note]);
      // Half of the time is everybody else's, however much there is to do.
      if (notes.length > 0) await delay(performance.now() - startedMs);
      // What has come meanwhile has rung, and comes with others.
      if (notes.length === batchSize) continue;
      if ((await takeUpAgain(database, rule)) > 0) continue;
      if (!(await database.transaction(noteEarlier))) return;
    }
  };

  const schedule = (delayMs: number) => {
    if (signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      isInRound = true;
      round = doRound()
        .catch((error: unknown) => {
          // The database tells its outage itself.
          const level = error instanceof Problem ? "debug" : "warn";
          logger[level]({ err: error }, "what was written last cannot be found yet; trying again");
        })
        .then(() => {
          isInRound = false;
          schedule(isRung ? ringMs : pollMs);
        });
    }, delayMs);
    timer.unref();
  };

  return {
    async catchUp(userId) {
      // Also what another node has taken: it may be dead, and twice does no harm.
      const { rows } = await database.query<Note>(
        `SELECT ${noteColumns} FROM search_queue WHERE user_id = $1 AND attempts < 2 AND due_at < 'infinity'
         ORDER BY queue_id DESC LIMIT $2`,
        [userId, maxCaughtUp],
      );
      for (let at = 0; at < rows.length; at += batchSize) {
        await work(rows.slice(at, at + batchSize));
      }
    },
    start: () => schedule(ringMs),
    ring() {
      if (isRung) return;
      isRung = true;
      if (!isInRound && timer !== undefined) schedule(ringMs);
    },
    stop() {
      stopping.abort();
      clearTimeout(timer);
      return round;
    },
  };
}

/** How many texts have yet to be made searchable, and how many were given up: exact up to `countedAtMost`, about right beyond. */
export async function countNotes(
  database: Queryable,
): Promise<{ readonly waiting: number; readonly dead: number }> {
  const { rows } = await database.query<{ waiting: number; dead: number }>(
    `WITH waiting AS (
       SELECT FROM search_queue WHERE given_up_rule IS NULL ORDER BY queue_id LIMIT ${countedAtMost}),
     dead AS (
       SELECT FROM search_queue WHERE given_up_rule IS NOT NULL ORDER BY given_up_rule LIMIT ${countedAtMost})
     SELECT ${boundedCount("search_queue_waiting", "waiting")} AS waiting,
       ${boundedCount("search_queue_given_up", "dead")} AS dead`,
  );
  return rows[0] ?? { waiting: 0, dead: 0 };
}

/** What rules before this one could not make searchable is tried anew; how many texts. */
export async function takeUpAgain(database: Queryable, rule: number): Promise<number> {
  const { rowCount } = await database.query(
    `UPDATE search_queue SET due_at = '-infinity', attempts = 0, given_up_rule = NULL WHERE given_up_rule < $1`,
    [rule],
  );
  return rowCount;
}

/** Everything is made searchable anew, by the nodes and in the background; what there is stays until then. */
export async function beginAnew(database: Queryable): Promise<void> {
  await database.query(
    `INSERT INTO search_backfill (kind, session_id, seq)
     SELECT kind, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 0 FROM unnest(ARRAY['messages', 'titles']) AS kind
     ON CONFLICT (kind) DO UPDATE SET session_id = excluded.session_id, seq = excluded.seq`,
  );
}

function isFirstTry({ attempts }: Note): boolean {
  return attempts < 2;
}

async function giveUp(database: Queryable, { queueId }: Note, rule: number): Promise<void> {
  await database.query(
    "UPDATE search_queue SET due_at = 'infinity', given_up_rule = $2 WHERE queue_id = $1",
    [queueId, rule],
  );
}

const noteColumns = `queue_id AS "queueId", attempts, session_id AS "sessionId", seq`;

async function take(database: Queryable): Promise<Note[]> {
  const { rows } = await database.query<Note>(
    `UPDATE search_queue
     SET due_at = now() + interval '${takenForSeconds} seconds' * 2 ^ least(attempts, ${maxAttempts}), attempts = attempts + 1
     WHERE queue_id = ANY (ARRAY(
       SELECT queue_id FROM search_queue WHERE due_at <= now() AND given_up_rule IS NULL ORDER BY queue_id LIMIT $1
       FOR UPDATE SKIP LOCKED))
     RETURNING ${noteColumns}`,
    [batchSize],
  );
  return rows;
}

/** Reading takes its time, and is done before anything is locked. */
async function writeEntries(
  database: Database,
  notes: readonly Note[],
  makeTerms: (text: string) => Promise<string[]>,
): Promise<void> {
  if (notes.length === 0) return;
  const ofMessages = notes.filter(({ seq }) => seq !== null);
  const ofTitles = notes.filter(({ seq }) => seq === null);
  const messages = await entriesOf(ofMessages, await readMessages(database, ofMessages), makeTerms);
  const titles = await entriesOf(ofTitles, await readTitles(database, ofTitles), makeTerms);
  await database.transaction(async (tx) => {
    await Promise.all([
      // Whoever deletes one locks its row first, so he never waits for what is written here while this waits for him.
      tx.query(
        "SELECT 1 FROM sessions WHERE session_id = ANY($1::uuid[]) ORDER BY session_id FOR KEY SHARE",
        [[...new Set(notes.map(({ sessionId }) => sessionId))]],
      ),
      ofMessages.length > 0 && writeMessages(tx, messages),
      ofTitles.length > 0 && writeTitles(tx, titles),
      // With those of what these texts were before, which may have been given up.
      tx.query(
        `DELETE FROM search_queue q USING unnest($1::bigint[], $2::uuid[], $3::int[]) AS done (queue_id, session_id, seq)
         WHERE q.session_id = done.session_id AND q.seq IS NOT DISTINCT FROM done.seq AND q.queue_id <= done.queue_id`,
        [
          notes.map(({ queueId }) => queueId),
          notes.map(({ sessionId }) => sessionId),
          notes.map(({ seq }) => seq),
        ],
      ),
    ]);
  });
}

/** By keys, however small the planner has seen these tables: a plan is kept while they grow. */
const messageOfNote = `LATERAL (
       SELECT s.user_id, m.role, m.agent_id, m.created_at, m.content
       FROM messages m JOIN sessions s ON s.session_id = m.session_id
       WHERE m.session_id = n.session_id AND m.seq = n.seq LIMIT 1) AS m`;

async function readMessages(database: Queryable, notes: readonly Note[]): Promise<Text[]> {
  if (notes.length === 0) return [];
  const { rows } = await database.query<Text>(
    `SELECT n.session_id AS "sessionId", n.seq, m.user_id AS "userId", m.role, m.agent_id AS "agentId",
       left(m.content, ${maxReadLength}) AS text
     FROM unnest($1::uuid[], $2::int[]) AS n (session_id, seq), ${messageOfNote}`,
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

async function entriesOf(
  notes: readonly Note[],
  texts: readonly Text[],
  makeTerms: (text: string) => Promise<string[]>,
): Promise<string> {
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
    const terms = termsOfEntry(text, await makeTerms(text.text));
    entries.push({ session_id: text.sessionId, seq: text.seq, version, terms });
  }
  return toJsonb(entries);
}

async function writeMessages(tx: Queryable, entries: string): Promise<void> {
  await tx.query(
    `INSERT INTO message_search AS e (session_id, seq, user_id, created_at, version, terms)
     SELECT n.session_id, n.seq, m.user_id, m.created_at, n.version, array_to_tsvector(n.terms)
     FROM jsonb_to_recordset($1::jsonb) AS n (session_id uuid, seq int, version bigint, terms text[]), ${messageOfNote}
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
         SELECT user_id, session_id FROM sessions WHERE session_id < $1 AND NOT temporary ORDER BY session_id DESC LIMIT ${backfillSize}
         RETURNING session_id AS "sessionId", seq`
      : `INSERT INTO search_queue (user_id, session_id, seq)
         SELECT s.user_id, m.session_id, m.seq FROM (
           SELECT session_id, seq FROM messages
           -- What is being made is made searchable when it ends.
           WHERE (session_id, seq) < ($1, $2::int) AND status NOT IN ('queued', 'streaming')
           ORDER BY session_id DESC, seq DESC LIMIT ${backfillSize}) AS m
         JOIN sessions s ON s.session_id = m.session_id AND NOT s.temporary
         RETURNING session_id AS "sessionId", seq`,
    kind === "titles" ? [sessionId] : [sessionId, seq],
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
