import { Worker } from "node:worker_threads";
import { loaderArguments } from "../../lib/loader-arguments.ts";
import { Problem } from "../../problems/problem.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { voiceUnavailable } from "../unavailable.ts";

/** What a worker thread is sent and answers; see `serveRequests`. */
export interface WorkerQuestion<Request> {
  readonly id: number;
  readonly request: Request;
}

export type WorkerAnswer<Response> =
  | { readonly id: number; readonly response: Response }
  | { readonly id: number; readonly fault: string };

/** Said once, before any answer. */
export interface WorkerReady {
  readonly ready: true;
}

/** A thread that does one job after the other. */
export interface WorkerClient<Request, Response> {
  /**
   * The worker's answer. Raises `voice_unavailable` when too many wait or after `close`, `speech_timeout`,
   * `speech_failed` when the job or the thread failed, or the signal's reason: a job that is given up on ends with its
   * thread, the next one gets a new one.
   */
  call(request: Request, signal: AbortSignal, timeoutMs?: number): Promise<Response>;
  /** May be called twice. */
  close(): Promise<void>;
}

export interface WorkerClientOptions {
  /** The module to run. */
  readonly url: URL;
  /** For the log. */
  readonly name: string;
  /** Of one job, from its start in a thread that runs, unless the call says another. */
  readonly timeoutMs: number;
  readonly maxWaiting: number;
  /** Heap of the thread; WebAssembly memory and buffers come on top. */
  readonly maxHeapMb: number;
  readonly logger: Logger;
}

interface Job<Request, Response> {
  readonly id: number;
  readonly request: Request;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  settle(outcome: { response: Response } | { error: unknown }): void;
}

/** Of a thread, until its modules are loaded. */
const startTimeoutMs = 30_000;

export function createWorkerClient<Request, Response>(
  options: WorkerClientOptions,
): WorkerClient<Request, Response> {
  const waiting: Job<Request, Response>[] = [];
  let running: Job<Request, Response> | null = null;
  let worker: Worker | null = null;
  let isReady = false;
  let timer: NodeJS.Timeout | undefined;
  let lastId = 0;
  let closed = false;

  function finish(outcome: { response: Response } | { error: unknown }): void {
    const job = running;
    running = null;
    clearTimeout(timer);
    worker?.unref();
    job?.settle(outcome);
    startNext();
  }

  /** The thread is in the middle of something nobody wants, or broken. */
  function abandonWorker(): Promise<unknown> {
    const old = worker;
    worker = null;
    old?.removeAllListeners();
    // A thread that fails while it is ended has nobody to tell.
    old?.on("error", (error) => options.logger.debug({ err: error }, `${options.name} ended`));
    return old?.terminate() ?? Promise.resolve();
  }

  function startWorker(): Worker {
    isReady = false;
    const started = new Worker(options.url, {
      name: options.name,
      execArgv: loaderArguments(),
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMb },
    });
    started.on("message", (answer: WorkerAnswer<Response> | WorkerReady) => {
      if ("ready" in answer) {
        isReady = true;
        if (running) limit(running.timeoutMs);
        return;
      }
      if (answer.id !== running?.id) return;
      if ("fault" in answer) {
        finish({ error: new Problem("speech_failed", {}, { cause: new Error(answer.fault) }) });
      } else {
        finish({ response: answer.response });
      }
    });
    const broken = (cause: unknown) => {
      if (worker !== started) return;
      worker = null;
      options.logger.warn({ err: cause }, `${options.name} broke and will be started again`);
      if (running) finish({ error: new Problem("speech_failed", {}, { cause }) });
    };
    started.on("error", broken);
    started.on("exit", (code) => broken(new Error(`the thread ended with ${code}`)));
    return started;
  }

  function startNext(): void {
    if (running || closed) return;
    const job = waiting.shift();
    if (!job) return;
    running = job;
    worker ??= startWorker();
    worker.ref();
    limit(isReady ? job.timeoutMs : startTimeoutMs);
    const question: WorkerQuestion<Request> = { id: job.id, request: job.request };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(question);
  }

  function limit(timeoutMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      abandonWorker().catch(() => undefined);
      finish({ error: new Problem("speech_timeout", {}) });
    }, timeoutMs);
  }

  return {
    call(request, signal, timeoutMs = options.timeoutMs) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (closed) return Promise.reject(voiceUnavailable("engine"));
      if (waiting.length >= options.maxWaiting) return Promise.reject(voiceUnavailable("busy"));
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          const place = waiting.indexOf(job);
          if (place >= 0) waiting.splice(place, 1);
          if (running === job) {
            abandonWorker().catch(() => undefined);
            finish({ error: signal.reason });
          } else {
            job.settle({ error: signal.reason });
          }
        };
        const job: Job<Request, Response> = {
          id: ++lastId,
          request,
          signal,
          timeoutMs,
          settle(outcome) {
            signal.removeEventListener("abort", onAbort);
            if ("error" in outcome) reject(outcome.error);
            else resolve(outcome.response);
          },
        };
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.push(job);
        startNext();
      });
    },
    async close() {
      closed = true;
      const error = voiceUnavailable("engine");
      for (const job of waiting.splice(0)) job.settle({ error });
      const ended = abandonWorker();
      if (running) finish({ error });
      await ended;
    },
  };
}
