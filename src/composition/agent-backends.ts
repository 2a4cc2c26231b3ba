import type { AgentBackend, ModelInfo } from "../agents/agent-backend.ts";
import { createAgnoBackend } from "../agents/backends/agno/agno-backend.ts";
import { createBuiltinBackend } from "../agents/backends/builtin/builtin-backend.ts";
import { createModelsBackend } from "../agents/backends/models/models-backend.ts";
import { agnoServers, agnoSettings } from "../config/agno-servers.ts";
import type { Config } from "../config/settings.ts";
import type { Logger } from "../telemetry/logger.ts";

/** A kind of agent backend that the service knows how to make. */
export interface AgentBackendKind {
  /** As its backend's. */
  readonly source: string;
  /** Null where it is not configured; `others` are the configured ones before it. */
  readonly create: (
    config: Config,
    logger: Logger,
    others: readonly AgentBackend[],
  ) => AgentBackend | null;
}

/** In order of precedence: where two have an agent of the same id, the later one's gets its source as a prefix. */
export const agentBackendKinds: readonly AgentBackendKind[] = [
  { source: "models", create: createModels },
  { source: "agno", create: createAgno },
  { source: "builtin", create: createBuiltin },
];

export interface ConfiguredBackend {
  readonly source: string;
  /** Null: not configured. */
  readonly backend: AgentBackend | null;
}

/** Every kind of backend, as far as it is configured. */
export function createAgentBackends(
  config: Config,
  logger: Logger,
  kinds: readonly AgentBackendKind[] = agentBackendKinds,
): readonly ConfiguredBackend[] {
  const backends: AgentBackend[] = [];
  return kinds.map(({ source, create }) => {
    const backend = create(config, logger, [...backends]);
    if (backend !== null) backends.push(backend);
    return { source, backend };
  });
}

export function configuredBackends(all: readonly ConfiguredBackend[]): AgentBackend[] {
  return all.flatMap(({ backend }) => backend ?? []);
}

/** The models of all backends; those of one that cannot say are missing, unless none can: then it raises. */
export async function listAllModels(
  backends: readonly AgentBackend[],
  signal: AbortSignal,
): Promise<readonly ModelInfo[]> {
  const lists = await Promise.allSettled(
    backends.map(async (backend) => (await backend.listModels?.(signal)) ?? null),
  );
  const known = lists.flatMap((list) =>
    list.status === "fulfilled" && list.value !== null ? [list.value] : [],
  );
  const failure = lists.find((list) => list.status === "rejected");
  if (known.length === 0 && failure) throw failure.reason;
  return known.flat();
}

function createModels({ models, model_service: service, sessions }: Config, log: Logger) {
  if (models.api_url === null && service.url === null) return null;
  return createModelsBackend({
    endpoint:
      models.api_url === null
        ? null
        : { apiUrl: models.api_url, apiKey: models.api_key, api: models.api },
    modelService: service.url === null ? null : { url: service.url, apiKey: service.api_key },
    cacheTtlMs: service.cache_ttl_seconds * 1000,
    agents: models.agents,
    defaultAgents: models.default_agents,
    defaultModel: models.default_model,
    historyMessages: sessions.history_messages,
    contextTokens: models.context_tokens,
    usesSummaries: sessions.long_conversations === "summarise",
    timeoutMs: models.timeout * 1000,
    firstTokenTimeoutMs: (models.first_token_timeout ?? 5 * models.timeout) * 1000,
    log,
  });
}

function createAgno({ agno }: Config, log: Logger) {
  const servers = agnoServers(agno);
  if (servers.length === 0) return null;
  return createAgnoBackend({
    servers: servers.map((server) => ({
      name: server.name,
      apiUrl: server.api_url,
      ...(server.api_key !== undefined && { apiKey: server.api_key.trim() }),
      ...(server.api_key_file !== undefined && { apiKeyFile: server.api_key_file }),
      settings: agnoSettings(server, agno),
    })),
    forwardUserToken: agno.forward_user_token,
    timeoutMs: agno.timeout * 1000,
    maxRetries: agno.max_retries,
    history: agno.history,
    background: agno.background,
    refreshMs: agno.refresh_seconds * 1000,
    log,
  });
}

/** Those that need no model: what a person meets where nothing else is configured. */
function createBuiltin({ builtin }: Config, logger: Logger, others: readonly AgentBackend[]) {
  const modelsConnected = others.length > 0;
  const isWanted = builtin.agents === "always" || (builtin.agents === "auto" && !modelsConnected);
  return isWanted ? createBuiltinBackend({ logger, modelsConnected }) : null;
}
