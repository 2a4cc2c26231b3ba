import type { ReplyEvent } from "../replies/reply-event.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";
import type { Followed } from "../replies/reading/follow-reply.ts";
import type { NextPage, OpenPages, Pages } from "../replies/reading/pages.ts";
import type { ShownEvent } from "../replies/reading/sse.ts";

/** One event of a protocol. */
export interface ProtocolEvent {
  /** Its kind, where the protocol names it beside the data. */
  readonly event?: string;
  readonly data: object;
}

/**
 * A protocol's view of a reply: a pure reducer over the events of its log, so that what a reader is shown follows from the
 * log alone, whenever and on whatever node it reads.
 */
export interface Projection<State> {
  readonly initial: State;
  project(
    state: State,
    event: ReplyEvent,
    /** What the event's own number lets the protocol count from. */
    firstNumber: number,
  ): readonly [State, readonly ProtocolEvent[]];
  /** Nothing follows for this reader, whatever becomes of the reply. */
  isOver(state: State): boolean;
  /** What is told once nothing follows for now: a pause that the reply has left behind long ago need not be told. */
  rest?(state: State): readonly ProtocolEvent[];
}

/**
 * One event of the log becomes a few of a protocol. Theirs are numbered from `seq * stride` on: rising, the same for every
 * reader, and known without what came before, which may be gone. Only the last event of a reply has ever made more.
 */
export const stride = 64;

/** What one reader is shown, event by event; what is not after `after` was shown before. */
class Showing<State> {
  readonly #projection: Projection<State>;
  readonly #after: number;
  #number = 0;
  state: State;

  constructor(projection: Projection<State>, after: number) {
    this.#projection = projection;
    this.#after = after;
    this.state = projection.initial;
  }

  get isOver(): boolean {
    return this.#projection.isOver(this.state);
  }

  of(page: readonly LoggedEvent[]): readonly ShownEvent[] {
    const shown: ShownEvent[] = [];
    for (const { seq, json } of page) {
      this.#number = seq * stride;
      const event = JSON.parse(json) as ReplyEvent;
      const [next, events] = this.#projection.project(this.state, event, this.#number);
      this.state = next;
      this.#add(events, shown);
      if (this.isOver) break;
    }
    return shown;
  }

  /** Once nothing follows for now. */
  rest(): readonly ShownEvent[] {
    const shown: ShownEvent[] = [];
    this.#add(this.#projection.rest?.(this.state) ?? [], shown);
    return shown;
  }

  #add(events: readonly ProtocolEvent[], shown: ShownEvent[]): void {
    for (const { event, data } of events) {
      const seq = this.#number;
      this.#number += 1;
      if (seq <= this.#after) continue;
      shown.push({ seq, json: JSON.stringify(data), ...(event !== undefined && { event }) });
    }
  }
}

/** The protocol's events of a reply; of those that are not after `after` the reader has been told. */
export function openView<State>(
  open: OpenPages<LoggedEvent>,
  projection: Projection<State>,
  after = -1,
): OpenPages<ShownEvent> {
  return (reader) => new ViewPages(open(reader), new Showing(projection, after));
}

class ViewPages<State> implements Pages<ShownEvent> {
  readonly #pages: Pages<LoggedEvent>;
  readonly #showing: Showing<State>;
  #isAtRest = false;

  constructor(pages: Pages<LoggedEvent>, showing: Showing<State>) {
    this.#pages = pages;
    this.#showing = showing;
  }

  next(): NextPage<ShownEvent> | Promise<NextPage<ShownEvent>> {
    if (this.#isAtRest || this.#showing.isOver) return "over";
    const page = this.#pages.next();
    return page instanceof Promise ? this.#whenHere(page) : this.#take(page);
  }

  close(): void {
    this.#pages.close();
  }

  async #whenHere(page: Promise<NextPage<LoggedEvent>>): Promise<NextPage<ShownEvent>> {
    return this.#take(await page);
  }

  #take(page: NextPage<LoggedEvent>): NextPage<ShownEvent> | Promise<NextPage<ShownEvent>> {
    if (page === "later") return page;
    this.#isAtRest = page === "over";
    const shown = page === "over" ? this.#showing.rest() : this.#showing.of(page);
    return shown.length > 0 ? shown : this.next();
  }
}

/** The same for those who wait for each page. Null: nothing has happened for a while. */
export async function* view<State>(
  followed: AsyncIterable<Followed>,
  projection: Projection<State>,
  onState?: (state: State) => void,
): AsyncGenerator<readonly ShownEvent[] | null, void, void> {
  const showing = new Showing(projection, -1);
  for await (const page of followed) {
    const shown = page && showing.of(page);
    onState?.(showing.state);
    if (shown === null || shown.length > 0) yield shown;
    if (showing.isOver) return;
  }
  const shown = showing.rest();
  if (shown.length > 0) yield shown;
}

/** What a view comes to. */
export async function folded<State>(
  followed: AsyncIterable<Followed>,
  projection: Projection<State>,
): Promise<State> {
  let state = projection.initial;
  for await (const _ of view(followed, projection, (next) => (state = next)));
  return state;
}
