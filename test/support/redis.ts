import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, missingBackend, startProgram, type RunningProgram } from "./backends.ts";

/** A real Redis (or Valkey) for tests; it keeps nothing on disk, so a restart forgets everything. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Sends one command on a connection of its own and returns the raw answer. */
  command(...args: readonly string[]): Promise<string>;
  /** Calls of a command since the last `CONFIG RESETSTAT`, such as `calls("xadd")`. */
  calls(command: string): Promise<number>;
  /** SIGKILL. Own servers only, as all below. */
  kill(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

interface RedisOptions {
  /** As on its command line: `["--maxmemory", "20mb"]`. */
  readonly args?: readonly string[];
  /** A server that may be killed, even where TEST_REDIS_URL lends one. */
  readonly own?: boolean;
}

/** Starts a server of its own on loopback, or uses TEST_REDIS_URL. Null, said aloud, where there is neither. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis | null> {
  const lent = process.env["TEST_REDIS_URL"];
  if (lent !== undefined && lent !== "" && options.own !== true) return lentRedis(lent);
  const program = findProgram();
  if (program === null) {
    return missingBackend("redis", "install redis-server or valkey-server, or set TEST_REDIS_URL");
  }
  const directory = await mkdtemp(join(tmpdir(), "chat-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const start = () =>
    startProgram(
      program,
      ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory]
        .concat(["--save", "", "--appendonly", "no"])
        .concat(options.args ?? []),
      /ready to accept connections/i,
      { cwd: directory },
    );
  let server: RunningProgram = await start();
  return {
    ...commands(url),
    url,
    port,
    kill: () => server.end("SIGKILL"),
    async start() {
      server = await start();
    },
    async restart() {
      await server.end("SIGKILL");
      server = await start();
    },
    freeze: () => void server.child.kill("SIGSTOP"),
    thaw: () => void server.child.kill("SIGCONT"),
    async stop() {
      await server.end("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface TestRedisCluster {
  /** Comma-separated, as `redis.url` wants it. */
  readonly url: string;
  readonly nodes: readonly TestRedis[];
  /** Kills the primary that holds the slot of `key`; resolves when its replica has taken over. */
  failOver(key: string): Promise<void>;
  stop(): Promise<void>;
}

/** Three primaries with a replica each. Null, said aloud, where there is no Redis. */
export async function startRedisCluster(): Promise<TestRedisCluster | null> {
  if (findProgram() === null) return missingBackend("redis", "install redis-server");
  const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
  const nodes: TestRedis[] = [];
  for (let index = 0; index < 6; index++) {
    const node = await startRedis({ own: true, args });
    if (node !== null) nodes.push(node);
  }
  const [first, ...others] = nodes as [TestRedis, ...TestRedis[]];
  const ids = await Promise.all(nodes.map((node) => node.command("CLUSTER", "MYID")));
  for (const [index, node] of nodes.slice(0, 3).entries()) {
    const from = Math.floor((16_384 * index) / 3);
    const to = Math.floor((16_384 * (index + 1)) / 3) - 1;
    await node.command("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
  }
  for (const node of others) await node.command("CLUSTER", "MEET", "127.0.0.1", String(first.port));
  for (const [index, node] of nodes.slice(3).entries()) {
    // A node can follow only one that it has heard of.
    await until(
      async () => (await node.command("CLUSTER", "REPLICATE", ids[index] ?? "")) === "OK",
    );
  }
  for (const node of nodes) {
    await until(async () => {
      const info = await node.command("CLUSTER", "INFO");
      return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:6");
    });
  }
  for (const node of nodes.slice(3)) {
    await until(async () =>
      (await node.command("INFO", "replication")).includes("master_link_status:up"),
    );
  }
  return {
    url: nodes.map((node) => node.url).join(","),
    nodes,
    async failOver(key) {
      const slot = Number(await first.command("CLUSTER", "KEYSLOT", key));
      const index = Math.min(2, Math.floor((slot * 3) / 16_384));
      const replica = nodes[index + 3] as TestRedis;
      await (nodes[index] as TestRedis).kill();
      await until(async () =>
        (await replica.command("INFO", "replication")).includes("role:master"),
      );
      await until(async () =>
        (await replica.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
      );
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** Asks again every 50 ms; rejects after 60 s. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("the Redis cluster did not come together");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function lentRedis(url: string): TestRedis {
  const refuse = () => {
    throw new Error("TEST_REDIS_URL is not ours to stop");
  };
  return {
    ...commands(url),
    url,
    port: Number(new URL(url).port || 6379),
    kill: refuse,
    start: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: async () => {},
  };
}

function commands(url: string): Pick<TestRedis, "command" | "calls"> {
  const command = (...args: readonly string[]) => sendCommand(url, args);
  return {
    command,
    async calls(name) {
      const stats = await command("INFO", "commandstats");
      return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    },
  };
}

/** One command and its simple, bulk or integer answer, without a client library that would hide faults. */
async function sendCommand(url: string, args: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port || 6379), hostname);
  socket.write(
    `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`,
  );
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n");
      if (end < 0) continue;
      const head = received.toString("utf8", 1, end);
      if (received[0] !== "$".charCodeAt(0)) return head;
      const length = Number(head);
      if (length < 0) return "";
      if (received.length >= end + 2 + length)
        return received.toString("utf8", end + 2, end + 2 + length);
    }
  } finally {
    socket.destroy();
  }
  throw new Error("Redis closed the connection");
}

function findProgram(): string | null {
  const directories = (process.env["PATH"] ?? "").split(":");
  for (const name of ["redis-server", "valkey-server"]) {
    const found = directories
      .map((directory) => join(directory, name))
      .find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return null;
}
