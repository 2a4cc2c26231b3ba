import type { RedisArgument, RedisClient } from "../../redis/redis-client.ts";
import { RedisRefused } from "../../redis/redis-client.ts";
import { isAtRest } from "../reply-event.ts";
import { ReplyFenced, type LoggedEvent, type LogPage } from "./reply-log.ts";
import { unwaited } from "../../lib/unwaited.ts";

interface ProducerOptions {
  readonly client: RedisClient;
  readonly key: string;
  readonly channel: string;
  readonly maxBytes: number;
  readonly retentionMs: number;
  /** Something was written. */
  readonly onWritten: () => void;
  /** Everything is written. */
  readonly onSettled: () => void;
}

interface KeptEvent {
  readonly epoch: number;
  readonly event: LoggedEvent;
}

/** What an event costs in memory beside its text, roughly. */
const overheadBytes = 96;
/** A second cap in Redis, for replies whose producer has died; far above what the byte cap leaves of real replies. */
const maxStreamEntries = 4_096;
/** A reply that is silent this long loses its stream, and gets it back with its next event. */
const liveTtlMs = 600_000;
const ttlRenewalMs = 60_000;
const batchEvents = 100;
/** After so many answers that change nothing the stream cannot be what it should be. */
const maxFruitlessAnswers = 5;

/**
 * The writing side of one reply on this node: its events in memory, from which the stream in Redis is written, and
 * written again under the same ids when Redis has lost it. One batch is under way at a time.
 */
export class ReplyProducer {
  readonly #options: ProducerOptions;
  #events: KeptEvent[] = [];
  #bytes = 0;
  #epoch = 0;
  /** Number of the newest event that the stream has. */
  #acknowledged = 0;
  /** The stream does not exist yet, or has to be made anew. */
  #create = false;
  /** Something else stands in the stream where an event should be. */
  #discard = false;
  #trimDue = false;
  #ttlRenewedMs = -Infinity;
  #fencedBy: number | null = null;
  #flushing = false;
  #closed = false;
  #waiting: { seq: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  #wakeRetry: (() => void) | undefined;
  /** This node makes the reply: its memory answers for the log. */
  owned = false;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get first(): number | null {
    return this.#events[0]?.event.seq ?? null;
  }

  get last(): number {
    return this.#events.at(-1)?.event.seq ?? 0;
  }

  get isBehind(): boolean {
    return this.#fencedBy === null && this.#acknowledged < this.last;
  }

