import type { ReplyEvent } from "../../packages/client/src/index.ts";
import { painter, printable, type Terminal } from "./terminal.ts";

const maxArgumentsLength = 200;

/** Writes a reply as it comes: its text as it is, what happens beside it in dim lines. */
export function createReplyPrinter({ output, errors, isColoured, isInteractive }: Terminal) {
  const paint = painter(isColoured);
  let column: "start" | "text" | "reasoning" = "start";
  let shown = "";

  const line = (text: string) => {
    if (column !== "start") output.write("\n");
    column = "start";
    // Scripts want the answer alone.
    if (isInteractive) output.write(`${paint("dim", printable(text))}\n`);
  };
  const text = (piece: string, agentId: string) => {
    if (piece === "") return;
    if (column === "reasoning") output.write("\n");
    if (column !== "text" && isInteractive && shown === "") {
      output.write(paint("cyan", `${agentId} › `));
    }
    column = "text";
    shown += piece;
    output.write(printable(piece));
  };

  return {
    print(event: ReplyEvent): void {
      switch (event.type) {
        case "assistant_chunk":
          return text(event.chunk, event.agent_id);
        case "snapshot":
        case "replaced":
          if (event.content.startsWith(shown)) return text(event.content.slice(shown.length), "…");
          line("(the text so far was replaced)");
          shown = "";
          return text(event.content, "…");
        case "reasoning_chunk":
          if (!isInteractive) return;
          if (column === "text") output.write("\n");
          column = "reasoning";
          output.write(paint("dim", printable(event.chunk)));
          return;
        case "queued":
          return line(`waiting behind ${event.position} other message(s)`);
        case "tool_call": {
          const args = JSON.stringify(event.arguments ?? {}).slice(0, maxArgumentsLength);
          if (event.status === "started") return line(`· ${event.name} ${args}`);
          if (event.status === "failed") return line(`· ${event.name} failed`);
          return;
        }
        case "agent_event":
          if (event.event.endsWith("_completed")) return;
          if (event.event.endsWith("_failed")) return line(`· ${event.name} failed`);
          return line(`· ${activityOf(event)}`);
        case "media":
          return line(
            `${event.kind}: ${event.url ?? `${event.name ?? ""} left out (${event.left_out})`}`,
          );
        case "sources":
          for (const { title, url } of event.sources) {
            line(`source: ${[title, url].filter((each) => each !== undefined).join(" ")}`);
          }
          return;
        case "suggestions":
          for (const suggestion of event.suggestions) line(`? ${suggestion}`);
          return;
        case "tasks":
          for (const { title, status, assignee } of event.tasks) {
            const by = assignee === undefined ? "" : ` (${assignee})`;
            line(`${status === "completed" ? "[x]" : "[ ]"} ${title}${by}`);
          }
          return;
        case "agent_custom": {
          const data = JSON.stringify(event.data ?? {}).slice(0, maxArgumentsLength);
          return line(`${event.name}: ${data}`);
        }
        case "steered":
          return line(`you: ${event.message}`);
        case "cancelled":
          return line(`stopped (${event.reason})`);
        case "paused":
          if (event.error === undefined) return;
          return line(`${event.error} (${event.error_type})`);
        case "error":
          if (column !== "start") output.write("\n");
          column = "start";
          errors.write(`${paint("red", `${event.error} (${event.error_type})`)}\n`);
          return;
        case "user_message":
        case "audio_chunk":
        case "audio_response":
        case "conversation_complete":
          return;
        default:
          event satisfies never;
      }
    },
    /** Leaves the cursor at the start of a line. */
    end(): void {
      if (column !== "start") output.write("\n");
      column = "start";
    },
  };
}

function activityOf(event: Extract<ReplyEvent, { type: "agent_event" }>): string {
  switch (event.event) {
    case "handoff":
      return `handed over to ${event.name}`;
    case "branch_taken":
      return `${event.name}: ${(event.branches ?? []).join(", ")}`;
    case "iteration_started":
      return `${event.name}: ${[event.iteration, event.max_iterations].filter(Boolean).join("/")}`;
    case "step_progress":
      return `${event.name}: ${event.detail ?? ""}`;
    case "memory_updated":
      return `remembered: ${event.detail ?? ""}`;
    case "context_compacted":
      return "the model is sent less of what was said before";
    default:
      return event.name;
  }
}
