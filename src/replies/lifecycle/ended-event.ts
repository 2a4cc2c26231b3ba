import type { BusinessEvent } from "../../events/business-event.ts";
import { timeOfId } from "../../lib/ids.ts";
import type { Turn } from "../turn.ts";
import type { ReplyEnd } from "../reply.ts";

interface EndedReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly turn: Turn | null;
}

interface Ending {
  readonly status: ReplyEnd["status"];
  readonly finishReason: string;
  readonly error?: { readonly type: string } | null;
  /** Undefined: since it was accepted. */
  readonly durationMs?: number;
}

/** What other services are told of a reply that has ended, or waits for a person. */
export function endedEvent(reply: EndedReply, end: Ending): BusinessEvent {
  const { replyId, sessionId, userId, agentId, turn } = reply;
  const { status, finishReason, error, durationMs } = end;
  const nowMs = Date.now();
  return {
    type: status === "complete" ? "chat_message.processed" : `chat_message.${status}`,
    data: {
      session_id: sessionId,
      message_id: replyId,
      user_id: userId,
      agent_id: agentId,
      message_type: turn?.processedMessage === undefined ? "text" : "voice",
      status,
      finish_reason: finishReason,
      ...(error && { error_type: error.type }),
      processing_time: Math.max(0, durationMs ?? nowMs - timeOfId(replyId)) / 1000,
      timestamp: new Date(nowMs).toISOString(),
    },
  };
}
