import type {
  Attachment,
  FoundAgent,
  HistoryBounds,
  HistoryMessage,
  RunRequest,
} from "../../agents/agent-backend.ts";
import type { Ranges } from "../../tree/ranges.ts";
import { parentOf, pathTo, readTree } from "../../tree/tree.ts";
import type { ClaimedReply } from "../lifecycle/reply-store.ts";

interface Surroundings {
  readonly attachments: readonly Attachment[];
  readonly userToken: string | undefined;
  /** As `RunRequest.history`, of this path. */
  readonly history: (
    sessionId: string,
    path: Ranges,
    bounds?: HistoryBounds,
  ) => Promise<readonly HistoryMessage[]>;
  readonly files: (
    sessionId: string,
    ids: readonly string[],
  ) => ReturnType<NonNullable<RunRequest["files"]>>;
}

/** What an agent is called with, whether a reply begins, goes on or is taken up again. */
export function runRequestOf(
  { replyId, attempt, sessionId, message, messageSeq, conversation, turn }: ClaimedReply,
  { agentId }: FoundAgent,
  { attachments, userToken, history, files }: Surroundings,
): RunRequest {
  const { userId, settings, ownSettings, language, requestId, context, traceparent } = turn;
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
    settings: { ...settings, ...ownSettings },
    language,
    requestId,
    ...(traceparent !== undefined && { traceparent }),
    history: (bounds) => {
      const tree = readTree(conversation);
      return history(sessionId, pathTo(tree, parentOf(tree, messageSeq)), bounds);
    },
    files: (ids) => files(sessionId, ids),
  };
}
