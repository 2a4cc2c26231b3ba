import { createApiKeyStore } from "../api-keys/api-key-store.ts";
import { createKnownKeys } from "../api-keys/known-keys.ts";
import { createAuditLog } from "../audit/audit-log.ts";
import { observeCache } from "../cache/observe-cache.ts";
import type { Config } from "../config/settings.ts";
import { checkWhole } from "../database/import-store.ts";
import { observeDatabase } from "../database/observe-database.ts";
import { createIdentityProvider } from "../identity/create-identity-provider.ts";
import { newId } from "../lib/ids.ts";
import type { LoggerHandle } from "../telemetry/create-logger.ts";
import { createTracer } from "../telemetry/create-tracer.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { version } from "../version.ts";
import type { Closing } from "./closing.ts";
import { openDatabase } from "./open-database.ts";
import { createSharedState } from "./shared-state.ts";

export type Floors = Awaited<ReturnType<typeof openFloors>>;

/** What every feature stands on. */
export async function openFloors(config: Config, log: LoggerHandle, closing: Closing) {
  const { logger } = log;
  const nodeId = newId();
  const metrics = createMetrics(version);
  const tracer = await createTracer({
    otlpEndpoint: config.monitoring.otlp_endpoint,
    service: config.service,
    version,
    nodeId,
    logger,
  });
  closing.add("traces", () => tracer.close());
  const database = observeDatabase(await openDatabase(config, logger), metrics, logger);
  closing.add("database", () => database.close());
  await checkWhole(database);
  const shared = createSharedState(config, { nodeId, database, logger });
  closing.add("what nodes share", () => shared.close());
  const cache = observeCache(shared.cache, metrics);
  const apiKeys = createApiKeyStore(database);
  const knownKeys = createKnownKeys({
    store: apiKeys,
    configured: new Set(config.auth.api_keys.map(({ name }) => name)),
    logger,
    hasOthers: database.kind === "postgres",
  });
  const identity = createIdentityProvider(config, { cache, log: logger, keys: knownKeys });
  closing.add("identity", () => identity.close());
  await knownKeys.refresh();
  return {
    config,
    log,
    logger,
    nodeId,
    metrics,
    telemetry: createTelemetry(logger, metrics),
    tracer,
    database,
    redis: shared.probe,
    wire: shared.wire,
    replyLog: shared.replyLog,
    limiter: shared.limiter,
    pace: shared.pace,
    cache,
    identity,
    audit: createAuditLog(database),
    apiKeys,
    knownKeys,
  };
}
