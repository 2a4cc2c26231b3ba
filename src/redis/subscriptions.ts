import { Cluster, Redis } from "ioredis";
import type { Logger } from "../telemetry/logger.ts";

/** How many channels are asked for in one command after a reconnect. */
const batchSize = 500;
/** Nothing comes in on a quiet connection, whether it works or not: it is tried this often. */
const pingMs = 5_000;

type Listener = (message: string) => void;

/**
 * Channels and who listens on this node. What is wanted is kept here and asked for again with every connection, so
 * that a subscription which failed while Redis was away is made up for.
 */
export function createSubscriptions(client: Redis | Cluster, logger: Logger) {
  const wanted = new Map<string, Set<Listener>>();
  /** Of a Cluster before version 7: every message goes to all of its servers. */
  let sharded = client instanceof Cluster;
  const subscriber =
    client instanceof Cluster ? client : client.duplicate({ autoResubscribe: false });
  let closed = false;
  let toldRefusal = false;

  const deliver = (channel: string, message: string) => {
    for (const listener of wanted.get(channel) ?? []) listener(message);
  };
  subscriber.on("message", deliver);
  subscriber.on("smessage", deliver);

  const failed = (error: unknown) => {
    if (closed) return;
    if (sharded && /unknown command/i.test(String(error))) {
      sharded = false;
      askForAll();
      return;
    }
    if (String(error).includes("NOPERM") && !toldRefusal) {
      toldRefusal = true;
      logger.warn(
        { err: error },
        "this user of Redis may not use its channels, so that other nodes hear of replies late; ACL SETUSER <user> &<key_prefix>*",
      );
    }
    logger.debug({ err: error }, "a channel cannot be listened to yet");
  };
  const ask = (channels: string[]) => {
    if (subscriber.status !== "ready" || channels.length === 0) return;
    if (sharded) {
      for (const channel of channels) subscriber.ssubscribe(channel).catch(failed);
    } else {
      subscriber.subscribe(...channels).catch(failed);
    }
  };
  const askForAll = () => {
    const channels = [...wanted.keys()];
    for (let start = 0; start < channels.length; start += batchSize) {
      ask(channels.slice(start, start + batchSize));
    }
  };
  subscriber.on("ready", askForAll);

  let ping: NodeJS.Timeout | undefined;
  if (subscriber instanceof Redis) {
    subscriber.on("error", (error: Error) => logger.debug({ err: error }, "Redis subscriber"));
    // Failures are told by its `error` event; a lost connection is made anew.
    void subscriber.connect().catch(() => undefined);
    ping = setInterval(() => {
      if (subscriber.status === "ready") void subscriber.ping().catch(() => undefined);
    }, pingMs);
  } else {
    // Its subscribers come and go with the cluster's servers; asking twice does no harm.
    subscriber.on("+subscriber", askForAll);
    ping = setInterval(askForAll, pingMs * 6);
  }
  ping.unref();

  const send = (channel: string, message: string) =>
    sharded ? client.spublish(channel, message) : client.publish(channel, message);
  const leave = (channel: string) =>
    sharded ? subscriber.sunsubscribe(channel) : subscriber.unsubscribe(channel);

  return {
    publish(channel: string, message: string): void {
      send(channel, message).catch(failed);
    },
    /** Rings the channel and resolves when that was heard. Raises what Redis answers. */
    async tryOut(channel: string): Promise<void> {
      const heard = Promise.withResolvers<void>();
      const listeners = new Set<Listener>([() => heard.resolve()]);
      wanted.set(channel, listeners);
      try {
        await (sharded ? subscriber.ssubscribe(channel) : subscriber.subscribe(channel));
        await send(channel, "");
        await heard.promise;
      } catch (error) {
        if (!sharded || !/unknown command/i.test(String(error))) throw error;
        sharded = false;
        await this.tryOut(channel);
      } finally {
        if (wanted.get(channel) === listeners) {
          wanted.delete(channel);
          if (subscriber.status === "ready") leave(channel).catch(() => undefined);
        }
      }
    },
    subscribe(channel: string, listener: Listener): () => void {
      const listeners = wanted.get(channel) ?? new Set();
      if (listeners.size === 0) {
        wanted.set(channel, listeners);
        ask([channel]);
      }
      listeners.add(listener);
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        if (wanted.get(channel) !== listeners) return;
        wanted.delete(channel);
        if (subscriber.status !== "ready") return;
        leave(channel).catch(() => undefined);
      };
    },
    close(): void {
      closed = true;
      clearInterval(ping);
      wanted.clear();
      if (subscriber instanceof Redis) subscriber.disconnect();
    },
  };
}
