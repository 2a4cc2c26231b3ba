import { boundedCount, countedAtMost } from "./bounded-count.ts";
import type { Queryable } from "./database.ts";
import { idOfMoment, newId } from "../lib/ids.ts";
import type { JsonObject } from "../lib/json-shape.ts";
import { toJsonb } from "../lib/clean-text.ts";

/** An entry that this node may work on until its claim runs out. */
export interface ClaimedEntry {
  readonly entryId: string;
  readonly type: string;
  readonly data: JsonObject;
  readonly createdAt: Date;
  /** This try's number, from 1. Whoever claims it next has a higher one. */
  readonly attempt: number;
}

/** How much there is to do, now or because it failed before, and how much was given up. */
export interface OutboxFigures {
  readonly waiting: number;
  readonly dead: number;
  /** 0 where nothing waits. */
  readonly oldestSeconds: number;
}

/** What was given up, or is for nobody any more, is kept for so long. */
const keptMs = 7 * 24 * 60 * 60_000;

/** What waits, in the order in which it is due, and what was given up. */
const indexes = {
  outbox: { due: "outbox_due", dead: "outbox_dead" },
  jobs: { due: "jobs_due_at_event_id_idx", dead: "jobs_dead_at_idx" },
} as const;

export type Outbox = ReturnType<typeof createOutbox>;

/**
 * A table of what has to happen outside the database because of what was committed in it. Entries are written in the
 * transaction of what they follow from, claimed by one node at a time, and removed when they are done.
 */
