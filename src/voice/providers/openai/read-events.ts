import { createParser } from "eventsource-parser";
import { Problem } from "../../../problems/problem.ts";

/** Of one event, in UTF-16 units: a second of speech in Base64 is 130 KB. */
const maxEventLength = 4 * 1024 * 1024;

/** The JSON of each server-sent event, until the end or `[DONE]`. Raises `speech_failed` for anything else. */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Record<string, unknown>, void, void> {
  let events: string[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: maxEventLength,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      tooLong ||= type === "max-buffer-size-exceeded";
    },
  });
  const decoder = new TextDecoder();
  function* take(text: string): Generator<Record<string, unknown>, boolean> {
    parser.feed(text);
    if (tooLong) throw broken("an event is too long");
    const ready = events;
    events = [];
    for (const data of ready) {
      if (data.trim() === "[DONE]") return true;
      yield parse(data);
    }
    return false;
  }
  for await (const chunk of body) {
    if (yield* take(decoder.decode(chunk, { stream: true }))) return;
  }
  // Some servers end without the blank line after the last event.
  yield* take(`${decoder.decode()}\n\n`);
}

function parse(data: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw new Problem("speech_failed", {}, { cause });
  }
  if (typeof value !== "object" || value === null) throw broken("an event is no object");
  if ("error" in value && value.error) throw broken("the stream says that it failed");
  return value as Record<string, unknown>;
}

function broken(what: string): Problem<"speech_failed"> {
  return new Problem("speech_failed", {}, { cause: new Error(what) });
}
