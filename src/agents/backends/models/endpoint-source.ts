import type { Logger } from "../../../telemetry/logger.ts";
import type { ModelInfo } from "../../agent-backend.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { createCachedValue } from "./cached-value.ts";
import type { ModelCall, ModelSource } from "./chat-protocol.ts";
import { createCompletions, protocols } from "./completions.ts";
import { parseModelList, type EndpointModel } from "./model-list.ts";
import { createServerWindows } from "./server-windows.ts";
import { faultOf } from "./source-fault.ts";
import { refusalKindOf } from "./refusal.ts";

/** How long one listing may take. */
export const listTimeoutMs = 5_000;

/** The protocol of an endpoint. */
export type EndpointApi = keyof typeof protocols;

/** Models behind an OpenAI-compatible endpoint. */
export function createEndpointSource(options: {
  /** Of the base that `/chat/completions` (or `/responses`) and `/models` are below; `/v1` is added where only that exists. */
  readonly upstream: Upstream;
  readonly api: EndpointApi;
  /** Of the address without `/v1`; closed with the source. */
  readonly root: Upstream;
  /** An endpoint that lists none can answer all the same. */
  readonly hasDefaultModel: boolean;
  readonly cacheTtlMs: number;
  readonly now: () => number;
  readonly log: Logger;
}): ModelSource {
  const { upstream, api, root, hasDefaultModel, cacheTtlMs, now, log } = options;
  let prefix = "";
  /** What the last completion showed. */
  let isWrongPath = false;
  const protocol = protocols[api];
  const path = () => `${prefix}${protocol.path}`;
  const completions = createCompletions({
    upstream,
    path,
    body: (call) => ({ ...body(call), ...own[api] }),
    protocol,
    log,
  });
  const get = (below: string, signal: AbortSignal) =>
    upstream.json({
      method: "GET",
      path: `${below}/models`,
      signal,
      agentId: "models",
      maxRetries: 0,
    });

  /** How much each model takes, as far as the last list told: no reply waits to learn it. */
  let windows: ReadonlyMap<string, number> = new Map();
  const serverWindows = createServerWindows({ root, now, log });
  const noted = (models: readonly EndpointModel[]) => {
    serverWindows.learn(models);
    windows = new Map(
      models.flatMap(({ id, contextTokens }) =>
        contextTokens === null ? [] : [[id, contextTokens]],
      ),
    );
    return models;
  };

  /** Also finds out which of the two spellings of the base it is. */
  async function list(signal: AbortSignal): Promise<readonly EndpointModel[]> {
    try {
      return noted(parseModelList(await get(prefix, signal)));
    } catch (error) {
      if (!isMissing(error) || prefix !== "") throw error;
      let models: readonly EndpointModel[];
      try {
        models = noted(parseModelList(await get("/v1", signal)));
      } catch {
        // Neither has a list: what the configured one said counts.
        throw error;
      }
      prefix = "/v1";
      log.warn({}, "MODELS_API_URL lacks /v1 at its end, which is added");
      return models;
    }
  }
  const listed = createCachedValue<readonly EndpointModel[]>({
    ttlMs: cacheTtlMs,
    loadTimeoutMs: listTimeoutMs,
    now,
    onFailure: (error) =>
      log.debug({ err: error }, "the models of the endpoint could not be listed"),
    load: list,
  });

  return {
    kind: "endpoint",
    get circuit() {
      return upstream.circuit;
    },
    async complete(call, signal) {
      try {
        const completion = await completions.complete(call, signal);
        isWrongPath = false;
        return completion;
      } catch (error) {
        const fault = upstreamErrorOf(error);
        isWrongPath = fault !== null && refusalKindOf(fault) === "path";
        throw error;
      }
    },
    hasAnswered: (modelId) => completions.hasAnswered(modelId),
    models: async (signal): Promise<readonly ModelInfo[]> =>
      (await listed.get(signal)).map(({ id, provider, canChat }) => ({
        id,
        name: id,
        provider,
        canChat,
      })),
    async defaultModel(_userId, signal) {
      const models = await listed.get(signal);
      const talking = models.find((model) => model.canChat) ?? models[0];
      return talking ? { id: talking.id, parameters: {} } : null;
    },
    contextTokens: (model) => serverWindows.of(model) ?? windows.get(model) ?? null,
    async probe(signal) {
      try {
        const models = await list(signal);
        return models.length === 0 && !hasDefaultModel ? "no models" : null;
      } catch (error) {
        // Some endpoints have no list; whether they have anything else shows when they are used.
        if (isMissing(error)) return isWrongPath ? "no such path" : null;
        return faultOf(error, signal);
      }
    },
    async tryPath(signal) {
      try {
        // Whatever it says of a request without a model, the path is there.
        await upstream.json({
          method: "POST",
          path: path(),
          body: "{}",
          signal,
          agentId: "models",
          maxRetries: 0,
        });
        return null;
      } catch (error) {
        const fault = upstreamErrorOf(error);
        return fault !== null && refusalKindOf(fault) === "path" ? "no such path" : null;
      }
    },
    async close() {
      await Promise.all([upstream.close(), serverWindows.close()]);
    },
  };
}

function isMissing(error: unknown): boolean {
  const status = upstreamErrorOf(error)?.status;
  return status === 404 || status === 405;
}

function body(call: ModelCall): Readonly<Record<string, unknown>> {
  return {
    ...call.model.parameters,
    model: call.model.id,
    messages: call.messages,
    ...(call.temperature === undefined ? {} : { temperature: call.temperature }),
    ...call.settings,
    ...(call.tools.length === 0 ? {} : { tools: call.tools, tool_choice: call.toolChoice }),
    stream: true,
  };
}

/** What each protocol is asked for besides. */
const own = {
  completions: { stream_options: { include_usage: true } },
  responses: { store: false, include: ["reasoning.encrypted_content"] },
} as const;
