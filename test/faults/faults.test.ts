import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import type { TestService } from "../support/start-service.ts";
import { eventually, startStage, type Stage, type StageOptions } from "../support/stage.ts";
import { env as formEnv, figure, isLong, pause, seconds, seed } from "./form.ts";
import { checkHistory } from "./history.ts";
import { createRandom, startWorkload } from "./workload.ts";

const timeoutMs = isLong ? 600_000 : 180_000;

/** Null when the server has none left. */
async function holdConnection(url: string): Promise<Client | null> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  return client.connect().then(
    () => client,
    () => null,
  );
}

/** Those that have got ready so far, in their order. */
function workersOf(node: TestService): { readonly pid: number }[] {
  return node
    .output()
    .split("\n")
    .filter((line) => line.includes("a worker is ready"))
    .map((line) => JSON.parse(line) as { pid: number });
}

interface Fault {
  readonly name: string;
  /** For a stage of its own; the others share one. */
  readonly options?: StageOptions;
  /** Null: the nodes themselves. */
  readonly throughWires?: boolean;
  /** For nodes of several workers too, or for those alone. */
  readonly ofWorkers?: "too" | "alone";
  readonly clients?: number;
  readonly run: (stage: Stage, wires: Wires) => Promise<void>;
}

type Wires = Awaited<ReturnType<typeof startTcpProxy>>[];

