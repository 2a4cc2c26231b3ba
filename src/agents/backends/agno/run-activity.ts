import type { AgentEvent } from "../../agent-backend.ts";
import { mediaOf } from "./media.ts";
import { sourcesOf } from "./sources.ts";
import { contentText } from "./reply-text.ts";
import { asList, asRecord, asText, type Wire } from "./wire.ts";

/** Who takes part and what is open is told apart for this many in a run; more are still relayed. */
const maxTracked = 1_000;
/** The tools of a team's leader that give its members work. */
const delegation = /^(delegate|transfer|forward)_task_to_/;

type AgentActivity = Extract<AgentEvent, { type: "agent" }>;

interface Participant {
  readonly id: string;
  readonly name: string;
}

/** Tools, members, steps and media of a run: everything that goes on beside its text. */
export interface RunActivity {
  /** `foreign`: not the one addressed, but a member or a step. */
  tool(
    event: Wire,
    status: "started" | "completed" | "failed",
    foreign: boolean,
    into: AgentEvent[],
  ): void;
  member(
    event: Wire,
    what: "member_started" | "member_completed" | "member_failed",
    into: AgentEvent[],
    options?: { readonly detail?: boolean },
  ): void;
  /** A member was stopped, of which nothing is told. */
  left(event: Wire): void;
  step(
    event: Wire,
    what: "step_started" | "step_completed" | "step_failed",
    into: AgentEvent[],
  ): void;
  /** Steps that have failed without a word, by the results of a workflow: it went on without them, or ended there. */
  failedSteps(results: readonly Wire[], into: AgentEvent[]): void;
  /** What has happened in a step, or to the one that speaks, beside beginning and end. */
  told(
    event: Wire,
    what:
      | "step_progress"
      | "branch_taken"
      | "iteration_started"
      | "memory_updated"
      | "context_compacted",
    into: AgentEvent[],
    details: Pick<
      AgentActivity,
      "detail" | "branches" | "iteration" | "maxIterations" | "messages"
    >,
  ): void;
  media(source: Wire, into: AgentEvent[], agentId?: string): void;
  /** What the answer rests on, by an event or a stored run. */
  sources(source: Wire, into: AgentEvent[], agentId?: string): void;
  /**
   * Something is being done that may take long without a word: a tool, a step, a member that does not tell what it does.
   * Else it is the model that is waited for.
   */
  readonly isAtWork: boolean;
  /** A tool whose end was never told would look busy for ever. */
  closeTools(status: "completed" | "failed", into: AgentEvent[]): void;
  speaker(event: Wire): Participant;
}

