import type {
  Attachment,
  FoundAgent,
  HistoryBounds,
  RunRequest,
} from "../../agents/agent-backend.ts";
import { clip, count, type Ranges } from "../../tree/ranges.ts";
import { parentOf, pathTo, readTree, threadOf } from "../../tree/tree.ts";
import type { ClaimedReply, HistoryMessage } from "../reply.ts";
import { threadId } from "../thread-id.ts";

interface Surroundings {
  readonly attachments: readonly Attachment[];
  readonly userToken: string | undefined;
  /** The last messages of this path. */
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
  { replyId, attempt, sessionId, message, messageSeq, seq, conversation, turn }: ClaimedReply,
  { agentId }: FoundAgent,
  { attachments, userToken, history, files }: Surroundings,
): RunRequest {
  const { userId, settings, ownSettings, language, requestId, context, traceparent } = turn;
  const tree = readTree(conversation);
  const path = pathTo(tree, parentOf(tree, messageSeq));
  const thread = threadOf(tree, seq);
  return {
    replyId,
    attempt,
    sessionId,
    ...(thread !== 0 && { thread: threadId(sessionId, thread) }),
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
    history: async (bounds) =>
      (await history(sessionId, path, bounds)).map(({ status, seq: number, ...message }) => ({
        ...message,
        seq: count(clip(path, 0, number)),
        ...(thread !== 0 && {
          isOfThread:
            message.role === "assistant" &&
            status === "complete" &&
            threadOf(tree, number) === thread,
        }),
      })),
    files: (ids) => files(sessionId, ids),
  };
}