const faults: Fault[] = [
  { name: "none", run: () => pause(seconds(3, 20)) },
  {
    name: "a node is killed",
    ofWorkers: "too",
    async run(on) {
      for (let round = 0; round < (isLong ? 5 : 1); round += 1) {
        const index = round % on.nodes.length;
        await pause(1_500);
        await on.node(index).kill();
        await pause(seconds(3, 20));
        await on.startNode(index);
      }
    },
  },
  {
    name: "a worker is killed",
    ofWorkers: "alone",
    async run(on) {
      for (let round = 0; round < (isLong ? 10 : 2); round += 1) {
        const node = on.node(round % on.nodes.length);
        await pause(1_500);
        await eventually("its workers are told of", () => workersOf(node).length > 0);
        const before = workersOf(node);
        process.kill(before.at(-1)!.pid, "SIGKILL");
        await eventually(
          "another has taken its place",
          () => workersOf(node).length > before.length,
        );
      }
    },
  },
  {
    name: "Redis is killed and comes back empty",
    async run(on) {
      for (let round = 0; round < (isLong ? 5 : 2); round += 1) {
        await pause(1_000);
        await on.redis?.restart();
      }
      await pause(1_000);
    },
  },
  {
    name: "Redis is flushed again and again",
    async run(on) {
      for (let round = 0; round < (isLong ? 50 : 8); round += 1) {
        await pause(300);
        await on.redis?.command("FLUSHALL");
      }
    },
  },
  {
    name: "Redis is away",
    async run(on) {
      await pause(1_000);
      await on.redis?.kill();
      await pause(seconds(5, 60));
      await on.redis?.start();
      await pause(2_000);
    },
  },
  {
    name: "Redis answers nothing",
    async run(on) {
      await pause(1_000);
      on.redis?.freeze();
      await pause(seconds(6, 60));
      on.redis?.thaw();
      await pause(2_000);
    },
  },
  {
    name: "Redis evicts what it has",
    async run(on) {
      await on.redis?.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
      await on.redis?.command("CONFIG", "SET", "maxmemory", "1300kb");
      await pause(seconds(4, 30));
      const evicted = /evicted_keys:(\d+)/.exec((await on.redis?.command("INFO", "stats")) ?? "");
      figure(`keys evicted: ${evicted?.[1]}`);
      await on.redis?.command("CONFIG", "SET", "maxmemory", "0");
      await on.redis?.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
    },
  },
  {
    name: "a Redis Cluster of six fails over",
    options: { redis: "cluster" },
    async run(on) {
      await pause(1_000);
      await on.cluster?.failOver("any key");
      await pause(seconds(2, 20));
    },
  },
  {
    name: "PostgreSQL crashes and recovers",
    ofWorkers: "too",
    async run(on) {
      for (let round = 0; round < (isLong ? 10 : 2); round += 1) {
        await pause(1_500);
        await on.postgres.restart("immediate");
      }
      await pause(1_000);
    },
  },
  {
    name: "PostgreSQL is away",
    async run(on) {
      await pause(1_500);
      await on.postgres.stopServer("fast");
      await pause(seconds(6, 30));
      await on.postgres.startServer();
      await pause(1_000);
    },
  },
  {
    name: "PostgreSQL has no connections left",
    options: { settings: ["max_connections=40"] },
    async run(on) {
      await pause(1_000);
      const taken = await Promise.all(
        Array.from({ length: 40 }, () => holdConnection(on.databaseUrl)),
      );
      // Those that nodes give back while they are idle are taken too.
      const more = setInterval(
        () => void holdConnection(on.databaseUrl).then((each) => taken.push(each)),
        20,
      );
      await pause(seconds(4, 20));
      clearInterval(more);
      figure(`connections taken away: ${taken.filter((each) => each !== null).length}`);
      for (const each of taken) await each?.end();
      await pause(1_000);
    },
  },
  {
    name: "a node stands still until others have taken over, then goes on",
    async run(on) {
      await pause(1_500);
      on.node(1).process.kill("SIGSTOP");
      await pause(seconds(12, 40));
      on.node(1).process.kill("SIGCONT");
      await pause(2_000);
    },
  },
  {
    name: "nodes are restarted one after the other",
    ofWorkers: "too",
    async run(on) {
      for (const index of on.nodes.keys()) {
        await pause(500);
        expect(await on.node(index).stop()).toBe(0);
        await on.startNode(index);
      }
    },
  },
  {
    name: "connections are cut at random bytes",
    throughWires: true,
    clients: isLong ? 40 : 12,
    async run(_, wires) {
      const random = createRandom(seed);
      for (const wire of wires) {
        wire.cutAfter(...Array.from({ length: 5_000 }, () => 200 + Math.floor(random() * 2_000)));
      }
      await pause(seconds(8, 120));
      for (const wire of wires) wire.cutAfter(0);
    },
  },
  {
    name: "the clocks of two nodes are an hour wrong",
    options: {
      nodeEnv: (index) => ({
        NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "../support/shift-clock.ts")).href}`,
        CLOCK_SHIFT_MS: String([0, 3_600_000, -3_600_000][index]),
      }),
    },
    run: () => pause(seconds(3, 20)),
  },
];

/** A lease short enough to see a take-over soon. */
const stageEnv = { ...formEnv, STREAMS_LEASE_SECONDS: "8", STREAMS_REAP_SECONDS: "2" };

interface Setup {
  readonly setup: string;
  readonly options: StageOptions;
  readonly has: (fault: Fault) => boolean;
}

const needsRedis = ({ name }: Fault) => name.includes("Redis");
const setups: readonly Setup[] = [
  { setup: "with Redis", options: {}, has: ({ ofWorkers }) => ofWorkers !== "alone" },
  {
    setup: "on PostgreSQL alone",
    options: { redis: "none" },
    has: (fault) => fault.ofWorkers !== "alone" && !needsRedis(fault),
  },
  {
    setup: "on PostgreSQL alone, with two workers a node",
    options: { nodes: 2, redis: "none", env: { SERVER_WORKERS: "2" } },
    has: ({ ofWorkers }) => ofWorkers !== undefined,
  },
];

describe.each(setups)(`histories under faults $setup (FAULTS_SEED=${seed})`, (setup) => {
  let shared: Stage | null = null;
  const env = { ...stageEnv, ...setup.options.env };

  afterAll(async () => {
    await shared?.stop();
  });

  test.each(faults.filter((fault) => setup.has(fault)))(
    "$name",
    async (fault) => {
      const stage =
        fault.options === undefined
          ? (shared ??= await startStage({ ...setup.options, env }))
          : await startStage({ ...setup.options, ...fault.options, env });
      if (stage === null) return;
      let isWell = false;
      try {
        await underFault(stage, fault);
        isWell = true;
      } finally {
        if (stage !== shared || !isWell) await stage.stop();
        if (stage === shared && !isWell) shared = null;
      }
    },
    timeoutMs,
  );
});

async function underFault(stage: Stage, fault: Fault): Promise<void> {
  const { name, throughWires, clients = 12 } = fault;
  const wires = await Promise.all(
    stage.nodes.map((node) => startTcpProxy(Number(new URL(node.url).port))),
  );
  const workload = startWorkload({
    stage,
    name,
    urls: () =>
      throughWires === true
        ? wires.map((wire) => `http://127.0.0.1:${wire.port}`)
        : stage.nodes.map((node) => node.url),
    clients,
    sessions: 6,
    seed,
    words: 30,
    delayMs: 15,
  });
  await fault.run(stage, wires);
  const { history, rows } = await workload.finish();
  for (const wire of wires) await wire.close();
  const { counts } = workload;
  figure(
    `${name}: ${counts.sends} messages, ${counts.retries} repeats, ${counts.reconnects} reconnects, ` +
      `slowest reply ${Math.round(workload.slowestReplyMs())} ms`,
  );
  expect(checkHistory(history, rows)).toEqual([]);
  expect(counts.sends).toBeGreaterThan(12);
  for (const node of stage.nodes) expect(node.process.exitCode).toBeNull();
}
