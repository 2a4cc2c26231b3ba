import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";
import { checkHistory } from "./history.ts";
import { createRandom, startWorkload, storedRows } from "./workload.ts";

/** `long` takes as long as the outages that people really have; the short form is part of every run. */
const isLong = process.env["FAULTS"] === "long";
const seed = Number(process.env["FAULTS_SEED"] ?? Date.now() % 1_000_000);
const seconds = (short: number, long: number) => (isLong ? long : short) * 1_000;
const timeoutMs = isLong ? 600_000 : 180_000;

let stage: Stage | null = null;

afterEach(async () => {
  await stage?.stop();
  stage = null;
});

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}

function figure(text: string): void {
  process.stdout.write(`[figure] ${text}\n`);
}

interface Fault {
  readonly name: string;
  readonly options?: Parameters<typeof startStage>[0];
  /** Null: the nodes themselves. */
  readonly throughWires?: boolean;
  readonly run: (stage: Stage, wires: Wires) => Promise<void>;
}

type Wires = Awaited<ReturnType<typeof startTcpProxy>>[];

/** Heartbeats faster than the clients' patience with silence. */
const env = { SERVER_HEARTBEAT_SECONDS: "3", LIMITS_MAX_QUEUED_PER_SESSION: "50" };

const faults: Fault[] = [
  { name: "none", run: () => pause(seconds(3, 20)) },
  {
    name: "a node is killed",
    async run(on) {
      for (let round = 0; round < (isLong ? 5 : 1); round += 1) {
        await pause(1_500);
        await on.node(round % 3).kill();
        await pause(seconds(3, 20));
        await on.startNode(round % 3);
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
      await on.redis?.command("CONFIG", "SET", "maxmemory", "1700kb");
      await pause(seconds(4, 30));
      await on.redis?.command("CONFIG", "SET", "maxmemory", "0");
    },
  },
  {
    name: "PostgreSQL crashes and recovers",
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
    options: { settings: ["max_connections=25", "superuser_reserved_connections=5"] },
    run: () => pause(seconds(4, 20)),
  },
  {
    name: "a node stands still until others have taken over, then goes on",
    async run(on) {
      await pause(1_500);
      on.node(1).process.kill("SIGSTOP");
      await pause(seconds(20, 40));
      on.node(1).process.kill("SIGCONT");
      await pause(2_000);
    },
  },
  {
    name: "nodes are restarted one after the other",
    async run(on) {
      for (const index of [0, 1, 2]) {
        await pause(500);
        expect(await on.node(index).stop()).toBe(0);
        await on.startNode(index);
      }
    },
  },
  {
    name: "connections are cut at random bytes",
    throughWires: true,
    async run(_, wires) {
      const random = createRandom(seed);
      for (const wire of wires) {
        wire.cutAfter(...Array.from({ length: 5_000 }, () => 200 + Math.floor(random() * 4_000)));
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

describe(`histories under faults (FAULTS_SEED=${seed})`, () => {
  test.each(faults)(
    "$name",
    async ({ name, options, throughWires, run }) => {
      stage = await startStage({ ...options, env });
      if (stage === null) return;
      const on = stage;
      const wires = await Promise.all(
        on.nodes.map((node) => startTcpProxy(Number(new URL(node.url).port))),
      );
      const workload = startWorkload({
        stage: on,
        urls: () =>
          throughWires === true
            ? wires.map((wire) => `http://127.0.0.1:${wire.port}`)
            : on.nodes.map((node) => node.url),
        clients: 12,
        sessions: 6,
        seed,
        words: 30,
        delayMs: 15,
      });
      await run(on, wires);
      const history = await workload.finish();
      for (const wire of wires) await wire.close();
      const { counts } = workload;
      figure(
        `${name}: ${counts.sends} messages, ${counts.retries} repeats, ${counts.reconnects} reconnects, ` +
          `slowest reply ${Math.round(workload.slowestReplyMs())} ms`,
      );
      expect(checkHistory(history, await storedRows(on))).toEqual([]);
      expect(counts.sends).toBeGreaterThan(12);
      for (const node of on.nodes) expect(node.process.exitCode).toBeNull();
    },
    timeoutMs,
  );
});

describe("single promises", () => {
  test("every viewer on every node sees the end of a killed node's reply within 20 s", async () => {
    stage = await startStage({ env });
    if (stage === null) return;
    const on = stage;
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 5000 20" });
    const { message_id: replyId } = (await made.next(
      (event) => event.type === "user_message",
    )) as never;
    const viewers = await Promise.all([1, 2, 1].map((node) => on.client(node).follow(replyId)));
    for (const viewer of viewers) await viewer.next((event) => event.id >= 20);
    const seen = Math.max(...viewers.map((viewer) => viewer.events.at(-1)?.id ?? 0));
    const killedMs = performance.now();
    await on.node(0).kill();
    for (const viewer of viewers) {
      const all = await viewer.all();
      expect(all.at(-1)).toMatchObject({ type: "error", error_type: "interrupted" });
      expect(all.at(-1)?.id).toBeGreaterThan(seen);
    }
    const waitedMs = performance.now() - killedMs;
    figure(`kill -9 to the last viewer's end: ${(waitedMs / 1000).toFixed(1)} s`);
    // What viewers have seen is stored: Redis had it.
    const [row] = await on.query<{ content: string; status: string }>(
      "SELECT content, status FROM messages WHERE message_id = $1",
      [replyId],
    );
    expect(row?.status).toBe("interrupted");
    const last = viewers[0]?.events.findLast((event) => event.type === "assistant_chunk");
    expect(row?.content).toContain(String(last?.["chunk"]).trim());
    expect(waitedMs).toBeLessThan(25_000);
  }, 90_000);

  test("a reply that runs while the database is away is stored when it is back", async () => {
    stage = await startStage({ nodes: 2, env });
    if (stage === null) return;
    const on = stage;
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 200 20" });
    await made.next((event) => event.id >= 5);
    await on.postgres.stopServer("immediate");
    const refused = await on.client(1).send("POST", "/chat/session", { user_id: "ann" });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ error: { type: "storage_unavailable" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await made.next((event) => event["finished"] === true);
    await pause(seconds(18, 30));
    await on.postgres.startServer();
    const end = (await made.all()).at(-1);
    expect(end?.type).toBe("conversation_complete");
    const [row] = await on.query<{ content: string; status: string }>(
      "SELECT content, status FROM messages WHERE session_id = $1 AND role = 'assistant'",
      [sessionId],
    );
    expect(row).toEqual({ status: "complete", content: end?.["full_response"] });
    expect(row?.content.trim().split(" ")).toHaveLength(200);
  }, 120_000);

  test("a node cut off from Redis lets viewers of other nodes follow the database", async () => {
    stage = await startStage({ nodes: 2, env });
    if (stage === null) return;
    const on = stage;
    await on.redis?.kill();
    const sessionId = await on.client(0).session("ann");
    const made = await on.client(0).stream({ session_id: sessionId, message: "slow 300 20" });
    const { message_id: replyId } = (await made.next(
      (event) => event.type === "user_message",
    )) as never;
    const remote = await on.client(1).follow(replyId);
    await remote.next((event) => event.type === "snapshot" && event["content"] !== "");
    const end = (await remote.all()).at(-1);
    expect(end?.type).toBe("conversation_complete");
    expect(end?.["full_response"]).toBe((await made.all()).at(-1)?.["full_response"]);
    await eventually(
      "readiness",
      async () => (await on.client(1).get("/health/readiness")).status === 200,
    );
  }, 60_000);
});
