import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request, type Dispatcher, type FormData } from "undici";
import { shownCertificate } from "../../../lib/certificates.ts";
import { errorIdentifier } from "../../../lib/error-identifier.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { collect, releasing, type ByteStream } from "../../byte-stream.ts";
import { voiceUnavailable } from "../../unavailable.ts";

/** In milliseconds. Time counts only while the server is waited for, not while the caller takes its time. */
export interface SpeechServerLimits {
  readonly connectMs: number;
  /** From sending a request to the first byte of the answer's body. */
  readonly firstByteMs: number;
  readonly totalMs: number;
  /** The first pause before another try; it doubles. */
  readonly retryMs: number;
}

export const speechServerLimits: SpeechServerLimits = {
  connectMs: 5_000,
  firstByteMs: 15_000,
  totalMs: 120_000,
  retryMs: 250,
};

export interface SpeechServerOptions {
  /** Such as `https://api.openai.com/v1`. */
  readonly apiUrl: string;
  readonly apiKey: string | null;
  readonly limits?: Partial<SpeechServerLimits>;
  readonly logger: Logger;
}

export interface SpeechCall {
  readonly method: "GET" | "POST";
  /** Below the base URL, such as `/audio/speech`. */
  readonly path: string;
  /** A function, for a body can be sent once and there may be several tries. */
  readonly body?: () => string | FormData;
  readonly firstByteMs?: number;
  readonly signal: AbortSignal;
}

export interface SpeechAnswer {
  readonly status: number;
  /** Without parameters, in lower case; empty when there is none. */
  readonly mediaType: string;
  header(name: string): string | undefined;
  /** To be read or returned. Raises `speech_failed` when the connection breaks, `speech_timeout`, or the signal's reason. */
  readonly body: ByteStream;
  /** The rest of the body; `speech_failed` beyond the limit. */
  text(maxBytes: number): Promise<string>;
}

/** A server that speaks the OpenAI-compatible audio contract, with its limits and retries. */
export interface SpeechServer {
  /**
   * Resolves with the headers of an answer of any status but those that were tried again: connection faults and 429, 502,
   * 503 and 504 are, twice, unless the server asks for more than 10 s. Raises `voice_unavailable` then.
   */
  call(call: SpeechCall): Promise<SpeechAnswer>;
  close(): Promise<void>;
}

const passingStatuses = new Set([429, 502, 503, 504]);
const maxTries = 3;
const maxRetryAfterSeconds = 10;
const maxErrorBytes = 4_096;

/** `Retry-After` as seconds, from seconds or a date. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value.trim())) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function headerOf(answer: Dispatcher.ResponseData, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The clock of one call: runs while the server is waited for. */
function createBudget(totalMs: number) {
  let remainingMs = totalMs;
  return {
    /** Awaits `work`, which `onTimeout` is to end when the time is up. */
    async spend<T>(work: Promise<T>, atMostMs: number, onTimeout: () => void): Promise<T> {
      const start = performance.now();
      const timer = setTimeout(onTimeout, Math.max(0, Math.min(remainingMs, atMostMs)));
      try {
        return await work;
      } finally {
        clearTimeout(timer);
        remainingMs -= performance.now() - start;
      }
    },
  };
}

