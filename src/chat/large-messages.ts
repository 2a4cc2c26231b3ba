import type { Socket } from "node:net";
import type { WebSocket } from "@fastify/websocket";
import type { Shares } from "../lib/shares.ts";
import { unwaited } from "../lib/unwaited.ts";

interface LargeMessagesOptions {
  readonly socket: WebSocket;
  /** What carries it. */
  readonly connection: Socket;
  readonly room: Shares;
  readonly owner: string;
  /** What a message may become. */
  readonly maxBytes: number;
  /** There was no room for too long, or a message did not come to its end. */
  readonly onRefused: () => void;
}

/** Messages below this are bounded by the sockets there are. */
const smallBytes = 64 * 1024;
const patienceMs = 10_000;
/** From there on to its end. */
const messageMs = 30_000;

/**
 * Of a message that has become large nothing more is read until there is room for all that it may become. A message can
 * be cut into as many pieces as its sender likes, and the whole of it stands in memory before anybody sees it.
 */
export class LargeMessages {
  readonly #options: LargeMessagesOptions;
  /** Bytes of the connection before the message that comes now. */
  #from: number;
  #claim: AbortController | null = null;
  #giveBack: (() => void) | null = null;
  #isWaiting = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: LargeMessagesOptions) {
    this.#options = options;
    const { connection, socket } = options;
    this.#from = connection.bytesRead;
    connection.on("data", this.#onData);
    socket.once("close", () => {
      connection.off("data", this.#onData);
      this.#claim?.abort();
      this.ended();
    });
  }

  /** The room of the message that has come is kept beyond its end; returns what gives it back. */
  keep(): (() => void) | undefined {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    return giveBack ?? undefined;
  }

  /** A message has come to its end: what comes now belongs to the next. */
  ended(): void {
    clearTimeout(this.#deadline);
    this.#from = this.#options.connection.bytesRead;
    this.keep()?.();
  }

  readonly #onData = (): void => {
    const { connection } = this.#options;
    if (this.#isWaiting) connection.pause();
    else if (this.#giveBack === null && connection.bytesRead - this.#from > smallBytes) {
      unwaited(this.#wait());
    }
  };

  async #wait(): Promise<void> {
    const { connection, room, owner, maxBytes, onRefused } = this.#options;
    connection.pause();
    this.#isWaiting = true;
    this.#claim = new AbortController();
    const patience = setTimeout(() => this.#claim?.abort(), patienceMs);
    const giveBack = await room.take(owner, maxBytes, this.#claim.signal);
    clearTimeout(patience);
    this.#isWaiting = false;
    if (giveBack === null) return onRefused();
    if (connection.destroyed) return giveBack();
    this.#giveBack = giveBack;
    this.#deadline = setTimeout(onRefused, messageMs);
    // The inbox may have stopped it meanwhile, for reasons of its own.
    if (!this.#options.socket.isPaused) connection.resume();
  }
}
