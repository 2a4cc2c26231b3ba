import type { Attachment } from "../agents/agent-backend.ts";

/** Shown in a page as what they are; anything else could be a page of its own. */
const inline = /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/;

/** How the bytes of a file are sent, whoever may have them: nothing in it can act on behalf of this address. */
export function fileHeaders({ name, mediaType }: Pick<Attachment, "name" | "mediaType">) {
  const isInline = inline.test(mediaType);
  const encoded = encodeURIComponent(name).replaceAll("'", "%27");
  return {
    "Content-Type": isInline ? mediaType : "application/octet-stream",
    "Content-Disposition": `${isInline ? "inline" : "attachment"}; filename*=UTF-8''${encoded}`,
    "Content-Security-Policy": "default-src 'none'; sandbox",
  };
}

export const fileResponse = {
  description: "The bytes, with the media type they were sent with.",
  content: Object.fromEntries(
    ["image/*", "audio/*", "video/*", "application/octet-stream"].map((type) => [
      type,
      { schema: { type: "string", format: "binary" } },
    ]),
  ),
};
