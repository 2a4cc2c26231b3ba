import type { Attachment } from "../agents/agent-backend.ts";
import type { Database, Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";

/** What a message shows of a file that came with it. */
export interface AttachmentInfo {
  readonly attachment_id: string;
  readonly name: string;
  readonly media_type: string;
  /** Bytes. */
  readonly size: number;
  /** Path of the bytes. */
  readonly url: string;
}

export interface StoredAttachment extends Attachment {
  readonly userId: string;
}

export type AttachmentStore = ReturnType<typeof createAttachmentStore>;

/** All SQL of attachments. They are deleted with their session. */
export function createAttachmentStore(database: Database) {
  return {
    /** Stores the files of a message as part of `tx`. */
    async insert(
      tx: Queryable,
      message: { readonly sessionId: string; readonly messageId: string },
      files: readonly { readonly info: AttachmentInfo; readonly bytes: Uint8Array }[],
    ): Promise<void> {
      for (const [position, { info, bytes }] of files.entries()) {
        await tx.query(
          `INSERT INTO attachments
             (attachment_id, session_id, message_id, position, name, media_type, size, bytes)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
          [
            info.attachment_id,
            message.sessionId,
            message.messageId,
            position,
            info.name,
            info.media_type,
            info.size,
            bytes,
          ],
        );
      }
    },

    /** The files of a message in their order, for the agent. */
    async ofMessage(messageId: string): Promise<Attachment[]> {
      const { rows } = await database.query<Attachment>(
        `SELECT name, media_type AS "mediaType", bytes FROM attachments
         WHERE message_id = $1 ORDER BY position`,
        [messageId],
      );
      return rows;
    },

    /** With the owner of its session; null when there is none. */
    async find(attachmentId: string): Promise<StoredAttachment | null> {
      const { rows } = await database.query<StoredAttachment>(
        `SELECT a.name, a.media_type AS "mediaType", a.bytes, s.user_id AS "userId"
         FROM attachments a JOIN sessions s ON s.session_id = a.session_id
         WHERE a.attachment_id = $1`,
        [attachmentId],
      );
      return rows[0] ?? null;
    },
  };
}

/** A new attachment's description. */
export function describeAttachment(file: Attachment): AttachmentInfo {
  const attachmentId = newId();
  return {
    attachment_id: attachmentId,
    name: file.name,
    media_type: file.mediaType,
    size: file.bytes.length,
    url: `/chat/attachments/${attachmentId}`,
  };
}
