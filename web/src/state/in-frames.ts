import type { ReplyEvent } from "../api/types.ts";

export interface NumberedEvent {
  readonly id: number;
  readonly event: ReplyEvent;
}

/** When nothing is drawn, as in a tab that nobody looks at, text is taken over at least this often. */
const maxFrameMs = 100;

/**
 * Text that comes faster than it can be drawn is handed over once a frame: taking up a long reply again brings
 * thousands of events at once. Anything but text is handed over at once, behind the text before it.
 */
export function inFrames(handOver: (events: readonly NumberedEvent[]) => void) {
  let waiting: NumberedEvent[] = [];
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    waiting = [];
    if (events.length > 0) handOver(events);
  };
  return {
    flush,
    put(item: NumberedEvent) {
      waiting.push(item);
      const isText = item.event.type === "assistant_chunk" || item.event.type === "reasoning_chunk";
      if (!isText) flush();
      else if (timer === undefined) {
        frame = requestAnimationFrame(flush);
        timer = setTimeout(flush, maxFrameMs);
      }
    },
  };
}
