import { once } from "node:events";
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createParser } from "eventsource-parser";

/**
 * Stands before the service and cuts the text of streamed replies into single characters, each in an event of its own:
 * the service itself puts tokens together that come fast.
 */
export async function startSplittingProxy(
  serviceUrl: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const upstream = ask(
      new URL(incoming.url ?? "/", serviceUrl),
      { method: incoming.method, headers: { ...incoming.headers, host: new URL(serviceUrl).host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        const isStream = answer.headers["content-type"]?.startsWith("text/event-stream") ?? false;
        if (isStream) void split(answer, outgoing).catch(() => outgoing.destroy());
        else answer.pipe(outgoing);
      },
    );
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const pieceLength = 4_000;

async function split(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const frames: string[] = [];
  const parser = createParser({
    onEvent({ id, data }) {
      if (data === "[DONE]") {
        frames.push("data: [DONE]\n\n");
        return;
      }
      const event = JSON.parse(data) as { type: string; chunk?: string };
      const characters = event.type === "assistant_chunk" ? [...(event.chunk ?? "")] : [];
      // Numbers between those of the service keep the order.
      characters.forEach((chunk, index) => {
        const number = Number(id) - 1 + (index + 1) / (characters.length + 1);
        frames.push(
          `id: ${number}\ndata: ${JSON.stringify({ ...event, chunk, finished: false })}\n\n`,
        );
      });
      frames.push(
        `id: ${id}\ndata: ${characters.length > 0 ? JSON.stringify({ ...event, chunk: "" }) : data}\n\n`,
      );
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of answer) {
    parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
    // Some come together, others do not, and some in two pieces.
    const text = frames.splice(0).join("");
    for (let start = 0; start < text.length; start += pieceLength) {
      const piece = text.slice(start, start + pieceLength);
      if (!outgoing.write(piece)) await once(outgoing, "drain");
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  outgoing.end();
}
