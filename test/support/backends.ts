import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";

/** Real servers that tests need and a machine may lack. */
export type Backend = "postgres" | "redis" | "pgbouncer" | "chromium" | "nginx" | "openssl";

/**
 * Says which tests will not run and why; with REQUIRE_BACKENDS=postgres,redis in the environment a missing one is a
 * failure instead.
 */
export function missingBackend(backend: Backend, remedy: string): null {
  const required = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").map((name) => name.trim());
  if (required.includes(backend)) {
    throw new Error(`${backend} is required (REQUIRE_BACKENDS) and not there: ${remedy}`);
  }
  process.stderr.write(`\n*** SKIPPED: tests that need ${backend}: ${remedy} ***\n\n`);
  return null;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export interface RunningProgram {
  readonly child: ChildProcess;
  /** Sends the signal and resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a server program; resolves when a line of its output fits, rejects with the output when it ends before. */
export async function startProgram(
  program: string,
  args: readonly string[],
  ready: RegExp,
  options: { readonly user?: User | null; readonly cwd?: string } = {},
): Promise<RunningProgram> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.user !== undefined && options.user !== null && options.user),
  });
  const killAtExit = () => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  child.once("exit", () => process.off("exit", killAtExit));
  let output = "";
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output = `${output}${line}\n`.slice(-10_000);
        if (ready.test(line)) resolve();
      });
    }
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      reject(new Error(`${program} ended with ${code ?? signal}:\n${output}`));
    });
  });
  return {
    child,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, "exit");
    },
  };
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: then it runs as the first of these users that exists. Null: as whoever we are. */
export function ordinaryUser(): User | null {
  if (process.getuid?.() !== 0) return null;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error("no user to run a database as");
}
