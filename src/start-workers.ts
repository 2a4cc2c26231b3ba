import { openDatabase } from "./composition/open-database.ts";
import { countWorkers } from "./composition/workers/count-workers.ts";
import { keepWorkers } from "./composition/workers/keep-workers.ts";
import type { Config } from "./config/settings.ts";
import { createGatewayRegistration } from "./gateway/gateway-registration.ts";
import type { Served } from "./served.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { version } from "./version.ts";
import { unwaited } from "./lib/unwaited.ts";

/**
 * The service in several processes behind one port, which this one keeps. What is done once for all of them is done
 * here: migrations, the gateway's registry, the log on the console.
 */
export async function startWorkers(config: Config, log: LoggerHandle): Promise<Served> {
  const { logger } = log;
  const database = await openDatabase(config, logger);
  await database.close();
  const gateway = createGatewayRegistration({ config, version, log: logger });
  const workers = keepWorkers({
    count: countWorkers(config),
    config,
    gateway,
    logger,
    writeLine: (line) => log.relay(line),
  });
  // Told to stop while they start, they end as they would afterwards.
  const stopEarly = () => workers.stop("a signal");
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, stopEarly);
  try {
    const url = await Promise.race([workers.ready, workers.ended]);
    if (typeof url === "number") {
      await log.close();
      return process.exit(url);
    }
    gateway?.start(Number(new URL(url).port));
    let isClosing = false;
    unwaited(
      workers.ended.then(async (exitCode) => {
        if (isClosing) return;
        // They were given up.
        await gateway?.stop();
        await log.close();
        process.exit(exitCode);
      }),
    );
    return {
      url,
      async close(reason) {
        isClosing = true;
        workers.stop(reason);
        const [exitCode] = await Promise.all([workers.ended, gateway?.stop()]);
        return exitCode;
      },
      leave: () => workers.kill(),
      reopenLogs: () => workers.tell({ do: "reopen logs" }),
      changeLogLevel: () => workers.tell({ do: "change log level" }),
    };
  } catch (error) {
    // The port is free again, and the log complete, before it is told why.
    await workers.ended;
    throw error;
  } finally {
    for (const signal of ["SIGTERM", "SIGINT"]) process.off(signal, stopEarly);
  }
}
