import type { Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import type { JsonObject } from "../lib/json-shape.ts";
import type { RecordEvent } from "./business-event.ts";

/** An event that this node may deliver until its claim runs out. */
export interface ClaimedEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly data: JsonObject;
  readonly createdAt: Date;
  /** This delivery's number, from 1. Whoever claims it next has a higher one. */
  readonly attempt: number;
}

/** For the composition root: what features call where `events.url` is set, and where it is not. */
export const insertEvent: RecordEvent = async (tx, { type, data }) => {
  await tx.query("INSERT INTO outbox (event_id, event_type, data) VALUES ($1, $2, $3::jsonb)", [
    newId(),
    type,
    JSON.stringify(data),
  ]);
};

export const ignoreEvent: RecordEvent = async () => {};

/** Takes due events, oldest first, that no other node is taking; they are due again after `claimMs`. */
export async function claimEvents(
  database: Queryable,
  limit: number,
  claimMs: number,
): Promise<readonly ClaimedEvent[]> {
  const { rows } = await database.query<{
    event_id: string;
    event_type: string;
    data: JsonObject;
    created_at: Date;
    attempts: number;
  }>(
    `UPDATE outbox
        SET attempts = attempts + 1, due_at = now() + $2 * interval '1 millisecond'
      WHERE event_id IN (
        SELECT event_id FROM outbox
         WHERE dead_at IS NULL AND due_at <= now()
         ORDER BY due_at, event_id
         LIMIT $1
           FOR UPDATE SKIP LOCKED)
      RETURNING event_id, event_type, data, created_at, attempts`,
    [limit, claimMs],
  );
  // RETURNING keeps no order; ids do.
  return rows
    .map((row) => ({
      eventId: row.event_id,
      eventType: row.event_type,
      data: row.data,
      createdAt: row.created_at,
      attempt: row.attempts,
    }))
    .toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1));
}

/** Delivered: nothing of it stays. */
export async function removeEvent(database: Queryable, eventId: string): Promise<void> {
  await database.query("DELETE FROM outbox WHERE event_id = $1", [eventId]);
}

/** Due again after `delayMs`. Does nothing when another node has claimed it since. */
export async function retryEvent(
  database: Queryable,
  { eventId, attempt }: ClaimedEvent,
  delayMs: number,
  problem: string,
): Promise<void> {
  await database.query(
    `UPDATE outbox SET due_at = now() + $3 * interval '1 millisecond', last_problem = $4
      WHERE event_id = $1 AND attempts = $2`,
    [eventId, attempt, delayMs, problem],
  );
}

/** Not begun after all: due at once, and the attempt does not count. */
export async function releaseEvent(
  database: Queryable,
  { eventId, attempt }: ClaimedEvent,
): Promise<void> {
  await database.query(
    "UPDATE outbox SET due_at = now(), attempts = attempts - 1 WHERE event_id = $1 AND attempts = $2",
    [eventId, attempt],
  );
}

/** Given up. */
export async function buryEvent(
  database: Queryable,
  { eventId, attempt }: ClaimedEvent,
  problem: string,
): Promise<void> {
  await database.query(
    "UPDATE outbox SET dead_at = now(), last_problem = $3 WHERE event_id = $1 AND attempts = $2",
    [eventId, attempt, problem],
  );
}

/** Removes what was given up more than a week ago, a thousand at most; how many. */
export async function purgeDeadEvents(database: Queryable): Promise<number> {
  const { rowCount } = await database.query(
    `DELETE FROM outbox WHERE event_id IN (
       SELECT event_id FROM outbox WHERE dead_at < now() - interval '7 days' LIMIT 1000)`,
  );
  return rowCount;
}
