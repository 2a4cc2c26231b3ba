import type { LoggerHandle } from "./telemetry/create-logger.ts";

/** Before anything else: unheard, these signals would end a process that is still starting. */
export function listenToLogSignals(log: LoggerHandle, tell?: LogOrders): void {
  // With a terminal it says that the terminal was closed; without one it comes from what rotates files from outside.
  if (!process.stdin.isTTY) {
    process.on("SIGHUP", () => {
      reopenLogs(log);
      tell?.reopen();
    });
  }
  process.on("SIGUSR2", () => {
    changeLogLevel(log);
    tell?.changeLevel();
  });
}

/** For the other processes of the service. */
interface LogOrders {
  reopen(): void;
  changeLevel(): void;
}

export function reopenLogs(log: LoggerHandle): void {
  log.reopen();
  log.logger.info({}, "log files reopened");
}

export function changeLogLevel(log: LoggerHandle): void {
  const logLevel = log.nextLevel();
  const tell = () => log.logger.warn({ logLevel }, "log level changed");
  // Afterwards it would not be written.
  if (logLevel === "ERROR") tell();
  log.setLevel(logLevel);
  if (logLevel !== "ERROR") tell();
}
