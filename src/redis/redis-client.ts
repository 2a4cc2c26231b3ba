/** Redis could not be asked: no connection, no answer in time, or a server that takes no commands for now. */
export class RedisUnavailable extends Error {
  override readonly name = "RedisUnavailable";
  /** What follows from something being away, which whoever watches it tells the log. */
  readonly isOutage = true;
}

/** Redis answered with an error; `message` begins with its code (`WRONGTYPE`, `ERR`). */
export class RedisRefused extends Error {
  override readonly name = "RedisRefused";
}

export type RedisArgument = string | number;

/** A Lua script. It names every key it touches, and all of them lie in one slot. */
export interface RedisScript {
  readonly source: string;
  /** SHA-1 of the source, in hex. */
  readonly sha: string;
}

/**
 * A connection to Redis that never makes its caller wait for long: every call settles within the configured time, and
 * at once while there is no connection. Nothing is queued and nothing is repeated on its own; what an unanswered
 * command has done is unknown. It reconnects by itself for as long as it takes.
 */
export interface RedisClient {
  readonly kind: "single" | "sentinel" | "cluster";
  isReady(): boolean;
  /** Connected, and not known to refuse its work, as one that is full does. */
  isServing(): boolean;
  /** Raises RedisUnavailable or RedisRefused. */
  send(...command: readonly RedisArgument[]): Promise<unknown>;
  /**
   * Sends commands on keys of one slot in one go, in order; a failed one does not stop the others. Resolves with a
   * result, a RedisRefused or a RedisUnavailable for each. Raises RedisUnavailable when nothing came back in time.
   */
  sendAll(commands: readonly (readonly RedisArgument[])[]): Promise<unknown[]>;
  run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown>;
  /** Rings a channel. Best effort: failures are not told. */
  publish(channel: string, message: string): void;
  /**
   * Calls `listener` for each message from now on, over lost connections too; messages of the meantime are missed.
   * Returns the end of it. Channels of a Cluster are sharded by their hash tag where the server can do that.
   */
  subscribe(channel: string, listener: (message: string) => void): () => void;
  /** Rings a channel and hears it itself. Raises RedisUnavailable or RedisRefused. */
  tryChannel(channel: string): Promise<void>;
  /** Calls `listener` whenever a connection has come (back). Returns the end of it. */
  onReady(listener: () => void): () => void;
  /** Raises RedisUnavailable. What a probe may show: no addresses. */
  describe(): Promise<Record<string, unknown>>;
  /** May be called twice. */
  close(): Promise<void>;
}
