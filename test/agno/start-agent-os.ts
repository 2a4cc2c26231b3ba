import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface AgentOsProcess {
  readonly url: string;
  /** Asks it for something, with its key. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** The one that runs now. */
  readonly process: ChildProcess;
  /** What it wrote, for messages of failed tests. */
  readonly output: string;
  /** As `kill -9`, waits until it is gone. */
  kill(): Promise<void>;
  /** As a deployment does: with a signal that asks it to end. */
  shutDown(): Promise<void>;
  /** After `kill` or `shutDown`: with the same address and database. */
  start(changes?: Changes): Promise<void>;
  /** Nothing is answered while connections are still taken, until it is thawed. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

export type AgentOsProcessOptions = {
  readonly python: string;
  /** Of an OpenAI-compatible server. */
  readonly modelUrl: string;
  /** Address of a PostgreSQL database, or false for none. Default: SQLite. */
  readonly database?: string | false | undefined;
  /** A durable queue, in PostgreSQL, that begins a run so often; 3.x only. */
  readonly durable?: number;
  /** So many runs of the queue at a time; default: as AgentOS has it. */
  readonly atOnce?: number;
  /** The longest that the queue waits before it begins a run again, in seconds. */
  readonly retryDelay?: number;
  /** Default: agent_os.py beside this file. Takes MODEL_BASE_URL, MODEL_ID, PORT and, but for "none", DATABASE. */
  readonly script?: string;
} & Changes;

interface Changes {
  /** When set, callers need it. */
  readonly securityKey?: string | undefined;
  /** The id of an agent that is not there. */
  readonly without?: string;
}

const startTimeoutMs = 90_000;

/** Starts agent_os.py and waits until it answers. */
export async function startAgentOs(options: AgentOsProcessOptions): Promise<AgentOsProcess> {
  const folder = await mkdtemp(join(tmpdir(), "agent-os-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let output = "";
  let child: ChildProcess | null = null;
  let closed = false;

  // A test may be over, and close it, while it is on its way up again: that start gives up, and is no failure.
  async function start({ securityKey, without }: Changes = options): Promise<void> {
    if (closed) return;
    const script = options.script ?? join(import.meta.dirname, "agent_os.py");
    const started = spawn(options.python, [script], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        AGNO_TELEMETRY: "false",
        MODEL_BASE_URL: options.modelUrl,
        MODEL_ID: "test-model",
        PORT: String(port),
        DATABASE:
          options.database === false ? "none" : (options.database ?? join(folder, "agent-os.db")),
        ...(options.durable !== undefined && { DURABLE: String(options.durable) }),
        ...(options.atOnce !== undefined && { AT_ONCE: String(options.atOnce) }),
        ...(options.retryDelay !== undefined && { RETRY_DELAY: String(options.retryDelay) }),
        ...(securityKey ? { OS_SECURITY_KEY: securityKey } : {}),
        ...(without ? { WITHOUT: without } : {}),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    const note = (piece: Buffer) => void (output = (output + piece.toString()).slice(-20_000));
    started.stdout.on("data", note);
    started.stderr.on("data", note);
    const deadline = Date.now() + startTimeoutMs;
    while (!(await answers(url))) {
      if (closed) return;
      if (started.exitCode !== null) throw new Error(`AgentOS did not start:\n${output}`);
      if (Date.now() > deadline) throw new Error(`AgentOS does not answer:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    child = null;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    running.kill(signal);
    await once(running, "exit");
  }
  const kill = () => end("SIGKILL");

  await start();
  return {
    url,
    ask(path, init = {}) {
      const headers = new Headers(init.headers);
      if (options.securityKey) headers.set("authorization", `Bearer ${options.securityKey}`);
      return fetch(`${url}${path}`, { ...init, headers });
    },
    get process() {
      if (child === null) throw new Error("AgentOS does not run");
      return child;
    },
    get output() {
      return output;
    },
    kill,
    shutDown: () => end("SIGTERM"),
    start,
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    async close() {
      closed = true;
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
