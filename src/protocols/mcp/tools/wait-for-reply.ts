import type { ServerContext } from "@modelcontextprotocol/server";
import type { FollowReply } from "../../../replies/reading/follow-reply.ts";
import { view } from "../../view.ts";
import { answerProjection, type AnswerState } from "../project.ts";
import type { Call } from "./tool.ts";

export interface WaitParts {
  readonly follow: FollowReply;
  /** A call waits so long for a reply. */
  readonly waitMs: number;
  /** Aborts when this node ends: calls are told how far their replies are, and these go on elsewhere. */
  readonly closing: AbortSignal;
}

interface Notice {
  readonly message: string;
}

/** Follows a reply until it rests or the time is over, and tells of its progress. */
export function createWaitForReply({ follow, waitMs, closing }: WaitParts) {
  return async ({ exchange, context }: Call, replyId: string): Promise<AnswerState> => {
    const projection = answerProjection(exchange.request.language);
    const tell = progressOf(context);
    let state = projection.initial;
    let isCut = false;
    const stopped = new AbortController();
    const timer = setTimeout(() => stopped.abort(), waitMs);
    const signal = AbortSignal.any([
      exchange.signal,
      context.mcpReq.signal,
      closing,
      stopped.signal,
    ]);
    try {
      const shown = view(follow(replyId, 0, signal), projection, (next) => (state = next));
      for await (const notices of shown) {
        // What there is of a reply already comes at once: its last notice says it all.
        const last = notices?.at(-1);
        await tell(last === undefined ? undefined : (JSON.parse(last.json) as Notice).message);
        // Nothing goes on here before somebody decides about another reply.
        if (state.waitsFor !== null) return state;
      }
      isCut = signal.aborted;
    } finally {
      clearTimeout(timer);
      stopped.abort();
    }
    // It ends by itself where the reply rests; what goes on behind a pause is not paused any more.
    if (isCut && state.status === "paused") {
      return { ...state, status: "running", requirements: [] };
    }
    return state;
  };
}

/** Tells the client of progress, if it wants to know: without a text, that it still goes on. */
function progressOf({ mcpReq }: ServerContext): (message: string | undefined) => Promise<void> {
  const { _meta: meta } = mcpReq;
  const progressToken = meta?.progressToken;
  let progress = 0;
  return async (message) => {
    if (progressToken === undefined) return;
    progress += 1;
    await mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken, progress, ...(message !== undefined && { message }) },
    });
  };
}
