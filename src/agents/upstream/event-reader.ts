import { StringDecoder } from "node:string_decoder";
import { createParser } from "eventsource-parser";
import type { Dispatcher } from "undici";
import { abortReason, startExchange, type ExchangeOptions } from "./exchange.ts";
import { UpstreamError } from "./upstream-error.ts";

/** One server-sent event. */
export interface ServerSentEvent {
  readonly event?: string | undefined;
  readonly data: string;
  readonly id?: string | undefined;
}

export interface EventReaderLimits {
  readonly firstEventTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Of one event or comment line, in UTF-16 units. */
  readonly maxEventLength: number;
}

/** Reads the events of one exchange. */
export interface EventReader {
  readonly sent: boolean;
  /** All events that have arrived, in order, at least one; null at the end. Raises what broke the exchange. One call at a time. */
  next(): Promise<readonly ServerSentEvent[] | null>;
  /** Closes the socket if the answer has not ended. */
  close(): void;
}

/** Beyond this much unread data the socket is not read. */
const pauseLength = 65_536;

const readerClosed = new Error("the reader was closed");

/**
 * Opens an exchange and parses its answer as server-sent events, whatever its media type says. Time only counts while
 * somebody waits in `next`: a slow reader is no fault of the peer. Comments are life for the idle time-out, but not a
 * first event.
 */
export function openEventReader(
  dispatcher: Dispatcher,
  options: ExchangeOptions,
  limits: EventReaderLimits,
  signal: AbortSignal,
): EventReader {
  let queue: ServerSentEvent[] = [];
  let queuedLength = 0;
  let begun = false;
  let paused = false;
  let ended = false;
  let failure: Error | null = null;
  let waiting: PromiseWithResolvers<readonly ServerSentEvent[] | null> | null = null;
  let timer: NodeJS.Timeout | undefined = setTimeout(onTimeout, limits.firstEventTimeoutMs);

  // UTF-8 sequences may be cut between two pieces.
  const decoder = new StringDecoder("utf8");
  const parser = createParser({
    maxBufferSize: limits.maxEventLength,
    onEvent(event) {
      queue.push(event);
      queuedLength += event.data.length;
    },
    onComment() {
      if (begun) timer?.refresh();
    },
    onError(error) {
      // Others (an unknown field, a bad retry) are to be ignored by the format's own rules.
      if (error.type === "max-buffer-size-exceeded") {
        throw new UpstreamError(
          "too_large",
          `one event had more than ${limits.maxEventLength} characters`,
        );
      }
    },
  });

  const exchange = startExchange(dispatcher, options, {
    onChunk(chunk) {
      parser.feed(decoder.write(chunk));
      if (queue.length === 0) return;
      if (queuedLength > pauseLength && !paused) {
        paused = true;
        exchange.pause();
      }
      settle();
    },
    onEnd(error) {
      // A last event whose lines are complete counts without its blank line. A half line only becomes a line.
      if (!error) parser.feed("\n");
      ended = true;
      failure = error;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      settle();
    },
  });

  function onTimeout(): void {
    if (!waiting) return;
    const [fault, limitMs] = begun
      ? (["idle_timeout", limits.idleTimeoutMs] as const)
      : (["first_event_timeout", limits.firstEventTimeoutMs] as const);
    exchange.abort(new UpstreamError(fault, `nothing for ${limitMs} ms`, { limitMs }));
  }

  function onAbort(): void {
    queue = [];
    exchange.abort(abortReason(signal));
  }
  if (signal.aborted) onAbort();
  else if (!ended) signal.addEventListener("abort", onAbort, { once: true });

  function take(): readonly ServerSentEvent[] {
    if (!begun) {
      begun = true;
      clearTimeout(timer);
      if (!ended) timer = setTimeout(onTimeout, limits.idleTimeoutMs);
    }
    const batch = queue;
    queue = [];
    queuedLength = 0;
    if (paused) {
      paused = false;
      exchange.resume();
    }
    return batch;
  }

  /** Answers who waits in `next` as soon as there is an answer. */
  function settle(): void {
    if (!waiting) return;
    const { resolve, reject } = waiting;
    if (queue.length > 0) resolve(take());
    else if (failure) reject(failure);
    else if (ended) resolve(null);
    else return;
    waiting = null;
  }

  return {
    get sent() {
      return exchange.sent;
    },
    next() {
      waiting = Promise.withResolvers();
      const { promise } = waiting;
      if (begun && !ended && queue.length === 0) timer?.refresh();
      settle();
      return promise;
    },
    close() {
      queue = [];
      exchange.abort(readerClosed);
    },
  };
}
