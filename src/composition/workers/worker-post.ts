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

/** Of this process, which is a worker; resolves when it has been told what to do. */
export function openWorkerPost(): Promise<WorkerPost> {
  const listeners: ((message: ToWorker) => void)[] = [];
  return new Promise((resolve) => {
    process.on("message", (message: ToWorker) => {
      if (message.do === "start") {
        resolve({
          number: message.number,
          config: message.config,
          // One whose port is gone ends by itself.
          send: (told) => void (process.connected && process.send?.(told)),
          on: (listener) => void listeners.push(listener),
        });
        return;
      }
      for (const listener of listeners) listener(message);
    });
  });
}
