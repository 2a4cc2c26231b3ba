import type { ReplyEventBody } from "./reply-event.ts";
import type { ReplyFeeds } from "./reply-feeds.ts";
import type { LoggedEvent, ReplyLog } from "./reply-log.ts";

interface WriterOptions {
  readonly replyId: string;
  readonly sessionId: string;
  readonly epoch: number;
  /** Number of the last event written so far; 0 for a new reply. */
  readonly last: number;
  readonly log: ReplyLog;
  readonly feeds: ReplyFeeds;
  /** Called once when nothing can be appended any more: ReplyFenced after a take-over, anything else is a bug. */
  readonly onLost: (error: unknown) => void;
}

interface PendingText {
  readonly type: "assistant_chunk" | "reasoning_chunk";
  readonly agentId: string;
  text: string;
}

/** Text that arrives within this time of the previous event is merged into one event. */
const windowMs = 30;
const maxPendingLength = 2_048;

/**
 * Numbers the events of one attempt, merges text deltas (seven times less work for Redis and for viewers than one event
 * a token), appends to the log one batch at a time, and shows a batch to viewers only when the log has it: nothing is
 * shown that cannot be replayed. The first text, a non-text event, 2 KiB and `flush` do not wait for the window.
 */
export class ReplyWriter {
  readonly #options: WriterOptions;
  #last: number;
  #pending: PendingText | null = null;
  #timer: NodeJS.Timeout | undefined;
  #lastFlushMs = 0;
  #queue: LoggedEvent[] = [];
  #queuedLength = 0;
  #appending: Promise<void> | null = null;
  #lost = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#last = options.last;
  }

  /** Number of the newest event, appended or about to be. Pending text has none yet: `flush` first. */
  get last(): number {
    return this.#last;
  }

  /** Characters not yet acknowledged by the log; a producer that is ahead should wait for `flushed`. */
  get backlog(): number {
    return this.#queuedLength + (this.#pending?.text.length ?? 0);
  }

  text(type: PendingText["type"], agentId: string, text: string): void {
    const pending = this.#pending;
    if (pending !== null && pending.type === type && pending.agentId === agentId) {
      pending.text += text;
      if (pending.text.length >= maxPendingLength) this.flush();
      return;
    }
    this.flush();
    this.#pending = { type, agentId, text };
    const waitMs = this.#lastFlushMs + windowMs - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Appends an event after all text so far. */
  emit(body: ReplyEventBody): void {
    this.flush();
    this.#enqueue(body);
  }

  /** The last text event of the reply, with whatever is still pending. */
  finishText(agentId: string): void {
    const pending = this.#pending;
    const rest = pending?.type === "assistant_chunk" ? pending.text : "";
    if (rest === "") this.flush();
    else this.#dropPending();
    this.#enqueue({ type: "assistant_chunk", chunk: rest, finished: true, agent_id: agentId });
  }

  /** Turns pending text into an event now. */
  flush(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#dropPending();
    if (pending.text === "") return;
    this.#enqueue(
      pending.type === "assistant_chunk"
        ? {
            type: "assistant_chunk",
            chunk: pending.text,
            finished: false,
            agent_id: pending.agentId,
          }
        : { type: "reasoning_chunk", chunk: pending.text, agent_id: pending.agentId },
    );
  }

  /** Resolves when everything enqueued so far is in the log (or this writer has lost the reply). */
  async flushed(): Promise<void> {
    this.flush();
    while (this.#appending !== null) await this.#appending;
  }

  #dropPending(): void {
    clearTimeout(this.#timer);
    this.#pending = null;
    this.#lastFlushMs = performance.now();
  }

  #enqueue(body: ReplyEventBody): void {
    if (this.#lost) return;
    const { replyId, sessionId } = this.#options;
    const { type, ...fields } = body;
    this.#last += 1;
    const json = JSON.stringify({
      type,
      session_id: sessionId,
      message_id: replyId,
      timestamp: new Date().toISOString(),
      ...fields,
    });
    this.#queue.push({ seq: this.#last, type, json });
    this.#queuedLength += json.length;
    this.#appending ??= this.#drain();
  }

  async #drain(): Promise<void> {
    const { replyId, epoch, log, feeds } = this.#options;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        this.#queuedLength = 0;
        await log.append(replyId, epoch, batch);
        feeds.publish(replyId, batch);
      }
    } catch (error) {
      this.#lost = true;
      this.#queue = [];
      this.#options.onLost(error);
    } finally {
      this.#appending = null;
    }
  }
}
