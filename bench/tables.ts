import { migrate } from "../src/database/migrate.ts";
import { createOutbox } from "../src/database/outbox.ts";
import { createPostgresDatabase } from "../src/database/postgres.ts";
import type { Database } from "../src/database/database.ts";
import { lostReplies, stalledSessions } from "../src/replies/lifecycle/take-over.ts";
import { countNotes } from "../src/search/search-index.ts";
import { countSessions } from "../src/sessions/session-counts.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { fillBigTables, messagesOfEach } from "../test/support/big-tables.ts";
import { createClient, type Client } from "../test/support/client.ts";
import { chatGptConversation } from "../test/support/foreign-exports.ts";
import { startPostgres, type TestPostgres } from "../test/support/postgres.ts";
import { startService, type TestService } from "../test/support/start-service.ts";
import { median, startScript } from "./processes.ts";

const small = 10_000;
const samples = 200;
const tokens = 20;

/**
 * npm run bench tables [-- --messages N]: what people and nodes do in a database of N messages of others (default
 * 1,000,000), beside the same among 10,000: p50, p95 and their ratio. All tables grow together (test/support/big-tables.ts).
 */
export async function benchTables(): Promise<void> {
  const given = process.argv.indexOf("--messages");
  const large = given === -1 ? 1_000_000 : Number(process.argv[given + 1]);
  const upstream = await startScript("upstream.ts", 0);
  const postgres = await startPostgres({
    settings: [
      "shared_buffers=1GB",
      "max_wal_size=1GB",
      "full_page_writes=off",
      "maintenance_work_mem=512MB",
      "jit=off",
    ],
    own: true,
  });
  if (postgres === null) throw new Error("needs the programs of a PostgreSQL server");
  const stages: Stage[] = [];
  try {
    for (const messages of [small, large]) {
      stages.push(await createStage(postgres, messages, `http://127.0.0.1:${upstream.port}/v1`));
    }
    console.log(
      `tables: p50 / p95 in ms, ${samples} samples each, among ${small} and ${large} messages`,
    );
    for (const name of Object.keys(stages[0]?.works ?? {})) {
      const times = stages.map(() => [] as number[]);
      // Side by side, and each as often the first one, so that what else the machine does is in both.
      for (let sample = -5; sample < samples; sample += 1) {
        const inTurn = [...stages.entries()];
        for (const [index, { works }] of sample % 2 === 0 ? inTurn : inTurn.toReversed()) {
          const startedMs = performance.now();
          await works[name]?.();
          if (sample >= 0) times[index]?.push(performance.now() - startedMs);
        }
      }
      const figures = times.map((each) => ({ p50: median(each), p95: percentile(each, 0.95) }));
      const [few, many] = figures;
      if (few === undefined || many === undefined) continue;
      const shown = figures
        .map(({ p50, p95 }) => `${p50.toFixed(2)} / ${p95.toFixed(2)}`)
        .join(" and ");
      console.log(
        `  ${name}: ${shown}, ratio ${(many.p50 / few.p50).toFixed(2)} / ${(many.p95 / few.p95).toFixed(2)}`,
      );
    }
  } finally {
    for (const { service, database } of stages) {
      await database.close();
      await service.kill();
    }
    await postgres.stop();
    upstream.process.kill();
  }
}

interface Stage {
  readonly service: TestService;
  readonly database: Database;
  readonly works: Readonly<Record<string, () => Promise<unknown>>>;
}

async function createStage(
  postgres: TestPostgres,
  messages: number,
  modelUrl: string,
): Promise<Stage> {
  const url = await postgres.freshDatabase();
  const database = createPostgresDatabase({
    url,
    maxConnections: 2,
    poolTimeoutMs: 10_000,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 0,
    pooler: "none",
    log: silentLogger,
  });
  await migrate(database);
  const startedMs = performance.now();
  await postgres.query("DELETE FROM search_backfill", [], url);
  await fillBigTables((sql) => postgres.query(sql, [], url), messages / messagesOfEach);
  await postgres.query("CHECKPOINT", [], url);
  const [size] = await postgres.query<{ all: string }>(
    "SELECT pg_size_pretty(pg_database_size(current_database())) AS all",
    [],
    url,
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`  ${messages} messages in ${seconds} s: ${size?.all}`);
  const service = await startService({
    env: {
      DATABASE_URL: url,
      OPENAI_BASE_URL: modelUrl,
      LIMITS_ADDRESS_RATE_LIMIT: "0",
      // What is asked is what the tables cost.
      SESSIONS_CACHE_TTL_SECONDS: "0",
    },
  });
  return { service, database, works: await worksOf(createClient(service.url), database) };
}

async function worksOf(client: Client, database: Database): Promise<Stage["works"]> {
  const user = "ann";
  const ok = async (method: string, path: string, body?: unknown) => {
    const answer = await client.send<Record<string, string>>(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const say = (sessionId: string) =>
    ok("POST", "/chat/message", { session_id: sessionId, user_id: user, message: `${tokens}` });
  const newSession = async () => {
    const sessionId = await client.session(user);
    await say(sessionId);
    return sessionId;
  };
  for (let each = 0; each < 20; each += 1) await newSession();
  const sessionId = await newSession();
  for (let each = 0; each < 10; each += 1) await say(sessionId);
  const shareId = String((await ok("POST", `/sessions/${sessionId}/share`, {}))["share_id"]);
  const outbox = createOutbox("outbox");
  const claimant = { nodeId: "bench", leaseSeconds: 15 };
  let number = 0;
  return {
    "a turn": () => say(sessionId),
    "a first turn, and its session": newSession,
    "a page of a conversation": () => ok("GET", `/chat/history/${sessionId}`),
    "a list of sessions": () => ok("GET", `/sessions?user_id=${user}&limit=20`),
    "statistics of a user": () => ok("GET", `/sessions/user/${user}/stats`),
    "usage of a user": () => ok("GET", `/usage?user_id=${user}`),
    "what waits in a session": () => ok("GET", `/sessions/${sessionId}/queue`),
    "all feedback, a page": () => ok("GET", "/feedback?limit=20"),
    "a shared conversation": () => ok("GET", `/share/${shareId}`),
    "an export": () => ok("GET", `/sessions/${sessionId}/export`),
    "an import": () =>
      ok("POST", `/import?user_id=${user}`, [
        chatGptConversation({ number: (number += 1), turns: 2 }),
      ]),
    "what has happened to sessions": async () => {
      const response = await fetch(`${client.url}/sessions/events?user_id=${user}`);
      await response.body?.cancel();
    },
    "deleting a session": async () => ok("DELETE", `/sessions/${await newSession()}`),
    "looking for idle sessions": () =>
      ok("POST", "/sessions/cleanup?days_threshold=30&dry_run=true"),
    "taking what is due": () => outbox.claim(database, 100, 1_000),
    "dropping what was given up": () => outbox.purgeDead(database),
    "counting for metrics": () =>
      Promise.all([countSessions(database), outbox.count(database), countNotes(database)]),
    "looking for replies of dead nodes": () => lostReplies(database, claimant, 100, false),
    "looking for what waits for nothing": () => stalledSessions(database, 100),
  };
}

function percentile(values: readonly number[], share: number): number {
  return (
    values.toSorted((left, right) => left - right)[Math.floor(values.length * share)] ?? Number.NaN
  );
}
