import { sqlState, type Database } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { extrasOrNull } from "../extras.ts";
import type { ClaimedReply, ReplyProgress } from "../reply.ts";

/** Stores what running replies have come to so far. */
export interface Checkpoints {
  /**
   * Calls `listener` at every beat until the returned function is called. All replies of a node keep the same time, so
   * that what they store at a beat becomes one statement.
   */
  onBeat(listener: () => void): () => void;
  /**
   * Stores what has changed (null: nothing) and renews the lease. `cancelReason` when somebody wants the reply to stop;
   * null when the attempt is no longer the owner's (taken over, or deleted).
   */
  store(
    reply: Pick<ClaimedReply, "sessionId" | "replyId" | "attempt">,
    changes: Partial<ReplyProgress> | null,
  ): Promise<Kept | null>;
}

export interface Kept {
  readonly cancelReason: string | null;
}

interface Due {
  readonly replyId: string;
  /** Its row of the statement, in JSON. */
  readonly json: string;
  readonly resolve: (kept: Kept | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What a reader has seen for a second is to be there after a crash, with a quarter of it for the writing; the lease may
 * ask for more haste.
 */
const longestBeatMs = 750;
/** Of one statement; a short one holds up nobody. */
const maxRows = 100;
const maxLength = 1024 * 1024;

/**
 * A null member of a row leaves its column as it is. Rows are found by their keys: with its status as it stands the planner
 * would read the index of all replies that run, on all nodes.
 */
const statement = (leaseSeconds: number) => `
  UPDATE messages m SET lease_until = now() + make_interval(secs => ${leaseSeconds}),
    content = coalesce(c.content, m.content), reasoning = coalesce(c.reasoning, m.reasoning),
    event_seq = coalesce(c.event_seq, m.event_seq), tool_calls = coalesce(c.tool_calls, m.tool_calls),
    media = coalesce(c.media, m.media), extras = coalesce(c.extras, m.extras),
    backend_state = coalesce(c.backend_state, m.backend_state),
    recoveries = CASE WHEN octet_length(c.content) > octet_length(m.content) THEN 0 ELSE m.recoveries END
  FROM json_to_recordset($1::json) AS c (
    session_id uuid, message_id uuid, attempt integer, content text, reasoning text, event_seq integer,
    tool_calls jsonb, media jsonb, extras jsonb, backend_state jsonb)
  WHERE m.session_id = c.session_id AND m.message_id = c.message_id AND m.attempt = c.attempt
    AND m.status || '' = 'streaming'
  RETURNING m.message_id AS "replyId", m.cancel_reason AS "cancelReason"`;

/** One statement at a time, for all that are due; what comes meanwhile goes with the next. */
export function createCheckpoints(database: Database, leaseSeconds: number): Checkpoints {
  const sql = statement(leaseSeconds);
  const beatMs = Math.min(longestBeatMs, (leaseSeconds * 1000) / 3);
  const listeners = new Set<() => void>();
  let beat: NodeJS.Timeout | undefined;
  let due: Due[] = [];
  let isStoring = false;

  const storeAll = async () => {
    while (due.length > 0) await storeBatch(due.splice(0, batchSize(due)));
    isStoring = false;
  };

  const storeBatch = async (batch: readonly Due[]): Promise<void> => {
    try {
      const { rows } = await database.query<{ replyId: string } & Kept>(sql, [
        `[${batch.map(({ json }) => json).join(",")}]`,
      ]);
      const kept = new Map(rows.map((each) => [each.replyId, each]));
      for (const { replyId, resolve } of batch) resolve(kept.get(replyId) ?? null);
    } catch (error) {
      // One reply that cannot be stored must not cost the others their leases.
      if (batch.length > 1 && sqlState(error) !== undefined) {
        for (const each of batch) await storeBatch([each]);
      } else for (const { reject } of batch) reject(error);
    }
  };

  return {
    onBeat(listener) {
      listeners.add(listener);
      beat ??= setInterval(() => {
        for (const each of listeners) each();
      }, beatMs);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(beat);
        beat = undefined;
      };
    },
    store: (reply, changes) =>
      new Promise((resolve, reject) => {
        const json = toJsonb(row(reply, changes ?? {}));
        due.push({ replyId: reply.replyId, json, resolve, reject });
        if (isStoring) return;
        isStoring = true;
        // Others who keep the same beat come in this turn of the event loop.
        setImmediate(() => void storeAll());
      }),
  };
}

function batchSize(due: readonly Due[]): number {
  let length = 0;
  let rows = 0;
  for (const { json } of due) {
    length += json.length;
    if (rows === maxRows || (rows > 0 && length > maxLength)) break;
    rows += 1;
  }
  return rows;
}

/** Members without a value are left out; those that are empty have always been so, but for the content. */
function row(
  reply: Pick<ClaimedReply, "sessionId" | "replyId" | "attempt">,
  { content, reasoning, eventSeq, toolCalls, media, extras, backendState }: Partial<ReplyProgress>,
): object {
  return {
    session_id: reply.sessionId,
    message_id: reply.replyId,
    attempt: reply.attempt,
    content,
    event_seq: eventSeq,
    ...(reasoning !== "" && { reasoning }),
    ...(toolCalls?.length !== 0 && { tool_calls: toolCalls }),
    ...(media?.length !== 0 && { media }),
    ...(extras !== undefined && { extras: extrasOrNull(extras) }),
    backend_state: backendState,
  };
}
