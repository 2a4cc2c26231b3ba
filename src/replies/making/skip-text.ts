import type { AgentEvent } from "../../agents/agent-backend.ts";

/** What a reply holds when its run is taken up again. */
export interface Delivered {
  readonly content: string;
  /** Length of the content that the backend's state stands for; the run goes on from there. */
  readonly stateLength: number;
}

/**
 * The events of a run that is taken up again, without the text that was delivered after its last state. When that
 * text had been replaced meanwhile, the run will replace it again: what it says before is void.
 */
export async function* skipText(
  events: AsyncGenerator<AgentEvent, void, void>,
  { content, stateLength }: Delivered,
): AsyncGenerator<AgentEvent, void, void> {
  let rest = content.length - stateLength;
  for await (const event of events) {
    if (event.type === "replace" && rest !== 0) {
      const known = content.startsWith(event.text);
      rest = known ? content.length - event.text.length : 0;
      if (!known) yield event;
    } else if (event.type !== "text" || rest === 0) {
      yield event;
    } else if (rest > 0) {
      const skipped = Math.min(rest, event.text.length);
      rest -= skipped;
      if (skipped < event.text.length) yield { ...event, text: event.text.slice(skipped) };
    }
  }
}
