import { parentPort, type Transferable } from "node:worker_threads";
import type { WorkerAnswer, WorkerQuestion, WorkerReady } from "./worker-client.ts";

/** The thread's half of `createWorkerClient`: answers one request after the other. */
export function serveRequests<Request, Response>(
  handle: (request: Request) => Promise<Response>,
  buffersOf: (response: Response) => readonly Transferable[],
): void {
  const port = parentPort;
  if (!port) throw new Error("this module runs in a worker thread only");
  port.on("message", ({ id, request }: WorkerQuestion<Request>) => {
    handle(request).then(
      (response) => {
        const answer: WorkerAnswer<Response> = { id, response };
        port.postMessage(answer, buffersOf(response));
      },
      (error: unknown) => {
        const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
        const answer: WorkerAnswer<Response> = { id, fault };
        port.postMessage(answer);
      },
    );
  });
  // Its modules are loaded: from here on time is the job's.
  port.postMessage({ ready: true } satisfies WorkerReady);
}
