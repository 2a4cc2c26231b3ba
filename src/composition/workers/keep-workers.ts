import cluster, { type Worker } from "node:cluster";
import { createInterface } from "node:readline";
import type { Config } from "../../config/settings.ts";
import type { GatewayRegistration } from "../../gateway/gateway-registration.ts";
import { StartFault } from "../../problems/start-fault.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { whyOf } from "../../telemetry/outage.ts";
import { createGatherParts } from "./gather-parts.ts";
import { watchHandovers } from "./handovers.ts";
import type { FromWorker, ServiceState, ToWorker } from "./messages.ts";

interface KeepWorkersOptions {
  readonly count: number;
  readonly config: Config;
  readonly gateway: GatewayRegistration | null;
  readonly logger: Logger;
  /** Where the lines go that workers write. */
  readonly writeLine: (line: string) => void;
}

export interface Workers {
  /** Resolves with where they listen when all of them do; rejects with a StartFault when one cannot start. */
  readonly ready: Promise<string>;
  /** Resolves with an exit code when none is left. */
  readonly ended: Promise<number>;
  tell(message: ToWorker): void;
  /** Lets each end as a service ends; none is replaced from here on. */
  stop(reason: string): void;
  /** Ends them at once. */
  kill(): void;
}

interface Seat {
  readonly number: number;
  worker: Worker | null;
  /** Before that it hears nothing. */
  isListening: boolean;
  isReady: boolean;
  /** Deaths one after the other before it was ready. */
  failures: number;
}

const firstPauseMs = 100;
const maxPauseMs = 30_000;
/** While no worker is left that serves, so many that die before they are ready end the attempt. */
const maxFailures = 5;
const tellMs = 2_000;

/**
 * Processes that share one port, each a node of the service. One that dies is replaced; when the first ones cannot
 * start, or all have died and no other gets up, it is given up.
 */
export function keepWorkers(options: KeepWorkersOptions): Workers {
  const { count, config, gateway, logger, writeLine } = options;
  // What is told has no JSON, and lines are put together here: what several processes write may end up in one another.
  cluster.setupPrimary({ serialization: "advanced", silent: true });
  const seats = Array.from({ length: count }, (_, index): Seat => {
    return { number: index + 1, worker: null, isListening: false, isReady: false, failures: 0 };
  });
  const ready = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<number>();
  ready.promise.catch(() => undefined);
  let isFirst = true;
  /** Why they are to stop, once they are. */
  let stopping: string | null = null;
  let exitCode = 0;
  let replaced = 0;
  /** What the last one that could not start has said of it. */
  let why: string | null = null;

  const living = () => seats.flatMap(({ worker }) => (worker === null ? [] : [worker]));
  const send = (worker: Worker, message: ToWorker) => {
    if (worker.isConnected()) worker.send(message);
  };
  const tell = (message: ToWorker) => {
    for (const { worker, isListening } of seats) if (worker && isListening) send(worker, message);
  };
  const state = (): ServiceState => ({
    configured: count,
    ready: seats.filter(({ isReady }) => isReady).length,
    replaced,
    gateway: gateway?.status() ?? null,
  });
  const tellState = () => tell({ do: "hear", state: state() });

  const parts = createGatherParts(send);

  const hear = async (seat: Seat, worker: Worker, message: FromWorker) => {
    switch (message.do) {
      case "listen":
        seat.isListening = true;
        if (stopping === null) send(worker, { do: "start", number: seat.number, config });
        else send(worker, { do: "stop", reason: stopping });
        break;
      case "ready":
        seat.isReady = true;
        seat.failures = 0;
        tellState();
        if (isFirst && seats.every(({ isReady }) => isReady)) {
          isFirst = false;
          ready.resolve(message.url);
        }
        break;
      case "fail":
        ({ why } = message);
        break;
      case "part":
        parts.hear(message.id, message.part, worker);
        break;
      case "ask parts": {
        const asked = seats.flatMap((each) => (each.isReady && each.worker ? [each.worker] : []));
        const told = await parts.gather(message.name, asked);
        send(worker, { do: "take parts", id: message.id, parts: told });
      }
    }
  };

  const start = (seat: Seat) => {
    let worker: Worker;
    try {
      worker = cluster.fork();
    } catch (error) {
      setImmediate(() => over(seat, null, null, error));
      return;
    }
    seat.worker = worker;
    // Where there was no room for a process they are not there at all.
    for (const stream of [worker.process.stdout, worker.process.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", writeLine);
    }
    worker.on("message", (message: FromWorker) => void hear(seat, worker, message));
    worker.on("error", (error) => {
      // What never was a process (none may be made, its program was replaced) has no end of its own.
      if (worker.process.pid === undefined) return over(seat, null, null, error);
      logger.debug({ worker: seat.number, err: error }, "a worker could not be told something");
    });
    const handovers = watchHandovers(worker);
    worker.once("exit", (code, signal) => {
      handovers.cut();
      if (seat.worker === worker) over(seat, code, signal);
    });
  };

  const over = (seat: Seat, code: number | null, signal: string | null, error?: unknown) => {
    const wasReady = seat.isReady;
    seat.worker = null;
    seat.isListening = false;
    seat.isReady = false;
    if (stopping !== null) {
      // One that served nobody yet leaves nothing behind, also where a terminal's signal came to all of them.
      if (wasReady && code !== 0) exitCode = code ?? 1;
      if (living().length === 0) ended.resolve(exitCode);
      return;
    }
    if (!wasReady) seat.failures += 1;
    const fields = {
      worker: seat.number,
      code,
      signal,
      ...(error !== undefined && { err: error }),
    };
    const isHopeless = living().length === 0 && seat.failures >= maxFailures;
    if (isFirst || isHopeless) {
      logger.error(fields, "a worker cannot start: giving up");
      stopping = "another worker cannot start";
      exitCode = code === null || code === 0 ? 1 : code;
      const how =
        error !== undefined
          ? `could not be started (${whyOf(error)})`
          : signal === null
            ? `ended with ${code}`
            : `was ended by ${signal}`;
      ready.reject(new StartFault(why ?? `worker ${seat.number} ${how} before it was ready`));
      if (living().length === 0) ended.resolve(exitCode);
      else tell({ do: "stop", reason: stopping });
      return;
    }
    if (error === undefined) replaced += 1;
    tellState();
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 4 ** seat.failures);
    logger.error(
      { ...fields, pauseMs },
      error === undefined
        ? "a worker has died and is replaced; its replies end as interrupted"
        : "no process can be made for a worker; trying again",
    );
    setTimeout(() => {
      if (stopping === null) start(seat);
    }, pauseMs);
  };

  for (const seat of seats) start(seat);
  const timer = setInterval(tellState, tellMs);
  timer.unref();

  return {
    ready: ready.promise,
    ended: ended.promise,
    tell,
    stop(reason) {
      stopping = reason;
      if (living().length === 0) ended.resolve(exitCode);
      tell({ do: "stop", reason });
    },
    kill() {
      for (const worker of living()) worker.process.kill("SIGKILL");
    },
  };
}
