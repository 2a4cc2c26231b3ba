import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { answeringSteps, toComponent } from "./components.ts";

const step = (name: string) => ({ name, type: "Step", agent: { id: name } });
const answering = (...steps: readonly object[]) => [...answeringSteps({ steps })];

describe("the steps that speak a workflow's answer", () => {
  test("the last one, if it is an agent or a team", () => {
    assert.deepEqual(answering(step("draft"), step("polish")), ["polish"]);
    assert.deepEqual(answering({ name: "crew", type: "Step", team: { id: "t" } }), ["crew"]);
    assert.deepEqual(answering(step("draft"), { name: "count", type: "Step" }), []);
    assert.deepEqual(answering(), []);
  });

  test("the last one of a group, and of each branch of a condition", () => {
    const group = { name: "group", type: "Steps", steps: [step("a"), step("b")] };
    assert.deepEqual(answering(step("draft"), group), ["b"]);
    const condition = {
      name: "if",
      type: "Condition",
      steps: [step("yes")],
      else_steps: [step("no")],
    };
    assert.deepEqual(answering(condition), ["yes", "no"]);
  });

  test("none where the answer is known at the end only", () => {
    for (const type of ["Loop", "Parallel", "Router", "Function", "Workflow", "SomethingNew"]) {
      assert.deepEqual(answering({ name: "last", type, steps: [step("inner")] }), [], type);
    }
  });

  test("none whose name another step has", () => {
    assert.deepEqual(answering(step("write"), step("write")), []);
    const group = { name: "group", type: "Steps", steps: [step("write")] };
    assert.deepEqual(answering(group, step("write")), []);
  });

  test("steps nested without end do no harm", () => {
    const endless: Record<string, unknown> = { name: "a", type: "Steps" };
    endless["steps"] = [endless];
    assert.deepEqual(answering(endless), []);
  });
});

describe("a component", () => {
  test("of older and newer servers", () => {
    const old = toComponent("agent", { agent_id: "a", model: { id: "m" } }, "config");
    assert.deepEqual([old?.id, old?.name, old?.model, old?.databaseId], ["a", "a", "m", null]);
    assert.equal(toComponent("agent", { name: "without an id" }, "list"), null);
  });

  test("remembers as much as it says; of summaries and factories Agno's own number is taken", () => {
    const runs = (entry: object, source: "list" | "config" = "list") =>
      toComponent("agent", { id: "a", ...entry }, source)?.historyRuns;
    assert.equal(runs({ sessions: { add_history_to_context: true } }), 3);
    assert.equal(runs({ sessions: { add_history_to_context: true, num_history_runs: 9 } }), 9);
    assert.equal(runs({ sessions: { num_history_runs: 9 } }), 0);
    assert.equal(runs({ default_tools: { read_chat_history: true } }), Number.POSITIVE_INFINITY);
    assert.equal(runs({ sessions: {} }), 0);
    assert.equal(runs({}), 0);
    assert.equal(runs({}, "config"), 3);
    assert.equal(runs({ is_factory: true }), 3);
    assert.equal(toComponent("workflow", { id: "w" }, "list")?.historyRuns, 0);
  });
});
