import { afterAll, beforeAll, describe, test } from "vitest";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { forEachSetup } from "./for-each-agno.ts";
import { scriptedModel } from "./model-script.ts";
import { startRecordingProxy } from "./recording-proxy.ts";
import { scenarios } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";

forEachSetup((version, python, { name, securityKey, database }) => {
  describe(`AgentOS ${version} (${name})`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
      agentOs = await startAgentOs({
        python,
        modelUrl: model.url,
        database: await database(),
        securityKey,
      });
    }, 120_000);
    afterAll(async () => {
      await agentOs?.close();
      await model?.close();
    });

    for (const scenario of scenarios) {
      test(scenario.name, async () => {
        const proxy = await startRecordingProxy(agentOs.url);
        const backend = backendFor(proxy.url, {}, securityKey);
        try {
          await scenario.play({
            backend,
            exchanges: proxy.exchanges,
            cutAfter: (events) => proxy.cutAfter(/\/(runs|continue)$/, events),
          });
        } finally {
          await backend.close();
          await proxy.close();
        }
      });
    }
  });
});
