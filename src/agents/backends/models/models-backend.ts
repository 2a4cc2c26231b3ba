import type { Logger } from "../../../telemetry/logger.ts";
import { outageOf } from "../../../telemetry/outage.ts";
import type { AgentBackend, AgentDescriptor } from "../../agent-backend.ts";
import { createUpstream, type Upstream } from "../../upstream/upstream.ts";
import { resolveAgents, type AgentSettings } from "./agents.ts";
import { createContextWindows, type ContextTokens } from "./context-windows.ts";
import { converse, goOn } from "./conversation.ts";
import type { ModelAgent } from "./default-agents.ts";
import { createEndpointSource, type EndpointApi } from "./endpoint-source.ts";
import { takenFiles } from "./files-in-prompt.ts";
import { chooseAnother, hasModel } from "./has-model.ts";
import { protocols } from "./completions.ts";
import { modelSettings, settingsOfProtocol } from "./model-settings.ts";
import { createModelRouter } from "./model-router.ts";
import { examinePaths } from "./examine-paths.ts";
import { examineDefaultModel } from "./examine-default-model.ts";
import { createMcpTools } from "./mcp/mcp-tools.ts";
import { createModelServiceSource } from "./model-service-source.ts";
import { remedyOf } from "./source-fault.ts";
import { writeText } from "./write-text.ts";

