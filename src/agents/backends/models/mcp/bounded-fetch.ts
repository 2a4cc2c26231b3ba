import type { FetchLike } from "@modelcontextprotocol/client";

/**
 * Fetches with a bound on what is held in memory of an answer: on the whole of it, or on each event of a stream of
 * events, which may go on for ever.
 */
export function boundedFetch(maxBytes: number, fetchIt: FetchLike = fetch): FetchLike {
  return async (url, init) => {
    const response = await fetchIt(url, init);
    if (response.body === null) return response;
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    const bounded = response.body.pipeThrough(bound(maxBytes, isStream));
    // A new one would not know its URL, nor that it was redirected.
    return new Proxy(response, {
      get(target, member) {
        if (member === "body") return bounded;
        if (member === "json" || member === "text") {
          return async () => {
            const text = await new Response(bounded).text();
            return member === "text" ? text : (JSON.parse(text) as unknown);
          };
        }
        const value: unknown = Reflect.get(target, member, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  };
}

function bound(maxBytes: number, isStream: boolean): TransformStream<Uint8Array, Uint8Array> {
  let held = 0;
  let wasLineEnd = false;
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of isStream ? chunk : []) {
        held += 1;
        if (byte === 0x0d) continue;
        const isLineEnd = byte === 0x0a;
        // An empty line ends an event.
        if (isLineEnd && wasLineEnd) held = 0;
        wasLineEnd = isLineEnd;
        if (held > maxBytes) break;
      }
      if (!isStream) held += chunk.length;
      if (held > maxBytes) controller.error(new Error(`more than ${maxBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
}
