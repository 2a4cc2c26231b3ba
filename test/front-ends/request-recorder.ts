import { once } from "node:events";
import { createServer, request as httpRequest, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as a front end has sent it. */
export interface SentRequest {
  /** What was done in the front end. */
  readonly scene: string;
  readonly method: string;
  readonly path: string;
  /** What says whose it is and what it belongs to, as it was written. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** What of a streamed answer had been read when the front end closed the connection; null: it read all of it. */
  left: string | null;
}

export interface RequestRecorder {
  readonly url: string;
  readonly requests: readonly SentRequest[];
  /** What is sent from now on belongs to this scene. */
  begin(scene: string): void;
  /** Resolves when nothing has been under way for a while. */
  settled(): Promise<void>;
  close(): void;
}

/** Of the connection, and what no recording may hold. */
const leftOut =
  /^(?:host|connection|content-length|transfer-encoding|accept.*|authorization|user-agent|sec-.*|traceparent)$/;
const quietMs = 2_000;

/** Stands before the service and writes down what front ends ask. */
export async function startRequestRecorder(target: string): Promise<RequestRecorder> {
  const { hostname, port } = new URL(target);
  const requests: SentRequest[] = [];
  let scene = "start";
  const open = new Set<ServerResponse>();
  let changedAt = Date.now();
  const server = createServer((incoming, response) => {
    const of = scene;
    const chunks: Buffer[] = [];
    open.add(response);
    response.once("close", () => {
      open.delete(response);
      changedAt = Date.now();
    });
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const { method = "GET", url: path = "/", rawHeaders } = incoming;
      const headers: Record<string, string> = {};
      for (let at = 0; at < rawHeaders.length; at += 2) {
        const name = rawHeaders[at] ?? "";
        if (!leftOut.test(name.toLowerCase())) headers[name] = rawHeaders[at + 1] ?? "";
      }
      const sent: SentRequest = {
        scene: of,
        method,
        path,
        headers,
        body: body.length === 0 ? null : (JSON.parse(body.toString()) as unknown),
        left: null,
      };
      requests.push(sent);
      let read = "";
      const outgoing = httpRequest(
        { hostname, port, path, method, headers: incoming.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.setEncoding("utf8");
          answer.on("data", (piece: string) => (read += piece));
          answer.pipe(response);
        },
      );
      outgoing.on("error", () => response.destroy());
      response.on("close", () => {
        if (!response.writableFinished) sent.left = textOf(read);
        outgoing.destroy();
      });
      outgoing.end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    begin: (next) => void (scene = next),
    async settled() {
      while (open.size > 0 || Date.now() - changedAt < quietMs) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What a stream of completions or of a response says. */
export function textOf(events: string): string {
  return [...events.matchAll(/^data: (\{.*\})$/gm)]
    .map(([, json = ""]) => {
      const { choices, type, delta } = JSON.parse(json) as {
        choices?: { delta?: { content?: string | null } }[];
        type?: string;
        delta?: unknown;
      };
      if (type === "response.output_text.delta") return String(delta);
      return choices?.[0]?.delta?.content ?? "";
    })
    .join("");
}
