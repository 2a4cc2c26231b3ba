import type { Config } from "../../config/settings.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** What a worker and the process that keeps its port tell each other. */
export interface WorkerPost {
  readonly number: number;
  /** As it was when the service was started, whatever became of the file since. */
  readonly config: Config;
  send(message: FromWorker): void;
  on(listener: (message: ToWorker) => void): void;
}

/** Of this process, which is a worker; resolves when it has been told to start. Told to stop instead, the process ends. */
export function openWorkerPost(): Promise<WorkerPost> {
  const listeners: ((message: ToWorker) => void)[] = [];
  /** Told while what is to hear it was loaded: to stop, perhaps. */
  const early: ToWorker[] = [];
  let isStarted = false;
  return new Promise((resolve) => {
    process.on("message", (message: ToWorker) => {
      if (message.do === "start") {
        isStarted = true;
        resolve({
          number: message.number,
          config: message.config,
          // One whose port is gone ends by itself.
          send: (told) => void (process.connected && process.send?.(told)),
          on(listener) {
            listeners.push(listener);
            for (const told of early) listener(told);
          },
        });
        return;
      }
      if (!isStarted && message.do === "stop") process.exit(0);
      if (listeners.length === 0) early.push(message);
      for (const listener of listeners) listener(message);
    });
    process.send?.({ do: "listen" } satisfies FromWorker);
  });
}
