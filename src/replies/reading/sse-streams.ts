import type { ServerResponse } from "node:http";
import { unwaited } from "../../lib/unwaited.ts";
import type { NextPage, OpenPages, Pages, Reader } from "./pages.ts";

interface StreamsOptions<Event> {
  /** A stream on which nothing is sent for this long gets a sign of life. */
  readonly heartbeatMs: number;
  /** A viewer that takes nothing for this long is cut. */
  readonly stallMs: number;
  readonly encode: (page: readonly Event[]) => Buffer;
}

/** What one viewer is shown, and what becomes of that. */
interface StreamFate {
  readonly heartbeat: string;
  onFault(error: unknown): void;
  /** Called once, when nothing more is shown. `isWhole`: because there is nothing more. */
  onEnd(isWhole: boolean): void;
}

/** What all streams have in common. */
interface Shared<Event> {
  readonly nowMs: number;
  readonly encode: (page: readonly Event[]) => Buffer;
  readonly onEnd: (stream: SseStream<Event>) => void;
}

/** Of the shorter of both times: nothing is later by more than that. */
const looks = 10;

/**
 * Streams to viewers. One timer looks after all of them: most wait for hours, and each one's own timers, and what they wake
 * up, would cost more memory than the stream itself.
 */
export function createSseStreams<Event>({ heartbeatMs, stallMs, encode }: StreamsOptions<Event>) {
  const streams = new Set<SseStream<Event>>();
  let timer: NodeJS.Timeout | undefined;
  const shared = {
    nowMs: performance.now(),
    encode,
    onEnd(stream: SseStream<Event>) {
      streams.delete(stream);
      if (streams.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
  const look = () => {
    shared.nowMs = performance.now();
    for (const stream of streams) {
      const silentMs = shared.nowMs - stream.sinceMs;
      if (stream.isWaiting) {
        if (silentMs >= stallMs) stream.cut();
      } else if (silentMs >= heartbeatMs) {
        stream.beat();
      }
    }
  };

  return {
    add(raw: ServerResponse, fate: StreamFate): SseStream<Event> {
      timer ??= setInterval(look, Math.min(heartbeatMs, stallMs) / looks).unref();
      if (streams.size === 0) shared.nowMs = performance.now();
      const stream = new SseStream(raw, fate, shared);
      streams.add(stream);
      return stream;
    },

    leaveAll(): void {
      for (const stream of streams) stream.leave();
    },
  };
}

/**
 * One viewer. It runs while there is something to show, and keeps nothing of a run while it waits. At most two writes are
 * under way: where the kernel takes no more, Node keeps each of them at several times its size.
 */
class SseStream<Event> implements Reader {
  readonly #raw: ServerResponse;
  readonly #fate: StreamFate;
  readonly #shared: Shared<Event>;
  #pages: Pages<Event> | undefined;
  /** It shows what there is, waits for a page that is on its way, or for the viewer to take something. */
  #isRunning = false;
  #isWoken = false;
  #isGone = false;
  #isEnded = false;
  /** When something was sent, or taken, last. */
  sinceMs: number;
  #underWay = 0;
  /** It goes on when something was taken. */
  #isFull = false;
  /** Or refused: then the response says so itself. */
  readonly #onTaken = () => {
    this.#underWay -= 1;
    this.sinceMs = this.#shared.nowMs;
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#run();
  };
  /** The viewer has gone, or may read no more. May be called again. */
  readonly leave = () => {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#close();
    if (!this.#isRunning || this.#isFull) this.#end(false);
  };

  constructor(raw: ServerResponse, fate: StreamFate, shared: Shared<Event>) {
    this.#raw = raw;
    this.#fate = fate;
    this.#shared = shared;
    this.sinceMs = shared.nowMs;
  }

  /** Something that was sent has not been taken yet. */
  get isWaiting(): boolean {
    return this.#underWay > 0;
  }

  /** Shows them, page by page. */
  begin(open: OpenPages<Event>): void {
    this.#pages = open(this);
    if (this.#isGone) this.#close();
    else this.wake();
  }

  wake(): void {
    if (this.#isRunning) this.#isWoken = true;
    else this.#run();
  }

  beat(): void {
    this.#send(this.#fate.heartbeat);
  }

  cut(): void {
    this.leave();
    this.#raw.destroy();
  }

  /** Until there is something to wait for: to wait for nothing costs time too, for each token. */
  #run(): void {
    const pages = this.#pages;
    if (pages === undefined) return;
    this.#isRunning = true;
    try {
      let goesOn = true;
      while (goesOn) {
        this.#isWoken = false;
        const page = pages.next();
        if (page instanceof Promise) {
          unwaited(this.#runAfter(page));
          return;
        }
        goesOn = this.#take(page);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #runAfter(page: Promise<NextPage<Event>>): Promise<void> {
    try {
      if (this.#take(await page)) this.#run();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Whether the next one may follow at once. */
  #take(page: NextPage<Event>): boolean {
    if (this.#isGone || page === "over") {
      this.#end(!this.#isGone);
      return false;
    }
    if (page === "later") {
      this.#isRunning = this.#isWoken;
      return this.#isWoken;
    }
    this.#send(this.#shared.encode(page));
    this.#isFull = this.#underWay >= 2;
    return !this.#isFull;
  }

  #send(bytes: string | Buffer): void {
    if (this.#underWay === 0) this.sinceMs = this.#shared.nowMs;
    this.#underWay += 1;
    this.#raw.write(bytes, this.#onTaken);
  }

  #fail(error: unknown): void {
    this.#fate.onFault(error);
    this.#end(false);
  }

  #close(): void {
    const pages = this.#pages;
    this.#pages = undefined;
    pages?.close();
  }

  #end(isWhole: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isGone = true;
    this.#close();
    this.#shared.onEnd(this);
    this.#fate.onEnd(isWhole);
  }
}
