import type { ReplyEvent } from "../reply-event.ts";
import type { LoggedEvent } from "../log/reply-log.ts";
import type { Followed, FollowReply } from "./follow-reply.ts";

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

/**
 * The events of whatever answers a message. Of one that is to be taken in those of the running reply; where that ends, or
 * pauses, without having done so, those of the message's own reply follow, and perhaps the rest of the other one.
 */
export async function* followSent(
  follow: FollowReply,
  isThere: (replyId: string) => Promise<boolean>,
  { replyId, waiting }: Answering,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Followed, void, void> {
  let seen = after;
  for (;;) {
    for await (const events of follow(replyId, seen, signal)) {
      seen = events?.at(-1)?.seq ?? seen;
      yield events;
    }
    if (waiting === undefined || signal.aborted || !(await isThere(waiting))) return;
    let hasMoved = false;
    for await (const events of follow(waiting, 0, signal)) {
      hasMoved = isTakenIn(events?.at(-1));
      if (!hasMoved) yield events;
    }
    if (!hasMoved) return;
  }
}
