import type { Decision } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";
import { isUnset, pauseField, readPause, requirementId, stepId, toolId } from "./requirements.ts";
import type { PausedState, RunRef } from "./run-state.ts";
import { asList, asRecord, asText, type Wire } from "./wire.ts";

type Answers = ReadonlyMap<string, Decision>;

/** What AgentOS is sent to go on with a run that waits: `echo` is what it waits for, as it came. */
export function continuation(
  { kind, background }: Pick<RunRef, "kind" | "background">,
  of: { readonly sessionId: string; readonly userId: string },
  echo: readonly Wire[],
  decisions: readonly Decision[],
): URLSearchParams {
  return new URLSearchParams({
    session_id: of.sessionId,
    user_id: of.userId,
    stream: "true",
    background: String(background),
    [pauseField[kind]]: JSON.stringify(applyDecisions(kind, echo, decisions)),
  });
}

/** Whether a run waits no more, or for something else than it did: these decisions were made, by whomever. */
export function isDecided({ run, pause }: PausedState, stored: Wire | null): boolean {
  if (stored === null) return false;
  if (stored["status"] !== "PAUSED") return true;
  const open = (source: Wire) => readPause(run.kind, source).requirements.map(({ id }) => id);
  return open(stored).join() !== open({ [pauseField[run.kind]]: pause }).join();
}

/**
 * Fills people's decisions into what a pause gave: the payload of `continue`. All objects go back whole, because
 * AgentOS forgets those that are left out. What nobody has decided counts as declined, which is how AgentOS itself
 * sees it.
 */
export function applyDecisions(
  kind: ComponentKind,
  echo: readonly Wire[],
  decisions: readonly Decision[],
): readonly Wire[] {
  const answers: Answers = new Map(decisions.map((decision) => [decision.id, decision]));
  switch (kind) {
    case "agent":
      return echo.map((tool, index) => answerTool(tool, answers.get(toolId(tool, index))));
    case "team":
      return echo.map((each, index) => answerRequirement(each, index, answers));
    case "workflow":
      return echo.map((step, index) => answerStep(step, index, answers));
  }
}

function answerTool(tool: Wire, answer: Decision | undefined): Wire {
  const approved = answer?.approved === true;
  if (tool["requires_confirmation"] === true && isUnset(tool["confirmed"])) {
    return approved ? { ...tool, confirmed: true } : declineTool(tool, answer);
  }
  if (tool["answered"] !== true) {
    const questions = asList(tool["user_feedback_schema"]);
    if (questions.length > 0) {
      if (!approved) return declineTool(tool, answer);
      const filled = questions.map((question) => ({
        ...question,
        selected_options: selection(
          valueOf(answer, asText(question["question"]), questions.length),
        ),
      }));
      return { ...tool, user_feedback_schema: filled, answered: true };
    }
    if (tool["requires_user_input"] === true) {
      if (!approved) return declineTool(tool, answer);
      return { ...tool, user_input_schema: fillFields(tool, answer), answered: true };
    }
  }
  if (tool["external_execution_required"] === true && isUnset(tool["result"])) {
    return { ...tool, result: approved ? asResult(answer?.result) : refusal(answer) };
  }
  return tool;
}

/** AgentOS can refuse tools that wait for confirmation only: one that waits for input is turned into such a one. */
function declineTool(tool: Wire, answer: Decision | undefined): Wire {
  return {
    ...tool,
    requires_confirmation: true,
    confirmed: false,
    confirmation_note: refusal(answer),
    ...(tool["requires_user_input"] === true ? { requires_user_input: false, answered: true } : {}),
  };
}

