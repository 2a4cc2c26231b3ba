import assert from "node:assert/strict";
import { describe, test } from "vitest";
import type { AgentEvent } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";
import { createRunTranslator, type RunTranslatorOptions } from "./run-translator.ts";
import type { Wire } from "./wire.ts";

/** Translates events, with the members that all of a family have. */
function translated(
  kind: ComponentKind,
  events: readonly Wire[],
  more: Partial<RunTranslatorOptions> = {},
) {
  const unknown: string[] = [];
  const translator = createRunTranslator({
    kind,
    componentId: "it",
    answeringSteps: new Set(["last"]),
    onUnknown: (type) => unknown.push(type),
    ...more,
  });
  const into: AgentEvent[] = [];
  for (const event of events) translator.translate(event, into);
  let text = "";
  for (const event of into) {
    if (event.type === "text") text += event.text;
    if (event.type === "replace") text = event.text;
  }
  return { events: into, text, outcome: translator.outcome, unknown, translator };
}

const agent = (event: string, members: Wire = {}): Wire => ({
  event,
  agent_id: "it",
  run_id: "run",
  ...members,
});
const team = (event: string, members: Wire = {}): Wire => ({
  event,
  team_id: "it",
  run_id: "run",
  ...members,
});
const member = (event: string, members: Wire = {}): Wire => ({
  event,
  agent_id: "scout",
  agent_name: "Scout",
  run_id: "inner",
  parent_run_id: "run",
  ...members,
});
const flow = (event: string, members: Wire = {}): Wire => ({
  event,
  workflow_id: "it",
  run_id: "run",
  ...members,
});
const inner = (event: string, step: string, members: Wire = {}): Wire => ({
  event,
  agent_id: "writer",
  run_id: "inner",
  workflow_run_id: "run",
  step_id: `id-of-${step}`,
  step_name: step,
  ...members,
});
const says = (content: string): Wire => ({ content, content_type: "str" });

describe("the end of a run", () => {
  test("the first one counts", () => {
    const { outcome, text } = translated("agent", [
      agent("RunStarted"),
      agent("RunContent", says("half")),
      agent("RunCancelled", { content: "half" }),
      agent("RunCompleted", { content: "half and more" }),
    ]);
    assert.deepEqual(outcome, { kind: "cancelled" });
    assert.equal(text, "half");
  });

  test("nothing after it is shown", () => {
    const { events } = translated("agent", [
      agent("RunStarted"),
      agent("RunCompleted", says("done")),
      agent("RunContent", says("late")),
      agent("RunError", says("telemetry")),
    ]);
    assert.deepEqual(events, [{ type: "text", text: "done" }]);
  });

  test("an error without ids is the run's", () => {
    const { outcome } = translated("agent", [
      { event: "RunError", agent_id: "", content: "no database", error_type: "ValueError" },
    ]);
    assert.deepEqual(outcome, { kind: "failed", errorType: "ValueError", message: "no database" });
  });

  test("is not an error that a queue may try again, of which only the next try is heard", () => {
    const tried = [
      agent("RunStarted"),
      agent("RunContent", says("half")),
      agent("RunError", { content: "secret", error_type: "model_provider_error" }),
      agent("RunCompleted", says("half")),
    ];
    const { outcome, translator } = translated("agent", tried, { triedAgain: true });
    assert.deepEqual([outcome, translator.setbacks], [null, 1]);
    // For good.
    translator.settle({ status: "ERROR", content: "half" }, []);
    assert.deepEqual(translator.outcome, {
      kind: "failed",
      errorType: "model_provider_error",
      message: "secret",
    });
    const again = translated(
      "agent",
      [...tried, agent("RunStarted"), agent("RunCompleted", says("whole"))],
      { triedAgain: true },
    );
    assert.deepEqual([again.outcome, again.text], [{ kind: "completed" }, "whole"]);
  });

  test("of a member ends only the member", () => {
    const { outcome, events } = translated("team", [
      team("TeamRunStarted"),
      member("RunStarted"),
      member("RunError", says("secret")),
      team("TeamRunCompleted", says("done without")),
    ]);
    assert.deepEqual(outcome, { kind: "completed" });
    assert.doesNotMatch(JSON.stringify(events), /secret/);
    assert.deepEqual(
      events.flatMap((event) => (event.type === "agent" ? [event.event] : [])),
      ["member_started", "member_failed"],
    );
  });

  test("tools that were never told to end are closed", () => {
    const tool = { tool_call_id: "c1", tool_name: "search", tool_args: { q: "x" } };
    const { events } = translated("agent", [
      agent("RunStarted"),
      agent("ToolCallStarted", { tool }),
      agent("RunError", says("broken")),
    ]);
    assert.deepEqual(events.at(-1), {
      type: "tool",
      toolCallId: "c1",
      name: "search",
      status: "failed",
    });
  });
});

