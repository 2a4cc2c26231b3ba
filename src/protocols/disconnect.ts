import type { ServerResponse } from "node:http";
import { isEndedHere } from "../http/broken-off.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { OpenedTurn } from "./open-turn.ts";

/** What becomes of a reply whose only reader goes away. */
export type OnDisconnect = "auto" | "continue" | "cancel";

/**
 * Clients try again within a second or two, and nobody waits longer for what nobody reads. In beats: a machine that stood
 * still has heard of nobody meanwhile.
 */
const beats = 10;
const beatMs = 500;

interface DisconnectOptions {
  readonly replies: Pick<Replies, "cancel">;
  readonly idempotency: Pick<IdempotencyStore, "isJoined">;
  readonly onDisconnect: OnDisconnect;
  readonly logger: Logger;
}

export type WatchDisconnect = ReturnType<typeof createWatchDisconnect>;

/**
 * In protocols whose clients stop an answer by closing the connection, a reply that is part of no conversation is stopped
 * when its reader has gone and does not come back. One that is goes on, as everywhere else.
 */
export function createWatchDisconnect(options: DisconnectOptions) {
  const { replies, idempotency, logger } = options;
  const waiting = new Set<NodeJS.Timeout>();
  let isClosed = false;

  return {
    watch(
      response: ServerResponse,
      { sessionId, replyId, isKept, reader }: OpenedTurn,
      {
        userId,
        key,
        ofKey,
      }: { userId: string; key: IdempotencyKey; ofKey: OnDisconnect | undefined },
    ): void {
      const chosen = ofKey ?? options.onDisconnect;
      if (chosen === "continue" || (chosen === "auto" && isKept)) return;
      const leave = () => {
        // Ended by us: to its end, or because this node goes.
        if (isEndedHere(response) || isClosed) return;
        let left = beats;
        const timer = setInterval(() => {
          left -= 1;
          if (left > 0) return;
          clearInterval(timer);
          waiting.delete(timer);
          void idempotency
            .isJoined(userId, key, replyId, reader)
            .then(async (isJoined) => {
              if (isJoined) return;
              await replies.cancel({ replyId, sessionId, reason: "cancelled" });
            })
            .catch((error: unknown) => {
              logger.warn(
                { replyId, err: error },
                "a reply that nobody reads could not be stopped",
              );
            });
        }, beatMs);
        timer.unref();
        waiting.add(timer);
      };
      if (response.destroyed || response.closed) leave();
      else response.once("close", leave);
    },

    close(): void {
      isClosed = true;
      for (const timer of waiting) clearInterval(timer);
      waiting.clear();
    },
  };
}
