import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A real process of the service, as an operator would start it. */
export interface TestService {
  readonly url: string;
  readonly process: ChildProcess;
  readonly dataDir: string;
  /** What it has written so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL; the data directory stays. */
  kill(): Promise<void>;
}

interface StartOptions {
  /** Environment beside a minimal one; a database, Redis or model only if it is named here. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kept by the caller when given (restarts); else made here and removed by `stop`. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  /** The rates of requests and messages that the service has as it comes; else they are off. */
  readonly hasRates?: boolean;
}

export const withoutRates = {
  LIMITS_MESSAGE_RATE_LIMIT: "0",
  LIMITS_READ_RATE_LIMIT: "0",
  LIMITS_SEARCH_RATE_LIMIT: "0",
  LIMITS_WRITE_RATE_LIMIT: "0",
  LIMITS_SPEECH_RATE_LIMIT: "0",
  LIMITS_UPLOAD_RATE_LIMIT: "0",
};

const main = join(import.meta.dirname, "../../bin/chat-service.mjs");

/** A directory with an empty, migrated embedded database in it, for services that are started more than once. */
export async function createDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "chat-service-"));
  const template = process.env["TEST_DATA_TEMPLATE"];
  if (template !== undefined) {
    await cp(join(template, "pgdata"), join(dataDir, "pgdata"), { recursive: true });
  }
  return dataDir;
}

/** Resolves when the service is ready; rejects with its output when it ends before. */
export async function startService(options: StartOptions = {}): Promise<TestService> {
  const dataDir = options.dataDir ?? (await createDataDir());
  const child = spawn(
    process.execPath,
    ["--max-semi-space-size=16", "--no-parallel-scavenge", main, "serve", ...(options.args ?? [])],
    {
      cwd: dataDir,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        TMPDIR: process.env["TMPDIR"],
        SERVICE_ENVIRONMENT: "test",
        SERVICE_DATA_DIR: dataDir,
        PORT: "0",
        LOGGING_LEVEL: "INFO",
        ...(options.hasRates === true ? {} : withoutRates),
        // What models write by themselves would be requests that tests did not ask for.
        SESSIONS_TITLES: "first_words",
        SESSIONS_LONG_CONVERSATIONS: "drop",
        ...options.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      output += `${line}\n`;
      if (!line.includes("Chat Service is ready")) return;
      const found = /"url":"([^"]+)"/.exec(line);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    child.once("exit", (code) => {
      reject(new Error(`the service ended with ${code} before it was ready:\n${output}`));
    });
  });
  const ended = async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  return {
    url,
    process: child,
    dataDir,
    output: () => output,
    async stop() {
      child.kill("SIGTERM");
      await ended();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
      return child.exitCode;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended();
    },
  };
}
