import type { AgentBackend } from "../agents/agent-backend.ts";
import { createAgnoBackend } from "../agents/backends/agno/agno-backend.ts";
import { createBuiltinBackend } from "../agents/backends/builtin/builtin-backend.ts";
import { createModelsBackend } from "../agents/backends/models/models-backend.ts";
import type { ModelInfo } from "../agents/routes.ts";
import { agnoServers } from "../config/agno-servers.ts";
import type { Config } from "../config/settings.ts";
import type { Logger } from "../telemetry/logger.ts";

export interface AgentBackends {
  readonly models: AgentBackend | null;
  readonly agno: AgentBackend | null;
  /** In order of precedence. */
  readonly all: readonly AgentBackend[];
  readonly listModels: (signal: AbortSignal) => Promise<readonly ModelInfo[]>;
}

/** The configured sources of agents; where there are none, those that need no model. */
export function createAgentBackends(config: Config, logger: Logger): AgentBackends {
  const models = createModels(config, logger);
  const agno = createAgno(config, logger);
  const modelsConnected = models !== null || agno !== null;
  const { agents: wanted } = config.builtin;
  const builtin =
    wanted === "always" || (wanted === "auto" && !modelsConnected)
      ? createBuiltinBackend({ logger, modelsConnected })
      : null;
  return {
    models,
    agno,
    all: [models, agno, builtin].filter((backend) => backend !== null),
    listModels: models === null ? () => Promise.resolve([]) : (signal) => models.listModels(signal),
  };
}

function createModels({ models, model_service: service, sessions }: Config, log: Logger) {
  if (models.api_url === null && service.url === null) return null;
  return createModelsBackend({
    endpoint: models.api_url === null ? null : { apiUrl: models.api_url, apiKey: models.api_key },
    modelService: service.url === null ? null : { url: service.url, apiKey: service.api_key },
    cacheTtlMs: service.cache_ttl_seconds * 1000,
    agents: models.agents,
    defaultAgents: models.default_agents,
    defaultModel: models.default_model,
    historyMessages: sessions.history_messages,
    timeoutMs: models.timeout * 1000,
    log,
  });
}

function createAgno({ agno }: Config, log: Logger) {
  const servers = agnoServers(agno);
  if (servers.length === 0) return null;
  return createAgnoBackend({
    servers: servers.map(({ name, api_url: apiUrl, api_key: apiKey }) => ({
      name,
      apiUrl,
      ...(apiKey !== undefined && { apiKey }),
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
