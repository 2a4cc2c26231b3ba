import {
  createAgnoBackend,
  type AgnoBackendOptions,
} from "../../src/agents/backends/agno/agno-backend.ts";
import type { AgentBackend } from "../../src/agents/agent-backend.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";

/** A backend with one server, whose time-outs suit tests. */
export function backendFor(
  apiUrl: string,
  changes: Partial<AgnoBackendOptions> = {},
  apiKey?: string,
): AgentBackend {
  return createAgnoBackend({
    servers: [{ name: "test", apiUrl, ...(apiKey !== undefined && { apiKey }) }],
    forwardUserToken: false,
    timeoutMs: 15_000,
    maxRetries: 2,
    history: "auto",
    background: true,
    refreshMs: 60_000,
    patienceMs: 10_000,
    log: silentLogger,
    ...changes,
  });
}
