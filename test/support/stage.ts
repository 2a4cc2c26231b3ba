import { createClient, type Client } from "./client.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "./openai-server.ts";
import { startPgBouncer } from "./pgbouncer.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { startRedis, startRedisCluster, type TestRedis, type TestRedisCluster } from "./redis.ts";
import { startService, type TestService } from "./start-service.ts";

/** Several nodes of the service on one PostgreSQL and one Redis, with a scripted model behind them. */
export interface Stage {
  readonly postgres: TestPostgres;
  readonly redis: TestRedis | null;
  readonly cluster: TestRedisCluster | null;
  readonly model: OpenAiServer;
  readonly databaseUrl: string;
  readonly nodes: readonly TestService[];
  node(index: number): TestService;
  client(index: number): Client;
  /** SQL on the nodes' database. */
  query<R extends Record<string, unknown>>(sql: string, params?: unknown[]): Promise<R[]>;
  /** Starts the node anew after it was stopped or killed. */
  startNode(index: number): Promise<TestService>;
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly nodes?: number;
  readonly redis?: "single" | "cluster" | "none";
  readonly env?: Readonly<Record<string, string>>;
  /** For one node beside `env`. */
  readonly nodeEnv?: (index: number) => Readonly<Record<string, string>>;
  /** Nodes reach PostgreSQL through a PgBouncer with so many connections. */
  readonly poolerSize?: number;
  /** Settings of PostgreSQL. */
  readonly settings?: readonly string[];
}

/** Words that a reply to `slow <words> <ms>` consists of; other messages are answered with three words at once. */
const slow = /^slow (\d+) (\d+)/;

/** Null, said aloud, where PostgreSQL or Redis is missing. */
export async function startStage(options: StageOptions = {}): Promise<Stage | null> {
  const { nodes: count = 3, redis: kind = "single" } = options;
  const postgres = await startPostgres({
    own: true,
    ...(options.settings !== undefined && { settings: options.settings }),
  });
  if (postgres === null) return null;
  const redis = kind === "single" ? await startRedis({ own: true }) : null;
  const cluster = kind === "cluster" ? await startRedisCluster() : null;
  const redisUrl = redis?.url ?? cluster?.url;
  if (kind !== "none" && redisUrl === undefined) {
    await postgres.stop();
    return null;
  }
  const model = await startOpenAiServer({
    respond(request) {
      const text = lastUserText(request);
      const [, words, delayMs] = slow.exec(text) ?? [];
      if (words === undefined) return { tokens: ["one ", "two ", "three"] };
      return {
        tokens: Array.from({ length: Number(words) }, (_, index) => `w${index} `),
        delayMs: Number(delayMs),
      };
    },
  });
  const databaseUrl = await postgres.freshDatabase();
  const pooler =
    options.poolerSize === undefined
      ? null
      : await startPgBouncer(postgres.port, options.poolerSize);
  const start = (index: number) =>
    startService({
      env: {
        DATABASE_URL: pooler?.through(databaseUrl) ?? databaseUrl,
        ...(pooler !== null && { DATABASE_POOLER: "pgbouncer" }),
        ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
        MODELS_API_URL: model.url,
        ...options.env,
        ...options.nodeEnv?.(index),
      },
    });
  // The first one migrates; the others find it done.
  const nodes = [await start(0)];
  nodes.push(
    ...(await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 1)))),
  );
  return {
    postgres,
    redis,
    cluster,
    model,
    databaseUrl,
    nodes,
    node: (index) => nodes[index] as TestService,
    client: (index) => createClient((nodes[index] as TestService).url),
    query: (sql, params = []) => postgres.query(sql, params, databaseUrl),
    async startNode(index) {
      nodes[index] = await start(index);
      return nodes[index];
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.kill()));
      await model.close();
      await redis?.stop();
      await cluster?.stop();
      await pooler?.stop();
      await postgres.stop();
    },
  };
}

/** Asks every 50 ms until it holds; rejects with `what` after `patienceMs`. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean> | boolean,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
