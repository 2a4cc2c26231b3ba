import { createParser } from "eventsource-parser";

/** An event of a reply as a client sees it. */
export interface SeenEvent {
  readonly id: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ReplyStream {
  readonly status: number;
  readonly headers: Headers;
  /** Everything seen so far. */
  readonly events: readonly SeenEvent[];
  /** Whether `data: [DONE]` has come. */
  readonly isDone: () => boolean;
  /** The first event (seen already or still to come) that fits; rejects when the stream ends without one. */
  next(fits: (event: SeenEvent) => boolean): Promise<SeenEvent>;
  /** Resolves with all events when the stream has ended. */
  all(): Promise<readonly SeenEvent[]>;
  /** Goes away, as a closed tab does. */
  close(): void;
}

/** Opens a stream of the service and reads it on. Rejects with the status and body of a refusal. */
export async function openStream(url: string, init: RequestInit = {}): Promise<ReplyStream> {
  const abort = new AbortController();
  const response = await fetch(url, { ...init, signal: abort.signal });
  if (response.status !== 200 || response.body === null) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  const events: SeenEvent[] = [];
  const waiting = new Set<() => void>();
  let done = false;
  let ended = false;
  const parser = createParser({
    onEvent({ id, data }) {
      if (data === "[DONE]") done = true;
      else events.push({ ...(JSON.parse(data) as { type: string }), id: Number(id) });
      for (const wake of waiting) wake();
    },
  });
  const { body } = response;
  const reading = (async () => {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      ended = true;
      for (const wake of waiting) wake();
    }
  })();
  reading.catch(() => undefined);
  return {
    status: response.status,
    headers: response.headers,
    events,
    isDone: () => done,
    async next(fits) {
      for (;;) {
        const found = events.find(fits);
        if (found !== undefined) return found;
        if (ended) throw new Error(`the stream ended without it: ${JSON.stringify(events)}`);
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async all() {
      await reading;
      return events;
    },
    close: () => abort.abort(),
  };
}

/** The text that a viewer has in front of it after these events. */
export function textOf(events: readonly SeenEvent[]): string {
  let text = "";
  for (const event of events) {
    if (event.type === "assistant_chunk") text += event["chunk"] as string;
    if (event.type === "snapshot" || event.type === "replaced") text = event["content"] as string;
  }
  return text;
}
