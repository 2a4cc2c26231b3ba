import { v5 } from "uuid";
import type { Attachment } from "../agents/agent-backend.ts";
import { fromBase64, toBase64 } from "../database/base64.ts";
import type { Database, Queryable } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { namedAttachment } from "./read-attachments.ts";
import type { StorageQuota } from "./storage-quota.ts";

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
export function createAttachmentStore(database: Database, quota: StorageQuota) {
  const insertOne = async (
    tx: Queryable,
    message: { readonly sessionId: string; readonly messageId: string },
    position: number,
    { info, bytes }: { readonly info: AttachmentInfo; readonly bytes: Uint8Array },
  ) => {
    await tx.query(
      `INSERT INTO attachments
         (attachment_id, session_id, message_id, position, name, media_type, size, bytes)
       VALUES ($1, $2, $3, $4, $5, $6, $7, decode($8, 'base64'))`,
      [
        info.attachment_id,
        message.sessionId,
        message.messageId,
        position,
        info.name,
        info.media_type,
        info.size,
        toBase64(bytes),
      ],
    );
  };

  return {
    /** Stores a file of a message as part of `tx`; how that one shows it. Whoever adds several checks the quota behind all. */
    async add(
      tx: Queryable,
      message: { readonly sessionId: string; readonly messageId: string },
      position: number,
      file: Attachment,
    ): Promise<AttachmentInfo> {
      const info = describeAttachment(file);
      await insertOne(tx, message, position, { info, bytes: file.bytes });
      return info;
    },

    /**
     * Keeps a file that a reply has produced; given once more it is the same one. Raises `storage_quota_exceeded`. Forks of
     * the conversation point to it, too.
     */
    async keep(
      message: { readonly sessionId: string; readonly messageId: string },
      file: Attachment,
    ): Promise<AttachmentInfo> {
      const { name, mediaType, bytes } = namedAttachment(
        file.name,
        file.mediaType,
        Buffer.from(file.bytes),
      );
      const attachmentId = v5(bytes, message.messageId);
      const info = withId({ name, media_type: mediaType, size: bytes.length }, attachmentId);
      await database.transaction(async (tx) => {
        const { rows } = await tx.query("SELECT FROM attachments WHERE attachment_id = $1", [
          attachmentId,
        ]);
        if (rows.length > 0) return;
        await insertOne(tx, message, 0, { info, bytes });
        await quota.check(tx, message.sessionId);
      });
      return info;
    },

    /** After files were added to a session as part of `tx`. Raises `storage_quota_exceeded`. */
    checkQuota: (tx: Queryable, sessionId: string): Promise<void> => quota.check(tx, sessionId),

    /** Stores the files of a message as part of `tx`. Raises `storage_quota_exceeded`. */
    async insert(
      tx: Queryable,
      message: { readonly sessionId: string; readonly messageId: string },
      files: readonly { readonly info: AttachmentInfo; readonly bytes: Uint8Array }[],
    ): Promise<void> {
      for (const [position, file] of files.entries()) await insertOne(tx, message, position, file);
      if (files.length > 0) await quota.check(tx, message.sessionId);
    },

    /** The same files with another message, as part of `tx`; how that one shows them. Raises `storage_quota_exceeded`. */
    async copy(
      tx: Queryable,
      messageId: string,
      to: { readonly sessionId: string; readonly messageId: string },
      files: readonly AttachmentInfo[],
    ): Promise<AttachmentInfo[]> {
      const copies = files.map((file) => ({ of: file.attachment_id, info: renamed(file) }));
      await tx.query(
        `INSERT INTO attachments
           (attachment_id, session_id, message_id, position, name, media_type, size, bytes)
         SELECT copies.id, $2, $3, a.position, a.name, a.media_type, a.size, a.bytes
         FROM attachments a JOIN unnest($4::uuid[], $5::uuid[]) AS copies (of, id)
           ON a.attachment_id = copies.of
         WHERE a.message_id = $1`,
        [
          messageId,
          to.sessionId,
          to.messageId,
          copies.map(({ of }) => of),
          copies.map(({ info }) => info.attachment_id),
        ],
      );
      if (files.length > 0) await quota.check(tx, to.sessionId);
      return copies.map(({ info }) => info);
    },

    /** The files of messages in their order, for the agent. */
    async ofMessages(messageIds: readonly string[]): Promise<Attachment[]> {
      const { rows } = await database.query<Encoded<Attachment>>(
        `SELECT name, media_type AS "mediaType", encode(bytes, 'base64') AS bytes FROM attachments
         WHERE message_id = ANY($1::uuid[]) ORDER BY array_position($1::uuid[], message_id), position`,
        [messageIds],
      );
      return rows.map((row) => ({ ...row, bytes: fromBase64(row.bytes) }));
    },

    /** Files of a session, in the order of their ids; those that are not there are left out. */
    async ofSession(
      sessionId: string,
      ids: readonly string[],
    ): Promise<(Attachment & { readonly id: string })[]> {
      const { rows } = await database.query<Encoded<Attachment> & { readonly id: string }>(
        `SELECT a.attachment_id AS id, a.name, a.media_type AS "mediaType",
           encode(a.bytes, 'base64') AS bytes
         FROM attachments a
         WHERE a.session_id = $1 AND a.attachment_id = ANY($2::uuid[])
         ORDER BY array_position($2::uuid[], a.attachment_id)`,
        [sessionId, ids],
      );
      return rows.map((row) => ({ ...row, bytes: fromBase64(row.bytes) }));
    },

    /** With the owner of its session; null when there is none. */
    async find(attachmentId: string): Promise<StoredAttachment | null> {
      const { rows } = await database.query<Encoded<StoredAttachment>>(
        `SELECT a.name, a.media_type AS "mediaType", encode(a.bytes, 'base64') AS bytes,
                s.user_id AS "userId"
         FROM attachments a JOIN sessions s ON s.session_id = a.session_id
         WHERE a.attachment_id = $1`,
        [attachmentId],
      );
      const [row] = rows;
      return row ? { ...row, bytes: fromBase64(row.bytes) } : null;
    },
  };
}

/** As the database gives it. */
type Encoded<T> = Omit<T, "bytes"> & { readonly bytes: string };

/** A new attachment's description. */
export function describeAttachment(file: Attachment): AttachmentInfo {
  return renamed({ name: file.name, media_type: file.mediaType, size: file.bytes.length });
}

function renamed(file: Pick<AttachmentInfo, "name" | "media_type" | "size">): AttachmentInfo {
  return withId(file, newId());
}

function withId(
  { name, media_type, size }: Pick<AttachmentInfo, "name" | "media_type" | "size">,
  attachmentId: string,
): AttachmentInfo {
  const url = `/chat/attachments/${attachmentId}`;
  return { name, media_type, size, attachment_id: attachmentId, url };
}
