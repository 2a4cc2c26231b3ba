import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, test } from "vitest";
import { collect, never, only, request } from "../../../../test/agno/scenarios.ts";
import {
  sendJson,
  startScriptedAgentOs,
  wireEvent,
  type ScriptedAgentOs,
} from "../../../../test/agno/scripted-agent-os.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { Problem } from "../../../problems/problem.ts";
import { AgentInterrupted, type AgentBackend } from "../../agent-backend.ts";
import { createRunTranslator } from "./run-translator.ts";
import { isKept } from "./silence.ts";
import type { Wire } from "./wire.ts";

const runId = "run-1";
const agent = { agent_id: "assistant", run_id: runId };
const started = { event: "RunStarted", ...agent, created_at: 1_000 };
const toolStarted = {
  event: "ToolCallStarted",
  ...agent,
  tool: { tool_call_id: "c", tool_name: "dig" },
};

let server: ScriptedAgentOs;
let backend: AgentBackend;
let alive: NodeJS.Timeout | undefined;
/** How often AgentOS was asked what became of the run. */
let looks: number;

beforeEach(async () => {
  server = await startScriptedAgentOs();
  backend = backendFor(server.url, { timeoutMs: 300, patienceMs: 200 });
  looks = 0;
  await backend.list(never);
});
afterEach(async () => {
  clearInterval(alive);
  await backend.close();
  await server.unplug();
});

/** Begins a run with these events; from then on its stream has nothing but comments in it. */
function sayOnly(
  events: readonly Wire[],
  onLook: (response: ServerResponse, stream: ServerResponse) => void,
  startedAt = "1970-01-01T00:00:10Z",
): void {
  let stream: ServerResponse;
  server.setAnswer(({ method, path }, response) => {
    if (method === "POST" && path.endsWith("/runs")) {
      stream = response;
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const [index, event] of events.entries())
        response.write(wireEvent({ ...event, event_index: index }));
      alive = setInterval(() => response.write(": keepalive\n\n"), 5);
      return true;
    }
    if (method === "GET" && path.includes("/runs/")) {
      looks += 1;
      onLook(response, stream);
      return true;
    }
    if (path !== "/health") return false;
    sendJson(response, 200, { status: "ok", instantiated_at: startedAt });
    return true;
  });
}

const ask = () => collect(backend.run(request("assistant", "hello"), never));
const running = (response: ServerResponse) =>
  sendJson(response, 200, { ...agent, status: "RUNNING", created_at: 1_000 });
const wasCancelled = () => server.requests.some(({ path }) => path.endsWith("/cancel"));

test("a model that never says a word is given up, though its run is said to go on", async () => {
  sayOnly([started], running);
  const { error } = await ask();
  assert.ok(error instanceof Problem && error.type === "agent_timeout", String(error));
  // It had more than one chance.
  assert.ok(looks > 1);
  await server.stopped();
  await backend.close();
  assert.ok(wasCancelled());
});

test("a run whose turn has not come may wait as long as it takes", async () => {
  sayOnly([started], (response, stream) => {
    sendJson(response, 200, { ...agent, status: "PENDING", created_at: 1_000 });
    if (looks < 7) return;
    stream.write(
      wireEvent({ event: "RunCompleted", ...agent, content: "at last", event_index: 1 }),
    );
  });
  assert.equal((await ask()).text, "at last");
});

test("a tool may take as long as it likes", async () => {
  sayOnly([started, toolStarted], (response, stream) => {
    running(response);
    if (looks < 7) return;
    stream.write(wireEvent({ ...toolStarted, event: "ToolCallCompleted", event_index: 2 }));
    stream.write(wireEvent({ event: "RunCompleted", ...agent, content: "dug", event_index: 3 }));
  });
  const answer = await ask();
  assert.equal(answer.error, null);
  assert.equal(answer.text, "dug");
});

test("a run that has ended without a word is finished from what is stored", async () => {
  sayOnly([started, toolStarted], (response) =>
    sendJson(response, 200, { ...agent, status: "COMPLETED", content: "It is done" }),
  );
  const answer = await ask();
  assert.equal(answer.error, null);
  assert.equal(answer.text, "It is done");
  assert.deepEqual(only(answer, "finish").length, 1);
});

