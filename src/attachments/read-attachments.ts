import { Type, type Static } from "typebox";
import type { Attachment } from "../agents/agent-backend.ts";
import { Problem, type ProblemDetail } from "../problems/problem.ts";

/** With one message. */
export const maxAttachments = 10;

/** A file, as callers send it. */
export const attachmentSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 255, examples: ["plan.png"] }),
  media_type: Type.String({
    maxLength: 255,
    pattern: "^$|^[\\w.+-]+/[\\w.+-]+(?:\\s*;.*)?$",
    description: "Parameters are dropped; images are told by their bytes, whatever this says.",
    examples: ["image/png"],
  }),
  data: Type.String({ description: "The bytes, Base64.", contentEncoding: "base64" }),
});

/** Files with a message. */
export const attachmentsSchema = Type.Array(attachmentSchema, {
  maxItems: maxAttachments,
  description: "Images, sound and documents for agents that take them.",
});

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Decodes the files. Raises `validation_failed` for what is not Base64 or empty, `payload_too_large` when they are
 * together larger than `maxBytes`.
 */
export function readAttachments(
  given: Static<typeof attachmentsSchema>,
  maxBytes: number,
  /** Where the body has each of them; default: in its `attachments`. */
  paths: readonly string[] = given.map((_, index) => `/attachments/${index}/data`),
): Attachment[] {
  const details: ProblemDetail[] = [];
  const files = given.map((each, index) => decode(each, paths[index] ?? "", details));
  check(files, details, maxBytes);
  return files;
}

/** The same of files whose bytes have been decoded; `path` is where the request has them. */
export function takeAttachments(
  given: readonly { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[],
  path: string,
  maxBytes: number,
): Attachment[] {
  const details: ProblemDetail[] = given.flatMap(({ bytes }, index) =>
    bytes.length === 0 ? [noBytes(`${path}/${index}`)] : [],
  );
  const files = given.map(({ name, mediaType, bytes }) => namedAttachment(name, mediaType, bytes));
  check(files, details, maxBytes);
  return files;
}

/** The same for a single one that is the whole of a request. */
export function readAttachment(
  given: Static<typeof attachmentSchema>,
  maxBytes: number,
): Attachment {
  const details: ProblemDetail[] = [];
  const file = decode(given, "/data", details);
  check([file], details, maxBytes);
  return file;
}

function decode(
  { name, media_type: mediaType, data }: Static<typeof attachmentSchema>,
  path: string,
  details: ProblemDetail[],
): Attachment {
  const bytes = Buffer.from(data, "base64");
  if (bytes.length === 0 || data.length % 4 !== 0 || !base64.test(data)) {
    details.push(noBytes(path));
  }
  return namedAttachment(name, mediaType, bytes);
}

function noBytes(path: string): ProblemDetail {
  return { path, message: "must be Base64 of some bytes", zh: "必须是非空内容的 Base64" };
}

function check(
  files: readonly Attachment[],
  details: readonly ProblemDetail[],
  maxBytes: number,
): void {
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
  const total = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (total > maxBytes) {
    throw new Problem("payload_too_large", { limit: `${maxBytes} bytes of attachments` });
  }
}

/** With a name that may stand anywhere, and the media type that its bytes say. */
export function namedAttachment(name: string, mediaType: string, bytes: Buffer): Attachment {
  return { name: baseName(name), mediaType: mediaTypeOf(mediaType, bytes), bytes };
}

/** What browsers declare is a guess from the name, and empty where they have none. */
function mediaTypeOf(declared: string, bytes: Buffer): string {
  const plain = declared.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return imageTypeOf(bytes) ?? (plain === "" ? "application/octet-stream" : plain);
}

/** Images as cameras, browsers and scanners make them, by how their files begin. */
function imageTypeOf(bytes: Buffer): string | null {
  const start = bytes.toString("latin1", 0, 12);
  if (start.startsWith("\u0089PNG\r\n\u001a\n")) return "image/png";
  if (start.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  if (/^GIF8[79]a/.test(start)) return "image/gif";
  if (start.startsWith("RIFF") && start.endsWith("WEBP")) return "image/webp";
  if (/^II\*\0|^MM\0\*/.test(start)) return "image/tiff";
  // Behind its length are two reserved words.
  if (/^BM[^]{4}\0\0\0\0/.test(start)) return "image/bmp";
  const brand = /^[^]{4}ftyp([^]{4})/.exec(start)?.[1];
  if (brand !== undefined && /^(?:hei[cxms]|hev[cxms]|mif1|msf1)$/.test(brand)) return "image/heic";
  if (brand !== undefined && /^avi[fs]$/.test(brand)) return "image/avif";
  const text = bytes.toString("latin1", 0, 1_024);
  return /^(?:\u00ef\u00bb\u00bf)?\s*(?:<\?xml[^>]*>\s*|<!--[^]*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>/]/i.test(
    text,
  )
    ? "image/svg+xml"
    : null;
}

/** Names become parts of uploads and headers: no folders, no control characters. */
function baseName(name: string): string {
  const base =
    name
      .replaceAll(/\p{Cc}/gu, "")
      .split(/[\\/]/)
      .at(-1)
      ?.trim() ?? "";
  return base === "" || base === "." || base === ".." ? "file" : base.slice(0, 255).toWellFormed();
}