export function createRunActivity(componentId: string): RunActivity {
  const participants = new Map<string, Participant>();
  const openTools = new Map<string, { readonly name: string; readonly agentId?: string }>();
  const openMembers = new Set<string>();
  const openSteps = new Set<string>();
  const mediaSeen = new Set<string>();
  /** How many searches of a run were told: each of its events repeats them all. */
  const searches = new Map<string, number>();
  /** For tool calls without an id, which is allowed. */
  let unnamedCalls = 0;
  let progressTold = 0;

  function speaker(event: Wire): Participant {
    const id = asText(event["agent_id"]) ?? asText(event["team_id"]) ?? componentId;
    return { id, name: asText(event["agent_name"]) ?? asText(event["team_name"]) ?? id };
  }

  function media(source: Wire, into: AgentEvent[], agentId?: string): void {
    for (const { key, event } of mediaOf(source)) {
      if (mediaSeen.has(key)) continue;
      if (mediaSeen.size < maxTracked) mediaSeen.add(key);
      into.push(agentId === undefined ? event : { ...event, agentId });
    }
  }

  function step(
    event: Wire,
    what: "step_started" | "step_completed" | "step_failed",
    into: AgentEvent[],
  ): void {
    const name = asText(event["step_name"]) ?? asText(event["step_id"]) ?? "step";
    if (what !== "step_started") openSteps.delete(name);
    else if (openSteps.size < maxTracked) openSteps.add(name);
    const said = what === "step_completed" ? contentText(event["content"]) : "";
    into.push({
      type: "agent",
      event: what,
      agentId: name,
      name,
      parentAgentId: componentId,
      ...(said === "" ? {} : { detail: said }),
    });
    media(event, into);
  }

  function failedSteps(results: readonly Wire[], into: AgentEvent[]): void {
    for (const result of results) {
      failedSteps(asList(result["steps"]), into);
      const isOpen = openSteps.has(asText(result["step_name"]) ?? "");
      if (isOpen && result["success"] === false) step(result, "step_failed", into);
    }
  }

  return {
    speaker,
    media,
    sources(source, into, agentId) {
      const runId = asText(source["run_id"]) ?? "";
      const known = searches.get(runId) ?? 0;
      const found = asList(source["references"]);
      if (searches.size < maxTracked) searches.set(runId, found.length);
      const sources = sourcesOf(source["citations"], found.slice(known));
      if (sources.length === 0) return;
      into.push({ type: "sources", sources, ...(agentId !== undefined && { agentId }) });
    },
    get isAtWork() {
      // A delegation or a step is what its member does, where that is told.
      if (openMembers.size === 0) return openTools.size + openSteps.size > 0;
      return openTools.values().some(({ name }) => !delegation.test(name));
    },
    tool(event, status, foreign, into) {
      const call = asRecord(event["tool"]);
      const name = asText(call["tool_name"]) ?? "tool";
      if (status === "started" && !asText(call["tool_call_id"])) unnamedCalls += 1;
      const given = asText(call["tool_call_id"]) ?? `${name}#${unnamedCalls}`;
      // Models number their calls from 1 in each run.
      const id = foreign ? `${(asText(event["run_id"]) ?? "").slice(0, 8)}:${given}` : given;
      const by = foreign ? { agentId: speaker(event).id } : {};
      if (status === "started") {
        if (openTools.size < maxTracked) openTools.set(id, { name, ...by });
      } else if (!openTools.delete(id) && status === "failed") {
        // ToolCallError repeats what ToolCallCompleted has told.
        return;
      }
      const callArguments = call["tool_args"] ?? undefined;
      const result = status === "started" ? undefined : (call["result"] ?? undefined);
      into.push({
        type: "tool",
        toolCallId: id,
        name,
        status: status === "completed" && call["tool_call_error"] === true ? "failed" : status,
        ...(callArguments === undefined ? {} : { arguments: callArguments }),
        ...(result === undefined ? {} : { result }),
        ...by,
      });
      media(event, into, by.agentId);
    },
    member(event, what, into, { detail = false } = {}) {
      const who = speaker(event);
      const runId = asText(event["run_id"]);
      if (runId && participants.size < maxTracked) participants.set(runId, who);
      if (runId && what === "member_started" && openMembers.size < maxTracked)
        openMembers.add(runId);
      else if (runId && what !== "member_started") openMembers.delete(runId);
      const parent = participants.get(asText(event["parent_run_id"]) ?? "")?.id;
      const said = detail ? contentText(event["content"]) : "";
      into.push({
        type: "agent",
        event: what,
        agentId: who.id,
        name: who.name,
        parentAgentId: parent ?? asText(event["step_name"]) ?? componentId,
        ...(said === "" ? {} : { detail: said }),
      });
    },
    left: (event) => void openMembers.delete(asText(event["run_id"]) ?? ""),
    step,
    failedSteps,
    told(event, what, into, details) {
      const step = asText(event["step_name"]);
      const isOfStep = what !== "memory_updated" && what !== "context_compacted";
      const who = isOfStep && step !== undefined ? { id: step, name: step } : speaker(event);
      if (what === "step_progress" && ++progressTold > maxTracked) return;
      into.push({ type: "agent", event: what, agentId: who.id, name: who.name, ...details });
    },
    closeTools(status, into) {
      for (const [toolCallId, tool] of openTools) {
        into.push({ type: "tool", toolCallId, status, ...tool });
      }
      openTools.clear();
    },
  };
}
