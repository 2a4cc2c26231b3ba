import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { lastUserText, readJson, record, sendJson } from "./openai-server.ts";
import {
  answerTurn,
  createRequestLog,
  playEarlyFault,
  streamTurn,
  type RecordedRequest,
  type RequestLog,
  type Turn,
} from "./scripted-turn.ts";

/** A model of the catalogue. */
interface ServiceModel {
  readonly provider_id: string;
  readonly model_id: string;
  readonly name: string;
  readonly provider_name?: string;
  readonly model_type?: string;
  readonly is_enabled?: boolean;
}

/** A default model, of everybody (`system`) or of one user. */
interface ServiceDefault {
  readonly scope: "system" | "user";
  readonly user_id?: string;
  readonly category?: string;
  readonly provider_id: string;
  readonly model_id: string;
  readonly config_params?: Readonly<Record<string, number>>;
}

export interface ModelServiceOptions {
  readonly port?: number;
  readonly models?: readonly ServiceModel[];
  readonly defaults?: readonly ServiceDefault[];
  readonly respond?: (request: RecordedRequest) => Turn | Promise<Turn>;
}

export interface ModelServiceServer extends RequestLog {
  /** As `model_service.url` wants it. */
  readonly url: string;
  readonly port: number;
  /** Chat requests only. */
  readonly requests: readonly RecordedRequest[];
  readonly catalogueRequests: number;
  enqueue(...turns: readonly Turn[]): void;
  setModels(models: readonly ServiceModel[]): void;
  /** From now on everything but chat is answered with this status; null: properly again. */
  setCatalogueStatus(status: number | null): void;
  close(): Promise<void>;
}

/**
 * A small real server in the dialect of the Model Service: the catalogue redirects without its last slash, the list of
 * providers is broken, chat wants `provider_id` and `model_id` and texts as contents, answers with `text/plain`, ignores
 * `stream` when `user_id` is given, and sends no `[DONE]` after an error line.
 */
export async function startModelService(
  options: ModelServiceOptions = {},
): Promise<ModelServiceServer> {
  const log = createRequestLog();
  const turns: Turn[] = [];
  let models = options.models ?? [
    { provider_id: "zhipu", model_id: "glm-4", name: "GLM-4", provider_name: "智谱AI" },
  ];
  let catalogueStatus: number | null = null;
  let catalogueRequests = 0;
  const respond =
    options.respond ?? ((request) => ({ tokens: [`You said: ${lastUserText(request)}`] }));

  async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    const recorded = record(request, response, body);
    log.add(recorded);
    const missing = ["provider_id", "model_id", "messages"].filter((member) => !(member in body));
    const messages = (body["messages"] ?? []) as { content: unknown }[];
    if (missing.length > 0 || messages.some((each) => typeof each.content !== "string")) {
      const detail = missing.map((member) => ({ loc: ["body", member], msg: "field required" }));
      sendJson(response, 422, { detail });
      return;
    }
    const turn = turns.shift() ?? (await respond(recorded));
    if (await playEarlyFault(turn, response)) return;
    const dialect = {
      model: `${String(body["provider_id"])}:${String(body["model_id"])}`,
      contentType: "text/plain; charset=utf-8",
      includeUsage: true,
      extra: { provider: body["provider_id"] },
    };
    if (body["stream"] === true && !("user_id" in body)) await streamTurn(turn, response, dialect);
    else answerTurn(turn, response, dialect);
  }

  function catalogue(url: URL, response: ServerResponse): void {
    catalogueRequests += 1;
    if (catalogueStatus !== null) {
      sendJson(response, catalogueStatus, { success: false, message: "down", error_code: "E1" });
      return;
    }
    switch (url.pathname) {
      case "/api/v1/models":
        response.writeHead(307, { location: "/api/v1/models/" }).end();
        return;
      case "/api/v1/models/": {
        const all = url.searchParams.get("enabled_only") === "false";
        const listed = models
          .filter((model) => all || model.is_enabled !== false)
          .map((model) => ({
            id: `${model.provider_id}_${model.model_id}`,
            model_type: "chat",
            provider_name: model.provider_id,
            context_length: 8192,
            is_enabled: true,
            ...model,
          }));
        sendJson(response, 200, { success: true, data: { models: listed, total: listed.length } });
        return;
      }
      case "/api/v1/models/defaults": {
        const scope = url.searchParams.get("scope");
        const user = url.searchParams.get("user_id");
        const defaults = (options.defaults ?? [])
          .filter((each) => each.scope === scope && (scope === "system" || each.user_id === user))
          .map((each) => ({ category: "chat", is_active: true, ...each }));
        sendJson(response, 200, { success: true, data: { defaults, total: defaults.length } });
        return;
      }
      case "/api/v1/models/providers":
        sendJson(response, 500, { detail: "Internal Server Error" });
        return;
      default:
        sendJson(response, 404, { detail: "Not Found" });
    }
  }

  const server = createServer((request, response) => {
    response.on("error", () => response.destroy());
    const url = new URL(request.url ?? "/", "http://model-service");
    if (request.method === "POST" && url.pathname === "/api/v1/models/chat/completions") {
      chat(request, response).catch((error: unknown) => response.destroy(error as Error));
    } else {
      request.resume();
      catalogue(url, response);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: log.requests,
    request: (index) => log.request(index),
    get catalogueRequests() {
      return catalogueRequests;
    },
    enqueue: (...added) => void turns.push(...added),
    setModels: (next) => void (models = next),
    setCatalogueStatus: (status) => void (catalogueStatus = status),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
