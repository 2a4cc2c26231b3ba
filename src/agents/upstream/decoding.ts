import zlib from "node:zlib";

/** Unpacks the body of one answer, piece by piece as it arrives. */
export interface BodyDecoder {
  /** False: no more, please, until `onDrain`. */
  write(chunk: Buffer): boolean;
  /** Nothing is told meanwhile. */
  pause(): void;
  resume(): void;
  /** No more comes; what is left is told before `onEnd`. */
  end(): void;
  close(): void;
}

interface DecoderSink {
  onChunk(chunk: Buffer): void;
  onDrain(): void;
  /** Called once: null at the proper end. */
  onEnd(error: Error | null): void;
}

/** Each piece is unpacked at once, and an end without the format's own is left to the reader. */
const streaming = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH };
const { BROTLI_OPERATION_FLUSH: flush } = zlib.constants;

const decoders: Readonly<Record<string, () => zlib.Gunzip>> = {
  gzip: () => zlib.createGunzip(streaming),
  "x-gzip": () => zlib.createGunzip(streaming),
  deflate: () => zlib.createInflate(streaming),
  br: () => zlib.createBrotliDecompress({ flush, finishFlush: flush }),
  zstd: () => zlib.createZstdDecompress(),
};

/**
 * For an answer that was packed though nobody asked for it, as some networks between do. Null: as it is. Of several
 * encodings only one that stands alone is understood.
 */
export function createBodyDecoder(
  encoding: string | string[] | undefined,
  sink: DecoderSink,
): BodyDecoder | null {
  const name = encodingName(encoding);
  const create = name === "" ? undefined : decoders[name];
  if (create === undefined) return null;
  const decoder = create();
  decoder.on("data", (chunk: Buffer) => sink.onChunk(chunk));
  decoder.on("drain", () => sink.onDrain());
  decoder.once("end", () => sink.onEnd(null));
  decoder.on("error", (error) => sink.onEnd(error));
  return {
    write: (chunk) => decoder.write(chunk),
    pause: () => void decoder.pause(),
    resume: () => void decoder.resume(),
    end: () => void decoder.end(),
    close: () => void decoder.destroy(),
  };
}

/** The beginning of a packed text, as far as it can be read. */
export function decodeExcerpt(
  encoding: string | string[] | undefined,
  bytes: Buffer,
  maxBytes: number,
): Buffer {
  const limits = { maxOutputLength: 64 * 1024 };
  try {
    switch (encodingName(encoding)) {
      case "gzip":
      case "x-gzip":
        return zlib.gunzipSync(bytes, { ...streaming, ...limits }).subarray(0, maxBytes);
      case "deflate":
        return zlib.inflateSync(bytes, { ...streaming, ...limits }).subarray(0, maxBytes);
      case "br":
        return zlib
          .brotliDecompressSync(bytes, { flush, finishFlush: flush, ...limits })
          .subarray(0, maxBytes);
      default:
        return bytes;
    }
  } catch {
    // Not what its header says, or more than 64 KiB: then the status has to do.
    return Buffer.alloc(0);
  }
}

function encodingName(encoding: string | string[] | undefined): string {
  const text = Array.isArray(encoding) ? encoding.join() : (encoding ?? "");
  return text.trim().toLowerCase();
}
