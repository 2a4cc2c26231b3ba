import type { Flushable, FlushBeat } from "./flush-beat.ts";
import type { ReplyEventBody, ReplyEventType } from "../reply-event.ts";
import type { ReplyFeeds } from "../reading/reply-feeds.ts";
import type { LoggedEvent, ReplyLog } from "../log/reply-log.ts";
import { createStamp, type EventFields, type StampEvent } from "../log/stamp.ts";

interface WriterOptions {
  readonly replyId: string;
  readonly sessionId: string;
  readonly epoch: number;
  /** Number of the last event written so far; 0 for a new reply. */
  readonly last: number;
  readonly log: ReplyLog;
  readonly feeds: ReplyFeeds;
  readonly beat: FlushBeat;
  /** Called once when nothing can be appended any more: ReplyFenced after a take-over, anything else is a bug. */
  readonly onLost: (error: unknown) => void;
}

interface PendingText {
  readonly type: "assistant_chunk" | "reasoning_chunk";
  readonly agentId: string;
  text: string;
}

/** Text that arrives within this time of the previous event, and until the beat after it, is merged into one event. */
const windowMs = 20;
const maxPendingLength = 2_048;

/**
 * Numbers the events of one attempt, merges text deltas (seven times less work for Redis and for viewers than one event
 * a token), appends to the log one batch at a time, and shows a batch to viewers only when the log has it: nothing is
 * shown that cannot be replayed. The first text of a kind, a non-text event, 2 KiB and `flush` do not
 * wait for the beat.
 */
export class ReplyWriter implements Flushable {
  readonly #options: WriterOptions;
  #last: number;
  #pending: PendingText | null = null;
  /** Of the newest text event. */
  #lastType: PendingText["type"] | null = null;
  readonly #stamp: StampEvent;
  dueMs = 0;
  #queue: LoggedEvent[] = [];
  #queuedLength = 0;
  #appending: Promise<void> | null = null;
  #lost = false;
  #isOver = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#last = options.last;
    this.#stamp = createStamp(options.sessionId, options.replyId);
  }

  /** Number of the newest event, appended or about to be. Pending text has none yet: `flush` first. */
  get last(): number {
    return this.#last;
  }

  /** Characters not yet acknowledged by the log; a producer that is ahead should wait for `flushed`. */
  get backlog(): number {
    return this.#queuedLength + (this.#pending?.text.length ?? 0);
  }

  /** Appends an event after all before it; pieces of text become one. What comes behind the end is dropped. */
  emit(event: ReplyEventBody): void {
    if (this.#isOver) return;
    if (event.type === "reasoning_chunk" || (event.type === "assistant_chunk" && !event.finished)) {
      this.#merge(event.type, event.agent_id, event.chunk);
      return;
    }
    const { type, ...fields } = event;
    this.flush();
    this.#enqueue(type, fields);
  }

  #merge(type: PendingText["type"], agentId: string, text: string): void {
    const pending = this.#pending;
    if (pending !== null && pending.type === type && pending.agentId === agentId) {
      pending.text += text;
      if (pending.text.length >= maxPendingLength) this.flush();
      return;
    }
    this.flush();
    this.#pending = { type, agentId, text };
    if (this.#lastType !== type) this.flush();
    else this.#options.beat.wait(this);
  }

  /** The last text event of the reply, with whatever is still pending. */
  finishText(agentId: string): void {
    const pending = this.#pending;
    const rest = pending?.type === "assistant_chunk" ? pending.text : "";
    if (rest === "") this.flush();
    else this.#dropPending();
    this.#enqueue("assistant_chunk", { chunk: rest, finished: true, agent_id: agentId });
  }

  /** Turns pending text into an event now. */
  flush(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#dropPending();
    if (pending.text === "") return;
    const { type, text: chunk, agentId: agent_id } = pending;
    this.#lastType = type;
    this.#enqueue(
      type,
      type === "assistant_chunk" ? { chunk, finished: false, agent_id } : { chunk, agent_id },
    );
  }

  /** Resolves when everything enqueued so far is in the log (or this writer has lost the reply). */
  async flushed(): Promise<void> {
    this.flush();
    while (this.#appending !== null) await this.#appending;
  }

  /**
   * Nothing more is told here: the next number is that of the event that tells how it ended, and somebody else's. What was
   * under way when the reply was stopped (a file that is being stored) comes too late.
   */
  end(): void {
    this.flush();
    this.#isOver = true;
  }

  #dropPending(): void {
    this.#options.beat.forget(this);
    this.#pending = null;
    this.dueMs = performance.now() + windowMs;
  }

  #enqueue(type: ReplyEventType, fields: EventFields): void {
    if (this.#lost) return;
    this.#last += 1;
    const event = this.#stamp(this.#last, type, fields);
    this.#queue.push(event);
    this.#queuedLength += event.json.length;
    if (this.#appending === null) this.#drain();
  }

  /** Until there is something to wait for. */
  #drain(): void {
    const { replyId, epoch, log, feeds } = this.#options;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        this.#queuedLength = 0;
        const underWay = log.append(replyId, epoch, batch);
        if (underWay !== undefined) {
          this.#appending = this.#goOnAfter(underWay, batch);
          return;
        }
        feeds.publish(replyId, batch);
      }
    } catch (error) {
      this.#lose(error);
    }
  }

  async #goOnAfter(underWay: Promise<void>, batch: readonly LoggedEvent[]): Promise<void> {
    const { replyId, feeds } = this.#options;
    try {
      await underWay;
      feeds.publish(replyId, batch);
    } catch (error) {
      this.#lose(error);
    }
    this.#appending = null;
    this.#drain();
  }

  #lose(error: unknown): void {
    this.#lost = true;
    this.#queue = [];
    this.#options.onLost(error);
  }
}
