import { randomBytes } from "node:crypto";
import type { Database, Queryable } from "../database/database.ts";
import { isId } from "../lib/ids.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { holds, type Ranges } from "../tree/ranges.ts";

/** A link under which anybody reads a path as it was when it was made. What is deleted of it is gone from it too. */
export interface Share {
  /** Nobody can guess it. */
  readonly shareId: string;
  readonly sessionId: string;
  readonly title: string | null;
  readonly path: Ranges;
  readonly includeFiles: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export type ShareStore = ReturnType<typeof createShareStore>;

/** That are not over, of one session. */
export const maxShares = 100;

const idBytes = 24;
const columns = `share_id AS "shareId", session_id AS "sessionId", title, path, include_files AS "includeFiles",
  created_at AS "createdAt", expires_at AS "expiresAt"`;

/** All SQL of shares. They go with their session. */
export function createShareStore(database: Database) {
  return {
    async insert(
      tx: Queryable,
      share: Pick<Share, "shareId" | "sessionId" | "title" | "path" | "includeFiles">,
      expiresInSeconds: number,
    ): Promise<Share> {
      const { rows } = await tx.query<Share>(
        `INSERT INTO shares (share_id, session_id, title, path, include_files, expires_at)
         VALUES ($1, $2, $3, $4::jsonb, $5, now() + make_interval(secs => $6)) RETURNING ${columns}`,
        [
          share.shareId,
          share.sessionId,
          share.title,
          toJsonb(share.path),
          share.includeFiles,
          expiresInSeconds,
        ],
      );
      return rows[0] as Share;
    },

    /** Null when there is none, or its time is over. */
    async find(shareId: string): Promise<Share | null> {
      if (!isShareId(shareId)) return null;
      const { rows } = await database.query<Share>(
        `SELECT ${columns} FROM shares WHERE share_id = $1 AND expires_at > now()`,
        [shareId],
      );
      return rows[0] ?? null;
    },

    /** The newest first. */
    async ofSession(sessionId: string): Promise<Share[]> {
      const { rows } = await database.query<Share>(
        `SELECT ${columns} FROM shares WHERE session_id = $1 AND expires_at > now()
         ORDER BY created_at DESC, share_id LIMIT ${maxShares}`,
        [sessionId],
      );
      return rows;
    },

    /** Of those that are not over. */
    async count(tx: Queryable, sessionId: string): Promise<number> {
      const { rows } = await tx.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM shares WHERE session_id = $1 AND expires_at > now()",
        [sessionId],
      );
      return rows[0]?.count ?? 0;
    },

    /** Whether a file came with a message that is shared. */
    async holdsFile(share: Share, attachmentId: string): Promise<boolean> {
      if (!share.includeFiles || !isId(attachmentId)) return false;
      const { rows } = await database.query<{ seq: number }>(
        `SELECT m.seq FROM attachments a JOIN messages m ON m.message_id = a.message_id
         WHERE a.attachment_id = $1 AND m.session_id = $2`,
        [attachmentId, share.sessionId],
      );
      return rows.some(({ seq }) => holds(share.path, seq));
    },

    /** False when there was none. */
    async delete(sessionId: string, shareId: string): Promise<boolean> {
      if (!isShareId(shareId)) return false;
      const { rowCount } = await database.query(
        "DELETE FROM shares WHERE session_id = $1 AND share_id = $2 AND expires_at > now()",
        [sessionId, shareId],
      );
      return rowCount > 0;
    },

    async purge(): Promise<void> {
      await database.query("DELETE FROM shares WHERE expires_at <= now()");
    },
  };
}

export function newShareId(): string {
  return randomBytes(idBytes).toString("base64url");
}

function isShareId(value: string): boolean {
  return /^[\w-]{32}$/.test(value);
}
