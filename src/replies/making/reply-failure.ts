import { AgentInterrupted } from "../../agents/agent-backend.ts";
import { Problem } from "../../problems/problem.ts";
import type { ReplyEnd } from "../reply.ts";
import { ReplyStopped } from "./reply-stopped.ts";

/** How a reply ends that did not end by itself. */
export interface ReplyFailure {
  readonly status: ReplyEnd["status"];
  readonly finishReason: string;
  /** What is told; its cause is for the log. */
  readonly problem?: Problem;
  /** The text was cut at its limit: it is complete as far as it goes. */
  readonly isCut: boolean;
}

/** What an error means for the reply in which it arose; null when another attempt has taken the reply over. */
export function replyFailure(
  error: unknown,
  agentId: string,
  maxReplyMs: number,
): ReplyFailure | null {
  if (error instanceof ReplyStopped) return ofStop(error, agentId, maxReplyMs);
  if (error instanceof AgentInterrupted) {
    return interrupted(new Problem("agent_failed", { agentId }, { cause: error }));
  }
  return failed(
    error instanceof Problem ? error : new Problem("internal_error", {}, { cause: error }),
  );
}

function ofStop(stop: ReplyStopped, agentId: string, maxReplyMs: number): ReplyFailure | null {
  switch (stop.kind) {
    case "fenced":
    case "handed on":
      return null;
    case "deleted":
    case "cancelled":
      return { status: "cancelled", finishReason: stop.reason, isCut: false };
    case "too_long":
      return { status: "complete", finishReason: "length", isCut: true };
    case "timeout":
      return failed(
        new Problem("agent_timeout", { agentId, seconds: Math.round(maxReplyMs / 1000) }),
      );
    case "shutdown":
    case "lost":
      return interrupted(new Problem("interrupted", {}));
  }
}

function failed(problem: Problem): ReplyFailure {
  return { status: "failed", finishReason: "error", problem, isCut: false };
}

function interrupted(problem: Problem): ReplyFailure {
  return { status: "interrupted", finishReason: "interrupted", problem, isCut: false };
}
