import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config/settings.ts";
import { explainBacklog, explainOpenFiles } from "./composition/connection-limits.ts";
import { countWorkers } from "./composition/workers/count-workers.ts";
import { isLoopback, localUrl, reachableHost } from "./gateway/advertised-address.ts";
import { askHealth } from "./http/ask-health.ts";
import { explainListen } from "./http/explain-listen.ts";
import { expectFree } from "./http/try-listening.ts";
import { maxOpenFiles, maxWaitingConnections } from "./lib/open-files.ts";
import { listenToLogSignals } from "./log-signals.ts";
import { StartFault } from "./problems/start-fault.ts";
import type { Served } from "./served.ts";
import { startService } from "./service.ts";
import { startWorkers } from "./start-workers.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { tellStartFault } from "./tell-start-fault.ts";
import { stopOnSignals, untilStopped } from "./until-stopped.ts";
import { version } from "./version.ts";

/** Runs the service until it is told to stop; sets the exit code. */
export async function serve(config: Config, log: LoggerHandle): Promise<void> {
  let served: Served | null = null;
  listenToLogSignals(log, {
    reopen: () => served?.reopenLogs?.(),
    changeLevel: () => served?.changeLogLevel?.(),
  });
  const { logger } = log;
  const startedMs = performance.now();
  served = await start(config, log).catch((error: unknown) => {
    tellStartFault(error, logger, "the service cannot start");
    return null;
  });
  if (served === null) {
    await log.close();
    process.exit(1);
  }
  const { url, close, leave } = served;
  stopOnSignals(
    untilStopped({
      log,
      drainSeconds: config.server.drain_seconds,
      close,
      ...(leave !== undefined && { leave }),
    }),
  );

  const { host, environment } = config.service;
  if (config.auth.mode === "open" && !isLoopback(host)) {
    logger.warn(
      { host },
      "auth.mode is open and other machines can reach this one: whoever does may read and write everybody's conversations. " +
        "Set AUTH_MODE=jwt and SECURITY_SECRET_KEY, or HOST=127.0.0.1; docs/security.md has more",
    );
  }
  for (const why of [
    explainOpenFiles(config, maxOpenFiles()),
    explainBacklog(maxWaitingConnections()),
  ]) {
    if (why !== null) logger.warn({}, `${why.found}. ${why.remedy}`);
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const workers = countWorkers(config);
  logger.info(
    { url, version, seconds: Number(seconds), ...(workers > 1 && { workers }) },
    "Chat Service is ready",
  );
  if (environment !== "production") {
    const { port } = new URL(url);
    const local = localUrl(host, Number(port));
    logger.info({}, `Open ${local} in a browser; the API is described at ${local}/docs`);
  }
}

/** A port that is taken is told before a database is made. */
async function start(config: Config, log: LoggerHandle): Promise<Served> {
  const { host, port } = config.service;
  await expectMonitoringPort(config);
  try {
    await expectFree(reachableHost(host), port);
    announceStorage(config, log);
    return await (countWorkers(config) > 1 ? startWorkers : startService)(config, log);
  } catch (error) {
    const why = explainListen(error, host, port);
    if (why === null) throw error;
    const running = await askHealth(localUrl(host, port));
    if (running !== null) why.found += `: chat-service ${running} is running there`;
    throw new StartFault(why, { cause: error });
  }
}

async function expectMonitoringPort({ monitoring, service }: Config): Promise<void> {
  const { port, host } = monitoring;
  if (port === null) return;
  const address = host ?? service.host;
  await expectFree(reachableHost(address), port).catch((error: unknown) => {
    const names = { host: "MONITORING_HOST", port: "MONITORING_PORT" };
    const why = explainListen(error, address, port, names);
    throw why === null ? error : new StartFault(why, { cause: error });
  });
}

function announceStorage(config: Config, { logger }: LoggerHandle): void {
  if (config.database.url !== null) {
    logger.info({}, "connecting to PostgreSQL");
    return;
  }
  const { data_dir: dataDir } = config.service;
  if (existsSync(join(dataDir, "pgdata", "PG_VERSION"))) {
    logger.info({ dataDir }, "opening the embedded database");
  } else {
    logger.info(
      { dataDir },
      "creating the embedded database (once; takes a few seconds). Set DATABASE_URL to use a PostgreSQL server",
    );
  }
}
