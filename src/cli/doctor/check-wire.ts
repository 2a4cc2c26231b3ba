import type { Config } from "../../config/settings.ts";
import { createPostgresDatabase } from "../../database/postgres.ts";
import { rootOf } from "../../lib/root-of.ts";
import { newId } from "../../lib/ids.ts";
import { createPostgresWire } from "../../nodes/postgres-wire.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import type { Finding } from "./finding.ts";

const lookMs = 50;

/** Whether nodes that have no Redis hear each other. Nothing is said where there is but one node, or a Redis. */
export async function checkWire({ database: settings, redis }: Config): Promise<Finding[]> {
  const name = "between nodes";
  const { url, listen_url: listenUrl, pooler, connect_timeout_ms: connectTimeoutMs } = settings;
  if (url === null || redis.url !== null) return [];
  const remedy =
    "Set DATABASE_LISTEN_URL to the address of the same database without the pooler, or REDIS_URL";
  if (listenUrl === null && pooler !== "none") {
    const found = "a pooler carries no notifications: readers on other nodes get text in steps";
    return [{ name, status: "warn", found, remedy }];
  }
  const database = createPostgresDatabase({
    url,
    maxConnections: 1,
    poolTimeoutMs: connectTimeoutMs,
    connectTimeoutMs,
    statementTimeoutMs: settings.statement_timeout_ms,
    pooler,
    log: silentLogger,
  });
  let why: unknown = new Error("no answer");
  const wire = createPostgresWire({
    url: listenUrl ?? url,
    nodeId: newId(),
    database,
    connectTimeoutMs,
    logger: {
      ...silentLogger,
      debug(fields) {
        if ("err" in fields) why = fields.err;
      },
    },
  });
  try {
    for (let waitedMs = 0; waitedMs < connectTimeoutMs * 1.5; waitedMs += lookMs) {
      if (wire.status().connected) {
        return [{ name, status: "ok", found: "notifications of the database come through" }];
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    return [{ name, status: "warn", found: rootOf(why).message, remedy }];
  } finally {
    await wire.close();
    await database.close();
  }
}
