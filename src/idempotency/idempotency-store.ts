import { createHash, type Hash } from "node:crypto";
import sql, { empty, type Sql } from "sql-template-tag";
import type { Database, Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { Problem } from "../problems/problem.ts";

/** What an earlier request with the same key has led to. */
export interface EarlierResult {
  readonly sessionId: string;
  /** The reply that it started; null when it created a session. */
  readonly messageId: string | null;
}

/** A caller's `Idempotency-Key`, with what the request asks for. */
export interface IdempotencyKey {
  readonly key: string;
  readonly fingerprint: string;
  /**
   * The caller has sent none, and the same body stands for it: `first` is a request of its own, whatever was asked before;
   * `repeat` says of itself that its answer was lost, and is the last one before it, if that was not long ago.
   */
  readonly implied?: "first" | "repeat";
}

/** Of a request without a key, which may come again: no key that a caller can send begins with a space. */
export function impliedKey(fingerprint: string, isRepeat: boolean): IdempotencyKey {
  return { key: ` ${fingerprint}`, fingerprint, implied: isRepeat ? "repeat" : "first" };
}

/** Clients try again within a minute or two; what is asked again later is meant. */
const impliedSeconds = 15 * 60;

/** The same for the same request, whatever the order of its members. `operation` keeps different paths apart. */
export function fingerprint(operation: string, body: unknown): string {
  const hash = createHash("sha256").update(operation).update("\n");
  addCanonical(hash, body);
  return hash.digest("hex");
}

/** Piece by piece: a body with files is large enough once. */
function addCanonical(hash: Hash, value: unknown): void {
  if (Array.isArray(value)) {
    hash.update("[");
    for (const [index, member] of value.entries()) {
      if (index > 0) hash.update(",");
      addCanonical(hash, member);
    }
    hash.update("]");
  } else if (typeof value === "object" && value !== null) {
    hash.update("{");
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1));
    for (const [index, [key, member]] of members.entries()) {
      hash.update(`${index > 0 ? "," : ""}${JSON.stringify(key)}:`);
      addCanonical(hash, member);
    }
    hash.update("}");
  } else {
    hash.update(JSON.stringify(value) ?? "null");
  }
}

/** Of those that do not say that they try again. */
const lostSeconds = 2 * 60;

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

