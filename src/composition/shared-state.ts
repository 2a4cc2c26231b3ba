import type { Cache } from "../cache/cache.ts";
import { createMemoryRateLimiter } from "../cache/memory-rate-limiter.ts";
import { createMemoryCache } from "../cache/memory.ts";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import { createRedisRateLimiter } from "../cache/redis-rate-limiter.ts";
import { createRedisCache } from "../cache/redis.ts";
import type { Config } from "../config/settings.ts";
import type { Probe } from "../health/probe.ts";
import { createRedisClient } from "../redis/create-redis-client.ts";
import { examineRedis } from "../redis/examine-redis.ts";
import { redisTarget } from "../redis/redis-target.ts";
import { createMemoryReplyLog } from "../replies/log/memory.ts";
import { createRedisReplyLog } from "../replies/log/redis.ts";
import type { ReplyLog } from "../replies/log/reply-log.ts";
import type { Logger } from "../telemetry/logger.ts";

/** What nodes share beside the database, or what one node has for itself where no Redis is configured. */
export interface SharedState {
  readonly cache: Cache;
  readonly limiter: RateLimiter;
  readonly replyLog: ReplyLog;
  /** Null without Redis. */
  readonly probe: Probe | null;
  close(): Promise<void>;
}

/** Never waits for Redis: one that is not there yet, or no longer, makes the service slower and not less able. */
export function createSharedState({ redis, streams }: Config, logger: Logger): SharedState {
  const limits = {
    maxReplyBytes: streams.max_reply_bytes,
    maxTotalBytes: streams.max_total_bytes,
    retentionMs: streams.retention_seconds * 1000,
  };
  if (redis.url === null) {
    const replyLog = createMemoryReplyLog(limits);
    return {
      cache: createMemoryCache({}),
      limiter: createMemoryRateLimiter({}),
      replyLog,
      probe: null,
      close: () => replyLog.close(),
    };
  }
  const client = createRedisClient({
    target: redisTarget({
      url: redis.url,
      password: redis.password,
      sentinelName: redis.sentinel_name,
    }),
    commandTimeoutMs: redis.command_timeout_ms,
    logger,
  });
  const keyPrefix = redis.key_prefix;
  const replyLog = createRedisReplyLog({ ...limits, client, keyPrefix, logger });
  return {
    cache: createRedisCache({ client, keyPrefix, logger }),
    limiter: createRedisRateLimiter({ client, keyPrefix, fallback: createMemoryRateLimiter({}) }),
    replyLog,
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
