import type { ReplyEvent } from "../replies/reply-event.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";

type QueuedEvent = Extract<ReplyEvent, { type: "queued" }>;

/** What a message waits for, as it is told. */
export type WaitsFor = Pick<QueuedEvent, "position" | "reason" | "waits_for" | "requirements">;

/** Nothing goes on before somebody decides, and nobody can say when; null: it is not that which it waits for. */
export function waitsForDecision(last: LoggedEvent | null): WaitsFor | null {
  if (last?.type !== "queued") return null;
  const event = JSON.parse(last.json) as QueuedEvent;
  return event.reason === "decision" ? waitsForOf(event) : null;
}

/** What callers are told of it who do not read its stream. */
export function waitsForOf({ position, reason, waits_for, requirements }: WaitsFor): WaitsFor {
  return {
    position,
    ...(reason !== undefined && { reason }),
    ...(waits_for !== undefined && { waits_for }),
    ...(requirements !== undefined && { requirements }),
  };
}
