import { createSiblings } from "./composition/workers/siblings.ts";
import type { WorkerPost } from "./composition/workers/worker-post.ts";
import { changeLogLevel, reopenLogs } from "./log-signals.ts";
import { startService } from "./service.ts";
import type { LoggerHandle } from "./telemetry/create-logger.ts";
import { explainStartFault, tellStartFault } from "./tell-start-fault.ts";
import { untilStopped } from "./until-stopped.ts";

/** One of several processes that serve: it does what it is told by the one that keeps the port, and hears no signals. */
export async function serveWorker(post: WorkerPost, log: LoggerHandle): Promise<void> {
  const { config } = post;
  const { logger } = log;
  // They come to all processes of a terminal or a service manager, and the one that keeps the port hears them too.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"]) process.on(signal, () => {});
  const siblings = createSiblings(post, config.gateway.url !== null);
  let told: string | null = null;
  let stop = (reason: string) => void (told = reason);
  post.on((message) => {
    if (message.do === "stop") stop(message.reason);
    else if (message.do === "reopen logs") reopenLogs(log);
    else if (message.do === "change log level") changeLogLevel(log);
  });
  const service = await startService(config, log, siblings).catch(async (error: unknown) => {
    tellStartFault(error, logger, "a worker cannot start");
    post.send({ do: "fail", why: explainStartFault(error) });
    await log.close();
    process.exit(1);
  });
  const end = untilStopped({
    log,
    drainSeconds: config.server.drain_seconds,
    close: () => service.close(),
  });
  stop = (reason) => void end.stop(reason, 0);
  logger.info({}, "a worker is ready");
  post.send({ do: "ready", url: service.url });
  if (told !== null) stop(told);
}
