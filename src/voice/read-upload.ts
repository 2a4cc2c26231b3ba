import type { FastifyReply, FastifyRequest } from "fastify";
import type { Multipart } from "@fastify/multipart";
import { checkNames } from "../http/closed-body.ts";
import { goneSignal } from "../http/gone-signal.ts";
import { isRequired, Problem } from "../problems/problem.ts";
import type { Recognition, RecognizedSpeech } from "./recognition.ts";

/** A recording in a form, for descriptions of routes. */
export const uploadContent = {
  description:
    "wav, mp3, m4a/mp4, aac, ogg, webm, flac, amr, caf, aiff, mp2 or wma, told by its content; up to ten minutes.",
  type: "string",
  format: "binary",
};

/** A recording and the fields beside it. */
export interface Upload {
  readonly file: Uint8Array;
  /** Flat fields, over the members of a JSON part `request`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a form holds. */
export interface UploadForm {
  /** The field that has the file. */
  readonly file: string;
  /** None but these are taken; absent: others mean nothing. */
  readonly known?: readonly string[];
}

const maxFields = 20;
const maxFieldBytes = 64 * 1024;
/** Of a body beside its file: boundaries, headers, fields. */
const overheadBytes = 256 * 1024;

function missing(name: string): Problem<"validation_failed"> {
  const details = [{ path: `/${name}`, ...isRequired }];
  return new Problem("validation_failed", {}, { details });
}

/**
 * Reads a multipart body with one file. Fields of a name that ends in `[]` are a list. Raises `payload_too_large` as soon
 * as it is known to be, `unsupported_media_type` for another kind of body, `validation_failed`, or `bad_request` for a
 * broken one. The rest of a body that is refused is not read.
 */
export async function readUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  maxFileBytes: number,
  form: UploadForm,
): Promise<Upload> {
  try {
    return await readForm(request, maxFileBytes, form);
  } catch (error) {
    void reply.header("Connection", "close");
    throw error;
  }
}

/** The text of a recording that came with a request, for its caller; a language that is no text means nothing. */
export function hear(
  voice: Pick<Recognition, "transcribe">,
  file: Uint8Array,
  language: unknown,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): Promise<RecognizedSpeech> {
  return voice.transcribe(file, {
    language: typeof language === "string" ? language : undefined,
    // Without identities a name proves nothing, and each address has its share.
    owner: request.identity?.userId ?? request.ip,
    signal: goneSignal(reply),
  });
}

async function readForm(
  request: FastifyRequest,
  maxFileBytes: number,
  form: UploadForm,
): Promise<Upload> {
  if (!request.isMultipart()) {
    throw new Problem("unsupported_media_type", {
      got: request.headers["content-type"] ?? "A body without a content type",
      expected: `multipart/form-data with a file ${form.file}`,
    });
  }
  const tooLarge = () => new Problem("payload_too_large", { limit: `${maxFileBytes} bytes` });
  if (Number(request.headers["content-length"] ?? 0) > maxFileBytes + overheadBytes)
    throw tooLarge();
  const fields: Record<string, unknown> = {};
  let inner: Record<string, unknown> = {};
  let file: Uint8Array | null = null;
  const limits = {
    fileSize: maxFileBytes,
    files: 1,
    fields: maxFields,
    fieldSize: maxFieldBytes,
    parts: maxFields + 1,
  };
  try {
    for await (const part of request.parts({ limits })) {
      if (part.type === "file") {
        const bytes = await readFile(part);
        if (bytes === null) throw tooLarge();
        if (part.fieldname !== form.file) throw missing(form.file);
        file = bytes;
      } else if (part.fieldname.endsWith("[]")) {
        const list = (fields[part.fieldname] ?? []) as unknown[];
        fields[part.fieldname] = [...list, part.value];
      } else if (part.fieldname === "request") {
        inner = parseRequest(part.value);
      } else {
        fields[part.fieldname] = part.value;
      }
    }
  } catch (error) {
    throw toProblem(error, maxFileBytes);
  }
  if (!file) throw missing(form.file);
  const all = { ...inner, ...fields };
  if (form.known !== undefined) checkNames(all, form.known);
  return { file, fields: all };
}

async function readFile(part: Extract<Multipart, { type: "file" }>): Promise<Uint8Array | null> {
  const chunks: Buffer[] = [];
  for await (const chunk of part.file) chunks.push(chunk as Buffer);
  return part.file.truncated ? null : Buffer.concat(chunks);
}

function parseRequest(value: unknown): Record<string, unknown> {
  let parsed = value;
  if (typeof value === "string") {
    try {
      parsed = JSON.parse(value);
    } catch {
      throw new Problem("malformed_json", {});
    }
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  const details = [{ path: "/request", message: "must be a JSON object", zh: "必须是 JSON 对象" }];
  throw new Problem("validation_failed", {}, { details });
}

function toProblem(error: unknown, maxFileBytes: number): Problem {
  if (error instanceof Problem) return error;
  const code = (error as { code?: unknown }).code;
  switch (code) {
    case "FST_REQ_FILE_TOO_LARGE":
      return new Problem("payload_too_large", { limit: `${maxFileBytes} bytes` });
    case "FST_FILES_LIMIT":
      return new Problem("payload_too_large", { limit: "1 file" });
    case "FST_FIELDS_LIMIT":
    case "FST_PARTS_LIMIT":
      return new Problem("payload_too_large", { limit: `${maxFields} fields` });
    default:
      return new Problem(
        "bad_request",
        {
          en: "The multipart body is broken or was cut off.",
          zh: "multipart 请求体已损坏或被截断。",
        },
        { cause: error },
      );
  }
}
