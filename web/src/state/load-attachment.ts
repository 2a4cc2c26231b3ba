import { client } from "../api/client.ts";
import { identity } from "./identity.ts";

/** The files seen last; rows of a long conversation come and go while it is scrolled. */
const loaded = new Map<string, Promise<Blob>>();
const maxLoaded = 24;

identity.subscribe(() => loaded.clear());

/** The bytes of a file that came with a message. Raises what requests raise; then it may be asked for again. */
export function loadAttachment(attachmentId: string): Promise<Blob> {
  const known = loaded.get(attachmentId);
  const bytes = known ?? client.messages.attachment(attachmentId);
  loaded.delete(attachmentId);
  loaded.set(attachmentId, bytes);
  if (known === undefined) bytes.catch(() => loaded.delete(attachmentId));
  const [oldest] = loaded.keys();
  if (loaded.size > maxLoaded && oldest !== undefined) loaded.delete(oldest);
  return bytes;
}
