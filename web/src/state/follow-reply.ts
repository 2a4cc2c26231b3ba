import { chatApi } from "../api/chat-api.ts";
import { readEventStream } from "../api/event-stream.ts";
import { ApiError, Unreachable } from "../api/request.ts";
import type { ReplyEvent } from "../api/types.ts";
import { isConnected, waitToRetry } from "./connection.ts";
import { isLast } from "./reply-view.ts";

interface Follow {
  readonly messageId: string;
  /** Number of the last event seen; 0: from the start. */
  readonly after: number;
  /** A stream that is open already. */
  readonly opened?: Response | undefined;
  readonly onEvent: (id: number, event: ReplyEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Hands over every later event of a reply exactly once, in order, through lost connections and restarts of the
 * service. Resolves when the reply has ended, paused or gone. Rejects when `signal` aborts, and with an ApiError that
 * no repetition mends.
 */
export async function followReply(follow: Follow): Promise<void> {
  const { messageId, signal } = follow;
  let { after, opened } = follow;
  let isOver = false;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = opened ?? (await chatApi.follow(messageId, after, signal));
      opened = undefined;
      for await (const item of readEventStream(response, signal)) {
        if (item.kind === "done") {
          isOver = true;
          continue;
        }
        // A message that was to be taken in, and was not, is answered in the same stream, by a reply of its own.
        if (item.id <= after || item.event.message_id !== messageId) continue;
        after = item.id;
        attempt = 0;
        follow.onEvent(item.id, item.event);
        // Read on to the end, so that the connection can be used again.
        isOver = isLast(item.event);
      }
      if (isOver) return;
      isConnected.set(false);
    } catch (error) {
      opened = undefined;
      if (isOver) return;
      if (signal.aborted) throw error;
      if (error instanceof ApiError) {
        if (error.status === 404) return;
        if (error.status < 500 && error.status !== 429) throw error;
      } else if (!(error instanceof Unreachable)) throw error;
    }
    await waitToRetry(attempt, signal);
  }
}
