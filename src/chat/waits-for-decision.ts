import type { ReplyEvent } from "../replies/reply-event.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";

type QueuedEvent = Extract<ReplyEvent, { type: "queued" }>;

export type WaitingForDecision = Pick<QueuedEvent, "position" | "waits_for" | "requirements"> & {
  readonly reason: "decision";
};

/** Nothing goes on before somebody decides, and nobody can say when; null: it is not that which it waits for. */
export function waitsForDecision(last: LoggedEvent | null): WaitingForDecision | null {
  if (last?.type !== "queued") return null;
  const { position, reason, waits_for, requirements } = JSON.parse(last.json) as QueuedEvent;
  if (reason !== "decision") return null;
  return {
    position,
    reason,
    ...(waits_for !== undefined && { waits_for }),
    ...(requirements !== undefined && { requirements }),
  };
}
