import { expect } from "vitest";
import { startOpenAiServer } from "../../../../test/support/openai-server.ts";
import { turnOf } from "../../../../test/support/scene-turn.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runAgentBackendContract, type AgentBackendSubject } from "../../agent-backend.contract.ts";
import { createModelsBackend } from "./models-backend.ts";

async function createSubject(): Promise<AgentBackendSubject> {
  const server = await startOpenAiServer();
  const backend = createModelsBackend({
    endpoint: { apiUrl: server.url, apiKey: null },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [],
    defaultAgents: true,
    defaultModel: null,
    historyMessages: 20,
    timeoutMs: 400,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
  return {
    backend,
    agentId: "general-chat",
    play: (scene) => server.setRespond(() => turnOf(scene)),
    async stopped() {
      expect(await server.requests.at(-1)?.closed).toBe("aborted");
    },
    unplug: () => server.close(),
    async close() {
      await backend.close();
      await server.close();
    },
  };
}

runAgentBackendContract({ name: "models", create: createSubject });