describe("the text", () => {
  test("is replaced when the whole is something else: a fallback model took over", () => {
    const { events, text } = translated("agent", [
      agent("RunStarted"),
      agent("RunContent", says("I cann")),
      agent("RunContent", says("The answer")),
      agent("RunCompleted", says("The answer")),
    ]);
    assert.equal(text, "The answer");
    assert.deepEqual(events.at(-1), { type: "replace", text: "The answer" });
  });

  test("starts over when a queue runs it a second time", () => {
    const { text, events } = translated("agent", [
      agent("RunStarted"),
      agent("RunContent", says("first try")),
      agent("RunStarted"),
      agent("RunContent", says("second")),
      agent("RunCompleted", says("second")),
    ]);
    assert.equal(text, "second");
    assert.equal(events.filter((event) => event.type === "replace").length, 1);
  });

  test("of a spoken answer is its transcript", () => {
    const { text } = translated("agent", [
      agent("RunStarted"),
      agent("RunCompleted", { response_audio: { id: "a", transcript: "Hello" } }),
    ]);
    assert.equal(text, "Hello");
  });

  test("after a pause may be told alone or with what was said before", () => {
    const before = translated("agent", [
      agent("RunStarted"),
      agent("RunContent", says("Before. ")),
    ]);
    const progress = { ...before.translator.progress, eventIndex: 3 };
    const begun = { runId: "run", progress };
    for (const whole of ["After.", "Before. After."]) {
      const after = translated(
        "agent",
        [
          agent("RunContinued"),
          agent("RunContent", says("After.")),
          agent("RunCompleted", says(whole)),
        ],
        { begun, newLeg: true },
      );
      assert.deepEqual(after.events, [{ type: "text", text: "After." }]);
    }
  });

  test("of a member in a nested team is never the answer", () => {
    const { text, events } = translated("team", [
      team("TeamRunStarted"),
      {
        event: "TeamRunStarted",
        team_id: "sub",
        team_name: "Sub",
        run_id: "sub",
        parent_run_id: "run",
      },
      {
        event: "TeamRunContent",
        team_id: "sub",
        run_id: "sub",
        parent_run_id: "run",
        ...says("x"),
      },
      member("RunStarted", { parent_run_id: "sub" }),
      member("RunContent", { parent_run_id: "sub", ...says("y") }),
      team("TeamRunContent", says("answer")),
      team("TeamRunCompleted", says("answer")),
    ]);
    assert.equal(text, "answer");
    const parents = events.flatMap((event) =>
      event.type === "agent" ? [[event.agentId, event.parentAgentId]] : [],
    );
    assert.deepEqual(parents, [
      ["sub", "it"],
      ["scout", "sub"],
    ]);
  });
});

