import type { Config } from "../../config/settings.ts";
import { createRedisClient } from "../../redis/create-redis-client.ts";
import { redisTarget } from "../../redis/redis-target.ts";
import { silentLogger, type Logger } from "../../telemetry/logger.ts";
import { rootOf } from "../../lib/root-of.ts";
import type { Finding } from "./finding.ts";

const oldestRedis = 6;
const connectTimeoutMs = 3_000;

/** Redis, its version, and what it does when its memory is full. */
export async function checkRedis({ redis }: Config): Promise<Finding[]> {
  const name = "redis";
  if (redis.url === null) {
    return [{ name, status: "off", found: "not configured: one node needs none" }];
  }
  const target = redisTarget({
    url: redis.url,
    password: redis.password,
    sentinelName: redis.sentinel_name,
  });
  // The client keeps on trying and tells its log alone why it fails.
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const logger: Logger = {
    ...silentLogger,
    warn(fields) {
      if ("err" in fields) failed.reject(fields.err);
    },
  };
  const timer = setTimeout(() => failed.reject(new Error("no answer")), connectTimeoutMs * 2);
  const client = createRedisClient({
    target,
    commandTimeoutMs: redis.command_timeout_ms,
    connectTimeoutMs,
    logger,
  });
  try {
    const ready = new Promise<void>((resolve) => {
      client.onReady(resolve);
      if (client.isReady()) resolve();
    });
    await Promise.race([ready, failed.promise]);
    const version = String((await client.describe())["version"]);
    const findings: Finding[] = [checkVersion(version, target.kind)];
    const memory = String(await client.send("INFO", "memory"));
    findings.push(checkEviction(memory));
    return findings;
  } catch (error) {
    const { code, message } = rootOf(error);
    const [node] = target.nodes;
    const where = `${node?.host}:${node?.port}`;
    const isRefusal = /NOAUTH|WRONGPASS|NOPERM/.test(message);
    return [
      {
        name,
        status: "fail",
        found: isRefusal
          ? `the user or password for ${where} is wrong or missing`
          : `cannot be reached at ${where}${code === "" ? `: ${message}` : ` (${code})`}`,
        remedy: isRefusal
          ? "Correct REDIS_URL or REDIS_PASSWORD"
          : "Start Redis there, or correct REDIS_URL; a single node runs without (unset it)",
      },
    ];
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}

function checkVersion(version: string, kind: string): Finding {
  return Number(version.split(".")[0]) >= oldestRedis
    ? { name: "redis", status: "ok", found: `Redis ${version} (${kind})` }
    : {
        name: "redis",
        status: "fail",
        found: `Redis ${version} is too old`,
        remedy: "Upgrade to Redis 6 or newer, or to Valkey",
      };
}

/** Everything that the service keeps there has an expiry, so that `volatile-*` evicts as freely as `allkeys-*`. */
export function checkEviction(memory: string): Finding {
  const name = "redis eviction";
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1] ?? "unknown";
  const limit = Number(/maxmemory:(\d+)/.exec(memory)?.[1] ?? 0);
  if (limit === 0 || policy === "noeviction") {
    const how = limit === 0 ? "no memory limit" : `${policy}, ${Math.round(limit / 2 ** 20)} MB`;
    return { name, status: "ok", found: how };
  }
  return {
    name,
    status: "warn",
    found: `${policy}: under pressure Redis drops the events of running replies; readers then see a jump`,
    remedy:
      "redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf), or give it more memory",
  };
}