export interface ModelsBackendOptions {
  /** An OpenAI-compatible endpoint; the URL is what `/chat/completions` (or `/responses`) and `/models` come below. */
  readonly endpoint: {
    readonly apiUrl: string;
    readonly apiKey: string | null;
    /** Default: completions. */
    readonly api?: EndpointApi;
  } | null;
  readonly modelService: { readonly url: string; readonly apiKey: string | null } | null;
  /** How long lists of models and defaults are kept. */
  readonly cacheTtlMs: number;
  /** As `models.agents`. */
  readonly agents: readonly AgentSettings[];
  /** Whether general-chat, analyst and creative are there too. */
  readonly defaultAgents: boolean;
  /** For agents that name none; null: the endpoint's first, or the Model Service's default. */
  readonly defaultModel: string | null;
  /** Earlier messages that agents are told at most; 0: as many as have room. */
  readonly historyMessages: number;
  /** As `models.context_tokens`; null or absent: as the endpoint tells. */
  readonly contextTokens?: ContextTokens;
  /** Whether summaries stand for what they cover. Default: no. */
  readonly usesSummaries?: boolean;
  /** Without any token, once there was one. */
  readonly timeoutMs: number;
  /**
   * Without any sign of life before the first token; many servers send no headers before it. A model may have to be
   * loaded, and giving up ends that too. Default: `timeoutMs`.
   */
  readonly firstTokenTimeoutMs?: number;
  readonly log: Logger;
  /** For tests: as those of an upstream. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Agents made of instructions and a model, and the models that sessions may choose from. */
export type ModelsBackend = AgentBackend &
  Required<Pick<AgentBackend, "continue" | "listModels" | "examine" | "write">>;

const availabilityTimeoutMs = 2_000;
/** Images come whole in one event. */
const maxEventBytes = 8 * 1024 * 1024;

/** Raises an error that names every mistake in `agents`. */
export function createModelsBackend(options: ModelsBackendOptions): ModelsBackend {
  const { defaultModel, historyMessages, cacheTtlMs, log, now = () => performance.now() } = options;
  const { firstTokenTimeoutMs = options.timeoutMs } = options;
  const { api = "completions" } = options.endpoint ?? {};
  const agents = resolveAgents(options.agents, options.defaultAgents);

  function upstream(name: string, baseUrl: string, apiKey: string | null): Upstream {
    return createUpstream({
      name,
      baseUrl,
      headers: () => (apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
      headersTimeoutMs: firstTokenTimeoutMs,
      firstEventTimeoutMs: firstTokenTimeoutMs,
      idleTimeoutMs: options.timeoutMs,
      maxEventBytes,
      log,
      now,
      ...(options.random ? { random: options.random } : {}),
      ...(options.sleep ? { sleep: options.sleep } : {}),
    });
  }
  const apiUrl = options.endpoint === null ? "" : baseOf(options.endpoint.apiUrl);
  if (options.endpoint !== null && apiUrl !== options.endpoint.apiUrl) {
    log.warn({}, "MODELS_API_URL names a path that comes below it, which is left out");
  }
  const endpoint = options.endpoint
    ? createEndpointSource({
        upstream: upstream("models", apiUrl, options.endpoint.apiKey),
        api,
        root: upstream("models", apiUrl.replace(/\/v1\/*$/, ""), options.endpoint.apiKey),
        hasDefaultModel: defaultModel !== null,
        cacheTtlMs,
        now,
        log,
      })
    : null;
  const modelService = options.modelService
    ? createModelServiceSource({
        upstream: upstream("model-service", options.modelService.url, options.modelService.apiKey),
        cacheTtlMs,
        now,
        log,
      })
    : null;
  const windows = createContextWindows({ contextTokens: options.contextTokens ?? null, now, log });
  const router = createModelRouter({ endpoint, modelService, defaultModel });
  const sources = [endpoint, modelService].filter((source) => source !== null);

  const outage = outageOf(log, "models");

  /** What is wrong with each source, null where nothing is; and the models there are, as far as anybody says. */
  async function look(signal: AbortSignal) {
    const faults = await Promise.all(sources.map((source) => source.probe(signal)));
    const known = faults.includes(null) ? await router.models(signal).catch(() => []) : [];
    /** Servers may serve what they do not list: what has answered is there. */
    const lacks = (model: string | null): model is string =>
      model !== null &&
      known.length > 0 &&
      !hasModel(known, model) &&
      !sources.some((source) => source.hasAnswered(model));
    return { faults, known, lacks };
  }
  const mcp = createMcpTools({ agents, log });
  const { usesSummaries = false } = options;
  const conversation = { agents, router, historyMessages, usesSummaries, windows, mcp, log };

  return {
    source: "models",
    // With two sources it is the model that decides, and the reply that tells.
    settings: modelService === null ? settingsOfProtocol(protocols[api]) : modelSettings,
    async list(signal) {
      mcp.start();
      // The agents are known anyway; whether they can answer is another question, and no long wait.
      const soon = AbortSignal.any([signal, AbortSignal.timeout(availabilityTimeoutMs)]);
      const { faults, known, lacks } = await look(soon);
      signal.throwIfAborted();
      if (lacks(defaultModel)) {
        outage.lost(`there is no model ${defaultModel}. ${chooseAnother(known, defaultModel)}`);
      } else if (faults.every((fault) => fault === null)) outage.back();
      else outage.lost(tell(faults));
      const isAvailable = faults.includes(null);
      return [...agents.values()].map((agent) => ({
        ...describe(agent, defaultModel, isAvailable && !lacks(agent.model ?? defaultModel)),
        tools: [...agent.tools, ...mcp.namesOf(agent.id), ...agent.handoffs],
      }));
    },
    // Between two calls of the model there is a step, where it has anything to call.
    steers(agentId) {
      const agent = agents.get(agentId);
      if (agent === undefined) return false;
      return agent.tools.length + agent.handoffs.length + mcp.namesOf(agentId).length > 0;
    },
    run: (request, signal) => converse(request, conversation, signal),
    continue: (request, state, decisions, signal) =>
      goOn(request, state, decisions, conversation, signal),
    async probe(signal) {
      const [tools, { faults, known, lacks }] = await Promise.all([
        mcp.probe(signal),
        look(signal),
      ]);
      const details = {
        ...Object.fromEntries(sources.map(({ kind }, index) => [kind, faults[index] ?? "healthy"])),
        ...(Object.keys(tools.details).length > 0 && { mcp: tools.details }),
        // Told where it is not as usual.
        ...Object.fromEntries(
          sources
            .filter(({ circuit }) => circuit !== "closed")
            .map(({ kind, circuit }) => [`circuit_of_${kind}`, circuit]),
        ),
      };
      if (lacks(defaultModel)) {
        return {
          status: "unhealthy",
          details: { ...details, default_model: "not there" },
          remedy: [chooseAnother(known, defaultModel), ...tools.remedies].join("; "),
        };
      }
      // Without tools the agents answer all the same.
      const isHealthy = faults.every((fault) => fault === null);
      const remedy = [remediesOf(faults), ...tools.remedies].filter((one) => one !== "").join("; ");
      return {
        status: isHealthy ? "healthy" : "unhealthy",
        details,
        ...(remedy === "" ? {} : { remedy }),
      };
    },
    examine: async (signal) => [
      ...(await examinePaths(sources, signal)),
      await examineDefaultModel(defaultModel, router, signal),
      ...(await mcp.examine(signal)),
    ],
    write: (request, signal) => writeText(request, conversation, signal),
    listModels: (signal) => router.models(signal),
    async close() {
      await Promise.all([mcp, ...sources].map((source) => source.close()));
    },
  };
}

/** In one sentence for the log. */
function tell(faults: readonly (string | null)[]): string {
  const words = new Set(faults.filter((fault) => fault !== null));
  return `${[...words].join(", ")}. ${remediesOf(faults)}`;
}

function remediesOf(faults: readonly (string | null)[]): string {
  return [...new Set(faults.flatMap((fault) => (fault === null ? [] : remedyOf(fault))))].join(
    "; ",
  );
}

function describe(
  agent: ModelAgent,
  defaultModel: string | null,
  isAvailable: boolean,
): Omit<AgentDescriptor, "tools"> {
  return {
    agentId: agent.id,
    name: agent.name,
    description: agent.description,
    ...(agent.prompts && agent.prompts.length > 0 && { prompts: agent.prompts }),
    type: "agent",
    model: agent.model ?? defaultModel,
    ...(agent.answersInWords === false && { answersInWords: false }),
    metadata: {
      attachments: takenFiles,
      ...(agent.temperature === null ? {} : { temperature: agent.temperature }),
      ...(agent.handoffs.length === 0 ? {} : { handoffs: agent.handoffs }),
    },
    isAvailable,
  };
}

/** Copied from an example with all of its path. (`/models` is how some bases end.) */
function baseOf(apiUrl: string): string {
  return apiUrl.replace(/\/+(?:chat\/completions|responses)\/*(?=$|\?)/, "");
}
