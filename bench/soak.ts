/**
 * Mixed load on a real service for as long as asked, and what it left behind:
 *
 *     node bench/soak.ts --minutes 15 --streams 200 [--postgres] [--redis] [--max-slope MB]
 *
 * Readers that stay, go away and come back, cancels, queued and blocking messages, histories, deleted sessions. Every
 * half minute the service's memory and handles are counted after a garbage collection; at the end, without load, they
 * are compared with the beginning. Ends with 1 when more than --max-slope MB an hour (or half a megabyte) were not given
 * back, when handles remain, or when a request fails that should not.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createClient, type Client } from "../test/support/client.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startRedis } from "../test/support/redis.ts";
import { startService } from "../test/support/start-service.ts";
import { openInspector, type Inspector, type Inventory } from "./inspector.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "15" },
    streams: { type: "string", default: "200" },
    "max-slope": { type: "string", default: "1" },
    /** A PostgreSQL server of its own, instead of the embedded database. */
    postgres: { type: "boolean", default: false },
    redis: { type: "boolean", default: false },
  },
});
const durationMs = Number(values.minutes) * 60_000;
const streams = Number(values.streams);
const maxSlope = Number(values["max-slope"]);
const sampleMs = Math.min(30_000, durationMs / 12);
const mebibyte = 1024 * 1024;

interface Sample {
  readonly atMs: number;
  readonly inventory: Inventory;
  readonly eventLoopDelayMs: number;
}

/** What users did, and what went wrong. */
const counts: Record<string, number> = {};
const faults: string[] = [];

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

/** One user's next step; each leaves no more behind than it found. */
const steps: readonly ((client: Client, userId: string) => Promise<void>)[] = [
  async function streamed(client, userId) {
    const stream = await client.stream({ user_id: userId, message: "tell me" });
    const events = await stream.all();
    if (events.at(-1)?.type !== "conversation_complete")
      throw new Error(`ended as ${JSON.stringify(events.at(-1))}`);
    await client.send("DELETE", `/sessions/${String(events[0]?.["session_id"])}?user_id=${userId}`);
  },
  async function cutAndResumed(client, userId) {
    const first = await client.stream({ user_id: userId, message: "tell me" });
    const seen = await first.next(({ type }) => type === "assistant_chunk");
    first.close();
    const rest = await (await client.follow(String(seen["message_id"]), seen.id)).all();
    if (rest[0]?.id !== seen.id + 1) throw new Error(`resumed at ${rest[0]?.id} after ${seen.id}`);
    await client.send("DELETE", `/sessions/${String(seen["session_id"])}?user_id=${userId}`);
  },
  async function cancelled(client, userId) {
    const stream = await client.stream({ user_id: userId, message: "tell me" });
    const seen = await stream.next(({ type }) => type === "assistant_chunk");
    await client.send(
      "POST",
      `/chat/message/${String(seen["message_id"])}/cancel?user_id=${userId}`,
    );
    const end = (await stream.all()).at(-1);
    // It may have ended while the cancellation was on its way.
    if (!["cancelled", "conversation_complete"].includes(end?.type ?? ""))
      throw new Error(`ended as ${JSON.stringify(end)}`);
    await client.send("DELETE", `/sessions/${String(seen["session_id"])}?user_id=${userId}`);
  },
  async function queuedAndDeleted(client, userId) {
    const sessionId = await client.session(userId);
    const body = { user_id: userId, session_id: sessionId, message: "and?" };
    const both = await Promise.all([client.stream(body), client.stream(body)]);
    await both[0].next(({ type }) => type === "assistant_chunk");
    await client.send("DELETE", `/sessions/${sessionId}?user_id=${userId}`);
    await Promise.all(both.map((stream) => stream.all()));
  },
  async function blockingAndRead(client, userId) {
    const { status, body } = await client.send<{ session_id: string }>("POST", "/chat/message", {
      user_id: userId,
      message: "in one piece",
    });
    if (status !== 200) throw new Error(`${status} for a message`);
    await client.get(`/chat/history/${body.session_id}?user_id=${userId}`);
    await client.get(`/sessions?user_id=${userId}`);
    await client.send("DELETE", `/sessions/${body.session_id}?user_id=${userId}`);
  },
  async function abandoned(client, userId) {
    const stream = await client.stream({ user_id: userId, message: "tell me" });
    const seen = await stream.next(({ type }) => type === "assistant_chunk");
    stream.close();
    // Nobody reads it; it is deleted while it runs.
    await client.send("DELETE", `/sessions/${String(seen["session_id"])}?user_id=${userId}`);
  },
];

async function behave(client: Client, user: number, until: AbortSignal): Promise<void> {
  for (let step = user; !until.aborted; step += 1) {
    const act = steps[step % steps.length];
    if (act === undefined) return;
    try {
      await act(client, `soak-${user}`);
      count(act.name);
    } catch (error) {
      const { message } = error as Error;
      // More than this machine can do is refused in so many words; anything else is a fault.
      if (/^(?:429|503) |storage_unavailable|overloaded/.test(message)) {
        count("refused for load");
        await delay(1_000);
        continue;
      }
      if (faults.length < 20) faults.push(`${act.name}: ${message.slice(0, 500)}`);
      count("faults");
    }
  }
}

