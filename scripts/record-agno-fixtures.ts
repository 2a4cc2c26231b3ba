/**
 * Plays every scenario before the real AgentOS versions and writes down what they answer, for the tests that need no
 * Python. Run it after a change of scenarios or versions: node scripts/record-agno-fixtures.ts
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { agnoVersions, pythonOf } from "../test/agno/environment.ts";
import { scriptedModel } from "../test/agno/model-script.ts";
import { writeRecording } from "../test/agno/recording.ts";
import { startRecordingProxy } from "../test/agno/recording-proxy.ts";
import { scenarios } from "../test/agno/scenarios.ts";
import { backendFor } from "../test/agno/stage.ts";
import { startAgentOs } from "../test/agno/start-agent-os.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";

for (const version of agnoVersions) {
  const found = await pythonOf(version);
  if ("missing" in found)
    throw new Error(`AgentOS ${version} cannot be installed: ${found.missing}`);
  await rm(join(import.meta.dirname, "../test/fixtures/agno", version), {
    recursive: true,
    force: true,
  });
  const model = await startOpenAiServer({ respond: scriptedModel });
  const agentOs = await startAgentOs({ python: found.python, modelUrl: model.url });
  try {
    for (const scenario of scenarios) {
      if (scenario.recorded === false) continue;
      const proxy = await startRecordingProxy(agentOs.url);
      const backend = backendFor(proxy.url);
      await scenario.play({
        backend,
        exchanges: proxy.exchanges,
        cutAfter: (events) => proxy.cutAfter(/\/(runs|continue)$/, events),
      });
      await backend.close();
      await proxy.close();
      await writeRecording(version, scenario.name, proxy.exchanges);
      console.log(`${version}: ${scenario.name}`);
    }
  } finally {
    await agentOs.close();
    await model.close();
  }
}
