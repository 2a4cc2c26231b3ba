import { spawn } from "node:child_process";
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signalGroup } from "../../../lib/signal-group.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { voiceUnavailable } from "../../unavailable.ts";

export interface ProgramJob {
  /** Program and arguments, never given to a shell; `path` names a file in the private directory. */
  argv(path: (fileName: string) => string): readonly string[];
  /** Written into the private directory before the start, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly stdin?: Uint8Array;
  /** The file in the private directory to read afterwards. */
  readonly outputFile?: string;
  /** Of standard output, and of the output file. */
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
}

export interface ProgramOutput {
  readonly stdout: Uint8Array;
  /** Null when the program wrote none. */
  readonly outputFile: Uint8Array | null;
}

/** Runs programs of the machine one by one, each shut off as well as the platform allows. */
export interface ProgramRunner {
  /**
   * Waits for a place, runs the program to its end and tells what it put out. Raises `voice_unavailable` (too many wait,
   * no such program, closed), `speech_timeout`, `speech_failed` (another exit code than 0, too much output), or the
   * signal's reason. Whatever happens, its process group is gone and its files are deleted before this settles.
   */
  run(job: ProgramJob, signal: AbortSignal): Promise<ProgramOutput>;
  /** Kills what runs. May be called twice. */
  close(): Promise<void>;
}

export interface ProgramRunnerOptions {
  /** All that the programs get of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly maxRunning: number;
  readonly maxWaiting: number;
  readonly logger: Logger;
}

const graceMs = 500;
const watchIntervalMs = 200;

export function createProgramRunner(options: ProgramRunnerOptions): ProgramRunner {
  const closing = new AbortController();
  const waiting = new Set<() => void>();
  const running = new Set<Promise<unknown>>();

  /** Waits until fewer than `maxRunning` run. */
  async function place(signal: AbortSignal): Promise<void> {
    if (running.size < options.maxRunning) return;
    if (waiting.size >= options.maxWaiting) throw voiceUnavailable("busy");
    const turn = Promise.withResolvers<void>();
    const onAbort = () => turn.reject(signal.reason);
    waiting.add(turn.resolve);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await turn.promise;
    } finally {
      waiting.delete(turn.resolve);
      signal.removeEventListener("abort", onAbort);
    }
  }

  return {
    async run(job, callerSignal) {
      callerSignal.throwIfAborted();
      if (closing.signal.aborted) throw voiceUnavailable("engine");
      const signal = AbortSignal.any([callerSignal, closing.signal]);
      // Whoever was woken may find the place taken by somebody who came meanwhile.
      while (running.size >= options.maxRunning) await place(signal);
      const work = runOnce(job, options, signal);
      const settled = work.catch(() => undefined);
      running.add(settled);
      try {
        return await work;
      } catch (error) {
        if (!callerSignal.aborted && closing.signal.aborted) throw voiceUnavailable("engine");
        throw error;
      } finally {
        running.delete(settled);
        const [next] = waiting;
        next?.();
      }
    },
    async close() {
      closing.abort(new Error("the runner was closed"));
      await Promise.all(running);
    },
  };
}

async function runOnce(
  job: ProgramJob,
  options: ProgramRunnerOptions,
  signal: AbortSignal,
): Promise<ProgramOutput> {
  // Only this user can look into it.
  const directory = await mkdtemp(join(tmpdir(), "chat-service-voice-"));
  const path = (fileName: string) => join(directory, fileName);
  try {
    for (const [fileName, bytes] of job.files) {
      await writeFile(path(fileName), bytes, { mode: 0o600, flag: "wx" });
    }
    signal.throwIfAborted();
    const stdout = await execute(job, directory, options, signal);
    const outputFile = job.outputFile === undefined ? null : path(job.outputFile);
    return {
      stdout,
      outputFile: outputFile === null ? null : await readBounded(outputFile, job.maxOutputBytes),
    };
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs it to its end; resolves with its standard output once nothing of it is left. */
function execute(
  job: ProgramJob,
  directory: string,
  { environment, logger }: ProgramRunnerOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const [program = "", ...args] = job.argv((fileName) => join(directory, fileName));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let outputBytes = 0;
    let failure: unknown = null;
    const child = spawn(program, args, {
      cwd: directory,
      env: { ...environment, TMPDIR: directory },
      // A group of its own, so that its children end with it.
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });

    let killTimer: NodeJS.Timeout | undefined;
    const stop = (reason: unknown) => {
      if (failure !== null) return;
      failure = reason;
      signalGroup(child, "SIGTERM");
      killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
    };
    const tooMuch = () => stop(failed(program, "put out more than it may"));
    const onAbort = () => stop(signal.reason);
    const timer = setTimeout(() => stop(new Problem("speech_timeout", {})), job.timeoutMs);
    const watch = watchFile(job, directory, tooMuch);
    signal.addEventListener("abort", onAbort, { once: true });

    child.stdout.on("data", (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > job.maxOutputBytes) tooMuch();
      else chunks.push(chunk);
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(job.stdin);
    child.on("error", (cause) => {
      failure ??= voiceUnavailable("engine", { cause });
    });
    // Its children may outlive it and hold the pipe open.
    child.on("exit", () => signalGroup(child, "SIGKILL"));
    child.on("close", (code, killedBy) => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      clearInterval(watch);
      signal.removeEventListener("abort", onAbort);
      if (failure === null && code !== 0) {
        failure = failed(program, `ended with ${killedBy ?? code}`);
      }
      if (failure === null) resolve(Buffer.concat(chunks));
      else {
        if (!signal.aborted) logger.warn({ program, code, killedBy }, "a speech program failed");
        reject(failure);
      }
    });
  });
}

/** What it said is left out: it may repeat what users said. */
function failed(program: string, what: string): Problem<"speech_failed"> {
  return new Problem("speech_failed", {}, { cause: new Error(`${program} ${what}`) });
}

/** Looks now and then how large the output file has become, so that a runaway program does not fill the disk. */
function watchFile(job: ProgramJob, directory: string, tooMuch: () => void) {
  const { outputFile, maxOutputBytes } = job;
  if (outputFile === undefined) return undefined;
  const look = () => {
    stat(join(directory, outputFile)).then(
      ({ size }) => {
        if (size > maxOutputBytes) tooMuch();
      },
      () => undefined, // not there yet
    );
  };
  return setInterval(look, watchIntervalMs);
}

async function readBounded(file: string, maxBytes: number): Promise<Uint8Array | null> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (!handle) return null;
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw failed(file, "is larger than it may be");
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
