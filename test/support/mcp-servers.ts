import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The official reference server of the Model Context Protocol. */
const referenceServer = fileURLToPath(
  import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"),
);

/** How an agent names it as a program. */
export const referenceProgram = {
  command: process.execPath,
  args: [referenceServer, "stdio"],
} as const;

export interface ReferenceHttpServer {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** The reference server over streamable HTTP, in a process of its own. */
export async function startReferenceHttp(port?: number): Promise<ReferenceHttpServer> {
  const at = port ?? (await freePort());
  const child = spawn(process.execPath, [referenceServer, "streamableHttp"], {
    env: { PATH: process.env["PATH"], PORT: String(at) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) if (line.includes("listening")) break;
  child.stderr.resume();
  return {
    url: `http://127.0.0.1:${at}/mcp`,
    port: at,
    process: child,
    async kill() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

type Told = Readonly<Record<string, unknown>>;

export interface OddServers {
  /** How an agent names one. */
  program(...args: string[]): {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  /** The next thing told, from `after` on, that fits. */
  told(fits: (told: Told) => boolean, after?: number): Promise<Told>;
  readonly all: readonly Told[];
  /** Resolves when no such process, and no child of one, lives any more. */
  gone(): Promise<void>;
  close(): void;
}

/** Programs that tell what they hear over a socket, which closes when they die, however they do. */
export async function startOddServers(): Promise<OddServers> {
  const all: Told[] = [];
  const waiting = new Set<() => void>();
  const sockets = new Set<Socket>();
  const wake = () => {
    for (const each of waiting) each();
  };
  const changed = () => new Promise<void>((resolve) => waiting.add(resolve));
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      wake();
    });
    createInterface({ input: socket })
      .on("line", (line) => {
        all.push(JSON.parse(line) as Told);
        wake();
      })
      .on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const file = join(import.meta.dirname, "mcp-programs/odd-server.mjs");
  return {
    program: (...args) => ({
      command: process.execPath,
      args: [file, ...args],
      env: { REPORT_PORT: String(port), API_TOKEN: "s3cret-of-the-server" },
    }),
    all,
    async told(fits, after = 0) {
      for (;;) {
        const found = all.slice(after).find(fits);
        if (found !== undefined) return found;
        await changed();
      }
    },
    async gone() {
      while (sockets.size > 0) await changed();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
