import type {
  Attachment,
  FoundAgent,
  HistoryMessage,
  RunRequest,
} from "../../agents/agent-backend.ts";
import type { ClaimedReply } from "../lifecycle/reply-store.ts";

interface Surroundings {
  readonly attachments: readonly Attachment[];
  readonly userToken: string | undefined;
  /** The last `limit` messages before number `beforeSeq`, oldest first; without a limit as many as are configured. */
  readonly history: (
    sessionId: string,
    beforeSeq: number,
    limit?: number,
  ) => Promise<readonly HistoryMessage[]>;
}

/** What an agent is called with, whether a reply begins, goes on or is taken up again. */
export function runRequestOf(
  { replyId, attempt, sessionId, message, messageSeq, turn }: ClaimedReply,
  { agentId }: FoundAgent,
  { attachments, userToken, history }: Surroundings,
): RunRequest {
  const { userId, settings, language, requestId, context, traceparent } = turn;
  return {
    replyId,
    attempt,
    sessionId,
    userId,
    ...(userToken !== undefined && { userToken }),
    agentId,
    message,
    attachments,
    ...(context !== undefined && { context }),
    settings,
    language,
    requestId,
    ...(traceparent !== undefined && { traceparent }),
    history: (limit) => history(sessionId, messageSeq, limit),
  };
}
