import { ConnectionError } from "./errors.ts";

export interface ServerSentEvent {
  readonly id: string;
  readonly data: string;
}

/** Characters of one event; a spoken reply in Base64 is the largest. */
const maxEventLength = 64 * 1024 * 1024;

/** Reads server-sent events out of pieces of text, cut anywhere. Raises ConnectionError where an event has no end. */
export function createEventParser(): (text: string) => ServerSentEvent[] {
  let pieces: string[] = [];
  let length = 0;
  let isAfterReturn = false;
  let isFirst = true;
  let id = "";
  let data: string[] = [];
  return (text) => {
    const events: ServerSentEvent[] = [];
    const endLine = (line: string) => {
      if (line === "") {
        if (data.length > 0) events.push({ id, data: data.join("\n") });
        data = [];
        length = 0;
        return;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (name === "data") data.push(value);
      else if (name === "id" && !value.includes("\0")) id = value;
    };
    let start = isFirst && text.startsWith("\uFEFF") ? 1 : 0;
    if (text !== "") isFirst = false;
    // CR LF is one end, also where the pieces were cut between them.
    if (isAfterReturn && text[start] === "\n") start += 1;
    if (text !== "") isAfterReturn = text.endsWith("\r");
    for (const { index, 0: end } of text.matchAll(/\r\n?|\n/g)) {
      if (index < start) continue;
      pieces.push(text.slice(start, index));
      endLine(pieces.join(""));
      pieces = [];
      start = index + end.length;
    }
    if (start < text.length) pieces.push(text.slice(start));
    length += text.length;
    if (length > maxEventLength) throw new ConnectionError("An event of the stream has no end");
    return events;
  };
}

/** The number of an event and what it says; null: the service has said that nothing more will come. */
export type NumberedEvent<Event> = { readonly id: number; readonly event: Event } | null;

interface Reading {
  readonly signal: AbortSignal | undefined;
  /** Heartbeats come more often; a connection that is silent longer is dead (sleep, a lost network). */
  readonly silenceMs: number;
}

/** The events of an answer. Ends with it; raises ConnectionError when it breaks or falls silent. */
export async function* readEvents<Event>(
  response: Response,
  { signal, silenceMs }: Reading,
): AsyncGenerator<NumberedEvent<Event>, void, void> {
  if (response.body === null) throw new ConnectionError("The answer has no body");
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parse = createEventParser();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener("abort", stop);
  try {
    for (;;) {
      const timer = setTimeout(stop, silenceMs);
      let bytes: Uint8Array | undefined;
      try {
        if (signal?.aborted !== true) bytes = (await reader.read()).value;
      } catch (error) {
        signal?.throwIfAborted();
        throw new ConnectionError("The stream broke off", { cause: error });
      } finally {
        clearTimeout(timer);
      }
      signal?.throwIfAborted();
      if (bytes === undefined) return;
      for (const { id, data } of parse(decoder.decode(bytes, { stream: true }))) {
        yield data === "[DONE]" ? null : { id: Number(id), event: JSON.parse(data) as Event };
        signal?.throwIfAborted();
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}
