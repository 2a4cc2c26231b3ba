import { createMemoryCache } from "../src/cache/memory.ts";
import { createRedisCache } from "../src/cache/redis.ts";
import { createRedisClient } from "../src/redis/create-redis-client.ts";
import { redisTarget } from "../src/redis/redis-target.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { createClient } from "../test/support/client.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startRedis } from "../test/support/redis.ts";
import { startService, type TestService } from "../test/support/start-service.ts";
import { cpuMs, median } from "./processes.ts";

const rounds = 5;
const readsOfRound = 600;
const atATime = 8;
/** Of a page: what people say, and what they are answered. */
const pageMessages = 50;
const lengthOfMessage = 800;
const historyMessages = [20, 200];

/**
 * npm run bench cache: what keeping pages of conversations saves a node that is asked for them again, and PostgreSQL; what
 * a copy in Redis would cost beside one in memory; and what a turn's read of its history costs, which nothing keeps.
 */
export async function benchCache(): Promise<void> {
  const postgres = await startPostgres();
  if (postgres === null) return;
  const stores = await Promise.all(
    ["0", "3600"].map(async (ttl) => {
      const url = await postgres.freshDatabase();
      const name = new URL(url).pathname.slice(1);
      const env = {
        DATABASE_URL: url,
        SESSIONS_CACHE_TTL_SECONDS: ttl,
        LIMITS_ADDRESS_RATE_LIMIT: "0",
      };
      const service = await startService({ env });
      const sessionId = await createClient(service.url).session("ann");
      await postgres.query(
        `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
         SELECT $1::uuid, gen_random_uuid(), n, CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'complete', 'general-chat',
           repeat('What is said. ', ${Math.round(lengthOfMessage / 14)}) FROM generate_series(1, $2::int) n`,
        [sessionId, Math.max(...historyMessages)],
        url,
      );
      await postgres.query(
        "UPDATE sessions SET last_seq = $2, message_count = $2 WHERE session_id = $1",
        [sessionId, Math.max(...historyMessages)],
        url,
      );
      await postgres.query("ANALYZE", [], url);
      return {
        service,
        sessionId,
        name,
        url,
        own: [] as number[],
        server: [] as number[],
        statements: 0,
      };
    }),
  );
  /** Of the backends that a service is connected to. */
  const serverMs = async (name: string) => {
    const rows = await postgres.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'chat-service'",
      [name],
    );
    return rows.map(({ pid }) => cpuMs({ pid })).reduce((sum, each) => sum + each, 0);
  };
  for (const { service, sessionId } of stores) await reads(service, sessionId, readsOfRound);
  for (let round = 0; round < rounds; round += 1) {
    for (const store of stores) {
      const { service, sessionId, name } = store;
      const before = [cpuMs(service.process), await serverMs(name)] as const;
      await reads(service, sessionId, readsOfRound);
      store.own.push((cpuMs(service.process) - before[0]) / readsOfRound);
      store.server.push(((await serverMs(name)) - before[1]) / readsOfRound);
    }
  }
  console.log(
    `cache: a page of ${pageMessages} messages of ${lengthOfMessage} characters, read again`,
  );
  for (const [index, { own, server }] of stores.entries()) {
    const [mine, its] = [median(own), median(server)];
    console.log(
      `  ${["read each time", "kept"][index]}: ${mine.toFixed(2)} ms of the service's CPU, ${its.toFixed(2)} of PostgreSQL's: ${(1000 / (mine + its)).toFixed(0)} reads per CPU second`,
    );
  }
  for (const { service } of stores) await service.stop();
  const first = stores[0];
  if (first !== undefined) await historyOfTurn(postgres, first);
  await copies();
  await postgres.stop();
}

async function reads(service: TestService, sessionId: string, many: number): Promise<void> {
  let left = many;
  const read = async () => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(
        `${service.url}/chat/history/${sessionId}?user_id=ann&limit=${pageMessages}`,
      );
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`no page: ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, read));
}

/** The one statement that a turn reads its history with, in PostgreSQL. */
async function historyOfTurn(
  postgres: NonNullable<Awaited<ReturnType<typeof startPostgres>>>,
  { sessionId, url }: { readonly sessionId: string; readonly url: string },
): Promise<void> {
  for (const many of historyMessages) {
    const times = [];
    for (let sample = 0; sample < 40; sample += 1) {
      const [row] = await postgres.query<{ "QUERY PLAN": [{ "Execution Time": number }] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) SELECT role, content, status, created_at, metadata FROM messages
         WHERE session_id = $1 AND seq <= $2 ORDER BY seq DESC`,
        [sessionId, many],
        url,
      );
      times.push(row?.["QUERY PLAN"][0]["Execution Time"] ?? Number.NaN);
    }
    console.log(
      `  history of ${many} messages, as a turn reads it: ${median(times).toFixed(2)} ms in PostgreSQL`,
    );
  }
}

/** What it costs to have the text of a page from either place. */
async function copies(): Promise<void> {
  const redis = await startRedis();
  const page = "x".repeat(pageMessages * (lengthOfMessage + 400));
  const client =
    redis === null
      ? null
      : createRedisClient({
          target: redisTarget({ url: redis.url, password: null, sentinelName: null }),
          commandTimeoutMs: 1_000,
          logger: silentLogger,
        });
  const places = {
    memory: createMemoryCache({}),
    ...(client !== null && {
      Redis: createRedisCache({ client, keyPrefix: "bench:", logger: silentLogger }),
    }),
  };
  for (const [name, cache] of Object.entries(places)) {
    const missed = await cache.read("page");
    if (!missed.hit) await cache.fill("page", missed.fillToken, page, 60_000);
    for (let warm = 0; warm < 500; warm += 1) await cache.read("page");
    const before = process.cpuUsage();
    for (let read = 0; read < 3_000; read += 1) await cache.read("page");
    const { user, system } = process.cpuUsage(before);
    console.log(
      `  a copy of ${page.length} bytes from ${name}: ${((user + system) / 3_000).toFixed(0)} µs of the node's CPU`,
    );
  }
  await client?.close();
  await redis?.stop();
}
