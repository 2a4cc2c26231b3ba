import { Cluster, Redis, type RedisOptions } from "ioredis";
import { shownCertificate } from "../lib/certificates.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import {
  RedisRefused,
  RedisUnavailable,
  type RedisArgument,
  type RedisClient,
} from "./redis-client.ts";
import { GuardedConnector } from "./guarded-connector.ts";
import { createSubscriptions } from "./subscriptions.ts";
import type { RedisTarget } from "./redis-target.ts";

interface RedisClientOptions {
  readonly target: RedisTarget;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs?: number;
  readonly logger: Logger;
}

/** Answers in the shapes that all versions of the protocol share. */
type Connection = RedisOptions & { replyMapping: "legacy" };

/** Pauses between attempts to connect: short at first, never long enough to be noticed as an outage of its own. */
function retryDelayMs(attempt: number): number {
  return Math.min(1_000, 50 * 2 ** Math.min(attempt, 6)) * (0.75 + Math.random() * 0.5);
}

/** How often a replica is left in the hope of a primary. */
const minLeavePauseMs = 1_000;
const maxLeavePauseMs = 60_000;

/**
 * Two connections per server: one for commands, one for messages. Returns at once; whether Redis is there shows at the
 * first command, and again and again until it is.
 */
export function createRedisClient(options: RedisClientOptions): RedisClient {
  const { target, commandTimeoutMs, logger, connectTimeoutMs = 3_000 } = options;
  const outage = outageOf(logger, "redis");
  /** Since a write was refused by a replica until one was taken: connections that come and go meanwhile are no news. */
  let isReplica = false;
  let leaveAfterMs = 0;
  let leavePauseMs = minLeavePauseMs;
  const leaveReplica = (): boolean => {
    isReplica = true;
    outage.lost("it is a read-only replica");
    if (performance.now() < leaveAfterMs) return false;
    leaveAfterMs = performance.now() + leavePauseMs;
    leavePauseMs = Math.min(maxLeavePauseMs, leavePauseMs * 2);
    return true;
  };
  const tookWrite = () => {
    outage.back();
    isReplica = false;
    leaveAfterMs = 0;
    leavePauseMs = minLeavePauseMs;
  };
  const connection: Connection = {
    ...(target.username !== null && { username: target.username }),
    ...(target.password !== null && { password: target.password }),
    ...(target.tls && { tls: shownCertificate() }),
    db: target.database,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // A connection that takes commands and answers none (a black hole) is given up; without this it stays for ever.
    socketTimeout: Math.max(2_000, 2 * commandTimeoutMs),
    keepAlive: 10_000,
    connectionName: "chat-service",
    // Callers have something better to do than to wait in a queue, and know whether a repeat is safe.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryDelayMs,
    // It asks with INFO, which many users of Redis may not; what is still loading says so itself.
    enableReadyCheck: false,
    // After a fail-over the old primary still answers, as a replica: leave it.
    reconnectOnError: (error) => isReadOnly(error) && leaveReplica(),
    lazyConnect: true,
    replyMapping: "legacy",
  };
  const client =
    target.kind === "cluster" ? openCluster(target, connection) : openServer(target, connection);

  let closed = false;
  const lost = (error: Error) => {
    if (!closed) outage.lost(`${whyOf(error)}; going on without it`, error);
  };
  const readyListeners = new Set<() => void>();
  client.once("ready", () => logger.info({ kind: target.kind }, "connected to Redis"));
  client.on("ready", () => {
    if (!isReplica) outage.back();
    for (const listener of readyListeners) listener();
  });
  client.on("error", lost);
  client.on("close", () => lost(new Error("the connection was closed")));
  const subscriptions = createSubscriptions(client, logger);
  // A failure is told by its `error` and `close` events, and tried again.
  void client.connect().catch(() => undefined);

  /** It is there, and does not do its work: full, loading, without its primary or its disk. */
  const noted = (error: Error) => {
    if (error instanceof RedisUnavailable && transient.test(error.message)) lost(error);
    return error;
  };
  const noteRefusal = (error: Error): never => {
    throw noted(error);
  };

  const isReady = () => client.status === "ready";
  const send = async (...[name, ...args]: readonly RedisArgument[]): Promise<unknown> => {
    if (!isReady()) throw new RedisUnavailable("not connected");
    const call = client.call(String(name), ...args.map(String));
    const answer = await withDeadline(call, commandTimeoutMs).catch(noteRefusal);
    if (writing.has(String(name))) tookWrite();
    return answer;
  };

  return {
    kind: target.kind,
    isReady,
    isServing: () => isReady() && !outage.isAway,
    send,
    async sendAll(commands) {
      if (!isReady()) throw new RedisUnavailable("not connected");
      const pipeline = client.pipeline();
      for (const [name, ...args] of commands) pipeline.call(String(name), ...args.map(String));
      const results = await withDeadline(pipeline.exec(), commandTimeoutMs);
      if (results === null) throw new RedisUnavailable("aborted");
      return results.map(([error, result], index) => {
        if (error !== null) return noted(translate(error));
        if (writing.has(String(commands[index]?.[0]))) tookWrite();
        return result;
      });
    },
    async run(script, keys, args) {
      try {
        return await send("EVALSHA", script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!(error instanceof RedisRefused) || !error.message.startsWith("NOSCRIPT")) throw error;
        return send("EVAL", script.source, keys.length, ...keys, ...args);
      }
    },
    publish: (channel, message) => {
      if (isReady()) subscriptions.publish(channel, message);
    },
    subscribe: subscriptions.subscribe,
    tryChannel: (channel) => withDeadline(subscriptions.tryOut(channel), commandTimeoutMs),
    onReady(listener) {
      readyListeners.add(listener);
      return () => readyListeners.delete(listener);
    },
    async describe() {
      await send("PING");
      // Users without rights to it can do all the work all the same.
      const info = String(
        await send("INFO", "server").catch((error: unknown) => {
          if (error instanceof RedisRefused && error.message.startsWith("NOPERM")) return "";
          throw error;
        }),
      );
      const version = /(?:valkey|redis)_version:(\S+)/g;
      const versions = [...info.matchAll(version)].map((found) => found[1]);
      return { kind: target.kind, version: versions.at(-1) ?? "unknown" };
    },
    async close() {
      if (closed) return;
      closed = true;
      subscriptions.close();
      client.disconnect();
    },
  };
}

