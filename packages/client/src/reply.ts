import type { ReplyEvent } from "./api-types.ts";
import { ApiError, ConnectionError, ReplyError } from "./errors.ts";
import { readEvents } from "./event-stream.ts";
import { createCursor, isLast, textAfter } from "./reply-cursor.ts";
import { path, type Call, type CallOptions, type Transport } from "./transport.ts";

/** An event of a reply with its number: 1, 2, 3 … without gaps, the same for every reader. */
export type NumberedReplyEvent = ReplyEvent & { readonly seq: number };

/** Where a message has led. */
export interface Accepted {
  readonly sessionId: string;
  readonly messageId: string;
}

export interface StreamOptions extends CallOptions {
  /** How long to go on without progress, in place of the client's. */
  readonly patienceMs?: number | undefined;
}

/** How a reply is come by. */
export interface ReplySource {
  /** The request that asks for it; null: it is there, and only followed. */
  readonly ask: (() => Call | Promise<Call>) | null;
  /** Known before anything was asked. */
  readonly messageId: string | null;
  /** The number of the last event seen. */
  readonly after: number;
  /** It may go on with another reply: only the same request, repeated, leads there. */
  readonly mayMoveOn?: boolean;
  /** Requirements that are decided. */
  readonly decides?: readonly string[];
}

/**
 * A reply as it is made. Whoever leaves a loop over it stops reading, never the reply (`cancel` does that); another loop
 * goes on behind the last event that was seen.
 */
export class Reply implements AsyncIterable<NumberedReplyEvent> {
  /** Resolves when the service has stored the message. Rejects with what it says against it. */
  readonly accepted: Promise<Accepted>;
  readonly #transport: Transport;
  readonly #source: ReplySource;
  readonly #options: StreamOptions;
  readonly #cursor: ReturnType<typeof createCursor>;
  readonly #leaving = new AbortController();
  #asked: Call | null = null;
  /** Open, and not read yet. */
  #opened: Response | null = null;
  /** What comes is from before the decision, as long as this holds. */
  #isBefore: boolean;
  #isOver = false;

