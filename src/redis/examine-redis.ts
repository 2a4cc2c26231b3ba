import { explainRedis, type RedisFault } from "./explain-redis.ts";
import type { RedisClient } from "./redis-client.ts";
import { redisScript } from "./redis-script.ts";

const write = redisScript("return redis.call('SET', KEYS[1], '1', 'PX', 1000)");

/**
 * Does what the service does there: writes, by a command and by a script, and rings a channel. A replica, one that is
 * full and one whose user may not do it all answer everything else.
 */
export async function examineRedis(
  client: RedisClient,
  keyPrefix: string,
): Promise<{ readonly details: Record<string, unknown>; readonly fault: RedisFault | null }> {
  let details: Record<string, unknown> = { kind: client.kind };
  try {
    details = await client.describe();
    const key = `${keyPrefix}probe`;
    await client.send("SET", key, "1", "PX", 1_000);
    await client.run(write, [key], []);
    await client.tryChannel(`${keyPrefix}{probe}:b`);
    return { details, fault: null };
  } catch (error) {
    return { details, fault: explainRedis(error, keyPrefix) };
  }
}