test("a run that died with its server is over, whatever it was doing", async () => {
  sayOnly([started, toolStarted], running, "1970-01-01T01:00:00Z");
  const { error } = await ask();
  assert.ok(error instanceof AgentInterrupted, String(error));
});

test("a run that AgentOS does not know is given up at once", async () => {
  sayOnly([started], (response) => sendJson(response, 404, { detail: "Run not found" }));
  const { error } = await ask();
  assert.ok(error instanceof Problem && error.type === "agent_timeout", String(error));
  assert.equal(looks, 1);
});

test("an AgentOS that no longer answers anything is not waited for", async () => {
  sayOnly([started], (response) => response.socket?.resetAndDestroy());
  const { error } = await ask();
  assert.ok(error instanceof AgentInterrupted, String(error));
});

describe("what a run waits for", () => {
  const member = { agent_id: "scout", run_id: "member-1", parent_run_id: runId };
  const team = { team_id: "crew", run_id: runId };
  const delegate = {
    ...team,
    event: "TeamToolCallStarted",
    tool: { tool_call_id: "d", tool_name: "delegate_task_to_member" },
  };
  const memberTool = { ...member, tool: { tool_call_id: "m", tool_name: "dig" } };
  const step = { run_id: runId, step_id: "s", step_name: "dig" };
  const teamStarted = { event: "TeamRunStarted", ...team };
  const flowStarted = { event: "WorkflowStarted", run_id: runId };

  test.each<[what: string, kind: "agent" | "team" | "workflow", events: Wire[], atWork: boolean]>([
    ["the model", "agent", [started], false],
    ["a tool", "agent", [started, toolStarted], true],
    ["the model after its tool", "agent", [started, toolStarted, done(toolStarted)], false],
    ["members that do not tell", "team", [teamStarted, delegate], true],
    ["a member's model", "team", [teamStarted, delegate, begin(member)], false],
    [
      "a member's tool",
      "team",
      [teamStarted, delegate, begin(member), { event: "ToolCallStarted", ...memberTool }],
      true,
    ],
    [
      "the leader after a member that was stopped",
      "team",
      [teamStarted, begin(member), { ...member, event: "RunCancelled" }],
      false,
    ],
    ["a step's function", "workflow", [flowStarted, { event: "StepStarted", ...step }], true],
    [
      "the model of a step's agent",
      "workflow",
      [flowStarted, { event: "StepStarted", ...step }, begin(member)],
      false,
    ],
    [
      "nothing between two steps",
      "workflow",
      [flowStarted, { event: "StepStarted", ...step }, { event: "StepCompleted", ...step }],
      false,
    ],
  ])("%s", (_what, kind, events, atWork) => {
    const options = { kind, componentId: "x", answeringSteps: new Set<string>() };
    const translator = createRunTranslator({ ...options, onUnknown: assert.fail });
    for (const event of events) translator.translate(event, []);
    assert.equal(translator.isAtWork, atWork);
    // Whoever takes it up later knows as much, until what was begun has ended.
    const progress = { ...translator.progress, eventIndex: 3 };
    const later = createRunTranslator({
      ...options,
      begun: { runId, progress },
      onUnknown: assert.fail,
    });
    assert.equal(later.isAtWork, atWork);
    later.translate({ event: "ToolCallCompleted", ...agent, tool: {} }, []);
    assert.equal(later.isAtWork, false);
  });

  function begin(who: Wire): Wire {
    return { ...who, event: "RunStarted" };
  }
  function done(event: Wire): Wire {
    return { ...event, event: "ToolCallCompleted" };
  }
});

test.each([
  { queued: null, kept: true, what: "may not be asked" },
  { queued: { status: "queued" }, kept: true, what: "waits for its next try" },
  {
    queued: { status: "running", attempt: 1, max_attempts: 2 },
    kept: true,
    what: "has a try left",
  },
  { queued: { status: "running", attempt: 2, max_attempts: 2 }, kept: false, what: "had its last" },
  {
    queued: { status: "running", attempt: 2, max_attempts: 2, locked_at: 1_001 },
    kept: true,
    what: "is run by somebody who is alive",
  },
  { queued: { status: "failed", attempt: 1, max_attempts: 2 }, kept: false, what: "has failed" },
  { queued: { status: "cancelled" }, kept: false, what: "was cancelled" },
])("a queue whose run $what keeps it: $kept", ({ queued, kept }) => {
  assert.equal(isKept(queued, 1_000), kept);
});
