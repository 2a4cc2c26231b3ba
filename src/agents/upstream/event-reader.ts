import { StringDecoder } from "node:string_decoder";
import { createParser as createEventSource } from "eventsource-parser";
import type { Dispatcher } from "undici";
import { abortReason, startExchange, type ExchangeOptions } from "./exchange.ts";
import { UpstreamError } from "./upstream-error.ts";

/** One server-sent event. */
export interface ServerSentEvent {
  readonly event?: string | undefined;
  readonly data: string;
  readonly id?: string | undefined;
}

/** Makes events of the text of an answer. */
export interface EventParser {
  /** The next piece, cut anywhere. May raise an `UpstreamError`, which ends the exchange. */
  feed(text: string): void;
  /** The answer has ended properly. */
  end(): void;
}

export interface ParserSink<Event> {
  onEvent(event: Event, length: number): void;
  /** Something that is no event shows that the peer lives. */
  onLife(): void;
}

export type CreateParser<Event> = (sink: ParserSink<Event>, maxEventLength: number) => EventParser;

export interface EventReaderLimits {
  readonly firstEventTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Of one event or comment line, in UTF-16 units. */
  readonly maxEventLength: number;
}

export type TakeEvents<Event> = (events: readonly Event[]) => boolean;

/** Reads the events of one exchange. */
export interface EventReader<Event> {
  readonly sent: boolean;
  /**
   * All events that have arrived, in order, at least one; null at the end. Raises what broke the exchange. One call at a time.
   * `take` is shown them first, at the moment of their arrival: those that it has done with (true) are not waited for, which
   * costs more than most of them are worth. What it raises is raised here.
   */
  next(take?: TakeEvents<Event>): Promise<readonly Event[] | null>;
  /** Closes the socket if the answer has not ended. */
  close(): void;
}

interface Waiting<Event> extends Omit<PromiseWithResolvers<readonly Event[] | null>, "promise"> {
  readonly take: TakeEvents<Event> | undefined;
}

/** Beyond this much unread data the socket is not read. */
const pauseLength = 65_536;

const readerClosed = new Error("the reader was closed");

/** By the book, whatever the media type says. */
export const createServerSentEventParser: CreateParser<ServerSentEvent> = (
  sink,
  maxEventLength,
) => {
  const parser = createEventSource({
    maxBufferSize: maxEventLength,
    onEvent: (event) => sink.onEvent(event, event.data.length),
    onComment: () => sink.onLife(),
    onError(error) {
      // Others (an unknown field, a bad retry) are to be ignored by the format's own rules.
      if (error.type === "max-buffer-size-exceeded") {
        throw new UpstreamError(
          "too_large",
          `one event had more than ${maxEventLength} characters`,
        );
      }
    },
  });
  return {
    feed: (text) => parser.feed(text),
    // A last event whose lines are complete counts without its blank line. A half line only becomes a line.
    end: () => parser.feed("\n"),
  };
};

/**
 * Opens an exchange and parses its answer. Time only counts while somebody waits in `next`: a slow reader is no fault
 * of the peer. Comments are life: whoever sends them is at work, such as loading a model before its first word.
 */
export function openEventReader<Event>(
  dispatcher: Dispatcher,
  options: ExchangeOptions,
  limits: EventReaderLimits,
  createParser: CreateParser<Event>,
  signal: AbortSignal,
): EventReader<Event> {
  let queue: Event[] = [];
  let queuedLength = 0;
  let begun = false;
  let paused = false;
  let ended = false;
  let failure: Error | null = null;
  let waiting: Waiting<Event> | null = null;
  let timer: NodeJS.Timeout | undefined = setTimeout(onTimeout, limits.firstEventTimeoutMs);

  // UTF-8 sequences may be cut between two pieces.
  const decoder = new StringDecoder("utf8");
  const parser = createParser(
    {
      onEvent(event, length) {
        queue.push(event);
        queuedLength += length;
      },
      onLife: () => void timer?.refresh(),
    },
    limits.maxEventLength,
  );

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
      ended = true;
      failure = error ?? endOf(parser);
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

  function drain(): readonly Event[] {
    if (!begun) {
      begun = true;
      clearTimeout(timer);
      if (!ended) timer = setTimeout(onTimeout, limits.idleTimeoutMs);
    }
    const batch = queue;
    queue = [];
    queuedLength = 0;
    return batch;
  }

  /** The last thing to do with what has arrived: what the client has held back arrives before this returns. */
  function readOn(): void {
    if (!paused || ended || queue.length > 0) return;
    paused = false;
    exchange.resume();
  }

  /** Answers who waits in `next` as soon as there is an answer. */
  function settle(): void {
    if (!waiting) return;
    const { resolve, reject } = waiting;
    if (queue.length > 0) {
      const events = show(waiting);
      if (events !== null) {
        waiting = null;
        resolve(events);
      }
      readOn();
      return;
    }
    if (failure) reject(failure);
    else if (ended) resolve(null);
    else return;
    waiting = null;
  }

  /** Null where they are done with, or it has been answered otherwise: what is done with them may end the exchange. */
  function show(asked: Waiting<Event>): readonly Event[] | null {
    const events = drain();
    try {
      if (asked.take?.(events) !== true) return waiting === asked ? events : null;
    } catch (error) {
      asked.reject(error);
      if (waiting === asked) waiting = null;
      return null;
    }
    if (!ended) timer?.refresh();
    // They were the last, and what follows them is the end.
    else if (waiting === asked) settle();
    return null;
  }

  return {
    get sent() {
      return exchange.sent;
    },
    next(take) {
      const { promise, ...settlers } = Promise.withResolvers<readonly Event[] | null>();
      waiting = { ...settlers, take };
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

/** What the end of the answer showed to be wrong with it. */
function endOf(parser: EventParser): Error | null {
  try {
    parser.end();
    return null;
  } catch (error) {
    return error instanceof Error
      ? error
      : new Error("the answer could not be read", { cause: error });
  }
}
