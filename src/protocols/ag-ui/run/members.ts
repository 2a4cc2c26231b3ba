import type { ReplyEvent } from "../../../replies/reply-event.ts";
import type { Telling } from "./telling.ts";
import { close } from "./text.ts";
import { valueOf } from "./value-of.ts";

type AgentEvent = Extract<ReplyEvent, { type: "agent_event" }>;

/** The member at work under this agent's id; null: the agent itself, or nobody who is known. */
export function memberOf({ state }: Telling, agentId: string | undefined): string | null {
  return state.members.findLast((member) => member.agentId === agentId)?.id ?? null;
}

/** What becomes of members and steps. */
export function tellAgentEvent(run: Telling, at: AgentEvent): void {
  switch (at.event) {
    case "member_started":
      beginMember(run, at);
      return;
    case "member_completed":
    case "member_failed":
      endMember(run, at);
      return;
    case "step_started":
      beginStep(run, at);
      return;
    case "step_completed":
    case "step_failed":
      endStep(run, at);
      return;
    default:
      run.emit("CUSTOM", { name: at.event, value: valueOf(at) });
  }
}

function beginMember(run: Telling, at: AgentEvent): void {
  const { members, counts } = run.state;
  const id = `${run.options.messageId}_member_${counts.members}`;
  const parent = memberOf(run, at.parent_agent_id);
  run.set({
    members: [...members, { id, agentId: at.agent_id }],
    counts: { ...counts, members: counts.members + 1 },
  });
  run.emit("SUBAGENT_STARTED", {
    subagentRunId: id,
    name: at.name,
    ...(parent !== null && { parentSubagentRunId: parent }),
  });
}

function endMember(run: Telling, at: AgentEvent): void {
  const member = run.state.members.find(({ agentId }) => agentId === at.agent_id);
  if (member === undefined) return;
  if (run.state.open?.member === member.id) close(run);
  run.set({ members: run.state.members.filter(({ id }) => id !== member.id) });
  const subagentRunId = member.id;
  if (at.event === "member_failed") {
    run.emit("SUBAGENT_ERROR", { subagentRunId, message: at.detail ?? at.name });
  } else {
    run.emit("SUBAGENT_FINISHED", { subagentRunId, outcome: { type: "success" } }, detailOf(at));
  }
}

function beginStep(run: Telling, at: AgentEvent): void {
  const { steps } = run.state;
  const names = new Set(steps.map(({ name }) => name));
  let { name } = at;
  for (let count = 2; names.has(name); count += 1) name = `${at.name} (${count})`;
  run.set({ steps: [...steps, { key: stepKey(at), name }] });
  run.emit("STEP_STARTED", { stepName: name });
}

function endStep(run: Telling, at: AgentEvent): void {
  const step = run.state.steps.find(({ key }) => key === stepKey(at));
  if (step === undefined) return;
  run.set({ steps: run.state.steps.filter((each) => each !== step) });
  const failed = at.event === "step_failed" ? { failed: true } : {};
  run.emit("STEP_FINISHED", { stepName: step.name }, { ...detailOf(at), ...failed });
}

function stepKey({ agent_id: agentId, name }: AgentEvent): string {
  return `${agentId}\n${name}`;
}

function detailOf({ detail }: AgentEvent): object {
  return detail === undefined ? {} : { detail };
}

/** Those that are at work when a run ends or is interrupted, the innermost first. */
export function closeMembers(run: Telling, outcome: "success" | "suspended"): void {
  for (const { id } of run.state.members.toReversed()) {
    run.emit("SUBAGENT_FINISHED", { subagentRunId: id, outcome: { type: outcome } });
  }
  for (const { name } of run.state.steps.toReversed()) {
    run.emit("STEP_FINISHED", { stepName: name });
  }
  run.set({ members: [], steps: [] });
}
