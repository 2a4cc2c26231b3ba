import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pickHeaders, readForm, type Exchange } from "./recording-proxy.ts";

export interface ReplayServer {
  readonly url: string;
  /** What was asked, in order. */
  readonly exchanges: readonly Exchange[];
  /** Requests that were never recorded. */
  readonly unknown: readonly string[];
  close(): Promise<void>;
}

/**
 * Answers with what an AgentOS once answered, byte by byte. Requests find their answer by method and path, in the
 * order in which they were recorded; asked again, a GET gets its last answer.
 */
export async function startReplayServer(
  recorded: readonly Exchange[],
  options: { readonly pieceBytes?: number } = {},
): Promise<ReplayServer> {
  const left = [...recorded];
  const exchanges: Exchange[] = [];
  const unknown: string[] = [];

  function answerTo(method: string, path: string): Exchange | null {
    const wanted = withoutSession(path);
    const matches = (each: Exchange) =>
      each.method === method && withoutSession(each.path) === wanted;
    const at = left.findIndex(matches);
    if (at >= 0) return left.splice(at, 1)[0] ?? null;
    return method === "GET" ? (recorded.findLast(matches) ?? null) : null;
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://replay");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const method = request.method ?? "";
      const found = answerTo(method, url.pathname);
      readForm(request.headers["content-type"], Buffer.concat(chunks))
        .then(async (form) => {
          if (!found) {
            unknown.push(`${method} ${url.pathname}`);
            response.writeHead(404, { "content-type": "application/json" });
            response.end('{"detail":"Not Found"}');
            return;
          }
          const query = Object.fromEntries(url.searchParams);
          const headers = pickHeaders(request.headers);
          exchanges.push({ ...found, path: url.pathname, query, form, headers });
          await send(found, response, options.pieceBytes ?? 113);
        })
        .catch((error: unknown) => response.destroy(error as Error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    exchanges,
    unknown,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Sessions are named anew each time. */
function withoutSession(path: string): string {
  return path.replace(/^\/sessions\/[^/]+/, "/sessions/*");
}

/** In pieces that end anywhere, also within a character. */
async function send(
  exchange: Exchange,
  response: ServerResponse,
  pieceBytes: number,
): Promise<void> {
  response.writeHead(exchange.status, { "content-type": exchange.contentType });
  response.flushHeaders();
  const bytes = Buffer.from(exchange.body);
  for (let at = 0; at < bytes.length && !response.destroyed; at += pieceBytes) {
    response.write(bytes.subarray(at, at + pieceBytes));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (exchange.ending === "end") response.end();
  else response.destroy();
}
