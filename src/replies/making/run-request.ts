import type {
  AgentBackend,
  Attachment,
  FoundAgent,
  HistoryBounds,
  OwnReply,
  RunRequest,
} from "../../agents/agent-backend.ts";
import { clip, count, type Ranges } from "../../tree/ranges.ts";
import { parentOf, pathTo, readTree, threadOf } from "../../tree/tree.ts";
import type { ClaimedReply, HistoryMessage } from "../reply.ts";
import { joinedText } from "../asked.ts";
import { threadId } from "../thread-id.ts";

interface Surroundings {
  readonly attachments: readonly Attachment[];
  readonly userToken: string | undefined;
  /** The agent behind an id that callers use. */
  readonly find: (agentId: string) => FoundAgent | undefined;
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
  readonly steered?: NonNullable<RunRequest["steered"]>;
  readonly tell?: NonNullable<RunRequest["tell"]>;
}

/** What an agent is called with, whether a reply begins, goes on or is taken up again. */
export function runRequestOf(
  reply: ClaimedReply,
  { agentId, backend }: FoundAgent,
  { attachments, userToken, find, history, files, steered, tell }: Surroundings,
): RunRequest {
  const { replyId, attempt, sessionId, message, messageSeq, joined, seq, conversation, turn } =
    reply;
  const { userId, settings, ownSettings, language, requestId, context, traceparent, decided } =
    turn;
  const tree = readTree(conversation);
  const after = parentOf(tree, joined[0]?.seq ?? messageSeq);
  const path = pathTo(tree, after);
  const thread = threadOf(tree, seq);
  return {
    replyId,
    attempt,
    sessionId,
    seq,
    after,
    ...(thread !== 0 && { thread: threadId(sessionId, thread) }),
    userId,
    ...(userToken !== undefined && { userToken }),
    agentId,
    message: joinedText([...joined.map(({ content }) => content), message]),
    attachments,
    ...(context !== undefined && { context }),
    ...(decided !== undefined && { decisions: decided }),
    settings: { ...settings, ...ownSettings },
    language,
    requestId,
    ...(traceparent !== undefined && { traceparent }),
    history: async (bounds) =>
      (await history(sessionId, path, bounds)).map(({ seq: number, ...message }) => {
        const own = threadOf(tree, number) === thread ? ownReply(message, backend, find) : null;
        const { role, content, agentId: speaker, files: attached, isSummary } = message;
        return {
          role,
          content,
          agentId: speaker,
          seq: count(clip(path, 0, number)),
          ...(attached && { files: attached }),
          ...(own && { own }),
          ...(isSummary && { isSummary }),
        };
      }),
    files: (ids) => files(sessionId, ids),
    ...(steered && { steered }),
    ...(tell && { tell }),
  };
}

/** Null where an agent of this backend cannot know it. */
function ownReply(
  { role, status, agentId, context }: Omit<HistoryMessage, "seq">,
  backend: AgentBackend,
  find: Surroundings["find"],
): OwnReply | null {
  const speaker = role === "assistant" && agentId !== null ? find(agentId) : undefined;
  if (speaker?.backend !== backend) return null;
  if (status !== "complete" && status !== "cancelled" && status !== "interrupted") return null;
  return { agentId: speaker.agentId, status, told: (context?.messages ?? 1) - 1 };
}
