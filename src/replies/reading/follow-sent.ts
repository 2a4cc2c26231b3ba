import type { ReplyEvent } from "../reply-event.ts";
import type { LoggedEvent } from "../log/reply-log.ts";
import type { OpenReply } from "./follow-reply.ts";
import type { NextPage, OpenPages, Pages, Reader } from "./pages.ts";

/** What answers a message: a reply, or the running one that is to take it in, and else its own. */
export interface Answering {
  readonly replyId: string;
  /** Its own reply, while it waits to be taken in. */
  readonly waiting?: string;
}

/** The last event of a message's own reply that is never made: another one has taken the message in. */
export function isTakenIn(event: LoggedEvent | null | undefined): boolean {
  if (event?.type !== "cancelled") return false;
  return (
    (JSON.parse(event.json) as Extract<ReplyEvent, { type: "cancelled" }>).reason === "taken_in"
  );
}

interface SentParts {
  readonly open: OpenReply;
  /** Whether there is such a reply (still). */
  readonly isThere: (replyId: string) => Promise<boolean>;
}

/**
 * The events of whatever answers a message. Of one that is to be taken in those of the running reply; where that ends, or
 * pauses, without having done so, those of the message's own reply follow, and perhaps the rest of the other one.
 */
export function openSent(
  parts: SentParts,
  { replyId, waiting }: Answering,
  after: number,
): OpenPages<LoggedEvent> {
  if (waiting === undefined) return parts.open(replyId, after);
  return (reader) => new SentPages(parts, { replyId, waiting }, after, reader);
}

class SentPages implements Pages<LoggedEvent> {
  readonly #parts: SentParts;
  readonly #answering: Required<Answering>;
  readonly #reader: Reader;
  /** The last event of the running reply that was shown. */
  #seen: number;
  #pages: Pages<LoggedEvent>;
  /** Whose pages they are. */
  #isOwn = false;
  #isClosed = false;

  constructor(parts: SentParts, answering: Required<Answering>, after: number, reader: Reader) {
    this.#parts = parts;
    this.#answering = answering;
    this.#reader = reader;
    this.#seen = after;
    this.#pages = parts.open(answering.replyId, after)(reader);
  }

  next(): NextPage<LoggedEvent> | Promise<NextPage<LoggedEvent>> {
    const page = this.#pages.next();
    return page instanceof Promise ? this.#whenHere(page) : this.#take(page);
  }

  close(): void {
    this.#isClosed = true;
    this.#pages.close();
  }

  async #whenHere(page: Promise<NextPage<LoggedEvent>>): Promise<NextPage<LoggedEvent>> {
    return this.#take(await page);
  }

  #take(page: NextPage<LoggedEvent>): NextPage<LoggedEvent> | Promise<NextPage<LoggedEvent>> {
    if (page === "later") return page;
    if (page === "over") return this.#isOwn ? page : this.#goOnWithOwn();
    const last = page.at(-1);
    if (!this.#isOwn) this.#seen = last?.seq ?? this.#seen;
    else if (isTakenIn(last)) return this.#goOnWith(this.#answering.replyId, this.#seen);
    return page;
  }

  async #goOnWithOwn(): Promise<NextPage<LoggedEvent>> {
    const { waiting } = this.#answering;
    if (this.#isClosed || !(await this.#parts.isThere(waiting))) return "over";
    return this.#goOnWith(waiting, 0);
  }

  #goOnWith(
    replyId: string,
    after: number,
  ): NextPage<LoggedEvent> | Promise<NextPage<LoggedEvent>> {
    if (this.#isClosed) return "over";
    this.#pages.close();
    this.#isOwn = replyId === this.#answering.waiting;
    this.#pages = this.#parts.open(replyId, after)(this.#reader);
    return this.next();
  }
}
