import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "vitest";
import {
  sendJson,
  startScriptedAgentOs,
  wireEvent,
  type ScriptedAgentOs,
} from "../../../../test/agno/scripted-agent-os.ts";
import { collect, never, request } from "../../../../test/agno/scenarios.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { StillPaused, type AgentBackend } from "../../agent-backend.ts";
import { createTextTrace } from "./text-trace.ts";

let server: ScriptedAgentOs;
let backend: AgentBackend;

beforeEach(async () => {
  server = await startScriptedAgentOs();
  backend = backendFor(server.url, { patienceMs: 300 });
});
afterEach(async () => {
  await backend.close();
  await server.unplug();
});

/** Of a workflow that a durable queue had when it paused. */
const state = {
  run: {
    server: "test",
    kind: "workflow",
    componentId: "checked",
    runId: "run-1",
    background: true,
    durable: true,
  },
  progress: {
    eventIndex: 3,
    startedAt: 1,
    text: createTextTrace().mark(),
    leg: null,
    textRunId: null,
    spent: [],
  },
  pause: [{ step_id: "publish", step_name: "publish", requires_confirmation: true }],
};

const decide = () =>
  collect(
    backend.continue!(
      request("checked", "clean"),
      JSON.parse(JSON.stringify(state)) as Record<string, unknown>,
      [{ id: "publish", approved: true }],
      never,
    ),
  );
const continuations = () => server.requests.filter(({ path }) => path.endsWith("/continue"));

test("a workflow that no queue has any more goes on in the foreground", async () => {
  server.setAnswer(({ path, form }, response) => {
    if (!path.endsWith("/continue")) return false;
    if (form["background"] === "true") {
      const detail =
        "background=true continuation is only available for durably-submitted workflow runs";
      sendJson(response, 409, { detail });
      return true;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const end = { event: "WorkflowCompleted", run_id: "run-1", content: "Published." };
    response.end(wireEvent(end));
    return true;
  });
  const answer = await decide();
  assert.equal(answer.error, null);
  assert.equal(answer.text, "Published.");
  assert.deepEqual(
    continuations().map(({ form }) => form["background"]),
    ["true", "false"],
  );
});

/** So it answers the first continuation; the second goes on. */
function refuseOnce(status: number, detail: string): void {
  server.setAnswer(({ path }, response) => {
    if (!path.endsWith("/continue")) return false;
    if (continuations().length < 2) {
      sendJson(response, status, { detail });
      return true;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(wireEvent({ event: "WorkflowCompleted", run_id: "run-1", content: "Done." }));
    return true;
  });
}

test("a decision that the queue takes after a moment is taken", async () => {
  refuseOnce(409, "Run is settling between execution legs; retry in a moment");
  const { error, text } = await decide();
  assert.deepEqual([error, text, continuations().length], [null, "Done.", 2]);
});

test.each([
  [401, "Invalid token", /refused the credentials/],
  [403, "Insufficient permissions", /refused the credentials/],
  [403, "Approval is pending", /administrator must approve/],
  [409, "Run is not continuable (ticket status: failed)", /queue does not take this yet/],
  [503, "busy", /cannot be reached/],
])("a decision that is answered with %i %s leaves the run paused", async (status, detail, why) => {
  refuseOnce(status, detail);
  const { error } = await decide();
  assert.ok(error instanceof StillPaused, String(error));
  assert.match(error.problem.text("en"), why);
  assert.equal((await decide()).text, "Done.");
});
