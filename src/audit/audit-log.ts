import type { Database, Queryable } from "../database/database.ts";
import type { AuditEntry, AuditTrail } from "../http/audit.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { newId } from "../lib/ids.ts";

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
      const { rows } = await database.query<StoredAuditEntry>(
        `SELECT ${columns} FROM audit_log
         WHERE ($1::uuid IS NULL OR entry_id < $1) AND ($2::text IS NULL OR actor = $2)
           AND ($3::text IS NULL OR key_name = $3) AND ($4::text IS NULL OR subject = $4)
           AND ($5::text IS NULL OR action = $5) AND ($6::text IS NULL OR outcome = $6)
           AND ($7::text IS NULL OR request_id = $7) AND ($8::timestamptz IS NULL OR at >= $8)
           AND ($9::timestamptz IS NULL OR at < $9)
         ORDER BY entry_id DESC LIMIT $10`,
        [
          before ?? null,
          filter.actor ?? null,
          filter.keyName ?? null,
          filter.subject ?? null,
          filter.action ?? null,
          filter.outcome ?? null,
          filter.requestId ?? null,
          filter.since ?? null,
          filter.until ?? null,
          limit,
        ],
      );
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
