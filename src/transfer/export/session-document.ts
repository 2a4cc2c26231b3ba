import type { AttachmentInfo, AttachmentStore } from "../../attachments/attachment-store.ts";
import { messageInfo } from "../../chat/message-info.ts";
import type { MessageStore, StoredMessage } from "../../chat/message-store.ts";
import { sessionInfo } from "../../sessions/session-info.ts";
import type { FoundSession } from "../../sessions/session-store.ts";
import { everything } from "../../tree/tree.ts";
import { documentFormat, documentVersion } from "../document-format.ts";
import { messagesOf } from "./messages-of.ts";

interface Sources {
  readonly messages: Pick<MessageStore, "history">;
  readonly attachments: Pick<AttachmentStore, "find">;
}

/**
 * A session with all its branches and files as one JSON document, in pieces: a page of messages or one file is all that
 * is held at a time. Messages stand in the order in which they were accepted, so each behind its parent.
 */
export async function* sessionDocument(
  session: FoundSession,
  { messages, attachments }: Sources,
): AsyncGenerator<string> {
  const head = {
    format: documentFormat,
    version: documentVersion,
    exported_at: new Date().toISOString(),
    session: sessionInfo(session),
  };
  yield `${JSON.stringify(head).slice(0, -1)},"messages":[`;
  let isFirst = true;
  for await (const message of messagesOf(messages, session, everything(session.tree))) {
    if (!isFirst) yield ",";
    yield* messageDocument(message, attachments);
    isFirst = false;
  }
  yield "]}";
}

async function* messageDocument(
  message: StoredMessage,
  attachments: Pick<AttachmentStore, "find">,
): AsyncGenerator<string> {
  const { attachments: files, ...rest } = messageInfo(message);
  const { outputFormat } = message;
  const json = JSON.stringify({
    ...rest,
    ...(outputFormat !== null && { output_format: outputFormat }),
  });
  if (files === undefined) return yield json;
  yield `${json.slice(0, -1)},"attachments":[`;
  for (const [index, file] of files.entries()) {
    if (index > 0) yield ",";
    yield await fileDocument(file, attachments);
  }
  yield "]}";
}

/** `data` is null of a file that went meanwhile. */
async function fileDocument(
  file: AttachmentInfo,
  attachments: Pick<AttachmentStore, "find">,
): Promise<string> {
  const { url: _url, ...info } = file;
  const found = await attachments.find(file.attachment_id);
  const data = found === null ? null : Buffer.from(found.bytes).toString("base64");
  return JSON.stringify({ ...info, data });
}