export function createSpeechServer(options: SpeechServerOptions): SpeechServer {
  const limits = { ...speechServerLimits, ...options.limits };
  const base = options.apiUrl.replace(/\/+$/, "");
  const agent = new Agent({
    connect: { timeout: limits.connectMs, ...shownCertificate() },
    // The limits here are finer.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const closing = new AbortController();

  async function once(call: SpeechCall, budget: ReturnType<typeof createBudget>) {
    const timeout = new AbortController();
    const signal = AbortSignal.any([call.signal, closing.signal, timeout.signal]);
    const onTimeout = () => timeout.abort(new Problem("speech_timeout", {}));
    const firstByteMs = call.firstByteMs ?? limits.firstByteMs;
    const started = performance.now();
    const body = call.body?.();
    const answer = await budget
      .spend(
        request(`${base}${call.path}`, {
          method: call.method,
          dispatcher: agent,
          signal,
          headers: {
            accept: "*/*",
            ...(typeof body === "string" ? { "content-type": "application/json" } : {}),
            ...(options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {}),
          },
          ...(body === undefined ? {} : { body }),
        }),
        firstByteMs,
        onTimeout,
      )
      .catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
    return {
      answer,
      signal,
      onTimeout,
      firstByteLeftMs: firstByteMs - (performance.now() - started),
    };
  }

  async function* bodyOf(
    { answer, signal, onTimeout, firstByteLeftMs }: Awaited<ReturnType<typeof once>>,
    budget: ReturnType<typeof createBudget>,
  ): ByteStream {
    const chunks = answer.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, void>;
    let atMostMs = firstByteLeftMs;
    try {
      for (;;) {
        const next = await budget.spend(chunks.next(), atMostMs, onTimeout);
        atMostMs = Number.POSITIVE_INFINITY;
        if (next.done) return;
        if (next.value.length > 0) yield next.value;
      }
    } catch (error) {
      throw translate(error, signal);
    }
  }

  /** What broke an exchange, as the caller is to see it. */
  function translate(error: unknown, signal: AbortSignal): unknown {
    if (closing.signal.aborted) return voiceUnavailable("engine");
    if (signal.aborted) return signal.reason;
    return new Problem("speech_failed", {}, { cause: error });
  }

  return {
    async call(call) {
      call.signal.throwIfAborted();
      const budget = createBudget(limits.totalMs);
      for (let tries = 1; ; tries++) {
        let cause: unknown;
        let waitSeconds: number | undefined;
        try {
          const exchange = await once(call, budget);
          const { answer } = exchange;
          // Ended early, it has nobody left to tell.
          const release = () => answer.body.on("error", () => undefined).destroy();
          const body = releasing(bodyOf(exchange, budget), release);
          if (!passingStatuses.has(answer.statusCode)) {
            const [mediaType = ""] = (headerOf(answer, "content-type") ?? "").split(";");
            return {
              status: answer.statusCode,
              mediaType: mediaType.trim().toLowerCase(),
              header: (name) => headerOf(answer, name),
              body,
              text: (maxBytes) => readText(body, maxBytes),
            };
          }
          waitSeconds = retryAfter(headerOf(answer, "retry-after"));
          cause = new Error(`${call.path} was answered with ${answer.statusCode}`);
          // Read, so that the connection can be used again.
          await readText(body, maxErrorBytes).catch(() => undefined);
        } catch (error) {
          if (closing.signal.aborted) throw voiceUnavailable("engine");
          if (call.signal.aborted) throw call.signal.reason;
          if (error instanceof Problem) throw error;
          cause = error;
        }
        call.signal.throwIfAborted();
        const tooLong = waitSeconds !== undefined && waitSeconds > maxRetryAfterSeconds;
        if (tries === maxTries || tooLong) {
          throw voiceUnavailable("engine", { cause, retryAfterSeconds: waitSeconds });
        }
        const pauseMs = limits.retryMs * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
        const signal = AbortSignal.any([call.signal, closing.signal]);
        await sleep(Math.max(pauseMs, (waitSeconds ?? 0) * 1000), undefined, { signal }).catch(
          () => {
            if (closing.signal.aborted) throw voiceUnavailable("engine");
            throw call.signal.reason;
          },
        );
      }
    },
    async close() {
      closing.abort(new Error("the provider was closed"));
      await agent.destroy();
    },
  };
}

async function readText(body: ByteStream, maxBytes: number): Promise<string> {
  const bytes = await collect(body, maxBytes);
  if (bytes) return Buffer.from(bytes).toString("utf8");
  throw new Problem("speech_failed", {}, { cause: new Error("the answer is too long") });
}

/** What a server said instead of an answer, for the log: its identifiers, never free text. */
export async function refusal(answer: SpeechAnswer, what: string): Promise<Problem> {
  const text = await answer.text(maxErrorBytes).catch(() => "");
  const code = errorIdentifier(/"(?:code|type)"\s*:\s*"([\w.-]+)"/.exec(text)?.[1]);
  const cause = new Error(`${what} was answered with ${answer.status}${code ? ` (${code})` : ""}`);
  return new Problem("speech_failed", {}, { cause });
}
