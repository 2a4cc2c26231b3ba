import type { RedisClient } from "../redis/redis-client.ts";
import { redisScript } from "../redis/redis-script.ts";
import { cellsOf } from "./gcra.ts";
import type { RateLimiter } from "./rate-limiter.ts";

interface RedisRateLimiterOptions {
  readonly client: RedisClient;
  readonly keyPrefix: string;
  /** Decides while Redis is away: each node then counts for itself. */
  readonly fallback: RateLimiter;
}

/** `decide` of gcra.ts by the clock of Redis, so that clocks of nodes do not matter. */
const takeScript = redisScript(`
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local tolerance = tonumber(ARGV[2])
local current = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local following = current + tonumber(ARGV[3])
local wait = following - tolerance - now
if wait > 0 then return {0, math.ceil(wait / 1000), 0} end
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000) + 1)
return {1, 0, math.floor((tolerance - (following - now)) / interval)}
`);

/** The limiter of many nodes: one number per key in Redis, one script per decision. */
export function createRedisRateLimiter(options: RedisRateLimiterOptions): RateLimiter {
  const { client, keyPrefix, fallback } = options;
  return {
    async take(key, rate, count) {
      const { intervalUs, toleranceUs, costUs } = cellsOf(rate, count);
      let answer: unknown;
      try {
        answer = await client.run(
          takeScript,
          [`${keyPrefix}rate:${key}`],
          [intervalUs, toleranceUs, costUs],
        );
      } catch {
        // The connection reports outages itself; a limit that fails its caller would be worse than none.
        return fallback.take(key, rate, count);
      }
      const [allowed = 0, retryAfterMs = 0, remaining = 0] = answer as number[];
      return { allowed: allowed === 1, retryAfterMs, remaining };
    },
  };
}
