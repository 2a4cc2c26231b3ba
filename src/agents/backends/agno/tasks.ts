import { taskStatuses, type AgentTask } from "../../agent-backend.ts";
import { asList, asText, type Wire } from "./wire.ts";

/** Of an event about one task or about the whole list of a team that works in tasks. */
export function tasksOf(event: Wire): readonly AgentTask[] {
  const told = Array.isArray(event["tasks"]) ? asList(event["tasks"]) : [event];
  return told.map((task) => {
    const assignee = asText(task["assignee"]);
    return {
      id: asText(task["task_id"]) ?? asText(task["id"]) ?? "",
      title: asText(task["title"]) ?? "",
      status: taskStatuses.find((each) => each === task["status"]) ?? "pending",
      ...(assignee !== undefined && { assignee }),
    };
  });
}
