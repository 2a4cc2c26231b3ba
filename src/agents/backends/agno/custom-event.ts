import type { AgentEvent } from "../../agent-backend.ts";
import { asText, type Wire } from "./wire.ts";

/** What AgentOS writes around what the author has put into an event. */
const envelope: ReadonlySet<string> = new Set([
  "event",
  "event_index",
  "created_at",
  "agent_id",
  "agent_name",
  "team_id",
  "team_name",
  "run_id",
  "parent_run_id",
  "session_id",
  "workflow_id",
  "workflow_name",
  "workflow_run_id",
  "step_id",
  "step_name",
  "step_index",
  "parent_step_id",
  "nested_depth",
  "tool_call_id",
]);
/** Where authors put a name: AgentOS sends no names of classes, and cannot store events of another type. */
const names = ["name", "event_name", "type"];

/** An event of the agent's author. */
export function customEvent(event: Wire): Extract<AgentEvent, { type: "custom" }> {
  const data = Object.fromEntries(Object.entries(event).filter(([name]) => !envelope.has(name)));
  const given = names.map((name) => asText(data[name])).find((each) => each !== undefined);
  return { type: "custom", name: given ?? "CustomEvent", data };
}
