import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { errorIdentifier } from "../../lib/error-identifier.ts";
import { hadAnsweredBefore } from "./connector.ts";
import { createBodyDecoder, decodeExcerpt, type BodyDecoder } from "./decoding.ts";
import { parseRetryAfter } from "./retry.ts";
import { UpstreamError } from "./upstream-error.ts";

export interface ExchangeOptions extends Dispatcher.DispatchOptions {
  /** From sending the request to the answer's headers. */
  readonly headersTimeoutMs: number;
}

/** What becomes of a good (2xx) answer. */
export interface ExchangeSink {
  /** May throw: the exchange then ends with that error. */
  onChunk(chunk: Buffer): void;
  /** Called exactly once; null at a proper end. */
  onEnd(error: Error | null): void;
}

/** One request and its answer on the wire. */
export interface Exchange {
  /** Whether anything may have reached the peer. */
  readonly sent: boolean;
  /** Back-pressure: the socket is not read meanwhile. */
  pause(): void;
  resume(): void;
  /** Ends it at once with this reason and closes its socket. Does nothing after the end. */
  abort(reason: Error): void;
}

const maxExcerptBytes = 4096;
/** An error answer is told by its status; its body is waited for only this long. */
const excerptTimeoutMs = 2_000;

/**
 * Runs one exchange on the lowest level of the HTTP client, which calls back for each piece of the body: no stream
 * object stands between the socket and the reader, which is most of the cost of relaying a token. An answer outside
 * 200..299 ends it with an `UpstreamError` that holds the status and the start of the body.
 */
export function startExchange(
  dispatcher: Dispatcher,
  options: ExchangeOptions,
  sink: ExchangeSink,
): Exchange {
  let controller: Dispatcher.DispatchController | null = null;
  let sent = false;
  let ended = false;
  let answered = false;
  let decoder: BodyDecoder | null = null;
  let refusal: { status: number; headers: IncomingHttpHeaders } | null = null;
  let excerpt: Buffer[] = [];
  let excerptBytes = 0;
  /** For the headers, then for the body of an error answer. */
  let timer: NodeJS.Timeout | undefined;

  function end(error: Error | null): void {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    decoder?.close();
    sink.onEnd(error);
  }

  function refused(): UpstreamError {
    const status = refusal?.status ?? 0;
    const headers = refusal?.headers ?? {};
    const bytes = Buffer.concat(excerpt).subarray(0, maxExcerptBytes);
    const body = decodeExcerpt(headers["content-encoding"], bytes, maxExcerptBytes).toString(
      "utf8",
    );
    const retryAfterSeconds = parseRetryAfter(headers["retry-after"], Date.now());
    const { location } = headers;
    excerpt = [];
    return new UpstreamError("status", describeRefusal(options, status, body), {
      status,
      bodyExcerpt: body,
      ...(typeof location === "string" ? { location } : {}),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }

  function abort(reason: Error): void {
    if (ended) return;
    end(reason);
    controller?.abort(reason);
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(given) {
      controller = given;
      if (ended) {
        given.abort(new Error("aborted before it was sent"));
        return;
      }
      sent = true;
      timer = setTimeout(() => {
        const limitMs = options.headersTimeoutMs;
        abort(new UpstreamError("headers_timeout", `no headers within ${limitMs} ms`, { limitMs }));
      }, options.headersTimeoutMs);
    },
    onResponseStart(_given, status, headers) {
      // 1xx answers are followed by the real one.
      if (status < 200) return;
      clearTimeout(timer);
      answered = true;
      if (status <= 299) {
        decoder = createBodyDecoder(headers["content-encoding"], {
          onChunk(chunk) {
            if (ended) return;
            try {
              sink.onChunk(chunk);
            } catch (error) {
              abort(error as Error);
            }
          },
          onDrain: () => controller?.resume(),
          onEnd: (error) => (error ? abort(notUnpacked(error)) : end(null)),
        });
        return;
      }
      refusal = { status, headers };
      timer = setTimeout(() => abort(refused()), excerptTimeoutMs);
    },
    onResponseData(_given, chunk) {
      if (ended) return;
      if (decoder) {
        // A copy, because it is worked on later.
        if (!decoder.write(Buffer.from(chunk))) controller?.pause();
        return;
      }
      if (!refusal) {
        sink.onChunk(chunk);
        return;
      }
      // A copy: the client may reuse the memory behind the piece.
      excerpt.push(Buffer.from(chunk.subarray(0, maxExcerptBytes)));
      excerptBytes += chunk.length;
      if (excerptBytes >= maxExcerptBytes) abort(refused());
    },
    onResponseEnd() {
      if (decoder) decoder.end();
      else end(refusal ? refused() : null);
    },
    onResponseError(_given, error) {
      end(refusal ? refused() : translate(error, sent, !answered && hadAnsweredBefore(error)));
    },
  };
  dispatcher.dispatch(options, handler);

  return {
    get sent() {
      return sent;
    },
    pause() {
      controller?.pause();
      decoder?.pause();
    },
    resume() {
      decoder?.resume();
      controller?.resume();
    },
    abort,
  };
}

/** The reason of an aborted signal, as an Error in any case. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}

function notUnpacked(cause: Error): UpstreamError {
  return new UpstreamError("broken", "the answer could not be unpacked", { cause });
}

/** Errors that mean a mistake of ours, such as a header with a line break. */
const bugCodes = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED"]);

function translate(error: Error, sent: boolean, wasStale: boolean): Error {
  if (error instanceof UpstreamError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (bugCodes.has(code)) return error;
  if (!sent) {
    return new UpstreamError("unreachable", `could not connect (${code || error.name})`, {
      cause: error,
    });
  }
  return new UpstreamError("broken", `the connection broke (${code || error.name})`, {
    wasStale,
    cause: error,
  });
}

/** Names the peer's error code where it has one: an identifier, never free text. */
function describeRefusal(options: ExchangeOptions, status: number, body: string): string {
  const path = options.path.split("?", 1)[0] ?? "";
  const code = errorCode(body);
  return `${options.method} ${path} was answered with ${status}${code ? ` (${code})` : ""}`;
}

function errorCode(body: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // Not JSON, or more than the excerpt: then the status has to do.
    return null;
  }
  const outer = asRecord(parsed);
  const inner = asRecord(outer["error"]);
  const codes = [inner["code"], inner["type"], outer["error_code"], outer["code"]];
  return codes.map(errorIdentifier).find((code) => code !== null) ?? null;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
