import type { ServerResponse } from "node:http";

interface WritersOptions {
  /** A stream on which nothing is sent for this long gets a sign of life. */
  readonly heartbeatMs: number;
  /** A viewer that takes nothing for this long is cut. */
  readonly stallMs: number;
}

export type SseWriter = Pick<Writer, "send" | "release" | "close">;

/** Of the shorter of both times: nothing is later by more than that. */
const looks = 10;

/**
 * Writes to viewers. One timer looks after all of them: most wait for hours, and each one's own timers, and what they wake
 * up, would cost more memory than the stream itself.
 */
export function createSseWriters({ heartbeatMs, stallMs }: WritersOptions) {
  const writers = new Set<Writer>();
  const clock = { nowMs: performance.now() };
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    clock.nowMs = performance.now();
    for (const writer of writers) {
      const silentMs = clock.nowMs - writer.sinceMs;
      if (writer.isWaiting) {
        if (silentMs >= stallMs) writer.cut();
      } else if (silentMs >= heartbeatMs) {
        void writer.send(writer.heartbeat);
      }
    }
  };
  const onClose = (writer: Writer) => {
    writers.delete(writer);
    if (writers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  /** `onStalled`: it has been cut. */
  return (raw: ServerResponse, heartbeat: string, onStalled: () => void): SseWriter => {
    timer ??= setInterval(look, Math.min(heartbeatMs, stallMs) / looks).unref();
    if (writers.size === 0) clock.nowMs = performance.now();
    const writer = new Writer(raw, heartbeat, clock, onStalled, onClose);
    writers.add(writer);
    return writer;
  };
}

/**
 * Writes to one viewer. At most two writes are under way: where the kernel takes no more, Node keeps each of them at
 * several times its size.
 */
class Writer {
  readonly #raw: ServerResponse;
  readonly #clock: { readonly nowMs: number };
  readonly #onStalled: () => void;
  readonly #onClose: (writer: Writer) => void;
  readonly heartbeat: string;
  /** When something was sent, or taken, last. */
  sinceMs: number;
  #underWay = 0;
  #wake: (() => void) | undefined;
  /** Or refused: then the response says so itself. */
  readonly #onTaken = () => {
    this.#underWay -= 1;
    this.sinceMs = this.#clock.nowMs;
    this.release();
  };

  constructor(
    raw: ServerResponse,
    heartbeat: string,
    clock: { readonly nowMs: number },
    onStalled: () => void,
    onClose: (writer: Writer) => void,
  ) {
    this.#raw = raw;
    this.heartbeat = heartbeat;
    this.#clock = clock;
    this.sinceMs = clock.nowMs;
    this.#onStalled = onStalled;
    this.#onClose = onClose;
  }

  /** Something that was sent has not been taken yet. */
  get isWaiting(): boolean {
    return this.#underWay > 0;
  }

  /** Undefined when the next may follow at once; else resolves when something was taken, or at `release`. */
  send(bytes: string | Buffer): Promise<void> | undefined {
    if (this.#underWay === 0) this.sinceMs = this.#clock.nowMs;
    this.#underWay += 1;
    this.#raw.write(bytes, this.#onTaken);
    if (this.#underWay < 2) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Whoever waits for something to be taken goes on. */
  release(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  cut(): void {
    this.#onStalled();
    this.#raw.destroy();
  }

  /** To be called when nothing is written any more. */
  close(): void {
    this.#onClose(this);
  }
}
