import { Worker } from "node:worker_threads";
import { loaderArguments } from "../../../lib/loader-arguments.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { Calculation } from "./calculation.ts";
import type { Answer, Outcome, Task } from "./evaluator-protocol.ts";

/** Thinks in a separate thread, so that no formula can hold up the service. */
export interface Evaluator {
  /** Whether the calculation reads as one, without doing it. Raises as `evaluate` does. */
  understands(calculation: Calculation, signal: AbortSignal): Promise<boolean>;
  /**
   * Bounded in time and memory; whatever the formula is, the outcome says so. Throws the abort reason, and raises
   * `agent_unavailable` when too many wait, it waited too long or this is closed, `agent_failed` when the thread cannot run.
   */
  evaluate(calculation: Calculation, signal: AbortSignal): Promise<Outcome>;
  /** Ends the thread. May be called twice. */
  close(): Promise<void>;
}

interface Limits {
  /** For one task, once the thread is up. */
  readonly taskMs: number;
  /** For starting the thread and loading the library. */
  readonly startMs: number;
  /** The thread ends when there was nothing to do for so long. */
  readonly idleMs: number;
  readonly maxWaiting: number;
  /** A task that waited longer for its turn is refused. */
  readonly maxWaitMs: number;
}

const defaultLimits: Limits = {
  taskMs: 1_500,
  startMs: 20_000,
  idleMs: 300_000,
  maxWaiting: 500,
  maxWaitMs: 15_000,
};
const overLimit: Outcome = { ok: false, refusal: { reason: "limit" } };
const agentId = "calculator";

interface Job {
  readonly task: Omit<Task, "id">;
  readonly since: number;
  readonly settle: (outcome: Outcome) => void;
  readonly fail: (error: Error) => void;
}

function unavailable(): Problem {
  return new Problem("agent_unavailable", { agentId }, { retryAfterSeconds: 5 });
}

/** One thread, started when first needed, one task at a time, oldest first. */
export function createEvaluator(logger: Logger, limits: Limits = defaultLimits): Evaluator {
  const waiting: Job[] = [];
  let running: { id: number; job: Job } | undefined;
  let worker: Worker | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastId = 0;
  let closed = false;

  function startNext(): void {
    clearTimeout(timer);
    let job = waiting.shift();
    while (job !== undefined && performance.now() - job.since > limits.maxWaitMs) {
      job.fail(unavailable());
      job = waiting.shift();
    }
    if (job === undefined) {
      timer = setTimeout(() => void endIdleWorker(), limits.idleMs).unref();
      return;
    }
    const fresh = worker === undefined;
    const thread = (worker ??= startWorker());
    running = { id: (lastId += 1), job };
    const allowedMs = limits.taskMs + (fresh ? limits.startMs : 0);
    timer = setTimeout(() => {
      logger.warn({ allowedMs }, "calculation stopped: took too long");
      void endWorker();
      finish(overLimit);
    }, allowedMs);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    thread.postMessage({ id: running.id, ...job.task } satisfies Task);
  }

  function finish(outcome: Outcome): void {
    const done = running;
    running = undefined;
    done?.job.settle(outcome);
    if (!closed) startNext();
  }

  function startWorker(): Worker {
    const thread = new Worker(new URL("./evaluator-worker.ts", import.meta.url), {
      env: {},
      execArgv: loaderArguments(),
      resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 },
    });
    thread.unref();
    thread.on("message", ({ id, outcome, spoilt }: Answer) => {
      if (thread !== worker || id !== running?.id) return;
      if (spoilt) void endWorker();
      finish(outcome);
    });
    thread.on("error", (error) => {
      logger.warn({ error }, "calculation stopped: the thread failed");
      if (thread !== worker) return;
      worker = undefined;
      if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") finish(overLimit);
      else {
        running?.job.fail(new Problem("agent_failed", { agentId }, { cause: error }));
        finish(overLimit);
      }
    });
    return thread;
  }

  async function endIdleWorker(): Promise<void> {
    await endWorker();
    logger.debug({ idleMs: limits.idleMs }, "calculation thread ended: nothing to do");
  }

  async function endWorker(): Promise<void> {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  }

  function submit(task: Omit<Task, "id">, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    if (closed || waiting.length >= limits.maxWaiting) {
      return Promise.reject(unavailable());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const job: Job = { task, since: performance.now(), settle: resolve, fail: reject };
    const abort = () => {
      const at = waiting.indexOf(job);
      if (at >= 0) waiting.splice(at, 1);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort, { once: true });
    waiting.push(job);
    if (running === undefined) startNext();
    return promise.finally(() => signal.removeEventListener("abort", abort));
  }

  return {
    async understands(calculation, signal) {
      const outcome = await submit({ ask: "understands", calculation }, signal);
      return outcome.ok || outcome.refusal.reason === "limit";
    },
    async evaluate(calculation, signal) {
      return submit({ ask: "evaluate", calculation }, signal);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      for (const job of waiting.splice(0)) job.fail(unavailable());
      running?.job.fail(unavailable());
      running = undefined;
      await endWorker();
    },
  };
}
