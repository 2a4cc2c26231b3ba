import { randomBytes } from "node:crypto";
import { RedisUnavailable, type RedisClient } from "../redis/redis-client.ts";
import { redisScript } from "../redis/redis-script.ts";
import type { Logger } from "../telemetry/logger.ts";
import { fillWindowMs, type Cache, type CacheRead } from "./cache.ts";
import { unwaited } from "../lib/unwaited.ts";

interface RedisCacheOptions {
  readonly client: RedisClient;
  readonly keyPrefix: string;
  readonly logger: Logger;
}

// A key holds "v" and the value, or "l" and the token of those who missed.

/** The value, or the token; the token that comes along becomes everybody's if nobody has missed before. */
const readScript = redisScript(`
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], 'l' .. ARGV[1], 'PX', ARGV[2])
return 'l' .. ARGV[1]
`);

const fillScript = redisScript(`
if redis.call('GET', KEYS[1]) ~= 'l' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'v' .. ARGV[2], 'PX', ARGV[3])
return 1
`);

/**
 * How long a key that could not be deleted is neither read nor filled here. Other nodes read such a value until its
 * ttl: who needs more keeps the ttl short.
 */
const doubtMs = 60_000;
const maxDoubts = 10_000;

/** The cache of many nodes. While Redis is away every read misses and nothing is stored. */
export function createRedisCache({ client, keyPrefix, logger }: RedisCacheOptions): Cache {
  const keyOf = (key: string) => `${keyPrefix}cache:${key}`;
  /** Keys whose deletion did not get through, to be deleted when Redis is back; oldest first. */
  const doubts = new Map<string, number>();

  const doubt = (key: string) => {
    doubts.delete(key);
    doubts.set(key, performance.now());
    for (const oldest of doubts.keys()) {
      if (doubts.size <= maxDoubts) break;
      doubts.delete(oldest);
    }
  };
  const isDoubtful = (key: string) => {
    const sinceMs = doubts.get(key);
    if (sinceMs === undefined) return false;
    if (performance.now() - sinceMs < doubtMs) return true;
    doubts.delete(key);
    return false;
  };
  let deleting = false;
  const deleteDoubtful = async () => {
    if (deleting) return;
    deleting = true;
    for (const key of doubts.keys()) if (!(await remove(key))) break;
    deleting = false;
  };
  client.onReady(() => unwaited(deleteDoubtful()));

  const remove = async (key: string): Promise<boolean> => {
    try {
      await client.send("DEL", keyOf(key));
      doubts.delete(key);
      return true;
    } catch (error) {
      doubt(key);
      tell(error);
      return false;
    }
  };
  const tell = (error: unknown) => {
    if (error instanceof RedisUnavailable) return;
    logger.warn({ err: error }, "the cache got an unexpected answer");
  };
  const miss = (fillToken: string): CacheRead => ({ hit: false, fillToken });

  return {
    async read(key) {
      const token = randomBytes(16).toString("base64url");
      if (isDoubtful(key)) return miss(token);
      try {
        const held = String(await client.run(readScript, [keyOf(key)], [token, fillWindowMs]));
        if (doubts.size > 0) unwaited(deleteDoubtful());
        return held.startsWith("v") ? { hit: true, value: held.slice(1) } : miss(held.slice(1));
      } catch (error) {
        tell(error);
        return miss(token);
      }
    },
    async fill(key, fillToken, value, ttlMs) {
      if (!(ttlMs > 0) || isDoubtful(key)) return false;
      try {
        const args = [fillToken, value, Math.ceil(ttlMs)];
        return (await client.run(fillScript, [keyOf(key)], args)) === 1;
      } catch (error) {
        tell(error);
        return false;
      }
    },
    async set(key, value, ttlMs) {
      if (!(ttlMs > 0)) {
        await remove(key);
        return;
      }
      try {
        await client.send("SET", keyOf(key), `v${value}`, "PX", Math.ceil(ttlMs));
        doubts.delete(key);
      } catch (error) {
        // An older value may stand there still.
        doubt(key);
        tell(error);
      }
    },
    delete: remove,
  };
}
