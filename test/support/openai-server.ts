import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  answerTurn,
  createRequestLog,
  playEarlyFault,
  streamTurn,
  type RecordedRequest,
  type RequestLog,
  type Turn,
} from "./scripted-turn.ts";

export type { RecordedRequest, Turn } from "./scripted-turn.ts";

export interface OpenAiServerOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** What GET /models lists. */
  readonly models?: readonly string[];
  /** Members of a chat request that are refused with 400, such as `stream_options`. */
  readonly refuses?: readonly string[];
  /** When set, any other key is refused with 401. */
  readonly apiKey?: string;
  /** What to answer when no turn is enqueued. Default: repeats the last user message, word by word. */
  readonly respond?: (request: RecordedRequest) => Turn | Promise<Turn>;
}

export interface OpenAiServer extends RequestLog {
  /** With `/v1` at its end, as `models.api_url` wants it. */
  readonly url: string;
  readonly port: number;
  /** Chat requests only. */
  readonly requests: readonly RecordedRequest[];
  /** How often GET /models was asked. */
  readonly modelRequests: number;
  /** The next chat requests are answered with these, one each, before `respond` is asked. */
  enqueue(...turns: readonly Turn[]): void;
  /** From now on. */
  setRespond(respond: (request: RecordedRequest) => Turn | Promise<Turn>): void;
  setModels(models: readonly string[]): void;
  /** What GET /models says of each of them besides. */
  setModelFields(fields: object): void;
  /** From now on GET /models is answered with this status; null: properly again. */
  setModelsStatus(status: number | null): void;
  /** Resets all connections. */
  close(): Promise<void>;
}

/**
 * A small real server that speaks the chat completions protocol (streamed and whole) and GET /models, scripted by the
 * test: what it says, how fast, and what goes wrong. It knows nothing of models; by default it repeats what it is
 * told, so anything that needs a model can be pointed at it.
 *
 *     const server = await startOpenAiServer();
 *     server.enqueue({ tokens: ["Hel", "lo"], fault: { kind: "die" } });
 *     … point models.api_url at server.url and send a message …
 *     const request = await server.request(0);
 *     expect(request.body.messages).toEqual(…);
 *     await server.close();
 */
export async function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const log = createRequestLog();
  const turns: Turn[] = [];
  let respond = options.respond ?? repeatLastMessage;
  let models = options.models ?? ["test-model"];
  let modelFields: object = {};
  let modelsStatus: number | null = null;
  let modelRequests = 0;

  async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    const recorded = record(request, response, body);
    log.add(recorded);
    const refused = options.refuses?.find((member) => member in body);
    if (refused !== undefined) {
      sendJson(response, 400, {
        error: {
          message: `Unrecognized request argument supplied: ${refused}`,
          type: "invalid_request_error",
          param: refused,
          code: null,
        },
      });
      return;
    }
    const turn = turns.shift() ?? (await respond(recorded));
    if (await playEarlyFault(turn, response)) return;
    const streamOptions = body["stream_options"] as { include_usage?: boolean } | undefined;
    const dialect = {
      model: String(body["model"]),
      contentType: "text/event-stream; charset=utf-8",
      includeUsage: streamOptions?.include_usage === true,
    };
    if (body["stream"] === true) await streamTurn(turn, response, dialect);
    else answerTurn(turn, response, dialect);
  }

  const server = createServer((request, response) => {
    response.on("error", () => response.destroy());
    const authorized =
      options.apiKey === undefined || request.headers.authorization === `Bearer ${options.apiKey}`;
    if (!authorized) {
      request.resume();
      const error = { message: "Incorrect API key provided", code: "invalid_api_key" };
      sendJson(response, 401, { error });
    } else if (request.method === "GET" && request.url === "/v1/models") {
      modelRequests += 1;
      const data = models.map((id) => ({ id, object: "model", owned_by: "tests", ...modelFields }));
      if (modelsStatus !== null) sendJson(response, modelsStatus, { error: { message: "no" } });
      else sendJson(response, 200, { object: "list", data });
    } else if (request.method === "POST" && request.url === "/v1/chat/completions") {
      chat(request, response).catch((error: unknown) => response.destroy(error as Error));
    } else {
      request.resume();
      sendJson(response, 404, { error: { message: "no such path", code: "not_found" } });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    requests: log.requests,
    request: (index) => log.request(index),
    get modelRequests() {
      return modelRequests;
    },
    enqueue: (...added) => void turns.push(...added),
    setRespond: (next) => void (respond = next),
    setModels: (next) => void (models = next),
    setModelFields: (next) => void (modelFields = next),
    setModelsStatus: (status) => void (modelsStatus = status),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The text of the last user message of a chat request. */
export function lastUserText(request: RecordedRequest): string {
  const messages = (request.body["messages"] ?? []) as { role: string; content: unknown }[];
  const content = messages.findLast((message) => message.role === "user")?.content;
  if (typeof content === "string") return content;
  const parts = (content ?? []) as { type: string; text?: string }[];
  return parts.map((part) => part.text ?? "").join("");
}

function repeatLastMessage(request: RecordedRequest): Turn {
  const words = `You said: ${lastUserText(request)}`.match(/\s*\S+/g) ?? [];
  return { tokens: words };
}

/** Notes a request; for servers of the same kind. */
export function record(
  request: IncomingMessage,
  response: ServerResponse,
  body: Readonly<Record<string, unknown>>,
): RecordedRequest {
  return {
    path: request.url ?? "",
    headers: request.headers,
    body,
    receivedAtMs: performance.now(),
    remotePort: request.socket.remotePort,
    closed: new Promise((resolve) => {
      response.once("close", () => resolve(response.writableFinished ? "finished" : "aborted"));
    }),
  };
}

export async function readJson(
  request: IncomingMessage,
): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
