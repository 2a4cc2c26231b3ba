import { fromBase64, toBase64 } from "../database/base64.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";

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

/** Of one statement, so that a backlog is worked off in steps. */
const purgeBatch = 500;

/** All SQL of stored sound. `retentionHours` 0: it is kept as long as its session. Raises `storage_unavailable`. */
export function createAudioStore(database: Database, retentionHours: number) {
  return {
    /** The new audio's id. */
    async save(audio: NewAudio): Promise<string> {
      if (audio.bytes.length > maxStoredAudioBytes) throw new Error("the sound is too large");
      const audioId = newId();
      await database.query(
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
      return audioId;
    },

    /** Gives a recording to a session, and to the session's owner. */
    async attach(audioId: string, sessionId: string, messageId: string | null): Promise<void> {
      await database.query(
        `UPDATE audio SET session_id = s.session_id, user_id = s.user_id, message_id = $3
         FROM sessions s WHERE audio_id = $1 AND s.session_id = $2`,
        [audioId, sessionId, messageId],
      );
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

    async deleteOfSession(sessionId: string): Promise<void> {
      await database.query("DELETE FROM audio WHERE session_id = $1", [sessionId]);
    },

    /** Deletes what is past its time; resolves with how many. */
    async purgeExpired(): Promise<number> {
      let purged = 0;
      for (;;) {
        const { rowCount } = await database.query(
          `DELETE FROM audio WHERE audio_id IN
             (SELECT audio_id FROM audio WHERE expires_at <= now() LIMIT $1)`,
          [purgeBatch],
        );
        purged += rowCount;
        if (rowCount < purgeBatch) return purged;
      }
    },
  };
}
