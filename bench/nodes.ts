import { startStage, type Stage } from "../test/support/stage.ts";
import { cpuMs, median } from "./processes.ts";

const clients = 32;
const messages = 640;
const rounds = 3;

const settings = {
  "one node, in-process log": { nodes: 1, redis: "none" },
  "one node, Redis": { nodes: 1, redis: "single" },
  "one node, Redis, PgBouncer": { nodes: 1, redis: "single", poolerSize: 10 },
  "two nodes, Redis": { nodes: 2, redis: "single" },
} as const;

interface Load {
  readonly perSecond: number;
  /** CPU of all nodes for one message and its reply of three words. */
  readonly cpuMs: number;
  readonly replyMs: number;
}

/** Clients that send one message after the other, each in a session of its own, spread over the nodes. */
async function measure(stage: Stage, sessions: readonly string[]): Promise<Load> {
  const took: number[] = [];
  const cpu = () => stage.nodes.reduce((sum, node) => sum + cpuMs(node.process), 0);
  const cpuBefore = cpu();
  const startedMs = performance.now();
  await Promise.all(
    sessions.map(async (sessionId, index) => {
      const client = stage.client(index % stage.nodes.length);
      for (let sent = 0; sent < messages / clients; sent += 1) {
        const sentMs = performance.now();
        const body = { session_id: sessionId, message: "hello" };
        const { status } = await client.send("POST", "/chat/message", body);
        if (status !== 200) throw new Error(`send: ${status}`);
        took.push(performance.now() - sentMs);
      }
    }),
  );
  return {
    perSecond: (messages * 1000) / (performance.now() - startedMs),
    cpuMs: (cpu() - cpuBefore) / messages,
    replyMs: median(took),
  };
}

/** The same load on one PostgreSQL server each: with and without Redis, through PgBouncer, and on two nodes. */
export async function benchNodes(): Promise<void> {
  const stages: { name: string; stage: Stage; sessions: string[]; loads: Load[] }[] = [];
  for (const [name, options] of Object.entries(settings)) {
    const stage = await startStage(options);
    if (stage === null) continue;
    const sessions: string[] = [];
    for (let index = 0; index < clients; index += 1) {
      sessions.push(await stage.client(0).session(`user${index}`));
    }
    await measure(stage, sessions);
    stages.push({ name, stage, sessions, loads: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { stage, sessions, loads } of stages) loads.push(await measure(stage, sessions));
  }
  const of = (loads: readonly Load[], member: keyof Load) =>
    median(loads.map((load) => load[member]));
  const base = stages[0]?.loads ?? [];
  console.log(`nodes: ${clients} clients, ${messages} messages a round, ${rounds} rounds`);
  for (const { name, loads } of stages) {
    const figures = (["perSecond", "cpuMs", "replyMs"] as const).map((member) => {
      const value = of(loads, member);
      return { value, ratio: (value / of(base, member)).toFixed(2) };
    });
    const [rate, cpu, reply] = figures;
    console.log(
      `  ${name}: ${rate?.value.toFixed(0)} messages/s (${rate?.ratio}), CPU ${cpu?.value.toFixed(2)} ms a message ` +
        `(${cpu?.ratio}), reply after ${reply?.value.toFixed(0)} ms (${reply?.ratio})`,
    );
  }
  for (const { stage } of stages) await stage.stop();
}
