import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { freePort } from "../support/backends.ts";
import { createClient } from "../support/client.ts";
import { findNginx } from "../support/nginx.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { startShippedNginx, type ShippedNginx } from "../support/shipped-nginx.ts";
import { startService, type TestService } from "../support/start-service.ts";

const program = findNginx();
const postgres = await startPostgres();
const redis = await startRedis();
const isPossible = program !== null && postgres !== null && redis !== null;
const waiting = { timeout: 30_000, interval: 20 };

/** What compose.yaml gives each node. */
async function shippedEnvironment(): Promise<Record<string, string>> {
  const text = await readFile(join(import.meta.dirname, "../../deploy/compose.yaml"), "utf8");
  const { services } = parse(text, { merge: true }) as {
    services: { "chat-1": { environment: Record<string, string> } };
  };
  return services["chat-1"].environment;
}

/** Whether somebody takes connections there. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Sends messages without an end, several at a time, as clients that repeat nothing. */
function keepSending(url: string) {
  const statuses: number[] = [];
  const over = new AbortController();
  const sender = async (user: string) => {
    const client = createClient(url);
    const session_id = await client.session(user);
    while (!over.signal.aborted) {
      const body = { session_id, user_id: user, message: "hello" };
      statuses.push((await client.send("POST", "/chat/message", body)).status);
    }
  };
  const senders = ["ann", "bob", "cy"].map(sender);
  return {
    statuses,
    async answered(more: number) {
      const goal = statuses.length + more;
      await vi.waitFor(() => expect(statuses.length).toBeGreaterThanOrEqual(goal), waiting);
    },
    async end() {
      over.abort();
      await Promise.all(senders);
    },
  };
}

describe.skipIf(!isPossible)("nodes that are replaced one by one behind the shipped nginx", () => {
  let model: OpenAiServer;
  let nginx: ShippedNginx;
  let ports: [number, number];
  const nodes: TestService[] = [];
  let start: (index: number) => Promise<TestService>;
  beforeAll(async () => {
    const shipped = await shippedEnvironment();
    model = await startOpenAiServer();
    ports = [await freePort(), await freePort()];
    const env = {
      DATABASE_URL: await (postgres as TestPostgres).freshDatabase(),
      REDIS_URL: (redis as TestRedis).url,
      MODELS_API_URL: model.url,
      SERVER_SHUTDOWN_DELAY_SECONDS: shipped["SERVER_SHUTDOWN_DELAY_SECONDS"] ?? "",
    };
    start = (index) => startService({ env: { ...env, PORT: String(ports[index]) } });
    nodes.push(await start(0), await start(1));
    nginx = await startShippedNginx(program ?? "", [
      `127.0.0.1:${ports[0]}`,
      `127.0.0.1:${ports[1]}`,
    ]);
  });
  afterAll(async () => {
    await nginx.stop();
    await Promise.all(nodes.map((node) => node.stop()));
    await model.close();
    await redis?.stop();
    await postgres?.stop();
  });

  it("refuse no message, and what they are writing is read to its end", async () => {
    const sending = keepSending(nginx.url);
    await sending.answered(20);
    for (const index of [0, 1]) {
      const node = nodes[index] as TestService;
      const client = createClient(node.url);
      const gate = Promise.withResolvers<void>();
      model.setRespond((request) =>
        lastUserText(request) === "long story"
          ? { tokens: ["once ", "upon"], pace: (token) => (token === 1 ? gate.promise : undefined) }
          : { tokens: ["hello"] },
      );
      const story = await client.stream({ user_id: "dee", message: "long story" });
      await story.next(({ type }) => type === "assistant_chunk");

      const stopped = node.stop();
      await vi.waitFor(async () => {
        expect((await fetch(`${node.url}/health/readiness`)).status).toBe(503);
      }, waiting);
      // Until its delay is over it takes messages, over connections that are not used again.
      const during = await fetch(`${node.url}/health`);
      expect(during.headers.get("connection")).toBe("close");
      await vi.waitFor(async () => expect(await listens(ports[index] ?? 0)).toBe(false), waiting);
      await sending.answered(40);
      gate.resolve();
      expect((await story.all()).at(-1)).toMatchObject({ type: "conversation_complete" });
      expect(await stopped).toBe(0);
      nodes[index] = await start(index);
      await sending.answered(20);
    }
    await sending.end();
    const refused = sending.statuses.filter((status) => status !== 200);
    expect(refused, refused.length === 0 ? "" : await nginx.errors()).toEqual([]);
  });
});
