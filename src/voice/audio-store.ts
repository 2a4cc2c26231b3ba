import { fromBase64, toBase64 } from "../database/base64.ts";
import { sqlState, type Database, type Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import type { StorageQuota } from "../attachments/storage-quota.ts";
import { Problem } from "../problems/problem.ts";

/** More is not stored of one recording or reply. */
export const maxStoredAudioBytes = 1024 * 1024;

export interface NewAudio {
  /** Null while the session is only being made; see `attach`. */
  readonly sessionId: string | null;
  readonly userId: string;
  readonly messageId: string | null;
  /** Such as `wav` or `opus`. */
  readonly format: string;
  readonly mediaType: string;
  readonly durationMs: number | null;
  /** At most `maxStoredAudioBytes`. */
  readonly bytes: Uint8Array;
}

export interface StoredAudio extends NewAudio {
  readonly audioId: string;
  readonly createdAt: Date;
}

export type AudioStore = ReturnType<typeof createAudioStore>;

/** A recording waits this long for the message that it becomes part of, which is sent at once. */
const unattachedSeconds = 3_600;
const foreignKeyViolation = "23503";
/** Of one statement, so that a backlog is worked off in steps. */
const purgeBatch = 500;

/** All SQL of stored sound. It goes with its session; `retentionHours` 0: not before. Raises `storage_unavailable`. */
export function createAudioStore(
  database: Database,
  retentionHours: number,
  /** Null: no limit. */
  quota: StorageQuota | null = null,
) {
  /** False when it has changed nothing, because the session that it names does not exist or is just being deleted. */
  const unlessGone = async (
    change: (tx: Queryable) => Promise<{ readonly rowCount: number }>,
  ): Promise<boolean> => {
    try {
      return (
        (await (quota === null ? change(database) : database.transaction(change))).rowCount > 0
      );
    } catch (error) {
      if (sqlState(error) === foreignKeyViolation) return false;
      throw error;
    }
  };

  return {
    /**
     * The new audio's id. Raises `session_not_found` when its session was deleted meanwhile, and
     * `storage_quota_exceeded`.
     */
    async save(audio: NewAudio): Promise<string> {
      if (audio.bytes.length > maxStoredAudioBytes) throw new Error("the sound is too large");
      const audioId = newId();
      const stored = await unlessGone(async (tx) => {
        const inserted = await tx.query(
          `INSERT INTO audio (audio_id, session_id, user_id, message_id, format, media_type, duration_ms,
                              bytes, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, decode($8, 'base64'),
                   CASE WHEN $9::float8 > 0 THEN now() + make_interval(secs => $9::float8) END)`,
          [
            audioId,
            audio.sessionId,
            audio.userId,
            audio.messageId,
            audio.format,
            audio.mediaType,
            audio.durationMs,
            toBase64(audio.bytes),
            retentionHours * 3600,
          ],
        );
        // What is nobody's yet is looked at when it becomes somebody's.
        if (audio.sessionId !== null) await quota?.check(tx, audio.sessionId);
        return inserted;
      });
      if (!stored) throw new Problem("session_not_found", { sessionId: audio.sessionId ?? "" });
      return audioId;
    },

    /**
     * Gives a recording to a session, and to the session's owner; deletes it when the session is gone, or its owner has
     * no room for it.
     */
    async attach(audioId: string, sessionId: string, messageId: string | null): Promise<void> {
      const attached = await unlessGone(async (tx) => {
        const { rowCount } = await tx.query(
          `UPDATE audio SET session_id = s.session_id, user_id = s.user_id, message_id = $3
           FROM sessions s WHERE audio_id = $1 AND s.session_id = $2`,
          [audioId, sessionId, messageId],
        );
        if (rowCount > 0) await quota?.check(tx, sessionId);
        return { rowCount };
      }).catch((error: unknown) => {
        if (error instanceof Problem && error.type === "storage_quota_exceeded") return false;
        throw error;
      });
      if (!attached) await database.query("DELETE FROM audio WHERE audio_id = $1", [audioId]);
    },

    /** Null when there is none, or its time is over. */
    async find(audioId: string): Promise<StoredAudio | null> {
      const { rows } = await database.query<Omit<StoredAudio, "bytes"> & { bytes: string }>(
        `SELECT audio_id AS "audioId", session_id AS "sessionId", user_id AS "userId",
                message_id AS "messageId", format, media_type AS "mediaType", duration_ms AS "durationMs",
                encode(bytes, 'base64') AS bytes, created_at AS "createdAt"
         FROM audio WHERE audio_id = $1 AND (expires_at IS NULL OR expires_at > now())`,
        [audioId],
      );
      const [row] = rows;
      return row ? { ...row, bytes: fromBase64(row.bytes) } : null;
    },

    /** How much there is of a user, in all sessions. */
    async countOf(userId: string): Promise<number> {
      const { rows } = await database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM audio a JOIN sessions s ON s.session_id = a.session_id
         WHERE s.user_id = $1`,
        [userId],
      );
      return rows[0]?.count ?? 0;
    },

    /** Deletes what is past its time, and recordings that no message has taken; resolves with how many. */
    async purge(): Promise<number> {
      let purged = 0;
      for (;;) {
        const { rowCount } = await database.query(
          `DELETE FROM audio WHERE audio_id IN (
             SELECT audio_id FROM audio WHERE expires_at <= now()
             UNION
             SELECT audio_id FROM audio
             WHERE session_id IS NULL AND created_at <= now() - make_interval(secs => $2)
             LIMIT $1)`,
          [purgeBatch, unattachedSeconds],
        );
        purged += rowCount;
        if (rowCount < purgeBatch) return purged;
      }
    },
  };
}
