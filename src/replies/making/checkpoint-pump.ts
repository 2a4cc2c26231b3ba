import type { ClaimedReply, ReplyProgress } from "../reply.ts";
import type { Checkpoints, Kept } from "./checkpoints.ts";

export interface Clock {
  /** In milliseconds, from any beginning. */
  now(): number;
  /** Calls `work` once, unless it is cancelled before. */
  after(ms: number, work: () => void): { cancel(): void };
}

const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

interface PumpOptions {
  readonly reply: ClaimedReply;
  readonly checkpoints: Checkpoints;
  /** Well below the lease. */
  readonly leaseRenewalMs: number;
  /** What there is by now, and the number of the event up to which it goes. */
  readonly progress: () => ReplyProgress;
  /** What the row said to it; null when the attempt is not the owner's any more. */
  readonly onKept: (kept: Kept | null) => void;
  /** What could not be stored is stored with the next checkpoint; the lease may run out meanwhile. */
  readonly onFault: (error: unknown) => void;
  readonly clock?: Clock;
}

/** What readers have seen for so long is stored even when nothing follows. A shorter reply has its end alone. */
const firstTextMs = 250;
/** Between the beats, when so much text is new … */
const leastLength = 4_096;
/** … and this part of all there is: a reply of n characters writes some n of them, not n². */
const leastPart = 1 / 2;
/** Up to so much, all of it may be written for one event. */
const smallLength = 16_384;
/** Numbers of events must not run away from those that are stored: a take-over leaps over 1,024. */
const mostEvents = 500;

/**
 * Stores what a running reply has come to: soon after its first text, at every beat, when much is new, and after events
 * that are worth it. A beat at which nothing is new renews the lease when it is time. At most one write is under way; what
 * changes meanwhile is stored by the next.
 */
export class CheckpointPump {
  readonly #options: PumpOptions;
  readonly #clock: Clock;
  /** The newest of which the row is known to have everything; at first, what was claimed. */
  #stored: ReplyProgress;
  /** A claimed reply may have more than its row, from the tail of its log. */
  #isRowKnown = false;
  #renewedMs: number;
  #dueLength = 0;
  #dueSeq = 0;
  #first: { cancel(): void } | null = null;
  #isWaiting = false;
  #isDue = false;
  /** Its end is being stored: until that is done it keeps its lease, and nothing else is stored. */
  #isEnding = false;
  #stopBeat: (() => void) | null = null;
  #storing: Promise<void> | null = null;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#renewedMs = this.#clock.now();
    this.#stored = options.progress();
    this.#expect(this.#stored);
  }

  start(): void {
    this.#stopBeat = this.#options.checkpoints.onBeat(() => {
      if (!this.#isWaiting) this.request();
    });
  }

  /**
   * To be told after each event how much text there is, reasoning included, the newest event's number, and whether what
   * it says is worth storing at once.
   */
  grew(length: number, eventSeq: number, isWorth: boolean): void {
    const storedLength = textLength(this.#stored);
    if (length >= this.#dueLength || eventSeq >= this.#dueSeq) this.request();
    else if (isWorth && (length <= smallLength || length === storedLength)) this.request();
    else if (this.#first === null && length > storedLength) this.#begin();
  }

  /** Stores what there is, as soon as nothing else is being stored. */
  request(): void {
    this.#isDue = true;
    this.#storing ??= this.#storeAll();
  }

  /** Stores nothing more but the lease; resolves when nothing is under way. */
  async idle(): Promise<void> {
    this.#isEnding = true;
    this.#first?.cancel();
    this.#isWaiting = false;
    await this.#storing;
  }

  /** Ends everything; the lease is nobody's any more. */
  stop(): void {
    this.#isEnding = true;
    this.#first?.cancel();
    this.#stopBeat?.();
  }

  #begin(): void {
    this.#isWaiting = true;
    this.#first = this.#clock.after(firstTextMs, () => {
      this.#isWaiting = false;
      this.request();
    });
  }

  async #storeAll(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      await this.#store();
    }
    this.#storing = null;
  }

  async #store(): Promise<void> {
    const { reply, checkpoints, leaseRenewalMs, progress, onKept, onFault } = this.#options;
    try {
      const current = this.#isEnding ? this.#stored : progress();
      const changes = changesSince(this.#stored, current);
      const now = this.#clock.now();
      if (changes === null && now - this.#renewedMs < leaseRenewalMs) return;
      // Also when it fails: then it is the beat that tries again, not every token.
      this.#expect(current);
      const kept = await checkpoints.store(
        reply,
        changes === null || this.#isRowKnown ? changes : current,
      );
      this.#renewedMs = now;
      if (kept !== null && changes !== null) {
        this.#stored = current;
        this.#isRowKnown = true;
      }
      onKept(kept);
    } catch (error) {
      onFault(error);
    }
  }

  /** The next one is due when so much has come after `progress`. */
  #expect(progress: ReplyProgress): void {
    const length = textLength(progress);
    this.#dueLength = Math.max(length + leastLength, length / (1 - leastPart));
    this.#dueSeq = progress.eventSeq + mostEvents;
  }
}

function textLength({ content, reasoning }: ReplyProgress): number {
  return content.length + reasoning.length;
}

/** What is new; null when nothing is. */
function changesSince(stored: ReplyProgress, now: ReplyProgress): Partial<ReplyProgress> | null {
  const changes = {
    ...(now.content !== stored.content && { content: now.content }),
    ...(now.reasoning !== stored.reasoning && { reasoning: now.reasoning }),
    ...(now.eventSeq !== stored.eventSeq && { eventSeq: now.eventSeq }),
    ...(now.toolCalls !== stored.toolCalls && { toolCalls: now.toolCalls }),
    ...(now.media !== stored.media && { media: now.media }),
    ...(now.extras !== stored.extras && { extras: now.extras }),
    ...(now.backendState !== stored.backendState && { backendState: now.backendState }),
  };
  return Object.keys(changes).length === 0 ? null : changes;
}
