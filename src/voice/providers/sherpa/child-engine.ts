import { fork, type ChildProcess } from "node:child_process";
import { loaderArguments } from "../../../lib/loader-arguments.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { SpeechHealth } from "../../speech-to-text.ts";
import { voiceUnavailable } from "../../unavailable.ts";
import type { ChildAnswer, ChildQuestion } from "./messages.ts";
import type { ModelConfig } from "./model-files.ts";

type Job =
  | Omit<Extract<ChildQuestion, { kind: "recognize" }>, "id">
  | Omit<Extract<ChildQuestion, { kind: "speak" }>, "id">;

/** A model in a process of its own, which may die at any time and is then started again. */
export interface ChildEngine {
  /**
   * The child's answer. Raises `voice_unavailable` (too many wait, dying again and again, closed), `speech_timeout`,
   * `speech_failed` (it died, or refused), or the signal's reason: the child then drops its work as soon as it can.
   */
  ask(job: Job, signal: AbortSignal): Promise<ChildAnswer>;
  health(): SpeechHealth;
  /** Kills the child. May be called twice. */
  close(): Promise<void>;
}

export interface ChildEngineOptions {
  /** The module that runs in the child. */
  readonly module: URL;
  readonly model: () => Promise<ModelConfig>;
  /** All that the child gets of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly loadTimeoutMs?: number;
  readonly jobTimeoutMs?: number;
  /** The first pause before it is started again; doubled with each death. */
  readonly restartMs?: number;
}

const maxWaiting = 8;
const maxDeaths = 3;
const deathWindowMs = 5 * 60_000;

interface Waiting {
  readonly id: number;
  readonly job: Job;
  readonly signal: AbortSignal;
  settle(outcome: { answer: ChildAnswer } | { error: unknown }): void;
}

export function createChildEngine(options: ChildEngineOptions): ChildEngine {
  const { logger, loadTimeoutMs = 120_000, jobTimeoutMs = 60_000, restartMs = 500 } = options;
  const waiting: Waiting[] = [];
  let deaths: number[] = [];
  let child: ChildProcess | null = null;
  let loaded = false;
  let running: Waiting | null = null;
  let timer: NodeJS.Timeout | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let lastId = 0;
  let closed = false;
  let lastFault: string | null = null;

  function recentDeaths(): number {
    deaths = deaths.filter((at) => performance.now() - at < deathWindowMs);
    return deaths.length;
  }

  const broken = () => recentDeaths() >= maxDeaths;

  function post(question: ChildQuestion): void {
    // A child that has just died is dealt with when its end is told.
    child?.send(question, () => undefined);
  }

  function settleRunning(outcome: { answer: ChildAnswer } | { error: unknown }): void {
    const job = running;
    running = null;
    clearTimeout(timer);
    job?.settle(outcome);
    advance();
  }

  function refuseAll(error: unknown): void {
    for (const job of waiting.splice(0)) job.settle({ error });
  }

  function kill(): void {
    child?.kill("SIGKILL");
  }

  /** The child has ended, by whatever cause. */
  function onDeath(dead: ChildProcess, how: string): void {
    if (child !== dead) return;
    child = null;
    loaded = false;
    clearTimeout(timer);
    if (closed) return;
    deaths.push(performance.now());
    lastFault = how;
    logger.warn({ deaths: recentDeaths(), how }, "the speech process of sherpa-onnx has died");
    const cause = new Error(`the speech process has died: ${how}`);
    if (broken()) refuseAll(voiceUnavailable("engine", { cause }));
    if (running) settleRunning({ error: new Problem("speech_failed", {}, { cause }) });
    else advance();
  }

  function start(): void {
    const config = options.model();
    const started = fork(options.module, {
      execArgv: loaderArguments(),
      env: { ...options.environment },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child = started;
    started.on("error", (error) => onDeath(started, error.message));
    started.on("exit", (code, signal) => onDeath(started, `ended with ${signal ?? code}`));
    started.on("message", (answer: ChildAnswer) => {
      if (child !== started) return;
      if (answer.id === 0) onLoaded(started, answer);
      else if (answer.id === running?.id) settleRunning({ answer });
    });
    timer = setTimeout(kill, loadTimeoutMs);
    config.then(
      (model) => {
        if (child === started) post({ id: 0, kind: "load", config: model });
      },
      (error: Error) => refuseLoad(started, error.message),
    );
  }

  function onLoaded(started: ChildProcess, answer: ChildAnswer): void {
    clearTimeout(timer);
    if (answer.kind === "fault") {
      refuseLoad(started, answer.fault);
      return;
    }
    loaded = true;
    lastFault = null;
    advance();
  }

  /** The model or the package is missing: starting again would change nothing for now. */
  function refuseLoad(started: ChildProcess, fault: string): void {
    if (child !== started) return;
    child = null;
    started.kill("SIGKILL");
    clearTimeout(timer);
    lastFault = fault;
    deaths = Array.from({ length: maxDeaths }, () => performance.now());
    logger.error({ fault }, "sherpa-onnx cannot be used; see docs/voice.md");
    refuseAll(voiceUnavailable("engine", { cause: new Error(fault) }));
  }

  function advance(): void {
    if (closed || running || waiting.length === 0) return;
    if (!child) {
      if (restartTimer) return;
      const died = recentDeaths();
      const pauseMs = died === 0 ? 0 : restartMs * 2 ** (died - 1);
      restartTimer = setTimeout(() => {
        restartTimer = undefined;
        if (!closed && !child && waiting.length > 0) start();
      }, pauseMs);
      return;
    }
    if (!loaded) return;
    const next = waiting.shift();
    if (!next) return;
    running = next;
    timer = setTimeout(() => {
      const timedOut = running;
      running = null;
      // Nothing more is posted to it.
      loaded = false;
      timedOut?.settle({ error: new Problem("speech_timeout", {}) });
      kill();
    }, jobTimeoutMs);
    post({ id: next.id, ...next.job });
  }

  return {
    ask(job, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (closed) return Promise.reject(voiceUnavailable("engine"));
      if (!child && broken()) {
        const cause = new Error(lastFault ?? "the speech process dies again and again");
        return Promise.reject(voiceUnavailable("engine", { cause, retryAfterSeconds: 60 }));
      }
      if (waiting.length >= maxWaiting) return Promise.reject(voiceUnavailable("busy"));
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          const place = waiting.indexOf(entry);
          if (place >= 0) waiting.splice(place, 1);
          // Its answer still comes, and the next question waits for it.
          else post({ id: 0, kind: "cancel", question: entry.id });
          reject(signal.reason);
        };
        const entry: Waiting = {
          id: ++lastId,
          job,
          signal,
          settle(outcome) {
            signal.removeEventListener("abort", onAbort);
            if ("error" in outcome) reject(outcome.error);
            else resolve(outcome.answer);
          },
        };
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.push(entry);
        advance();
      });
    },
    health() {
      const details = { provider: "sherpa", loaded, deaths: recentDeaths() };
      return { status: closed || broken() ? "unhealthy" : "healthy", details };
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      clearTimeout(restartTimer);
      refuseAll(voiceUnavailable("engine"));
      running?.settle({ error: voiceUnavailable("engine") });
      running = null;
      const last = child;
      if (!last || last.exitCode !== null || last.signalCode !== null) return;
      const gone = new Promise((resolve) => last.once("exit", resolve));
      last.kill("SIGKILL");
      await gone;
    },
  };
}
