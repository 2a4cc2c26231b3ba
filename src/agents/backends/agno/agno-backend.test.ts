import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { agnoVersions } from "../../../../test/agno/environment.ts";
import { readRecording } from "../../../../test/agno/recording.ts";
import { startReplayServer } from "../../../../test/agno/replay-server.ts";
import { scenarios } from "../../../../test/agno/scenarios.ts";
import { backendFor } from "../../../../test/agno/stage.ts";

// The same scenarios run before real AgentOS servers in test/agno; scripts/record-agno-fixtures.ts made the recordings.
for (const version of agnoVersions) {
  describe(`a recorded AgentOS ${version}`, () => {
    for (const scenario of scenarios.filter((each) => each.recorded !== false)) {
      test(scenario.name, async () => {
        const server = await startReplayServer(await readRecording(version, scenario.name));
        const backend = backendFor(server.url);
        try {
          await scenario.play({ backend, exchanges: server.exchanges, cutAfter: () => {} });
        } finally {
          await backend.close();
          await server.close();
        }
        assert.deepEqual(server.unknown, []);
      });
    }
  });
}
