import type { Requirement } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";
import { asList, asRecord, asText, type Wire } from "./wire.ts";

/** A paused run: what people are asked, and the objects that AgentOS wants back whole with the answers filled in. */
export interface Pause {
  readonly requirements: readonly Requirement[];
  readonly echo: readonly Wire[];
}

/** Where each kind of run keeps what it waits for, in its events and as the field of `continue`. */
export const pauseField = {
  agent: "tools",
  team: "requirements",
  workflow: "step_requirements",
} as const satisfies Record<ComponentKind, string>;

/** Reads the pause out of `RunPaused`, `TeamRunPaused`, `WorkflowPaused` or a stored run with status `PAUSED`. */
export function readPause(kind: ComponentKind, source: Wire): Pause {
  const echo = asList(source[pauseField[kind]]);
  switch (kind) {
    case "agent":
      return {
        echo,
        requirements: echo.flatMap((tool, index) => ofTool(toolId(tool, index), tool)),
      };
    case "team":
      return { echo, requirements: echo.flatMap((each, index) => ofRequirement(each, index)) };
    case "workflow":
      return { echo, requirements: echo.flatMap((each, index) => ofStep(each, index)) };
  }
}

/** Tools are told apart by the id of their call, which some models leave out. */
export function toolId(tool: Wire, index: number): string {
  return asText(tool["tool_call_id"]) ?? `tool-${index}`;
}

export function requirementId(requirement: Wire, index: number): string {
  return asText(requirement["id"]) ?? toolId(asRecord(requirement["tool_execution"]), index);
}

export function stepId(step: Wire, index: number): string {
  return asText(step["step_id"]) ?? `step-${index}`;
}

/** What a tool waits for; empty when it does not wait, or has its answer already. */
function ofTool(id: string, tool: Wire, details: Wire = {}): readonly Requirement[] {
  const name = asText(tool["tool_name"]) ?? "tool";
  const known = { ...details, ...asRecord(tool["tool_args"]) };
  if (tool["requires_confirmation"] === true && isUnset(tool["confirmed"])) {
    return [{ id, kind: "confirm", tool: name, arguments: known }];
  }
  if (tool["answered"] !== true) {
    const questions = asList(tool["user_feedback_schema"]);
    if (questions.length > 0) {
      return [
        { id, kind: "input", tool: name, arguments: { ...known, fields: questions.map(toChoice) } },
      ];
    }
    if (tool["requires_user_input"] === true) {
      const fields = asList(tool["user_input_schema"]).filter((field) => isUnset(field["value"]));
      return [
        { id, kind: "input", tool: name, arguments: { ...known, fields: fields.map(toField) } },
      ];
    }
  }
  if (tool["external_execution_required"] === true && isUnset(tool["result"])) {
    return [{ id, kind: "external", tool: name, arguments: known }];
  }
  return [];
}

/** A second pause of a team may list requirements that were met before. */
function ofRequirement(requirement: Wire, index: number): readonly Requirement[] {
  const isMet =
    !isUnset(requirement["confirmation"]) || !isUnset(requirement["external_execution_result"]);
  const member = asText(requirement["member_agent_name"]) ?? asText(requirement["member_agent_id"]);
  return isMet
    ? []
    : ofTool(
        requirementId(requirement, index),
        asRecord(requirement["tool_execution"]),
        member ? { member } : {},
      );
}

function ofStep(step: Wire, index: number): readonly Requirement[] {
  const id = stepId(step, index);
  const tool = asText(step["step_name"]) ?? id;
  if (step["requires_executor_input"] === true) {
    return asList(step["executor_requirements"]).flatMap((each, inner) =>
      ofRequirement(each, inner),
    );
  }
  if (step["requires_user_input"] === true && isUnset(step["user_input"])) {
    const fields = asList(step["user_input_schema"]).map(toField);
    return [
      { id, kind: "input", tool, arguments: { ...message(step["user_input_message"]), fields } },
    ];
  }
  if (step["requires_route_selection"] === true && isUnset(step["selected_choices"])) {
    const field = {
      name: "choices",
      type: "choice",
      description: asText(step["user_input_message"]) ?? "",
      options: Array.isArray(step["available_choices"]) ? step["available_choices"] : [],
      multiple: step["allow_multiple_selections"] === true,
    };
    return [{ id, kind: "input", tool, arguments: { fields: [field] } }];
  }
  if (step["requires_output_review"] === true && isUnset(step["confirmed"])) {
    const output = asRecord(step["step_output"])["content"];
    return [
      {
        id,
        kind: "confirm",
        tool,
        arguments: {
          ...message(step["output_review_message"]),
          ...(output === undefined || output === null ? {} : { output }),
        },
      },
    ];
  }
  if (step["requires_confirmation"] === true && isUnset(step["confirmed"])) {
    return [{ id, kind: "confirm", tool, arguments: message(step["confirmation_message"]) }];
  }
  return [];
}

function message(text: unknown): Record<string, unknown> {
  return asText(text) ? { message: text } : {};
}

function toField(field: Wire): Record<string, unknown> {
  const allowed = field["allowed_values"];
  return {
    name: asText(field["name"]) ?? "",
    type: asText(field["field_type"]) ?? "str",
    description: asText(field["description"]) ?? "",
    ...(field["required"] === false ? { required: false } : {}),
    ...(Array.isArray(allowed) && allowed.length > 0 ? { options: allowed } : {}),
  };
}

function toChoice(question: Wire): Record<string, unknown> {
  return {
    name: asText(question["question"]) ?? "",
    type: "choice",
    description: asText(question["header"]) ?? "",
    options: asList(question["options"]).flatMap((option) => asText(option["label"]) ?? []),
    multiple: question["multi_select"] === true,
  };
}

export function isUnset(value: unknown): boolean {
  return value === null || value === undefined;
}
