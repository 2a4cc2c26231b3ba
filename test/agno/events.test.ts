import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "vitest";
import { baseName, isKnown } from "../../src/agents/backends/agno/known-events.ts";
import { forEachAgno } from "./for-each-agno.ts";

/** Prints the types of all events that agents, teams and workflows can send. */
const listing = `
import json
from agno.run import agent, team, workflow
kinds = [agent.RunEvent, team.TeamRunEvent, workflow.WorkflowRunEvent]
registries = [agent.RUN_EVENT_TYPE_REGISTRY, team.TEAM_RUN_EVENT_TYPE_REGISTRY, workflow.WORKFLOW_RUN_EVENT_TYPE_REGISTRY]
print(json.dumps(sorted({each.value for kind in kinds for each in kind} | {str(name) for all in registries for name in all})))
`;

forEachAgno((version, python) => {
  test(`every event of AgentOS ${version} is shown or left out on purpose`, async () => {
    const { stdout } = await promisify(execFile)(python, ["-c", listing]);
    const types = JSON.parse(stdout) as string[];
    assert.ok(types.includes("RunCompleted") && types.includes("TeamTaskCreated"));
    assert.deepEqual(
      types.filter((type) => !isKnown(baseName(type))),
      [],
      "give it a line in src/agents/backends/agno/known-events.ts",
    );
  });
});