const model = await startOpenAiServer({
  respond: () => ({
    tokens: Array.from({ length: 40 }, (_, index) => `word ${index} `),
    delayMs: 25,
  }),
});
const postgres = values.postgres ? await startPostgres({ own: true }) : null;
const redis = values.redis ? await startRedis({ own: true }) : null;
const service = await startService({
  env: {
    OPENAI_BASE_URL: model.url,
    NODE_OPTIONS: "--inspect=127.0.0.1:0",
    LOGGING_FILE_PATH: "/dev/null",
    SERVER_KEEP_ALIVE_TIMEOUT_SECONDS: "5",
    // What ended is forgotten soon, or memory would only show how much has ended.
    STREAMS_RETENTION_SECONDS: "20",
    STREAMS_MAX_TOTAL_BYTES: "32MB",
    SESSIONS_IDEMPOTENCY_HOURS: "0.01",
    LIMITS_MAX_CONCURRENT_REPLIES: String(streams * 4),
    LIMITS_MAX_CONCURRENT_REPLIES_PER_AGENT: String(streams * 4),
    ...(postgres !== null && { DATABASE_URL: await postgres.freshDatabase() }),
    ...(redis !== null && { REDIS_URL: redis.url }),
  },
});
let isStopping = false;
service.process.once("exit", (code, signal) => {
  if (isStopping) return;
  console.log(
    `the service ended by itself (${code ?? signal}):\n${service.output().slice(-4_000)}`,
  );
  process.exit(1);
});
const inspector = await openInspector(service.output());
const client = createClient(service.url);

async function takeSample(inspector: Inspector, startedMs: number): Promise<Sample> {
  const { body } = await client.get<{ system: { event_loop_delay_ms: number } }>("/health/metrics");
  const inventory = await inspector.takeInventory();
  return {
    atMs: performance.now() - startedMs,
    inventory,
    eventLoopDelayMs: body.system.event_loop_delay_ms,
  };
}

/** Nothing runs and nobody reads. */
async function becomesIdle(): Promise<void> {
  for (let tries = 0; tries < 120; tries += 1) {
    const { body } = await client.get<{ replies: { running: number }; viewers: number }>(
      "/health/metrics",
    );
    if (body.replies.running === 0 && body.viewers === 0) break;
    await delay(500);
  }
  // Idle connections, to the database too, and what is kept of ended replies run out.
  await delay(45_000);
}

function report({ atMs, inventory, eventLoopDelayMs }: Sample): void {
  const { heapBytes, codeBytes, externalBytes, residentBytes, handles } = inventory;
  const total = Object.values(handles).reduce((sum, one) => sum + one, 0);
  console.log(
    [
      `${(atMs / 60_000).toFixed(1).padStart(6)} min`,
      `heap ${(heapBytes / mebibyte).toFixed(2)} MB`,
      `code ${(codeBytes / mebibyte).toFixed(2)} MB`,
      `external ${(externalBytes / mebibyte).toFixed(1)} MB`,
      `resident ${(residentBytes / mebibyte).toFixed(0)} MB`,
      `${total} handles (${handles["Timeout"] ?? 0} timers, ${handles["TCPSocketWrap"] ?? 0} connections)`,
      `event loop ${eventLoopDelayMs} ms`,
    ].join("  "),
  );
}

/** Of a line through the points, by least squares, in MB an hour. */
function slopeOf(samples: readonly Sample[]): number {
  const points = samples.map(({ atMs, inventory }) => ({
    x: atMs / 3_600_000,
    y: (inventory.heapBytes + inventory.externalBytes) / mebibyte,
  }));
  const mean = (of: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const covariance = mean(({ x, y }) => (x - meanX) * (y - meanY));
  return covariance / mean(({ x }) => (x - meanX) ** 2);
}

// The same load first: pools, caches and compiled code are no leaks.
const warm = new AbortController();
const warming = Array.from({ length: streams }, (_, user) => behave(client, user, warm.signal));
await delay(Math.min(180_000, durationMs / 4));
warm.abort();
await Promise.all(warming);
await becomesIdle();
const startedMs = performance.now();
const before = await takeSample(inspector, startedMs);
report(before);

const load = new AbortController();
const users = Array.from({ length: streams }, (_, user) => behave(client, user, load.signal));
const samples: Sample[] = [];
while (performance.now() - startedMs < durationMs) {
  await delay(sampleMs);
  const sample = await takeSample(inspector, startedMs);
  samples.push(sample);
  report(sample);
}
load.abort();
await Promise.all(users);
await becomesIdle();
const after = await takeSample(inspector, startedMs);
console.log("without load again:");
report(after);
inspector.close();
isStopping = true;
const exitCode = await service.stop();
await model.close();
await postgres?.stop();
await redis?.stop();

const steady = samples.slice(Math.floor(samples.length / 3));
const slope = slopeOf(steady);
const kinds = new Set([
  ...Object.keys(before.inventory.handles),
  ...Object.keys(after.inventory.handles),
]);
const remaining = [...kinds].flatMap((kind) => {
  const more = (after.inventory.handles[kind] ?? 0) - (before.inventory.handles[kind] ?? 0);
  return more > 2 ? [`${kind}: ${more} more`] : [];
});
const grownMiB = (after.inventory.heapBytes - before.inventory.heapBytes) / mebibyte;
console.log(JSON.stringify({ counts, faults }, null, 2));
console.log(
  `memory under load: ${slope.toFixed(2)} MB an hour; heap at rest: ${grownMiB.toFixed(2)} MB more`,
);
console.log(`handles that remain: ${remaining.length === 0 ? "none" : remaining.join(", ")}`);
// Under load the heap breathes by a megabyte or two; what stays when all is over is what was not given back.
const allowedMiB = Math.max(0.5, (maxSlope * durationMs) / 3_600_000);
const isGood =
  (counts["faults"] ?? 0) === 0 &&
  remaining.length === 0 &&
  exitCode === 0 &&
  grownMiB <= allowedMiB;
console.log(isGood ? "good" : "NOT good");
process.exitCode = isGood ? 0 : 1;
