import { extname } from "node:path";
import type { Attachment } from "../../agent-backend.ts";
import type { ContentPart } from "./chat-protocol.ts";

/** Of one text file, in UTF-16 units; the model is told what is left out. */
export const maxFileLength = 64 * 1024;

const textTypes =
  /^text\/|[/+](json|xml|yaml|x-yaml|toml|sql|javascript|typescript|x-typescript|x-sh|x-python|x-ndjson|jsonl|graphql|x-httpd-php)$/;

/** What every model with eyes takes. */
const shownImages = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;

export function isImage({ mediaType }: { readonly mediaType: string }): boolean {
  return (shownImages as readonly string[]).includes(mediaType);
}

/** Text that a model can read as it is. */
export function isTextFile({ mediaType }: { readonly mediaType: string }): boolean {
  return textTypes.test(mediaType) && !/^text\/rtf$/.test(mediaType);
}

/** What agents of models take, as they tell it. */
export const takenFiles = [
  ...shownImages,
  "text/*",
  "application/json",
  "application/xml",
] as const;

/** Images are shown, texts are put in; of anything else the model is only told that it is there. */
export function withFiles(
  message: string,
  files: readonly Attachment[],
  /** For all texts together, in UTF-16 units. */
  maxTextLength: number,
): string | readonly ContentPart[] {
  let room = maxTextLength;
  const others = files
    .filter((file) => !isImage(file))
    .map((file) => {
      const text = isTextFile(file) ? decoded(file.bytes) : null;
      if (text === null) return `[attached: ${file.name} (${file.mediaType}), not shown to you]`;
      const shown = text.slice(0, Math.max(0, Math.min(room, maxFileLength)));
      room -= shown.length;
      return fenced(file, shown, text.length - shown.length);
    });
  const text = [message, ...others].join("\n\n");
  const images = files.filter(isImage);
  if (images.length === 0) return text;
  return [
    { type: "text", text },
    ...images.map(({ mediaType, bytes }): ContentPart => ({
      type: "image_url",
      image_url: { url: `data:${mediaType};base64,${Buffer.from(bytes).toString("base64")}` },
    })),
  ];
}

/** Nothing in the file can end the fence: it is longer than any in there. */
function fenced(file: Attachment, text: string, leftOut: number): string {
  const longest = Math.max(2, ...(text.match(/`{3,}/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const language = extname(file.name).slice(1).replaceAll(/\W/g, "");
  const rest = leftOut > 0 ? `\n[${leftOut} more characters are left out]` : "";
  const end = text.endsWith("\n") ? "" : "\n";
  return `[attached: ${file.name} (${file.mediaType})]\n${fence}${language}\n${text}${end}${fence}${rest}`;
}

/** Null for what is no text after all. */
function decoded(bytes: Uint8Array): string | null {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? "utf-16le"
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? "utf-16be"
        : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}