function openServer(target: RedisTarget, connection: Connection): Redis {
  const [node] = target.nodes;
  return target.kind === "sentinel"
    ? new Redis({
        ...connection,
        sentinels: [...target.nodes],
        name: target.sentinelName ?? "",
        sentinelRetryStrategy: retryDelayMs,
        ...(target.tls && { enableTLSForSentinelMode: true, sentinelTLS: shownCertificate() }),
        failoverDetector: true,
      })
    : new Redis({
        ...connection,
        Connector: GuardedConnector,
        host: node?.host ?? "localhost",
        port: node?.port ?? 6379,
      });
}

function openCluster(target: RedisTarget, connection: Connection): Cluster {
  return new Cluster([...target.nodes], {
    redisOptions: { ...connection, Connector: GuardedConnector },
    clusterRetryStrategy: retryDelayMs,
    enableOfflineQueue: false,
    lazyConnect: true,
    slotsRefreshTimeout: connection.connectTimeout ?? 3_000,
    slotsRefreshInterval: 5_000,
    // With a deadline on every call a few redirections are all there is time for.
    maxRedirections: 4,
    shardedSubscribers: true,
    // Certificates name hosts; the cluster tells addresses.
    ...(target.tls && {
      dnsLookup: (address: string, done: (error: null, address: string) => void) =>
        done(null, address),
    }),
  });
}

/** What a server that only reads, or is full, would not do. */
const writing: ReadonlySet<string> = new Set(["SET", "DEL", "XADD", "EVAL", "EVALSHA"]);

/** Errors that say something about the server's state rather than about the command. */
const transient =
  /(?:^|-)(LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|READONLY|BUSY|MISCONF|OOM|NOREPLICAS|MOVED|ASK|NOAUTH|WRONGPASS|UNBLOCKED)\b/;

/** Before version 7 the error of a script quotes the one that ended it: `ERR Error running script …: -READONLY …`. */
function isReadOnly({ message }: Error): boolean {
  return /(?:^|-)READONLY\b/.test(message);
}

function translate(error: unknown): Error {
  if (error instanceof RedisRefused || error instanceof RedisUnavailable) return error;
  const { name, message } = error as Error;
  return name === "ReplyError" && !transient.test(message)
    ? new RedisRefused(message)
    : new RedisUnavailable(message, { cause: error });
}

/** The client's own time-out does not cover redirections in a Cluster; this one covers everything. */
async function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RedisUnavailable(`no answer in ${timeoutMs} ms`)),
      timeoutMs + 50,
    );
  });
  try {
    return await Promise.race([work, deadline]);
  } catch (error) {
    throw translate(error);
  } finally {
    clearTimeout(timer);
  }
}
