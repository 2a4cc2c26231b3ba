import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FastifyRequest } from "fastify";
import { checkNames } from "../http/closed-body.ts";
import { isRequired, Problem } from "../problems/problem.ts";

/** What was sent, on disk; gone with its directory when it is disposed of. */
export interface ReceivedFile extends AsyncDisposable {
  readonly directory: string;
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/** Beside the file in a multipart body. */
const maxFields = 5;
const maxFieldBytes = 1024;

/**
 * Writes the `file` of a multipart body, or a body that is the file, to disk while it comes. Raises `payload_too_large` as
 * soon as that is known, `validation_failed` without a file, and `bad_request` for a body that breaks off.
 */
export async function receiveUpload(
  request: FastifyRequest,
  maxBytes: number,
): Promise<ReceivedFile> {
  const tooLarge = () => new Problem("payload_too_large", { limit: `${maxBytes} bytes` });
  if (Number(request.headers["content-length"] ?? 0) > maxBytes + 64 * 1024) throw tooLarge();
  const directory = await mkdtemp(join(tmpdir(), "chat-import-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const path = join(directory, "file");
    const hash = createHash("sha256");
    let received = 0;
    const write = (source: Readable) =>
      pipeline(
        async function* bounded() {
          // Whoever sends too much is still to be told so.
          for await (const chunk of source.iterator({ destroyOnReturn: false })) {
            received += (chunk as Buffer).length;
            if (received > maxBytes) throw tooLarge();
            hash.update(chunk as Buffer);
            yield chunk as Buffer;
          }
        },
        createWriteStream(path, { flags: "wx", mode: 0o600 }),
      );
    if (request.isMultipart()) await receivePart(request, write);
    else await write(request.raw);
    if (received === 0) throw missing();
    return { directory, path, sha256: hash.digest("hex"), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error instanceof Problem ? error : broken(error);
  }
}

async function receivePart(
  request: FastifyRequest,
  write: (source: Readable) => Promise<void>,
): Promise<void> {
  const limits = { files: 1, fields: maxFields, fieldSize: maxFieldBytes, fileSize: Infinity };
  let hasFile = false;
  for await (const part of request.parts({ limits })) {
    if (part.type !== "file") {
      checkNames({ [part.fieldname]: part.value }, ["file"]);
      continue;
    }
    if (part.fieldname !== "file") throw missing();
    await write(part.file);
    hasFile = true;
  }
  if (!hasFile) throw missing();
}

function missing(): Problem {
  return new Problem("validation_failed", {}, { details: [{ path: "/file", ...isRequired }] });
}

export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

export function diskFull(cause: unknown): Problem {
  return new Problem("storage_unavailable", { what: "disk" }, { retryAfterSeconds: 60, cause });
}

function broken(cause: unknown): Problem {
  if (isDiskFull(cause)) return diskFull(cause);
  return new Problem(
    "bad_request",
    {
      en: "The body is broken, was cut off, or stopped coming for longer than server.request_timeout_seconds.",
      zh: "请求体已损坏、被截断，或停止传输的时间超过了 server.request_timeout_seconds。",
    },
    { cause },
  );
}
