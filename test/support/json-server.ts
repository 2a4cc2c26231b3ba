import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface JsonServerRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON, or the text where it is none; undefined without a body. */
  readonly body: unknown;
  readonly rawBody: string;
}

export interface JsonServerAnswer {
  readonly status: number;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * What goes wrong with every request: `slow` never answers (until `recover` or the caller hangs up), `error` is 500
 * with a stack trace, `garbage` a page of HTML with 200, `reset` a connection cut before the answer, `endless` an
 * answer without an end, `redirect` a 307 to somewhere else.
 */
type ServerFault = "slow" | "error" | "garbage" | "reset" | "endless" | "redirect";

/** A real HTTP server on 127.0.0.1 that can fail in every way a peer can. */
export interface JsonServer {
  readonly url: string;
  readonly port: number;
  /** Every request that came in, oldest first, those answered by a fault too. */
  readonly requests: readonly JsonServerRequest[];
  fail(fault: ServerFault): void;
  recover(): void;
  /** Resolves with the first request, of those that come after this call, for which `matches` holds. */
  nextRequest(matches?: (request: JsonServerRequest) => boolean): Promise<JsonServerRequest>;
  /** Gone: connections are cut, the port refuses. */
  stop(): Promise<void>;
  /** On the same port again. */
  start(): Promise<void>;
}

export const faultText = "Traceback: secret-of-the-peer at line 42";

export async function startJsonServer(
  handle: (request: JsonServerRequest) => JsonServerAnswer | Promise<JsonServerAnswer>,
  onPort = 0,
): Promise<JsonServer> {
  const requests: JsonServerRequest[] = [];
  const waiting = new Set<{
    matches: (request: JsonServerRequest) => boolean;
    resolve: (request: JsonServerRequest) => void;
  }>();
  let fault: ServerFault | null = null;
  let recovered = Promise.withResolvers<void>();
  let server: Server | null = null;
  let port = onPort;

  function build(): Server {
    return createServer((request, response) => {
      void (async () => {
        let rawBody = "";
        for await (const piece of request.setEncoding("utf8")) rawBody += piece;
        const url = new URL(request.url ?? "/", "http://server");
        const seen: JsonServerRequest = {
          method: request.method ?? "",
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: parsed(rawBody),
          rawBody,
        };
        requests.push(seen);
        for (const waiter of waiting) {
          if (!waiter.matches(seen)) continue;
          waiting.delete(waiter);
          waiter.resolve(seen);
        }
        const failing = fault;
        if (failing === "slow") await recovered.promise;
        if (failing === "error") {
          response.writeHead(500, { "content-type": "text/html" }).end(faultText);
        } else if (failing === "garbage") {
          response.writeHead(200, { "content-type": "text/html" }).end(`<p>${faultText}</p>`);
        } else if (failing === "reset") {
          request.socket.resetAndDestroy();
        } else if (failing === "redirect") {
          response.writeHead(307, { location: "/somewhere/else" }).end();
        } else if (failing === "endless") {
          response.writeHead(200, { "content-type": "application/json" });
          const more = (): void => {
            if (!response.destroyed) response.write(" ".repeat(65_536), more);
          };
          more();
        } else {
          const { status, body, bytes, headers } = await handle(seen);
          response.writeHead(status, { "content-type": "application/json", ...headers });
          response.end(bytes ?? (body === undefined ? "" : JSON.stringify(body)));
        }
      })().catch(() => request.socket.destroy());
    });
  }

  const self: JsonServer = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    requests,
    fail(next) {
      fault = next;
    },
    recover() {
      fault = null;
      recovered.resolve();
      recovered = Promise.withResolvers();
    },
    nextRequest: (matches = () => true) =>
      new Promise((resolve) => {
        waiting.add({ matches, resolve });
      }),
    async stop() {
      if (server === null) return;
      const stopping = server;
      server = null;
      const closed = once(stopping, "close");
      stopping.close();
      stopping.closeAllConnections();
      await closed;
    },
    async start() {
      server = build();
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      port = (server.address() as AddressInfo).port;
    },
  };
  await self.start();
  return self;
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