describe("a workflow", () => {
  test("tells a step that has failed as failed, without what its error says", () => {
    const { events, unknown } = translated("workflow", [
      flow("WorkflowStarted"),
      flow("StepStarted", { step_name: "first" }),
      flow("StepProgress", { step_name: "first", data: { progress: 0.5 } }),
      flow("StepError", { step_name: "first", error: "secret", ...says("secret") }),
    ]);
    assert.deepEqual(
      events.map((event) => event.type === "agent" && [event.event, event.agentId]),
      [
        ["step_started", "first"],
        ["step_failed", "first"],
      ],
    );
    assert.doesNotMatch(JSON.stringify(events), /secret/);
    assert.deepEqual(unknown, []);
  });

  test("tells steps that were left out because they failed, and those inside of others", () => {
    const { events } = translated("workflow", [
      flow("WorkflowStarted"),
      flow("StepStarted", { step_name: "first" }),
      flow("StepStarted", { step_name: "inner" }),
      flow("StepStarted", { step_name: "last" }),
      flow("StepCompleted", { step_name: "last", content: "done" }),
      flow("WorkflowCompleted", {
        content: "done",
        step_results: [
          { step_name: "first", success: false, error: "secret" },
          { step_name: "loop", success: true, steps: [{ step_name: "inner", success: false }] },
          { step_name: "last", success: true, content: "done" },
        ],
      }),
    ]);
    assert.deepEqual(
      events.flatMap((event) =>
        event.type === "agent" && event.event === "step_failed" ? [event.name] : [],
      ),
      ["first", "inner"],
    );
    assert.doesNotMatch(JSON.stringify(events), /secret/);
  });

  test("whose last step is tried again starts over", () => {
    const { text, outcome, events } = translated("workflow", [
      flow("WorkflowStarted"),
      inner("RunStarted", "last"),
      inner("RunContent", "last", says("half a ")),
      inner("RunError", "last", says("broke")),
      inner("RunStarted", "last", { run_id: "inner-2" }),
      inner("RunContent", "last", { run_id: "inner-2", ...says("whole") }),
      inner("RunCompleted", "last", { run_id: "inner-2", ...says("whole") }),
      flow("WorkflowCompleted", says("whole")),
    ]);
    assert.equal(text, "whole");
    assert.deepEqual(outcome, { kind: "completed" });
    assert.deepEqual(
      events.filter((event) => event.type === "text" || event.type === "replace"),
      [
        { type: "text", text: "half a " },
        { type: "replace", text: "" },
        { type: "text", text: "whole" },
      ],
    );
  });

  test("that stops early answers with the step that stopped it", () => {
    const { text } = translated("workflow", [
      flow("WorkflowStarted"),
      inner("RunContent", "first", says("enough")),
      flow("WorkflowCompleted", says("enough")),
    ]);
    assert.equal(text, "enough");
  });

  test("whose team speaks last: only its leader's text is the answer", () => {
    const { text } = translated("workflow", [
      flow("WorkflowStarted"),
      inner("TeamRunStarted", "last", { agent_id: undefined, team_id: "crew" }),
      inner("RunStarted", "last", { run_id: "m", parent_run_id: "inner" }),
      inner("RunContent", "last", { run_id: "m", parent_run_id: "inner", ...says("member") }),
      inner("TeamRunContent", "last", { agent_id: undefined, team_id: "crew", ...says("leader") }),
      flow("WorkflowCompleted", says("leader")),
    ]);
    assert.equal(text, "leader");
  });

  test("inside a workflow does not end the outer one", () => {
    const { outcome } = translated("workflow", [
      flow("WorkflowStarted"),
      flow("WorkflowStarted", { run_id: "nested", workflow_id: "sub" }),
      flow("WorkflowCompleted", { run_id: "nested", ...says("part") }),
    ]);
    assert.equal(outcome, null);
  });

  test("whose own agent answers without any step", () => {
    const { text, events } = translated("workflow", [
      flow("WorkflowStarted"),
      { event: "RunContent", run_id: "wa", agent_id: "wa", workflow_agent: true, ...says("Hi ") },
      { event: "RunContent", run_id: "wa", agent_id: "wa", workflow_agent: true, ...says("you") },
      flow("WorkflowCompleted", says("Hi you")),
    ]);
    assert.equal(text, "Hi you");
    assert.equal(events.filter((event) => event.type === "text").length, 2);
  });
});

