import type { Commands } from "../../../chat/commands.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FollowReply } from "../../../replies/reading/follow-reply.ts";
import { view } from "../../view.ts";
import {
  responseProjection,
  type ResponseName,
  type ResponseOptions,
  type ResponseState,
} from "./project.ts";

/** A reply that waits for decisions is a response up to each of its pauses: its parts. */
export function createParts(follow: FollowReply) {
  /** How many parts the reply has come to, with the one that waits now. */
  const count = async (told: ResponseOptions, signal: AbortSignal): Promise<number> => {
    const all = responseProjection({ ...told, segment: Number.MAX_SAFE_INTEGER });
    let { segment } = all.initial;
    const onState = (state: ResponseState) => (segment = Math.min(state.segment, 10_000));
    for await (const _ of view(follow(told.messageId, 0, signal), all, onState));
    signal.throwIfAborted();
    return segment;
  };

  /**
   * Raises `message_not_found` for a part of a reply that has not come to so many. Where its log is gone nobody knows any
   * more how many there were.
   */
  const check = async (
    { messageId, segment }: ResponseName,
    { status, eventSeq }: Awaited<ReturnType<Commands["state"]>>,
    signal: AbortSignal,
  ): Promise<void> => {
    let parts = 1;
    const stopped = new AbortController();
    const events =
      segment === 1 ? [] : follow(messageId, 0, AbortSignal.any([signal, stopped.signal]));
    try {
      for await (const some of events) {
        for (const { seq, type } of some ?? []) {
          if (type === "snapshot") return;
          // Behind the pause that is open there is nothing yet.
          if (type === "paused" && !(status === "paused" && seq >= eventSeq)) parts += 1;
          if (parts >= segment) return;
          if (seq >= eventSeq) throw notThere({ messageId, segment });
        }
      }
    } finally {
      stopped.abort();
    }
    if (parts < segment) throw notThere({ messageId, segment });
  };

  return { count, check };
}

function notThere({ messageId, segment }: ResponseName): Problem {
  return new Problem("message_not_found", { messageId: `resp_${messageId}_${segment}` });
}
