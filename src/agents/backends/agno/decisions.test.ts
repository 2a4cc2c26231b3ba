import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { applyDecisions } from "./decisions.ts";
import { readPause } from "./requirements.ts";
import type { Wire } from "./wire.ts";

/** Reads what a pause asks, answers each requirement, and returns the payload of `continue`. */
function answered(
  kind: "agent" | "team" | "workflow",
  source: Wire,
  answer: { approved: boolean; note?: string; result?: unknown },
) {
  const { requirements, echo } = readPause(kind, source);
  const decisions = requirements.map(({ id }) => ({ id, ...answer }));
  return { requirements, payload: applyDecisions(kind, echo, decisions) };
}

const confirmation = {
  tool_call_id: "c1",
  tool_name: "delete",
  tool_args: { path: "/x" },
  requires_confirmation: true,
  confirmed: null,
  result: null,
  other: "kept",
};

describe("agents", () => {
  test("several tools go back whole, each with its answer", () => {
    const { requirements, echo } = readPause("agent", {
      tools: [confirmation, { ...confirmation, tool_call_id: "c2" }, { tool_call_id: "done" }],
    });
    assert.deepEqual(
      requirements.map((requirement) => requirement.id),
      ["c1", "c2"],
    );
    const payload = applyDecisions("agent", echo, [{ id: "c2", approved: true }]);
    assert.equal(payload.length, 3);
    assert.equal(payload[0]?.["confirmed"], false, "what nobody decided is declined");
    assert.equal(payload[1]?.["confirmed"], true);
    assert.equal(payload[1]?.["other"], "kept");
    assert.deepEqual(payload[2], { tool_call_id: "done" });
  });

  test("questions with options", () => {
    const { requirements, payload } = answered(
      "agent",
      {
        tools: [
          {
            tool_call_id: "c1",
            tool_name: "ask_user",
            requires_user_input: true,
            user_feedback_schema: [
              {
                question: "Colour?",
                header: "Pick",
                multi_select: false,
                options: [{ label: "red" }],
              },
            ],
          },
        ],
      },
      { approved: true, result: { "Colour?": "red" } },
    );
    assert.deepEqual(requirements[0]?.arguments["fields"], [
      { name: "Colour?", type: "choice", description: "Pick", options: ["red"], multiple: false },
    ]);
    const questions = payload[0]?.["user_feedback_schema"] as Wire[] | undefined;
    assert.deepEqual(questions?.[0]?.["selected_options"], ["red"]);
    assert.equal(payload[0]?.["answered"], true);
  });

  test("a single field takes the bare value", () => {
    const { payload } = answered(
      "agent",
      {
        tools: [
          {
            tool_call_id: "c1",
            tool_name: "send",
            requires_user_input: true,
            user_input_schema: [
              { name: "known", field_type: "str", value: "a" },
              { name: "to", field_type: "str", value: null },
            ],
          },
        ],
      },
      { approved: true, result: "bob" },
    );
    assert.deepEqual(payload[0]?.["user_input_schema"], [
      { name: "known", field_type: "str", description: null, value: "a" },
      { name: "to", field_type: "str", description: null, value: "bob" },
    ]);
  });

  test("declined input becomes a declined confirmation, which is all that AgentOS can refuse", () => {
    const tool = { tool_call_id: "c1", tool_name: "send", requires_user_input: true };
    const { payload } = answered("agent", { tools: [tool] }, { approved: false, note: "no" });
    assert.deepEqual(payload, [
      {
        ...tool,
        requires_confirmation: true,
        confirmed: false,
        confirmation_note: "The user declined: no",
        requires_user_input: false,
        answered: true,
      },
    ]);
  });

  test("results of tools run elsewhere are text", () => {
    const tool = { tool_call_id: "c1", tool_name: "run", external_execution_required: true };
    const given = (result: unknown, approved = true) =>
      answered("agent", { tools: [tool] }, { approved, result }).payload[0]?.["result"];
    assert.equal(given("text"), "text");
    assert.equal(given({ lines: 3 }), '{"lines":3}');
    assert.equal(given(undefined), "");
    assert.equal(given("ignored", false), "The user declined.");
  });

  test("tools without a call id", () => {
    const { tool_call_id: _, ...nameless } = confirmation;
    const { payload } = answered("agent", { tools: [nameless, nameless] }, { approved: true });
    assert.deepEqual(
      payload.map((tool) => tool["confirmed"]),
      [true, true],
    );
  });
});

describe("teams", () => {
  test("requirements that were met before are not asked again, and go back as they were", () => {
    const met = { id: "r1", confirmation: true, tool_execution: confirmation };
    const open = { id: "r2", member_run_id: "m", tool_execution: confirmation };
    const { requirements, payload } = answered(
      "team",
      { requirements: [met, open] },
      { approved: true },
    );
    assert.deepEqual(
      requirements.map((requirement) => requirement.id),
      ["r2"],
    );
    assert.deepEqual(payload[0], met);
    assert.equal(payload[1]?.["confirmation"], true);
    assert.equal(payload[1]?.["member_run_id"], "m");
    const tool = payload[1]?.["tool_execution"] as Wire | undefined;
    assert.equal(tool?.["confirmed"], true);
  });
});

describe("workflows", () => {
  const step = { step_id: "s1", step_name: "publish" };

  test("input of a step", () => {
    const waiting = {
      ...step,
      requires_user_input: true,
      user_input_message: "Which?",
      user_input_schema: [{ name: "topic", field_type: "str", allowed_values: ["a", "b"] }],
      user_input: null,
    };
    const { requirements, payload } = answered(
      "workflow",
      { step_requirements: [waiting] },
      { approved: true, result: { topic: "a" } },
    );
    assert.deepEqual(requirements[0], {
      id: "s1",
      kind: "input",
      tool: "publish",
      arguments: {
        message: "Which?",
        fields: [{ name: "topic", type: "str", description: "", options: ["a", "b"] }],
      },
    });
    assert.deepEqual(payload[0]?.["user_input"], { topic: "a" });
    const bare = answered(
      "workflow",
      { step_requirements: [waiting] },
      { approved: true, result: "b" },
    );
    assert.deepEqual(bare.payload[0]?.["user_input"], { topic: "b" });
  });

  test("a choice of routes", () => {
    const waiting = {
      ...step,
      requires_route_selection: true,
      available_choices: ["fast", "slow"],
      selected_choices: null,
    };
    const { requirements, payload } = answered(
      "workflow",
      { step_requirements: [waiting] },
      { approved: true, result: { choices: ["slow"] } },
    );
    const fields = requirements[0]?.arguments["fields"] as Wire[] | undefined;
    assert.deepEqual(fields?.[0]?.["options"], ["fast", "slow"]);
    assert.deepEqual(payload[0]?.["selected_choices"], ["slow"]);
  });

  test("a review of what a step made", () => {
    const waiting = {
      ...step,
      requires_output_review: true,
      step_output: { content: "Draft" },
      confirmed: null,
    };
    const review = (answer: { approved: boolean; note?: string; result?: unknown }) =>
      answered("workflow", { step_requirements: [waiting] }, answer);
    assert.deepEqual(review({ approved: true }).requirements[0]?.arguments, { output: "Draft" });
    assert.equal(
      review({ approved: true, result: "Better" }).payload[0]?.["edited_output"],
      "Better",
    );
    const rejected = review({ approved: false, note: "too long" }).payload[0];
    assert.equal(rejected?.["confirmed"], false);
    assert.equal(rejected?.["rejection_feedback"], "too long");
  });
});