  /** Raises ReplyFenced when a later epoch is known to have written. */
  add(epoch: number, events: readonly LoggedEvent[]): void {
    const fencedBy = this.#fencedBy ?? 0;
    if (this.#epoch > epoch || fencedBy > epoch) {
      throw new ReplyFenced(
        `epoch ${Math.max(this.#epoch, fencedBy)} has taken over from ${epoch}`,
      );
    }
    this.#fencedBy = null;
    this.#epoch = epoch;
    const isNew = this.#events.length === 0;
    const { last } = this;
    for (const event of events) {
      if (event.seq <= last) continue;
      this.#events.push({ epoch, event });
      this.#bytes += sizeOf(event);
    }
    const { first } = this;
    if (isNew && first !== null) {
      // Whoever begins in the middle goes on with a stream that others began.
      this.#create = first === 1;
    }
    if (this.#bytes > this.#options.maxBytes) {
      // A quarter at once, so that a long reply is not shifted event by event.
      this.trim(this.#options.maxBytes * 0.75);
    }
    unwaited(this.#flush());
  }

  /** Drops the oldest events until at most `bytes` are held; the newest event always stays. */
  trim(bytes: number): void {
    let count = 0;
    while (this.#bytes > bytes && count < this.#events.length - 1) {
      this.#bytes -= sizeOf((this.#events[count] as KeptEvent).event);
      count += 1;
    }
    if (count === 0) return;
    this.#events.splice(0, count);
    this.#trimDue = true;
  }

  /** Resolves when the stream has event `seq`; rejects with ReplyFenced. */
  written(seq: number): Promise<void> {
    if (this.#fencedBy !== null) return Promise.reject(this.#fenced());
    if (this.#acknowledged >= seq) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ seq, resolve, reject }));
  }

  read(after: number, limit: number, maxBytes: number): LogPage {
    const { first } = this;
    if (first === null) return { events: [], first };
    // Numbers have no gaps within a node's own part, but a take-over may have skipped some before it.
    let start = Math.max(0, after + 1 - first);
    while (start > 0 && (this.#events[start - 1]?.event.seq ?? Infinity) > after) start -= 1;
    let end = start;
    let size = 0;
    while (end < this.#events.length && end - start < limit && size < maxBytes) {
      if (end > start && this.#seqAt(end) !== this.#seqAt(end - 1) + 1) break;
      size += sizeOf((this.#events[end] as KeptEvent).event);
      end += 1;
    }
    return { events: this.#events.slice(start, end).map(({ event }) => event), first };
  }

  #seqAt(index: number): number {
    return (this.#events[index] as KeptEvent).event.seq;
  }

  /** Tries again now what has failed. */
  retry(): void {
    this.#wakeRetry?.();
  }

  /** Writes nothing any more. */
  close(): void {
    this.#closed = true;
    this.#wakeRetry?.();
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting = [];
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    let pauseMs = 25;
    let fruitless = 0;
    while (this.isBehind && !this.#closed) {
      const before = this.#acknowledged;
      try {
        await this.#writeBatch();
        pauseMs = 25;
        fruitless = this.#acknowledged > before ? 0 : fruitless + 1;
        if (fruitless > maxFruitlessAnswers) {
          fruitless = 0;
          this.#discard = true;
        }
        if (this.#acknowledged > before) this.#options.onWritten();
        this.#settleWaiting();
      } catch {
        // What failed is in memory; who waits is let go by the log's patience, not by this.
        await this.#pause(pauseMs);
        pauseMs = Math.min(1_000, pauseMs * 2);
      }
    }
    this.#flushing = false;
    this.#settleWaiting();
    if (!this.#closed) this.#options.onSettled();
  }

  async #writeBatch(): Promise<void> {
    const { client, key, channel } = this.#options;
    const skipped = this.#events.findIndex(({ event }) => event.seq > this.#acknowledged);
    const batch = this.#events.slice(skipped, skipped + batchEvents);
    const commands: RedisArgument[][] = [];
    if (this.#discard) commands.push(["DEL", key]);
    const create = this.#create || this.#discard;
    for (const [index, { epoch, event }] of batch.entries()) {
      commands.push([
        "XADD",
        key,
        ...(create && index === 0 ? [] : ["NOMKSTREAM"]),
        "MAXLEN",
        "~",
        maxStreamEntries,
        `${epoch}-${event.seq}`,
        event.type,
        event.json,
      ]);
    }
    const first = this.#events[0];
    const trims = this.#trimDue && first !== undefined;
    if (trims) commands.push(["XTRIM", key, "MINID", `${first.epoch}-${first.event.seq}`]);
    const ttlMs = this.#ttlDue(create, batch);
    if (ttlMs !== null) commands.push(["PEXPIRE", key, ttlMs]);

    const results = await client.sendAll(commands);
    client.publish(channel, "");
    if (this.#discard) results.shift();
    this.#discard = false;
    if (trims) this.#trimDue = false;
    if (ttlMs !== null) this.#ttlRenewedMs = performance.now();
    await this.#learn(batch, results);
  }

  #ttlDue(create: boolean, batch: readonly KeptEvent[]): number | null {
    const isEnd = batch.some(({ event }) => isAtRest(event.type));
    if (isEnd) return Math.max(1_000, Math.round(this.#options.retentionMs));
    const isDue = create || performance.now() - this.#ttlRenewedMs > ttlRenewalMs;
    return isDue ? Math.max(liveTtlMs, Math.round(this.#options.retentionMs)) : null;
  }

  /** What the answers to a batch say about the stream. */
  async #learn(batch: readonly KeptEvent[], results: readonly unknown[]): Promise<void> {
    let refused: KeptEvent | null = null;
    let failure: unknown = null;
    for (const [index, kept] of batch.entries()) {
      const result = results[index];
      if (result === null) {
        // Expired, evicted or flushed: again from the oldest event in memory.
        this.#restart();
        this.#create = true;
        return;
      }
      if (typeof result === "string") {
        if (failure !== null) {
          // The failed event is a hole before this one.
          this.#remake();
          return;
        }
        this.#acknowledged = kept.event.seq;
        this.#create = false;
        refused = null;
      } else if (isRepeat(result)) {
        refused ??= kept;
      } else {
        failure ??= result;
      }
    }
    if (failure !== null) throw failure;
    if (refused !== null) await this.#compare(refused);
  }

  /** An id was refused: either this node's own earlier write has come through, or another epoch has taken over. */
  async #compare({ epoch, event }: KeptEvent): Promise<void> {
    const { client, key } = this.#options;
    const found = await client.send("XREVRANGE", key, "+", "-", "COUNT", 1);
    const [entry] = found as [string, string[]][];
    if (entry === undefined) return;
    const top = parseId(entry[0]);
    if (top.epoch > this.#epoch) {
      this.#fencedBy = top.epoch;
    } else if (top.epoch === epoch && top.seq >= event.seq) {
      this.#acknowledged = Math.min(top.seq, this.last);
      this.#create = false;
    } else if (top.epoch > epoch) {
      // A later part of this node's own events stands there without the earlier ones.
      this.#remake();
    }
  }

  #restart(): void {
    this.#acknowledged = (this.first ?? 1) - 1;
  }

  #remake(): void {
    this.#discard = true;
    this.#restart();
  }

  #settleWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (this.#fencedBy !== null) waiter.reject(this.#fenced());
      else if (this.#acknowledged >= waiter.seq) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }

  #fenced(): ReplyFenced {
    return new ReplyFenced(`epoch ${this.#fencedBy} has taken over from ${this.#epoch}`);
  }

  #pause(timeMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakeRetry = undefined;
        resolve();
      };
      const timer = setTimeout(wake, timeMs);
      timer.unref();
      this.#wakeRetry = wake;
    });
  }
}

/** `<epoch>-<seq>`. */
export function parseId(id: string): { epoch: number; seq: number } {
  const dash = id.indexOf("-");
  return { epoch: Number(id.slice(0, dash)), seq: Number(id.slice(dash + 1)) };
}

/** Redis refuses an id that is not above the newest one of the stream. */
function isRepeat(result: unknown): boolean {
  return result instanceof RedisRefused && result.message.includes("equal or smaller");
}

function sizeOf(event: LoggedEvent): number {
  return event.json.length + overheadBytes;
}