  constructor(transport: Transport, source: ReplySource, options: StreamOptions = {}) {
    this.#transport = transport;
    this.#source = source;
    this.#options = options;
    this.#cursor = createCursor(source.messageId, source.after);
    this.#isBefore = source.decides !== undefined && source.after === 0;
    this.accepted = this.#ask();
    // Whoever reads the events is told there.
    this.accepted.catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncGenerator<NumberedReplyEvent, void, void> {
    return this.events();
  }

  /**
   * Every event once and in order, through lost connections and restarts of the service, to the end or to a pause. Raises
   * ApiError, ConnectionError when patience has ended, or what a signal was aborted with. Options of its own stand in front
   * of those that the reply was asked for with.
   */
  async *events(reading: StreamOptions = {}): AsyncGenerator<NumberedReplyEvent, void, void> {
    const options = this.#until(reading);
    const { signal } = options;
    const patience = this.#transport.patience(options);
    await this.accepted;
    // Whether what is read answers what was asked, and not a stream that only follows.
    let isAnswer = this.#opened !== null && this.#asked !== null;
    for (;;) {
      try {
        const again = isAnswer && this.#asked !== null ? this.#asked : this.#following();
        const response = this.#opened ?? (await this.#transport.open(again, options));
        this.#opened = null;
        const { silenceMs } = this.#transport;
        let isDone = false;
        for await (const item of readEvents<ReplyEvent>(response, { signal, silenceMs })) {
          if (item === null) {
            isDone = true;
            break;
          }
          const { id, event } = item;
          if (!this.#cursor.take(event.message_id, id) || this.#isOld(event, isAnswer)) continue;
          patience.renew();
          this.#isOver = isLast(event);
          yield { ...event, seq: id };
        }
        if (!isDone) throw new ConnectionError("The stream broke off");
        if (isAnswer || this.#source.mayMoveOn !== true || this.#asked === null) return;
        // It has ended where it was followed: what was asked, asked again, tells what came behind it.
        isAnswer = true;
      } catch (error) {
        signal.throwIfAborted();
        if (this.#isOver && this.#source.mayMoveOn !== true) return;
        isAnswer = false;
        await patience.bear(error);
      }
    }
  }

  /** Reads to the end and resolves with the whole text, or that before a pause. Raises ReplyError where the reply failed. */
  async text(): Promise<string> {
    let text = "";
    for await (const event of this) {
      if (event.type === "error") throw new ReplyError(event);
      text = textAfter(text, event);
    }
    return text;
  }

  /** Stops the reply at its source; what it had said is kept. Does nothing for one that has ended. */
  async cancel(): Promise<void> {
    const { messageId } = await this.accepted;
    await cancelReply(this.#transport, messageId);
  }

  /** Stops reading. The reply goes on. */
  leave(): void {
    this.#leaving.abort();
    void this.#opened?.body?.cancel().catch(() => undefined);
  }

  async #ask(): Promise<Accepted> {
    const { onProgress } = this.#options;
    const options = { ...this.#until({}), onProgress };
    const patience = this.#transport.patience(options);
    this.#asked = (await this.#source.ask?.()) ?? null;
    let wasLost = false;
    for (let call = this.#asked ?? this.#following(); ;) {
      try {
        const response = await this.#transport.open(call, options);
        return await this.#accept(response);
      } catch (error) {
        options.signal.throwIfAborted();
        // A decision whose answer was lost has been taken: the reply goes on already.
        const isTaken = error instanceof ApiError && error.type === "message_not_running";
        if (isTaken && wasLost && this.#source.decides !== undefined) {
          this.#asked = null;
          call = this.#following();
        } else await patience.bear(error);
        wasLost ||= error instanceof ConnectionError;
      }
    }
  }

  async #accept(response: Response): Promise<Accepted> {
    const { headers } = response;
    let sessionId = headers.get("X-Session-ID") ?? "";
    let messageId = headers.get("X-Message-ID") ?? this.#source.messageId ?? "";
    if (headers.get("Content-Type")?.includes("json") === true) {
      const told = (await response.json().catch((cause: unknown) => {
        throw new ConnectionError("The answer broke off", { cause });
      })) as { session_id: string; message_id: string };
      ({ session_id: sessionId, message_id: messageId } = told);
    } else this.#opened = response;
    this.#cursor.begin(messageId);
    return { sessionId, messageId };
  }

  /** What opens the stream behind what was seen. */
  #following(): Call {
    return {
      method: "GET",
      path: path`/chat/message/${this.#cursor.messageId() ?? ""}/stream`,
      query: { after: this.#cursor.after() },
      headers: { Accept: "text/event-stream" },
      user: "query",
    };
  }

  /** Whether it was told before what was asked for; only a stream from the start has such. */
  #isOld(event: ReplyEvent, isAnswer: boolean): boolean {
    if (isAnswer || event.type === "snapshot") this.#isBefore = false;
    if (!this.#isBefore) return false;
    if (event.type === "paused") {
      this.#isBefore = !event.requirements.some(({ id }) => this.#source.decides?.includes(id));
    }
    return true;
  }

  #until(reading: StreamOptions) {
    const signals = [reading.signal, this.#options.signal, this.#leaving.signal];
    return {
      ...this.#options,
      ...reading,
      onProgress: undefined,
      signal: AbortSignal.any(signals.filter((each) => each !== undefined)),
    };
  }
}

/** Does nothing for a reply that has ended. */
export async function cancelReply(
  transport: Transport,
  messageId: string,
  options: CallOptions = {},
): Promise<void> {
  const url = path`/chat/message/${messageId}/cancel`;
  try {
    await transport.json({ method: "POST", path: url, user: "query", isRepeatable: true }, options);
  } catch (error) {
    if (!(error instanceof ApiError && error.type === "message_not_running")) throw error;
  }
}
