import { createParser, type EventSourceMessage } from "eventsource-parser";
import { Unreachable } from "./request.ts";
import type { ReplyEvent } from "./types.ts";

/** `done`: the service has said that nothing more will come. */
export type StreamItem<Event = ReplyEvent> =
  | { readonly kind: "event"; readonly id: number; readonly event: Event }
  | { readonly kind: "done" };

/** Heartbeats come more often than this; a connection that is silent longer is dead (sleep, a lost network). */
const maxSilenceMs = 60_000;

/** The events of a stream. Ends with it; raises Unreachable when it breaks or falls silent. */
export async function* readEventStream<Event = ReplyEvent>(
  response: Response,
  signal: AbortSignal,
): AsyncGenerator<StreamItem<Event>, void, void> {
  if (response.body === null) throw new Unreachable("The answer has no body");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const received: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => received.push(message) });
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const timer = setTimeout(stop, maxSilenceMs);
      let text: string | undefined;
      try {
        text = (await reader.read()).value;
      } catch (error) {
        signal.throwIfAborted();
        throw new Unreachable("The stream broke", { cause: error });
      } finally {
        clearTimeout(timer);
      }
      signal.throwIfAborted();
      if (text === undefined) return;
      parser.feed(text);
      for (const { id, data } of received.splice(0)) {
        if (data === "[DONE]") yield { kind: "done" };
        else yield { kind: "event", id: Number(id), event: JSON.parse(data) as Event };
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}
