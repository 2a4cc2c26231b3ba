import type { ReplyEvent } from "../replies/reply-event.ts";
import type { Followed } from "../replies/reading/follow-reply.ts";
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

/** Numbered as `view` numbers them; what is not after `after` was shown before. Null: nothing has happened for a while. */
export async function* view<State>(
  followed: AsyncIterable<Followed>,
  projection: Projection<State>,
  { after = -1, onState }: { after?: number; onState?: (state: State) => void } = {},
): AsyncGenerator<readonly ShownEvent[] | null, void, void> {
  let state = projection.initial;
  let number = 0;
  const numbered = (events: readonly ProtocolEvent[], shown: ShownEvent[]) => {
    for (const { event, data } of events) {
      const seq = number;
      number += 1;
      if (seq <= after) continue;
      shown.push({ seq, json: JSON.stringify(data), ...(event !== undefined && { event }) });
    }
  };
  for await (const page of followed) {
    const shown: ShownEvent[] = [];
    for (const { seq, json } of page ?? []) {
      number = seq * stride;
      const [next, events] = projection.project(state, JSON.parse(json) as ReplyEvent, number);
      state = next;
      numbered(events, shown);
      if (projection.isOver(state)) break;
    }
    onState?.(state);
    if (page === null || shown.length > 0) yield page === null ? null : shown;
    if (projection.isOver(state)) return;
  }
  const shown: ShownEvent[] = [];
  numbered(projection.rest?.(state) ?? [], shown);
  if (shown.length > 0) yield shown;
}

/** What a view comes to. */
export async function folded<State>(
  followed: AsyncIterable<Followed>,
  projection: Projection<State>,
): Promise<State> {
  let state = projection.initial;
  for await (const _ of view(followed, projection, { onState: (next) => (state = next) }));
  return state;
}