function answerRequirement(requirement: Wire, index: number, answers: Answers): Wire {
  const tool = asRecord(requirement["tool_execution"]);
  const isMet =
    !isUnset(requirement["confirmation"]) || !isUnset(requirement["external_execution_result"]);
  if (isMet) return requirement;
  const answered = answerTool(tool, answers.get(requirementId(requirement, index)));
  if (answered === tool) return requirement;
  return {
    ...requirement,
    tool_execution: answered,
    ...(isUnset(answered["confirmed"])
      ? {}
      : {
          confirmation: answered["confirmed"],
          ...(asText(answered["confirmation_note"])
            ? { confirmation_note: answered["confirmation_note"] }
            : {}),
        }),
    ...(isUnset(answered["result"]) ? {} : { external_execution_result: answered["result"] }),
    ...(answered["user_input_schema"] ? { user_input_schema: answered["user_input_schema"] } : {}),
    ...(answered["user_feedback_schema"]
      ? { user_feedback_schema: answered["user_feedback_schema"] }
      : {}),
  };
}

function answerStep(step: Wire, index: number, answers: Answers): Wire {
  const answer = answers.get(stepId(step, index));
  const approved = answer?.approved === true;
  if (step["requires_executor_input"] === true) {
    const inner = asList(step["executor_requirements"]);
    return {
      ...step,
      executor_requirements: inner.map((each, at) => answerRequirement(each, at, answers)),
    };
  }
  if (step["requires_user_input"] === true && isUnset(step["user_input"])) {
    if (!approved) return { ...step, confirmed: false };
    const given = asRecord(answer?.result);
    const fields = asList(step["user_input_schema"]);
    const only = fields.length === 1 ? asText(fields[0]?.["name"]) : undefined;
    const isBare = only !== undefined && !(only in given) && !isUnset(answer?.result);
    return {
      ...step,
      user_input: isBare ? { [only]: answer?.result } : given,
      ...(step["requires_confirmation"] === true ? { confirmed: true } : {}),
    };
  }
  if (step["requires_route_selection"] === true && isUnset(step["selected_choices"])) {
    return { ...step, selected_choices: approved ? selection(valueOf(answer, "choices", 1)) : [] };
  }
  if (step["requires_output_review"] === true && isUnset(step["confirmed"])) {
    return {
      ...step,
      confirmed: approved,
      ...(approved && !isUnset(answer?.result) ? { edited_output: asResult(answer?.result) } : {}),
      ...(!approved && answer?.note ? { rejection_feedback: answer.note } : {}),
    };
  }
  if (step["requires_confirmation"] === true && isUnset(step["confirmed"])) {
    return {
      ...step,
      confirmed: approved,
      ...(!approved && answer?.note ? { rejection_feedback: answer.note } : {}),
    };
  }
  return step;
}

/** Each field keeps all its keys: AgentOS refuses those without description or value. */
function fillFields(tool: Wire, answer: Decision | undefined): readonly Wire[] {
  const fields = asList(tool["user_input_schema"]);
  const open = fields.filter((field) => isUnset(field["value"])).length;
  return fields.map((field) => ({
    ...field,
    description: field["description"] ?? null,
    value: isUnset(field["value"])
      ? (valueOf(answer, asText(field["name"]), open) ?? null)
      : (asRecord(answer?.result)[asText(field["name"]) ?? ""] ?? field["value"]),
  }));
}

/** By name; where only one field is asked for, the bare value will do. */
function valueOf(answer: Decision | undefined, name: string | undefined, asked: number): unknown {
  const result = answer?.result;
  const named = name === undefined ? undefined : asRecord(result)[name];
  if (named !== undefined) return named;
  return asked === 1 && typeof result !== "object" ? result : undefined;
}

function selection(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.filter((each) => typeof each === "string");
  return typeof value === "string" ? [value] : [];
}

/** Tool results are text. */
function asResult(result: unknown): string {
  if (typeof result === "string") return result;
  return isUnset(result) ? "" : JSON.stringify(result);
}

/** Read by the model. */
function refusal(answer: Decision | undefined): string {
  return answer?.note ? `The user declined: ${answer.note}` : "The user declined.";
}
