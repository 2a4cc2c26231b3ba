import type { Config } from "../../config/settings.ts";
import { explainCertificate } from "../../problems/explain-certificate.ts";
import { createRedisClient } from "../../redis/create-redis-client.ts";
import { examineRedis } from "../../redis/examine-redis.ts";
import { explainRedis } from "../../redis/explain-redis.ts";
import { redisTarget } from "../../redis/redis-target.ts";
import { silentLogger, type Logger } from "../../telemetry/logger.ts";
import type { Finding } from "./finding.ts";

const oldestRedis = 6;
const fullShare = 0.9;
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
    debug(fields) {
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
    const { details, fault } = await examineRedis(client, redis.key_prefix);
    if (fault !== null)
      return [{ name, status: "fail", found: fault.reason, remedy: fault.remedy }];
    return [
      checkVersion(String(details["version"]), target.kind),
      // Whoever may not ask for it knows it from elsewhere.
      ...(await client.send("INFO", "memory").then(
        (memory) => [checkMemory(String(memory))],
        () => [],
      )),
    ];
  } catch (error) {
    const [node] = target.nodes;
    const certificate = explainCertificate(error);
    const { reason, remedy } =
      certificate === null
        ? explainRedis(error, redis.key_prefix)
        : { reason: certificate.found, remedy: certificate.remedy };
    return [{ name, status: "fail", found: `${node?.host}:${node?.port}: ${reason}`, remedy }];
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}

function checkVersion(version: string, kind: string): Finding {
  if (version === "unknown") {
    const found = `works (${kind}); its version is not told to this user (INFO)`;
    return { name: "redis", status: "ok", found };
  }
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
export function checkMemory(memory: string): Finding {
  const name = "redis memory";
  const read = (key: string) => Number(new RegExp(`^${key}:(\\d+)`, "m").exec(memory)?.[1] ?? 0);
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1] ?? "unknown";
  const limit = read("maxmemory");
  const used = read("used_memory");
  if (limit === 0) return { name, status: "ok", found: "no limit" };
  const share = `${megabytes(used)} of ${megabytes(limit)} MB`;
  if (policy !== "noeviction") {
    return {
      name,
      status: "warn",
      found: `${share}, ${policy}: under pressure Redis drops the events of running replies; readers then see a jump`,
      remedy:
        "redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf), or give it more memory",
    };
  }
  return used > limit * fullShare
    ? {
        name,
        status: "warn",
        found: `${share} are used: it will soon take no more`,
        remedy: "redis-cli CONFIG SET maxmemory <more> (and in redis.conf)",
      }
    : { name, status: "ok", found: `${share}, ${policy}` };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
