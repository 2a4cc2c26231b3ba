import type { Requirement } from "../agents/agent-backend.ts";
import type { ReplyEventBody } from "./reply-event.ts";
import { outputOf } from "./structured-output.ts";
import type { ReplyEnd } from "./reply.ts";

/** As events show them. */
export function wireRequirements(requirements: readonly Requirement[]) {
  return requirements.map((requirement) => ({
    ...requirement,
    arguments: { ...requirement.arguments },
  }));
}

/** The event that tells how a reply ended; made from the stored end, so that any node can make it again. */
export function terminalEvent(
  agentId: string,
  content: string,
  end: Omit<ReplyEnd, "audio">,
): ReplyEventBody {
  switch (end.status) {
    case "complete":
      return {
        type: "conversation_complete",
        full_response: content,
        agent_id: agentId,
        finish_reason: end.finishReason,
        usage: end.usage,
        ...(end.context && { context: end.context }),
        ...outputOf({ ...end, content }),
        duration_ms: end.durationMs,
        time_to_first_token_ms: end.timeToFirstTokenMs,
      };
    case "cancelled":
      return { type: "cancelled", full_response: content, reason: end.finishReason };
    case "paused":
      return {
        type: "paused",
        requirements: wireRequirements(end.requirements ?? []),
        ...(end.error && {
          error: end.error.message,
          code: end.error.code,
          error_type: end.error.type,
        }),
      };
    case "failed":
    case "interrupted":
      return {
        type: "error",
        error: end.error?.message ?? "",
        code: end.error?.code ?? 500,
        error_type: end.error?.type ?? "interrupted",
        full_response: content,
      };
  }
}
