import { startScriptedAgentOs } from "../../../../test/agno/scripted-agent-os.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { runAgentBackendContract } from "../../agent-backend.contract.ts";

for (const background of [true, false]) {
  runAgentBackendContract({
    name: background ? "agno with runs in the background" : "agno",
    async create() {
      const server = await startScriptedAgentOs();
      const backend = backendFor(server.url, {
        background,
        timeoutMs: 1_000,
        patienceMs: 500,
        maxRetries: 1,
      });
      // The lists are there before the source is taken away.
      await backend.list(new AbortController().signal);
      return {
        backend,
        agentId: "assistant",
        play: server.play,
        stopped: server.stopped,
        unplug: server.unplug,
        async close() {
          await backend.close();
          await server.unplug();
        },
      };
    },
  });
}
