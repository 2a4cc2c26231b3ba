import type { FastifyReply, FastifyRequest } from "fastify";
import { isCurrent, privateFileHeaders } from "../http/etag.ts";
import { Problem } from "../problems/problem.ts";
import type { StoredAudio } from "./audio-store.ts";

interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** The one range that a `Range` header asks for; null for all of it, `unsatisfiable` when there is no such part. */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | null | "unsatisfiable" {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  // Other units, several ranges and nonsense are to be ignored.
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return null;
  return start >= size ? "unsatisfiable" : { start, end };
}

/** Sends stored sound, or the part of it that was asked for. */
export function sendSound(request: FastifyRequest, reply: FastifyReply, audio: StoredAudio) {
  const size = audio.bytes.length;
  const headers = {
    ...privateFileHeaders(audio.audioId),
    "Accept-Ranges": "bytes",
    "Content-Disposition": "inline",
    "Last-Modified": audio.createdAt.toUTCString(),
  };
  const etag = headers.ETag;
  if (isCurrent(request.headers["if-none-match"], etag)) {
    return reply.headers(headers).code(304).send();
  }
  const condition = request.headers["if-range"];
  const current = condition === undefined || condition === etag;
  const range = current ? parseRange(request.headers.range, size) : null;
  if (range === "unsatisfiable") {
    void reply.header("Content-Range", `bytes */${size}`);
    throw new Problem("range_not_satisfiable", { bytes: size });
  }
  void reply.headers(headers).type(audio.mediaType);
  const bytes = Buffer.from(audio.bytes.buffer, audio.bytes.byteOffset, size);
  if (range === null) return reply.send(bytes);
  return reply
    .code(206)
    .header("Content-Range", `bytes ${range.start}-${range.end}/${size}`)
    .send(bytes.subarray(range.start, range.end + 1));
}
