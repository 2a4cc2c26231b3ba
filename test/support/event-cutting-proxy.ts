import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP proxy on 127.0.0.1 that loses answers. */
export interface EventCuttingProxy {
  readonly url: string;
  /** Requests so far, as `GET /path`. */
  readonly seen: readonly string[];
  /** From now on each stream is reset behind so many events; null: none is. */
  cutStreamsAfter(events: number | null): void;
  /** The next requests whose line (`POST /path`) fits are passed on, and their answers lost. */
  loseAnswers(count: number, fits: RegExp): void;
  /** The next requests are answered with this instead of being passed on. */
  refuse(count: number, status: number, headers: Record<string, string>, body: string): void;
  close(): void;
}

export async function startEventCuttingProxy(target: () => string): Promise<EventCuttingProxy> {
  const seen: string[] = [];
  let limit: number | null = null;
  let losing = { count: 0, fits: /^/ };
  let refusing = { count: 0, status: 0, headers: {}, body: "" };
  const server = createServer((client, answer) => {
    const line = `${client.method} ${client.url}`;
    seen.push(line);
    if (refusing.count > 0) {
      refusing.count -= 1;
      client.resume();
      answer.writeHead(refusing.status, refusing.headers).end(refusing.body);
      return;
    }
    const isLost = losing.count > 0 && losing.fits.test(line);
    if (isLost) losing.count -= 1;
    const upstream = request(target() + (client.url ?? ""), {
      method: client.method,
      headers: client.headers,
      agent: false,
    });
    const reset = () => {
      answer.socket?.resetAndDestroy();
      upstream.destroy();
    };
    upstream.on("error", reset);
    answer.on("close", () => upstream.destroy());
    upstream.on("response", (response: IncomingMessage) => {
      // What was asked has been done by now.
      if (isLost) return reset();
      answer.writeHead(response.statusCode ?? 502, response.headers);
      const isStream = response.headers["content-type"]?.startsWith("text/event-stream") === true;
      response.on("error", reset);
      if (limit === null || !isStream) return response.pipe(answer);
      let left = limit;
      let rest = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        const blocks = (rest + text).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          if (left === 0) return;
          if (block.includes("data: ") && !block.includes("data: [DONE]")) left -= 1;
          answer.write(`${block}\n\n`, () => left === 0 && reset());
        }
      });
      response.on("end", () => left > 0 && answer.end());
    });
    client.pipe(upstream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    cutStreamsAfter: (events) => (limit = events),
    loseAnswers: (count, fits) => (losing = { count, fits }),
    refuse: (count, status, headers, body) => (refusing = { count, status, headers, body }),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
