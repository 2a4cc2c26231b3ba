/** Whoever reads pages. It is woken when there may be another one, perhaps for nothing. */
export interface Reader {
  wake(): void;
}

/** The next page; `later`: there is none by now, and the reader is woken; `over`: there is none ever. */
export type NextPage<Event> = readonly Event[] | "later" | "over";

/**
 * Events in order, a page at a time, as they are asked for. Most readers wait for hours: one that waits holds no promise, no
 * generator and no timer, and what is here already comes without a turn of the loop.
 */
export interface Pages<Event> {
  /** One call at a time. */
  next(): NextPage<Event> | Promise<NextPage<Event>>;
  /** Nothing is read any more; nobody is woken then. */
  close(): void;
}

export type OpenPages<Event> = (reader: Reader) => Pages<Event>;

/** The pages of a generator, which waits by itself; the signal aborts when nothing is read any more. */
export function pagesOf<Event>(
  generate: (signal: AbortSignal) => AsyncIterable<readonly Event[] | null>,
): OpenPages<Event> {
  return () => {
    const gone = new AbortController();
    const events = generate(gone.signal)[Symbol.asyncIterator]();
    return {
      async next() {
        for (;;) {
          const { done, value } = await events.next();
          if (done === true) return "over";
          // That nothing has happened for a while.
          if (value !== null) return value;
        }
      },
      close() {
        gone.abort(readerGone);
        // What it raises when nobody reads it any more is nobody's.
        events.return?.().catch(() => undefined);
      },
    };
  };
}

/** Made once: an error of its own for each stream would be one with a stack. */
const readerGone = new DOMException("the reader is gone", "AbortError");

/**
 * The same for those who wait for each page; ends when `signal` aborts. With `quietMs`, null says that nothing has happened
 * for so long.
 */
export async function* eachPage<Event>(
  open: OpenPages<Event>,
  signal: AbortSignal,
  quietMs = Infinity,
): AsyncGenerator<readonly Event[] | null, void, void> {
  let wake = (_isNews: boolean): void => undefined;
  let isWoken = false;
  const reader: Reader = {
    wake() {
      isWoken = true;
      wake(true);
    },
  };
  const stop = () => wake(false);
  const pages = open(reader);
  const timer = quietMs === Infinity ? undefined : setTimeout(stop, quietMs);
  signal.addEventListener("abort", stop);
  try {
    while (!signal.aborted) {
      isWoken = false;
      const page = await pages.next();
      if (page === "over") return;
      if (page !== "later") {
        yield page;
        continue;
      }
      const isNews =
        isWoken ||
        (await new Promise<boolean>((resolve) => {
          wake = resolve;
          timer?.refresh();
          if (signal.aborted) stop();
        }));
      if (!isNews && !signal.aborted) yield null;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    pages.close();
  }
}
