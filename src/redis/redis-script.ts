import { createHash } from "node:crypto";
import type { RedisScript } from "./redis-client.ts";

export function redisScript(source: string): RedisScript {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
