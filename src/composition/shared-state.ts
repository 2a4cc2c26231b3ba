import type { Cache } from "../cache/cache.ts";
import { createMemoryRateLimiter } from "../cache/memory-rate-limiter.ts";
import { createToldRateLimiter } from "../cache/told-rate-limiter.ts";
import { createMemoryCache } from "../cache/memory.ts";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import { createRedisRateLimiter } from "../cache/redis-rate-limiter.ts";
import { createRedisCache } from "../cache/redis.ts";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import type { Probe } from "../health/probe.ts";
import { createPostgresWire } from "../nodes/postgres-wire.ts";
import type { Wire } from "../nodes/wire.ts";
import { createRedisClient } from "../redis/create-redis-client.ts";
import { examineRedis } from "../redis/examine-redis.ts";
import { redisTarget } from "../redis/redis-target.ts";
import { createForwardedReplyLog } from "../replies/log/forwarded.ts";
import { createMemoryReplyLog } from "../replies/log/memory.ts";
import { createRedisReplyLog } from "../replies/log/redis.ts";
import type { ReplyLog } from "../replies/log/reply-log.ts";
import { createStanding } from "../replies/log/standing.ts";
import type { Logger } from "../telemetry/logger.ts";

/** What nodes share beside the database, or what one node has for itself where no Redis is configured. */
export interface SharedState {
  readonly cache: Cache;
  /** Of what users send. */
  readonly limiter: RateLimiter;
  /** Of requests: nobody is asked before one is answered. */
  readonly pace: RateLimiter;
  readonly replyLog: ReplyLog;
  /** Null without Redis. */
  readonly probe: Probe | null;
  /** Null where nodes tell each other by Redis, or where there is but one. */
  readonly wire: Wire | null;
  close(): Promise<void>;
}

interface Parts {
  readonly nodeId: string;
  readonly database: Database;
  readonly logger: Logger;
}

/** Never waits for Redis or for other nodes: without them the service is slower and not less able. */
export function createSharedState(config: Config, parts: Parts): SharedState {
  if (config.redis.url !== null) return onRedis(config, config.redis.url, parts);
  const wire = createWire(config, parts);
  return wire === null ? alone(config) : onWire(config, wire, parts);
}

const limitsOf = ({ streams }: Config) => ({
  maxReplyBytes: streams.max_reply_bytes,
  maxTotalBytes: streams.max_total_bytes,
  retentionMs: streams.retention_seconds * 1000,
});

/** An embedded database has no other nodes, and a pooler carries nothing between them. */
function createWire(
  { database: settings }: Config,
  { nodeId, database, logger }: Parts,
): Wire | null {
  const { url, listen_url: listenUrl, pooler } = settings;
  if (url === null) return null;
  if (listenUrl === null && pooler !== "none") {
    logger.warn(
      {},
      "neither Redis nor database.listen_url is set, and a pooler carries no notifications: readers on other nodes than the one that makes a reply get it in steps of two seconds",
    );
    return null;
  }
  const connectTimeoutMs = settings.connect_timeout_ms;
  return createPostgresWire({
    url: listenUrl ?? url,
    nodeId,
    database,
    connectTimeoutMs,
    logger,
  });
}

function alone(config: Config): SharedState {
  const replyLog = createMemoryReplyLog(limitsOf(config));
  return {
    cache: createMemoryCache({}),
    limiter: createMemoryRateLimiter({}),
    pace: createMemoryRateLimiter({}),
    replyLog,
    probe: null,
    wire: null,
    close: () => replyLog.close(),
  };
}

function onWire(config: Config, wire: Wire, { database, logger }: Parts): SharedState {
  const standing = createStanding(database);
  const replyLog = createForwardedReplyLog({ ...limitsOf(config), wire, standing, logger });
  const limiter = createToldRateLimiter({ name: "sent", local: createMemoryRateLimiter({}), wire });
  const pace = createToldRateLimiter({ name: "asked", local: createMemoryRateLimiter({}), wire });
  return {
    // What is kept there is right for as long as it may be kept, on each node for itself.
    cache: createMemoryCache({}),
    limiter,
    pace,
    replyLog,
    probe: null,
    wire,
    async close() {
      await replyLog.close();
      limiter.close();
      pace.close();
      await wire.close();
    },
  };
}

function onRedis(config: Config, url: string, { logger }: Parts): SharedState {
  const { redis } = config;
  const client = createRedisClient({
    target: redisTarget({ url, password: redis.password, sentinelName: redis.sentinel_name }),
    commandTimeoutMs: redis.command_timeout_ms,
    logger,
  });
  const keyPrefix = redis.key_prefix;
  const replyLog = createRedisReplyLog({ ...limitsOf(config), client, keyPrefix, logger });
  return {
    cache: createRedisCache({ client, keyPrefix, logger }),
    limiter: createRedisRateLimiter({ client, keyPrefix, fallback: createMemoryRateLimiter({}) }),
    pace: createMemoryRateLimiter({}),
    replyLog,
    wire: null,
    async probe() {
      const { details, fault } = await examineRedis(client, keyPrefix);
      const degraded = replyLog.isDegraded();
      if (fault === null) return { status: "healthy", details: { ...details, degraded } };
      const { reason, remedy } = fault;
      return { status: "unhealthy", details: { ...details, degraded, reason, remedy } };
    },
    async close() {
      await replyLog.close();
      await client.close();
    },
  };
}
