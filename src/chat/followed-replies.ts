import type { WebSocket } from "@fastify/websocket";
import { Problem } from "../problems/problem.ts";
import type { FollowReply } from "../replies/reading/follow-reply.ts";
import { showOnWebSocket } from "../replies/reading/websocket.ts";
import type { FollowedReply, SpokenConversation } from "./spoken-conversation.ts";

interface FollowedRepliesOptions {
  readonly follow: FollowReply;
  readonly conversation: Pick<SpokenConversation, "following" | "shown">;
  /** Tells the client of a fault. */
  readonly tell: (error: unknown) => void;
}

/** Replies that one connection may follow at a time. */
const maxFollowed = 16;

/** The replies that one socket shows while they are being made. */
export class FollowedReplies {
  readonly #socket: WebSocket;
  readonly #options: FollowedRepliesOptions;
  readonly #followed = new Map<string, AbortController>();

  constructor(socket: WebSocket, options: FollowedRepliesOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Raises `rate_limited` when there is no room for another one; one that is shown already needs none. */
  admit(replyId?: string): void {
    if (this.#followed.size < maxFollowed) return;
    if (replyId !== undefined && this.#followed.has(replyId)) return;
    throw new Problem("rate_limited", { seconds: 1 }, { retryAfterSeconds: 1 });
  }

  isShown(replyId: string): boolean {
    return this.#followed.has(replyId);
  }

  /** Shows the reply's events from where it says; one that is shown already begins anew there. */
  show(reply: FollowedReply): void {
    const { replyId, after } = reply;
    const { follow, conversation, tell } = this.#options;
    this.#followed.get(replyId)?.abort();
    const following = new AbortController();
    if (this.#socket.readyState !== this.#socket.OPEN) following.abort();
    this.#followed.set(replyId, following);
    conversation.following(reply);
    const events = follow(replyId, after, following.signal);
    showOnWebSocket(this.#socket, events, (event) => conversation.shown(replyId, event))
      .catch((error: unknown) => {
        // A socket that is gone needs no telling; the client resumes on another.
        if (this.#socket.readyState === this.#socket.OPEN) tell(error);
      })
      .finally(() => {
        if (this.#followed.get(replyId) === following) this.#followed.delete(replyId);
      });
  }

  /** The socket is gone. */
  close(): void {
    for (const following of this.#followed.values()) following.abort();
  }
}
