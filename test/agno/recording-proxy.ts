import { createServer, request as httpRequest, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** One request to AgentOS and its answer. */
export interface Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Of a form; files by name and type. */
  readonly form: Readonly<Record<string, string | readonly string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  status: number;
  contentType: string;
  body: string;
  /** How the answer ended: by itself, or because the connection was cut. */
  ending: "end" | "cut";
}

export interface RecordingProxy {
  readonly url: string;
  /** In the order of the requests. */
  readonly exchanges: readonly Exchange[];
  /** Cuts the connection that carries this answer after so many events; once. */
  cutAfter(path: RegExp, events: number): void;
  /** The next such request reaches AgentOS, its answer reaches nobody; AgentOS is not told. */
  loseAnswer(path: RegExp): void;
  /** The next such request does not reach AgentOS. */
  loseRequest(path: RegExp): void;
  /** Refuses connections from now on, and cuts those there are. */
  unplug(): Promise<void>;
  close(): Promise<void>;
}

/** Stands before an AgentOS, writes down what is said, and breaks connections when told to. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const exchanges: Exchange[] = [];
  const cuts: { path: RegExp; events: number }[] = [];
  const losses: { path: RegExp; isSent: boolean }[] = [];
  const to = new URL(target);

  const server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? "/", target);
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      readForm(incoming.headers["content-type"], body)
        .then((form) => {
          const exchange: Exchange = {
            method: incoming.method ?? "",
            path: url.pathname,
            query: Object.fromEntries(url.searchParams),
            form,
            headers: pickHeaders(incoming.headers),
            status: 0,
            contentType: "",
            body: "",
            ending: "cut",
          };
          exchanges.push(exchange);
          forward(url, incoming.method ?? "GET", incoming.headers, body, response, exchange);
        })
        .catch((error: unknown) => response.destroy(error as Error));
    });
  });

  function forward(
    url: URL,
    method: string,
    headers: NodeJS.Dict<string | string[]>,
    body: Buffer,
    response: ServerResponse,
    exchange: Exchange,
  ): void {
    const outgoing = httpRequest({
      host: to.hostname,
      port: to.port,
      path: url.pathname + url.search,
      method,
      headers: { ...headers, host: to.host, connection: "close" },
    });
    const lost = takeFirst(losses, exchange.path);
    if (lost !== null) {
      if (!lost.isSent) response.destroy();
      outgoing.on("error", () => response.destroy());
      outgoing.on("response", (answer) => {
        response.destroy();
        answer.resume();
      });
      return void (lost.isSent ? outgoing.end(body) : outgoing.destroy());
    }
    const cut = takeFirst(cuts, exchange.path);
    response.on("close", () => outgoing.destroy());
    outgoing.on("error", () => response.destroy());
    outgoing.on("response", (answer) => {
      exchange.status = answer.statusCode ?? 0;
      exchange.contentType = answer.headers["content-type"] ?? "";
      response.writeHead(exchange.status, { "content-type": exchange.contentType });
      response.flushHeaders();
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => {
        const kept = cut ? upTo(exchange.body + piece, cut.events) : null;
        const part = kept === null ? piece : kept.slice(exchange.body.length);
        exchange.body += part;
        response.write(part, () => {
          if (kept !== null) response.destroy();
        });
      });
      answer.on("end", () => {
        exchange.ending = "end";
        response.end();
      });
      answer.on("error", () => response.destroy());
    });
    outgoing.end(body);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  async function unplug(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  return {
    url: `http://127.0.0.1:${port}`,
    exchanges,
    cutAfter: (path, events) => void cuts.push({ path, events }),
    loseAnswer: (path) => void losses.push({ path, isSent: true }),
    loseRequest: (path) => void losses.push({ path, isSent: false }),
    unplug,
    close: unplug,
  };
}

function takeFirst<T extends { readonly path: RegExp }>(list: T[], path: string): T | null {
  const at = list.findIndex((each) => each.path.test(path));
  return at < 0 ? null : (list.splice(at, 1)[0] ?? null);
}

/** The text up to the end of event number `count`, null while there are fewer. */
function upTo(text: string, count: number): string | null {
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const next = text.indexOf("\n\n", at);
    if (next < 0) return null;
    at = next + 2;
  }
  return text.slice(0, at);
}

export async function readForm(
  type: string | undefined,
  body: Buffer,
): Promise<Readonly<Record<string, string | readonly string[]>>> {
  if (!type || !/form/.test(type)) return {};
  const data = await new Response(new Uint8Array(body), {
    headers: { "content-type": type },
  }).formData();
  const form: Record<string, string | string[]> = {};
  for (const [key, value] of data.entries()) {
    if (typeof value === "string") form[key] = value;
    else {
      const files = form[key];
      const described = `${value.name} ${value.type} ${value.size}`;
      form[key] = Array.isArray(files) ? [...files, described] : [described];
    }
  }
  return form;
}

/** Those that tests look at; never credentials. */
export function pickHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of ["x-request-id", "traceparent", "idempotency-key"]) {
    const value = headers[name];
    if (typeof value === "string") picked[name] = value;
  }
  return picked;
}
