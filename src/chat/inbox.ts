import type { WebSocket } from "@fastify/websocket";
import { unwaited } from "../lib/unwaited.ts";

interface Pending {
  readonly bytes: number;
  readonly handle: () => Promise<void>;
}

/** While so much has come and is not handled, nothing more is read: the rest stays with who sends it. */
const maxPending = 8;
const maxPendingBytes = 1024 * 1024;

/** What one socket brings, handled one after the other in the order in which it came; what is about sound apart. */
export class Inbox {
  readonly #socket: WebSocket;
  readonly #onError: (error: unknown) => void;
  /** The first of each is being handled. */
  readonly #lanes: Record<"messages" | "speech", Pending[]> = { messages: [], speech: [] };
  #count = 0;
  #bytes = 0;

  constructor(socket: WebSocket, onError: (error: unknown) => void) {
    this.#socket = socket;
    this.#onError = onError;
  }

  /** At once, if nothing came before it. What `handle` raises is told, and the next one's turn comes. */
  add(lane: "messages" | "speech", bytes: number, handle: () => Promise<void>): void {
    this.#count += 1;
    this.#bytes += bytes;
    const pending = this.#lanes[lane];
    const isFirst = pending.push({ bytes, handle }) === 1;
    if (this.#isFull()) this.#socket.pause();
    if (isFirst) unwaited(this.#work(pending));
  }

  async #work(pending: Pending[]): Promise<void> {
    for (let next = pending[0]; next !== undefined; next = pending[0]) {
      await next.handle().catch(this.#onError);
      pending.shift();
      this.#count -= 1;
      this.#bytes -= next.bytes;
      if (this.#socket.isPaused && !this.#isFull()) this.#socket.resume();
    }
  }

  #isFull(): boolean {
    return this.#count >= maxPending || this.#bytes >= maxPendingBytes;
  }
}