export function createOutbox(
  table: "outbox" | "jobs",
  /** Only what is for this receiver; what is for none of the known ones is removed in time. Absent: everything. */
  receiver?: { readonly mine: string; readonly known: readonly string[] },
  /** Only these types are claimed. Absent: all. */
  types?: readonly string[],
) {
  const isMine = receiver === undefined ? "" : "AND receiver = $3";
  const isOfType = types === undefined ? "" : `AND event_type = ANY($${receiver ? 4 : 3}::text[])`;
  const orphans =
    receiver === undefined
      ? ""
      : `UNION ALL (
         SELECT event_id FROM ${table} WHERE event_id < $2 AND receiver <> ALL($1::text[])
           AND created_at < now() - interval '7 days' LIMIT 1000)`;
  return {
    /**
     * Part of the caller's transaction: both are committed, or neither. Costs one insert and waits for nobody. What there
     * may be only one of, and is there already, stays as it is.
     */
    async insert(
      tx: Queryable,
      entry: { readonly type: string; readonly data: JsonObject },
    ): Promise<void> {
      await tx.query(
        `INSERT INTO ${table} (event_id, event_type, data) VALUES ($1, $2, $3::jsonb)
         ON CONFLICT DO NOTHING`,
        [newId(), entry.type, toJsonb(entry.data)],
      );
    },

    /** The same for each of these receivers, in one statement. */
    async insertFor(
      tx: Queryable,
      entry: { readonly type: string; readonly data: JsonObject },
      receivers: readonly string[],
    ): Promise<void> {
      await tx.query(
        `INSERT INTO ${table} (event_id, event_type, data, receiver)
         SELECT event_id, $1, $2::jsonb, receiver
         FROM unnest($3::uuid[], $4::text[]) AS entry (event_id, receiver)`,
        [entry.type, toJsonb(entry.data), receivers.map(() => newId()), receivers],
      );
    },

    /** Takes due entries, oldest first, that no other node is taking; they are due again after `claimMs`. */
    async claim(
      database: Queryable,
      limit: number,
      claimMs: number,
    ): Promise<readonly ClaimedEntry[]> {
      const { rows } = await database.query<{
        event_id: string;
        event_type: string;
        data: JsonObject;
        created_at: Date;
        attempts: number;
      }>(
        `UPDATE ${table}
        SET attempts = attempts + 1, due_at = now() + $2 * interval '1 millisecond'
      WHERE event_id = ANY (ARRAY(
        SELECT event_id FROM ${table}
         WHERE dead_at IS NULL AND due_at <= now() ${isMine} ${isOfType}
         ORDER BY due_at, event_id
         LIMIT $1
           FOR UPDATE SKIP LOCKED))
      RETURNING event_id, event_type, data, created_at, attempts`,
        [limit, claimMs, ...(receiver ? [receiver.mine] : []), ...(types ? [types] : [])],
      );
      // RETURNING keeps no order; ids do.
      return rows
        .map((row) => ({
          entryId: row.event_id,
          type: row.event_type,
          data: row.data,
          createdAt: row.created_at,
          attempt: row.attempts,
        }))
        .toSorted((a, b) => (a.entryId < b.entryId ? -1 : 1));
    },

    /** Done: nothing of it stays. */
    async remove(database: Queryable, entryId: string): Promise<void> {
      await database.query(`DELETE FROM ${table} WHERE event_id = $1`, [entryId]);
    },

    /** Due again after `delayMs`. Does nothing when another node has claimed it since. */
    async retry(
      database: Queryable,
      { entryId, attempt }: ClaimedEntry,
      delayMs: number,
      problem: string,
    ): Promise<void> {
      await database.query(
        `UPDATE ${table} SET due_at = now() + $3 * interval '1 millisecond', last_problem = $4
      WHERE event_id = $1 AND attempts = $2`,
        [entryId, attempt, delayMs, problem],
      );
    },

    /** Still at work: its claim runs out after `claimMs` from now. */
    async extend(
      database: Queryable,
      { entryId, attempt }: ClaimedEntry,
      claimMs: number,
    ): Promise<void> {
      await database.query(
        `UPDATE ${table} SET due_at = now() + $3 * interval '1 millisecond' WHERE event_id = $1 AND attempts = $2`,
        [entryId, attempt, claimMs],
      );
    },

    /** Done, and to be done once more after `delayMs` with this data; nothing waits until then, and all is counted anew. */
    async again(
      database: Queryable,
      { entryId, attempt }: ClaimedEntry,
      data: JsonObject,
      delayMs: number,
    ): Promise<void> {
      await database.query(
        `UPDATE ${table} SET attempts = 0, data = $3::jsonb, due_at = now() + $4 * interval '1 millisecond',
          created_at = now() + $4 * interval '1 millisecond'
      WHERE event_id = $1 AND attempts = $2`,
        [entryId, attempt, toJsonb(data), delayMs],
      );
    },

    /** Not begun after all: due at once, and the attempt does not count. */
    async release(database: Queryable, { entryId, attempt }: ClaimedEntry): Promise<void> {
      await database.query(
        `UPDATE ${table} SET due_at = now(), attempts = attempts - 1 WHERE event_id = $1 AND attempts = $2`,
        [entryId, attempt],
      );
    },

    /** Given up. */
    async bury(
      database: Queryable,
      { entryId, attempt }: ClaimedEntry,
      problem: string,
    ): Promise<void> {
      await database.query(
        `UPDATE ${table} SET dead_at = now(), last_problem = $3 WHERE event_id = $1 AND attempts = $2`,
        [entryId, attempt, problem],
      );
    },

    /** Exact up to `countedAtMost` of each, about right beyond. */
    async count(database: Queryable): Promise<OutboxFigures> {
      const { due, dead } = indexes[table];
      const { rows } = await database.query<OutboxFigures>(
        `WITH waiting AS (
           SELECT created_at FROM ${table} WHERE dead_at IS NULL ORDER BY due_at, event_id LIMIT ${countedAtMost}),
         dead AS (
           SELECT FROM ${table} WHERE dead_at IS NOT NULL ORDER BY dead_at LIMIT ${countedAtMost})
         SELECT ${boundedCount(due, "waiting", "created_at <= now()")} AS waiting,
           ${boundedCount(dead, "dead")} AS dead,
           (SELECT greatest(extract(epoch FROM now() - min(created_at)), 0) FROM waiting)::float8 AS "oldestSeconds"`,
      );
      return rows[0] ?? { waiting: 0, dead: 0, oldestSeconds: 0 };
    },

    /** Removes what was given up, or is for nobody any more, for more than a week; a thousand of each at most; how many. */
    async purgeDead(database: Queryable): Promise<number> {
      const { rowCount } = await database.query(
        `DELETE FROM ${table} WHERE event_id = ANY (ARRAY((
         SELECT event_id FROM ${table} WHERE dead_at < now() - interval '7 days' LIMIT 1000) ${orphans}))`,
        receiver === undefined ? [] : [receiver.known, idOfMoment(Date.now() - keptMs)],
      );
      return rowCount;
    },
  };
}