/** Keys are rows written in the transaction of what they stand for: a repeat finds either both or neither. */
export function createIdempotencyStore(database: Database, keepHours: number) {
  /** Takes a key, or an expired one over, for each row of `from`; changes nothing while another request holds it. */
  const claiming = (
    userId: string,
    { key, fingerprint, implied }: IdempotencyKey,
    { sessionId, messageId }: EarlierResult,
    from: Sql = empty,
    answer: object | null = null,
  ): Sql => {
    // What comes first takes its place from any other.
    const seconds = implied === "first" ? 0 : secondsOf(implied, keepHours);
    return sql`
      INSERT INTO idempotency_keys AS k (user_id, key, fingerprint, session_id, message_id, answer)
      SELECT ${userId}, ${key}, ${fingerprint}, ${sessionId}::uuid, ${messageId}::uuid,
        ${answer === null ? null : toJsonb(answer)}::jsonb ${from}
      ON CONFLICT (user_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, session_id = excluded.session_id, message_id = excluded.message_id,
          answer = excluded.answer, created_at = now(), readers = 1
        WHERE ${seconds}::float8 = 0 OR k.created_at <= now() - make_interval(secs => ${seconds})`;
  };

  /** False when another request holds the key (it may be in flight: this waits for its commit). */
  const claim = async (
    tx: Queryable,
    userId: string,
    key: IdempotencyKey,
    result: EarlierResult,
    answer: object | null = null,
  ): Promise<boolean> => {
    const { text, values } = claiming(userId, key, result, empty, answer);
    const { rowCount } = await tx.query(text, values);
    return rowCount > 0;
  };

  return {
    /** Null when the key is new. Raises `idempotency_conflict` when it was used for another request. */
    async find(
      userId: string,
      { key, fingerprint, implied }: IdempotencyKey,
    ): Promise<EarlierResult | null> {
      const { rows } = await database.query<EarlierResult & { fingerprint: string }>(
        `SELECT session_id AS "sessionId", message_id AS "messageId", fingerprint FROM idempotency_keys
         WHERE user_id = $1 AND key = $2 AND created_at > now() - make_interval(secs => $3)`,
        [userId, key, secondsOf(implied, keepHours)],
      );
      const row = rows[0];
      if (row === undefined) return null;
      if (row.fingerprint !== fingerprint) throw new Problem("idempotency_conflict", {});
      return row;
    },

    /** What a key has led to, whatever was asked with it; null: nothing yet. */
    async ledTo(userId: string, key: string): Promise<EarlierResult | null> {
      const { rows } = await database.query<EarlierResult>(
        `SELECT session_id AS "sessionId", message_id AS "messageId" FROM idempotency_keys
         WHERE user_id = $1 AND key = $2`,
        [userId, key],
      );
      return rows[0] ?? null;
    },

    /** The answer of the first request, where `claim` was given one. Raises as `find`. */
    async findAnswer<T>(userId: string, key: IdempotencyKey): Promise<T | null> {
      if ((await this.find(userId, key)) === null) return null;
      const { rows } = await database.query<{ answer: T | null }>(
        "SELECT answer FROM idempotency_keys WHERE user_id = $1 AND key = $2",
        [userId, key.key],
      );
      return rows[0]?.answer ?? null;
    },

    claim,
    claiming,

    /** As `claim`, in a transaction of its own. */
    claimAlone: (
      userId: string,
      key: IdempotencyKey,
      { sessionId, replyId }: { readonly sessionId: string; readonly replyId: string },
      answer: object,
    ): Promise<boolean> => claim(database, userId, key, { sessionId, messageId: replyId }, answer),

    /**
     * Another request has come for what the key has led to, which is not lost then; resolves with its number. 0: the key has
     * led to something else since.
     */
    async join(userId: string, { key }: IdempotencyKey, messageId: string): Promise<number> {
      const { rows } = await database.query<{ readers: number }>(
        `UPDATE idempotency_keys SET readers = readers + 1,
           answer = CASE WHEN answer @> '{"lost": true}' THEN NULL ELSE answer END
         WHERE user_id = $1 AND key = $2 AND message_id = $3 RETURNING readers`,
        [userId, key, messageId],
      );
      return rows[0]?.readers ?? 0;
    },

    /** Request number `reader`, without a key, has gone before anything of the answer was sent, and no other has come. */
    async lose(
      userId: string,
      { key }: IdempotencyKey,
      messageId: string,
      reader: number,
    ): Promise<void> {
      await database.query(
        `UPDATE idempotency_keys SET answer = '{"lost": true}', created_at = now()
         WHERE user_id = $1 AND key = $2 AND message_id = $3 AND readers = $4 AND answer IS NULL`,
        [userId, key, messageId, reader],
      );
    },

    /**
     * What the same request has led to, if its answer was lost a moment ago: this is that one again, although it does not say
     * so. One request gets it, others are on their own.
     */
    async takeLost(userId: string, { key }: IdempotencyKey): Promise<EarlierResult | null> {
      const { rows } = await database.query<EarlierResult>(
        `UPDATE idempotency_keys SET answer = NULL
         WHERE user_id = $1 AND key = $2 AND answer @> '{"lost": true}'
           AND created_at > now() - make_interval(secs => $3)
         RETURNING session_id AS "sessionId", message_id AS "messageId"`,
        [userId, key, lostSeconds],
      );
      return rows[0] ?? null;
    },

    /** Whether somebody has come for it after request number `reader`. */
    async isJoined(
      userId: string,
      { key }: IdempotencyKey,
      messageId: string,
      reader: number,
    ): Promise<boolean> {
      const { rows } = await database.query(
        `SELECT 1 FROM idempotency_keys
         WHERE user_id = $1 AND key = $2 AND message_id = $3 AND readers > $4`,
        [userId, key, messageId, reader],
      );
      return rows.length > 0;
    },

    async purge(): Promise<void> {
      await database.query(
        "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(secs => $1)",
        [keepHours * 3600],
      );
    },
  };
}

function secondsOf(implied: IdempotencyKey["implied"], keepHours: number): number {
  return implied === undefined ? keepHours * 3600 : impliedSeconds;
}
