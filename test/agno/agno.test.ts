import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { agnoVersions, pythonOf } from "./environment.ts";
import { scriptedModel } from "./model-script.ts";
import { startRecordingProxy } from "./recording-proxy.ts";
import { scenarios } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";

for (const version of agnoVersions) {
  const found = await pythonOf(version);
  if ("missing" in found) {
    const required = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("agno");
    console.warn(`\n*** AgentOS ${version} is NOT tested: ${found.missing} ***\n`);
    (required ? test : test.skip)(`AgentOS ${version} can be installed`, () => {
      expect.fail(found.missing);
    });
    continue;
  }

  describe(`AgentOS ${version}`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
      agentOs = await startAgentOs({ python: found.python, modelUrl: model.url });
    }, 120_000);
    afterAll(async () => {
      await agentOs?.close();
      await model?.close();
    });

    for (const scenario of scenarios) {
      test(scenario.name, async () => {
        const proxy = await startRecordingProxy(agentOs.url);
        const backend = backendFor(proxy.url);
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
}
