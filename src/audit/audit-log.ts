import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database, Queryable } from "../database/database.ts";
import type { AuditEntry, AuditTrail } from "../http/audit.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { idOfMoment, newId } from "../lib/ids.ts";

export interface StoredAuditEntry extends AuditEntry {
  readonly entryId: string;
  readonly at: Date;
}

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly keyName?: string | undefined;
  readonly subject?: string | undefined;
  readonly action?: string | undefined;
  readonly outcome?: string | undefined;
  readonly requestId?: string | undefined;
  /** From this moment on. */
  readonly since?: string | undefined;
  /** Before this moment. */
  readonly until?: string | undefined;
}

const [least, most] = [0, 2 ** 48 - 1].map(idOfMoment) as [string, string];

/** Entries are numbered by the clocks of nodes, and dated by the database's: so far apart those never are. */
function idNear(moment: string | undefined, direction: number): string | undefined {
  if (moment === undefined) return undefined;
  return idOfMoment(Math.min(Math.max(Date.parse(moment) + direction * 3_600_000, 0), 2 ** 48 - 1));
}

/** Only what is asked for: of conditions that may be none the planner makes no use. */
function conditionsOf(filter: AuditFilter, before: string | undefined): Sql[] {
  const { actor, keyName, subject, action, outcome, requestId, since, until } = filter;
  const conditions = [
    sql`entry_id >= ${idNear(since, -1) ?? least}::uuid AND entry_id < ${idNear(until, 1) ?? most}::uuid`,
  ];
  if (before !== undefined) conditions.push(sql`entry_id < ${before}`);
  if (actor !== undefined) conditions.push(sql`actor = ${actor}`);
  if (keyName !== undefined) conditions.push(sql`key_name = ${keyName}`);
  if (subject !== undefined) conditions.push(sql`subject = ${subject}`);
  if (action !== undefined) conditions.push(sql`action = ${action}`);
  if (outcome !== undefined) conditions.push(sql`outcome = ${outcome}`);
  if (requestId !== undefined) conditions.push(sql`request_id = ${requestId}`);
  if (since !== undefined) conditions.push(sql`at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`at < ${until}::timestamptz`);
  return conditions;
}

export type AuditLog = ReturnType<typeof createAuditLog>;

const columns = `entry_id AS "entryId", at, actor, key_name AS "keyName", action, subject, target,
  request_id AS "requestId", address, outcome, status`;
const repeatMs = 60_000;
/** Of what was noted lately; with more, something is noted twice. */
const maxRecent = 10_000;

/** All SQL of the audit log: it is added to, read, and dropped when its time is over. */
export function createAuditLog(database: Database, now: () => number = () => performance.now()) {
  const recent = new Map<string, number>();

  const insert = async (tx: Queryable, entry: AuditEntry): Promise<void> => {
    await tx.query(
      `INSERT INTO audit_log (entry_id, actor, key_name, action, subject, target, request_id, address, outcome, status)
       VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10)`,
      [
        newId(),
        entry.actor,
        entry.keyName,
        entry.action,
        entry.subject,
        toJsonb(entry.target),
        entry.requestId,
        entry.address,
        entry.outcome,
        entry.status,
      ],
    );
  };

  const trail: AuditTrail = {
    async record(entry, isRepeated) {
      const { actor, keyName, action, subject, target, address } = entry;
      const key = JSON.stringify([actor, keyName, action, subject, target, address]);
      if (isRepeated && now() - (recent.get(key) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
      await insert(database, entry);
      if (!isRepeated) return;
      recent.delete(key);
      recent.set(key, now());
      const [oldest] = recent.keys();
      if (recent.size > maxRecent && oldest !== undefined) recent.delete(oldest);
    },
  };

  return {
    ...trail,

    /** With what it is about: it is noted, or neither happens. */
    insert,

    /** The newest first, behind `before`. */
    async page(
      filter: AuditFilter,
      { before, limit }: { readonly before: string | undefined; readonly limit: number },
    ): Promise<readonly StoredAuditEntry[]> {
      const { text, values } = sql`
        SELECT ${raw(columns)} FROM audit_log WHERE ${join(conditionsOf(filter, before), " AND ")}
        ORDER BY entry_id DESC LIMIT ${limit}`;
      const { rows } = await database.query<StoredAuditEntry>(text, values);
      return rows;
    },

    /** Drops what is older; 0: nothing. */
    async purge(days: number): Promise<void> {
      if (days === 0) return;
      await database.transaction(async (tx) => {
        await tx.execute("SET LOCAL chat.audit = 'retention'");
        await tx.query("DELETE FROM audit_log WHERE at < now() - make_interval(days => $1)", [
          days,
        ]);
      });
    },
  };
}