describe("beside the text", () => {
  test("usage is what models reported, or more when the total says so", () => {
    const used = (tokens: Wire) =>
      translated("agent", [
        agent("RunStarted"),
        agent("ModelRequestCompleted", tokens),
        agent("RunCompleted", { content: "x", metrics: { input_tokens: 30, output_tokens: 7 } }),
      ]).events.filter((event) => event.type === "usage");
    assert.deepEqual(used({ input_tokens: 30, output_tokens: 7 }), [
      { type: "usage", inputTokens: 30, outputTokens: 7 },
    ]);
    assert.deepEqual(used({}), [{ type: "usage", inputTokens: 30, outputTokens: 7 }]);
    assert.deepEqual(used({ input_tokens: 10 }), [
      { type: "usage", inputTokens: 10, outputTokens: 0 },
      { type: "usage", inputTokens: 20, outputTokens: 7 },
    ]);
  });

  test("unknown events are told and left out", () => {
    const { events, unknown } = translated("agent", [
      agent("RunStarted"),
      agent("SomethingNew", says("x")),
      agent("MemoryUpdateStarted"),
      team("TeamTaskIterationStarted", { iteration: 1 }),
    ]);
    assert.deepEqual(events, []);
    assert.deepEqual(unknown, ["SomethingNew"]);
  });

  test("steps of thought are told unless they were told in pieces", () => {
    const step = { content: { title: "Plan", reasoning: "because" } };
    const thought = (events: readonly Wire[]) =>
      translated("agent", [agent("RunStarted"), ...events]).events.flatMap((event) =>
        event.type === "reasoning" ? event.text : [],
      );
    assert.deepEqual(thought([agent("ReasoningStep", step)]), ["Plan\nbecause\n"]);
    const delta = agent("ReasoningContentDelta", { reasoning_content: "bec" });
    assert.deepEqual(thought([delta, agent("ReasoningStep", step)]), ["bec"]);
  });

  test("small pictures become data URLs, bigger ones files, other addresses than http are left out", () => {
    const { events } = translated("agent", [
      agent("RunStarted"),
      agent("RunCompleted", {
        content: "x",
        images: [
          { id: "1", content: "aGk=", mime_type: "image/png" },
          { id: "2", url: "file:///etc/passwd" },
          { id: "3", content: "QUJD".repeat(100_000), mime_type: "image/png" },
          { id: "5", content: "QUJD", format: "webp", name: "w" },
          { id: "6", content: "QUJD" },
        ],
        files: [{ id: "4", url: "https://files.invalid/a.pdf", filename: "a.pdf" }],
      }),
    ]);
    assert.deepEqual(
      events.filter((event) => event.type === "media"),
      [
        { type: "media", kind: "image", url: "data:image/png;base64,aGk=" },
        { type: "media", kind: "image", url: "data:image/webp;base64,QUJD", name: "w" },
        { type: "media", kind: "file", url: "https://files.invalid/a.pdf", name: "a.pdf" },
      ],
    );
    assert.deepEqual(
      events.flatMap((event) => (event.type === "file" ? [[event.kind, event.file]] : [])),
      [
        [
          "image",
          { name: "image.png", mediaType: "image/png", bytes: Buffer.from("ABC".repeat(100_000)) },
        ],
        ["image", { name: "image.bin", mediaType: "", bytes: Buffer.from("ABC") }],
      ],
    );
  });

  test("sources: of the model, of searches once each, of members by their name", () => {
    const search = (name: string) => ({ query: "q", references: [{ name, content: `${name}!` }] });
    const { events } = translated("team", [
      team("TeamRunStarted"),
      team("TeamRunContent", {
        ...says("a"),
        citations: { urls: [{ url: "https://a.test/", title: "A" }] },
        references: [search("one")],
      }),
      team("TeamRunContent", { ...says("b"), references: [search("one"), search("two")] }),
      member("RunStarted"),
      member("RunCompleted", {
        ...says("c"),
        references: [
          {
            query: "q",
            references: [
              "bare text",
              { meta_data: { source: "https://b.test/" } },
              { meta_data: { source: "/etc" } },
            ],
          },
        ],
      }),
      team("TeamRunCompleted", {
        ...says("ab"),
        citations: { documents: [{ file_name: "f.pdf", cited_text: "t" }] },
        references: [search("one"), search("two")],
      }),
    ]);
    assert.deepEqual(
      events.filter((event) => event.type === "sources"),
      [
        {
          type: "sources",
          sources: [
            { title: "A", url: "https://a.test/" },
            { title: "one", excerpt: "one!" },
          ],
        },
        { type: "sources", sources: [{ title: "two", excerpt: "two!" }] },
        {
          type: "sources",
          sources: [{ excerpt: "bare text" }, { url: "https://b.test/" }, {}],
          agentId: "scout",
        },
        { type: "sources", sources: [{ title: "f.pdf", excerpt: "t" }] },
      ],
    );
  });

  test("follow-up questions of the one addressed, or of the step that answers", () => {
    const followups = { followups: ["a?", 1, "", "b?"] };
    const suggested = (events: readonly AgentEvent[]) =>
      events.flatMap((event) => (event.type === "suggestions" ? [event.suggestions] : []));
    const { events } = translated("team", [
      team("TeamRunStarted"),
      member("FollowupsCompleted", followups),
      team("TeamFollowupsCompleted", followups),
      team("TeamRunCompleted", says("x")),
    ]);
    assert.deepEqual(suggested(events), [["a?", "b?"]]);
    const steps = translated(
      "workflow",
      [
        flow("WorkflowStarted"),
        inner("FollowupsCompleted", "draft", { followups: ["no"] }),
        inner("FollowupsCompleted", "polish", followups),
      ],
      { answeringSteps: new Set(["polish"]) },
    );
    assert.deepEqual(suggested(steps.events), [["a?", "b?"]]);
  });

  test("events of the author", () => {
    const { events, unknown } = translated("team", [
      team("TeamRunStarted"),
      // What agno writes itself is not part of it.
      member("CustomEvent", {
        created_at: 1,
        session_id: "s",
        nested_depth: 0,
        tool_call_id: "c",
        event_index: 3,
        percent: 50,
        content: "x",
      }),
      team("CustomEvent", { type: "card", title: "t" }),
      team("SomethingNew", { at: 1 }),
    ]);
    assert.deepEqual(events, [
      {
        type: "custom",
        name: "CustomEvent",
        data: { percent: 50, content: "x" },
        agentId: "scout",
      },
      { type: "custom", name: "card", data: { type: "card", title: "t" } },
    ]);
    assert.deepEqual(unknown, ["SomethingNew"]);
  });

  test("the tasks of a team", () => {
    const { events } = translated("team", [
      team("TeamRunStarted"),
      team("TeamTaskCreated", {
        task_id: "1",
        title: "look",
        status: "pending",
        assignee: "scout",
      }),
      team("TeamTaskUpdated", { task_id: "1", title: "look", status: "in_progress", result: "no" }),
      team("TeamTaskStateUpdated", {
        tasks: [
          { id: "1", title: "look", status: "completed", result: "no" },
          { id: "2", title: "x" },
        ],
      }),
    ]);
    assert.deepEqual(
      events.map((event) => (event.type === "tasks" ? event.tasks : event.type)),
      [
        [{ id: "1", title: "look", status: "pending", assignee: "scout" }],
        [{ id: "1", title: "look", status: "in_progress" }],
        [
          { id: "1", title: "look", status: "completed" },
          { id: "2", title: "x", status: "pending" },
        ],
      ],
    );
  });

  test("how a workflow goes on, and how far it is", () => {
    const { events } = translated("workflow", [
      flow("WorkflowStarted"),
      flow("RouterExecutionStarted", { step_name: "choose", selected_steps: ["a", "b"] }),
      flow("ConditionExecutionStarted", { step_name: "long?", condition_result: true }),
      flow("ConditionExecutionStarted", { step_name: "short?", condition_result: false }),
      flow("LoopIterationStarted", { step_name: "again", iteration: 2, max_iterations: 3 }),
      flow("StepProgress", { step_name: "count", content: "50 %", data: { done: 1 } }),
    ]);
    assert.deepEqual(
      events.map((event) => ({ ...event, type: undefined, agentId: undefined })),
      [
        { event: "branch_taken", name: "choose", branches: ["a", "b"] },
        { event: "branch_taken", name: "long?", branches: ["if"] },
        { event: "branch_taken", name: "short?", branches: ["else"] },
        { event: "iteration_started", name: "again", iteration: 2, maxIterations: 3 },
        { event: "step_progress", name: "count", detail: "50 %" },
      ].map((event) => ({ ...event, type: undefined, agentId: undefined })),
    );
  });

  test("memories that this run has noted, on a server of another time zone", () => {
    const at = Date.parse("2026-05-01T10:00:00Z") / 1_000;
    const told = (...memories: readonly object[]) =>
      translated("agent", [
        agent("RunStarted", { created_at: at }),
        agent("MemoryUpdateCompleted", { created_at: at + 5, memories }),
      ]).events;
    const old = { memory: "old", updated_at: "2026-05-01T12:59:00" };
    const noted = { memory: "likes cats", created_at: "2026-05-01T12:30:04" };
    const earlier = { memory: "is called Ann", updated_at: "2026-05-01T12:30:01" };
    assert.deepEqual(told({ ...noted, updated_at: "2026-05-01T12:29:00" }), []);
    assert.deepEqual(told({ ...old, updated_at: "2026-04-29T12:30:04" }), []);
    assert.deepEqual(told(), []);
    assert.deepEqual(told(noted, earlier, { ...old, updated_at: "2026-05-01T12:20:00" }), [
      {
        type: "agent",
        event: "memory_updated",
        agentId: "it",
        name: "it",
        detail: "likes cats\nis called Ann",
      },
    ]);
  });

  test("that a model is sent less", () => {
    const { events } = translated("agent", [
      agent("RunStarted"),
      agent("CompactionStarted"),
      agent("CompactionCompleted", { messages_compacted: 12, tokens_before: 9, tokens_after: 1 }),
      agent("CompactionCompleted", { messages_compacted: 0 }),
    ]);
    assert.deepEqual(events, [
      { type: "agent", event: "context_compacted", agentId: "it", name: "it", messages: 12 },
    ]);
  });

  test("tool calls of members have ids of their own", () => {
    const tool = { tool_call_id: "call_1", tool_name: "search" };
    const { events } = translated("team", [
      team("TeamRunStarted"),
      team("TeamToolCallStarted", { tool }),
      member("ToolCallStarted", { tool }),
    ]);
    const ids = events.flatMap((event) => (event.type === "tool" ? event.toolCallId : []));
    assert.equal(new Set(ids).size, 2);
  });

  test("hostile events do no harm", () => {
    const odd = [null, 0, "", "x", [], {}, [null], { a: 1 }, -1, Number.NaN, true];
    const names = ["RunContent", "ToolCallStarted", "RunStarted", "StepCompleted", "RunCompleted"];
    for (const event of names) {
      for (const value of odd) {
        for (const kind of ["agent", "team", "workflow"] as const) {
          translated(kind, [
            { event, content: value, tool: value, images: value, metrics: value, run_id: value },
            { event, citations: { urls: value, documents: [value] }, references: [value] },
            { event, citations: value, references: [{ references: [value] }] },
            { event: `Team${event}`, content: value, parent_run_id: value, step_name: value },
          ]);
        }
      }
    }
  });
});
