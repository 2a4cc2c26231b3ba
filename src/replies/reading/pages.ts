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

/** The same pages with something else made of each event. */
export function mapPages<From, To>(
  open: OpenPages<From>,
  made: (event: From) => To,
): OpenPages<To> {
  const take = (page: NextPage<From>): NextPage<To> =>
    typeof page === "string" ? page : page.map(made);
  return (reader) => {
    const pages = open(reader);
    return {
      next() {
        const page = pages.next();
        return page instanceof Promise ? page.then(take) : take(page);
      },
      close: () => pages.close(),
    };
  };
}

/**
 * The same for those who wait for each page; ends when `signal` aborts. With `quietMs`, null says that there has been no
 * page for so long.
 */
export async function* eachPage<Event>(
  open: OpenPages<Event>,
  signal: AbortSignal,
  quietMs = Infinity,
): AsyncGenerator<readonly Event[] | null, void, void> {
  let goOn = (): void => undefined;
  let isWoken = false;
  let isQuiet = false;
  const pages = open({
    wake() {
      isWoken = true;
      goOn();
    },
  });
  const beat = () => {
    isQuiet = true;
    goOn();
  };
  const timer = quietMs === Infinity ? undefined : setTimeout(beat, quietMs);
  const stop = () => goOn();
  signal.addEventListener("abort", stop);
  try {
    while (!signal.aborted) {
      isWoken = false;
      const page = await pages.next();
      if (page === "over") return;
      if (page === "later") {
        if (!isWoken && !isQuiet && !signal.aborted) {
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
        }
        if (!isQuiet) continue;
      }
      yield page === "later" ? null : page;
      isQuiet = false;
      timer?.refresh();
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    pages.close();
  }
}
