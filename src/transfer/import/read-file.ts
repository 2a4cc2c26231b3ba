import type { Attachment } from "../../agents/agent-backend.ts";
import { namedAttachment } from "../../attachments/read-attachments.ts";
import { fileTooLarge, type Upload } from "./archive.ts";
import type { SourceFile } from "./conversation.ts";
import type { LongTexts } from "./long-texts.ts";

/** A file of a message; null where there is nothing to be read of it. Raises ImportFault for one that is too large. */
export type ReadFile = (file: SourceFile) => Promise<Attachment | null>;

export function createReadFile(
  upload: Upload,
  texts: Pick<LongTexts, "whole">,
  maxBytes: number,
): ReadFile {
  return async ({ name, mediaType, from }) => {
    if ("data" in from) {
      const data = texts.whole(from.data).replace(/^data:[^,]{0,200},/, "");
      const bytes = Buffer.from(data, "base64");
      if (bytes.length > maxBytes) throw fileTooLarge(name, maxBytes);
      return bytes.length === 0 ? null : namedAttachment(name, mediaType, bytes);
    }
    const found = await upload.file(from.entry, maxBytes);
    if (found === null || found.bytes.length === 0) return null;
    // What is known by its id only has its name in the archive.
    return namedAttachment(name === from.entry ? found.name : name, mediaType, found.bytes);
  };
}
