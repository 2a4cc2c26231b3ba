import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config/settings.ts";
import { isLoopback, localUrl, reachableHost } from "./gateway/advertised-address.ts";
import { askHealth } from "./http/ask-health.ts";
import { explainListen } from "./http/explain-listen.ts";
import { expectFree } from "./http/try-listening.ts";
import { Problem } from "./problems/problem.ts";
import { StartFault } from "./problems/start-fault.ts";
import { startService, type Service } from "./service.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import type { Logger } from "./telemetry/logger.ts";
import { version } from "./version.ts";

/** After an error that nobody has caught, running replies get this long to be stored. */
const crashDrainMs = 5_000;

/** Runs the service until it is told to stop; sets the exit code. */
export async function serve(config: Config, log: LoggerHandle): Promise<void> {
  listenToLogSignals(log);
  const { logger } = log;
  const startedMs = performance.now();
  const service = await start(config, log).catch((error: unknown) => {
    tellStartFault(error, logger, "the service cannot start");
    return null;
  });
  if (service === null) {
    await log.close();
    process.exit(1);
  }

  let stopping = false;
  const stop = async (reason: string, exitCode: number) => {
    if (stopping) {
      logger.warn({ reason }, "told to stop twice: leaving at once");
      process.exit(1);
    }
    stopping = true;
    logger.info(
      { reason },
      `stopping: running replies get up to ${config.server.drain_seconds} s to end; a second signal leaves at once`,
    );
    await service.close().catch((error: unknown) => {
      logger.error({ err: error }, "closing failed");
    });
    logger.info({}, "stopped");
    await log.close();
    process.exit(exitCode);
  };
  process.on("SIGTERM", () => void stop("SIGTERM", 0));
  process.on("SIGINT", () => void stop("SIGINT", 0));
  if (process.stdin.isTTY) {
    // Somebody has closed the terminal. It may come twice, from the kernel and from the shell.
    process.on("SIGHUP", () => void (stopping || stop("SIGHUP", 0)));
  }
  const crash = (error: unknown) => {
    logger.error({ err: error }, "an error that nobody has caught: leaving");
    setTimeout(() => process.exit(1), crashDrainMs).unref();
    if (!stopping) void stop("uncaught error", 1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);

  const { host, environment } = config.service;
  if (config.auth.mode === "open" && !isLoopback(host)) {
    logger.warn(
      { host },
      "auth.mode is open and other machines can reach this one: whoever does may read and write everybody's conversations. " +
        "Set AUTH_MODE=jwt and SECURITY_SECRET_KEY, or HOST=127.0.0.1; docs/security.md has more",
    );
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  logger.info({ url: service.url, version, seconds: Number(seconds) }, "Chat Service is ready");
  if (environment !== "production") {
    const { port } = new URL(service.url);
    const url = localUrl(host, Number(port));
    logger.info({}, `Open ${url} in a browser; the API is described at ${url}/docs`);
  }
}

/** A port that is taken is told before a database is made. */
async function start(config: Config, log: LoggerHandle): Promise<Service> {
  const { host, port } = config.service;
  await expectMonitoringPort(config);
  try {
    await expectFree(reachableHost(host), port);
    announceStorage(config, log);
    return await startService(config, log);
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

/** Before anything else: unheard, these signals would end a process that is still starting. */
function listenToLogSignals(log: LoggerHandle): void {
  const { logger } = log;
  // With a terminal it says that the terminal was closed; without one it comes from what rotates files from outside.
  if (!process.stdin.isTTY) {
    process.on("SIGHUP", () => {
      log.reopen();
      logger.info({}, "log files reopened");
    });
  }
  process.on("SIGUSR2", () => {
    const logLevel = log.nextLevel();
    const tell = () => logger.warn({ logLevel }, "log level changed");
    // Afterwards it would not be written.
    if (logLevel === "ERROR") tell();
    log.setLevel(logLevel);
    if (logLevel !== "ERROR") tell();
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

/** One sentence for what operators can mend, its stack at DEBUG; anything else is a bug, told with its stack. */
export function tellStartFault(error: unknown, logger: Logger, what: string): void {
  if (error instanceof StartFault) {
    logger.error({}, `${what}: ${error.message}`);
    logger.debug({ err: error.cause ?? error }, what);
  } else {
    logger.error({ err: causeOf(error) }, what);
  }
}

/** A start is for operators: they get the cause, not the sentence for callers. */
function causeOf(error: unknown): unknown {
  return error instanceof Problem && error.cause !== undefined ? error.cause : error;
}
