import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedAgentOs, type ScriptedAgentOs } from "../agno/scripted-agent-os.ts";
import { startBaseService, type BaseServiceServer } from "../support/base-service-server.ts";
import { createClient, type Client } from "../support/client.ts";
import { startGateway, type GatewayServer } from "../support/gateway-server.ts";
import { startJsonServer, type JsonServer } from "../support/json-server.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { eventually } from "../support/stage.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

/** Everything that a service can depend on, each behind a wire that can be cut. */
const names = [
  "database",
  "redis",
  "models",
  "agno",
  "gateway",
  "base_service",
  "the receiver of events",
] as const;
type Name = (typeof names)[number];

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly dependency?: string;
  readonly seconds?: number;
}

describe("an outage", () => {
  let postgres: TestPostgres | null;
  let redis: TestRedis | null;
  let agentOs: ScriptedAgentOs;
  let model: OpenAiServer;
  let gateway: GatewayServer;
  let base: BaseServiceServer;
  let receiver: JsonServer;
  let wires: Record<Name, TcpProxy>;
  let service: TestService;
  let ann: Client;

  beforeAll(async () => {
    postgres = await startPostgres();
    redis = await startRedis();
    if (postgres === null || redis === null) return;
    [agentOs, model, gateway, base, receiver] = await Promise.all([
      startScriptedAgentOs(),
      startOpenAiServer(),
      startGateway(),
      startBaseService(),
      startJsonServer(() => ({ status: 200, body: {} })),
    ]);
    const ports = [
      postgres.port,
      redis.port,
      model.port,
      Number(new URL(agentOs.url).port),
      gateway.port,
      base.port,
      receiver.port,
    ];
    const opened = await Promise.all(ports.map((port) => startTcpProxy(port)));
    wires = Object.fromEntries(names.map((name, index) => [name, opened[index]])) as typeof wires;
    const at = (name: Name) => `http://127.0.0.1:${wires[name].port}`;
    const database = new URL(await postgres.freshDatabase());
    database.port = String(wires.database.port);
    service = await startService({
      env: {
        DATABASE_URL: database.href,
        REDIS_URL: `redis://127.0.0.1:${wires.redis.port}`,
        MODELS_API_URL: `${at("models")}/v1`,
        AGNO_API_URL: at("agno"),
        AGNO_REFRESH_SECONDS: "1",
        GATEWAY_URL: at("gateway"),
        GATEWAY_HEALTH_CHECK_INTERVAL: "1",
        AUTH_MODE: "base-service",
        BASE_SERVICE_URL: at("base_service"),
        BASE_SERVICE_CACHE_TTL_SECONDS: "0",
        EVENTS_URL: at("the receiver of events"),
        EVENTS_SECRET: "of the receiver",
      },
    });
    base.setUser("token", { id: "ann", username: "ann", role: "user" });
    ann = createClient(service.url, { authorization: "Bearer token" });
    expect((await ann.send("POST", "/chat/session", {})).status).toBe(200);
  });
  afterAll(async () => {
    await service?.stop();
    for (const wire of Object.values(wires ?? {})) await wire.close();
    await Promise.all([agentOs?.unplug(), model?.close(), gateway?.stop()]);
    await Promise.all([base?.stop(), receiver?.stop(), redis?.stop(), postgres?.stop()]);
  });

  const linesFrom = (start: number): readonly Line[] =>
    service
      .output()
      .slice(start)
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);

  it.each(names)("of %s is one line, and its end another", async (name) => {
    if (postgres === null || redis === null) return;
    const start = service.output().length;
    const told = (words: string) => linesFrom(start).some(({ msg }) => msg.startsWith(words));
    const wire = wires[name];
    wire.set({ kind: "refuse" });
    // What is asked for meanwhile fails, and is no line of its own.
    const ask = () => ann.send("POST", "/chat/session", {});
    await eventually(`${name} is told to be away`, async () => {
      await ask();
      return told(`${name} is away: `);
    });
    const tries = wire.connections;
    await eventually(`${name} is tried again`, async () => {
      await ask();
      return wire.connections >= tries + 3;
    });
    wire.set({ kind: "pass" });
    await eventually(`${name} is told to be back`, async () => {
      await ask();
      return told(`${name} is back`);
    });
    const lines = linesFrom(start);
    expect(lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([
      expect.objectContaining({ dependency: name, msg: expect.stringMatching(/; trying again$/) }),
    ]);
    const [back, ...more] = lines.filter(({ msg }) => msg.endsWith("is back"));
    expect(more).toEqual([]);
    expect(back).toMatchObject({ dependency: name, seconds: expect.any(Number) });
    expect(service.output().slice(start)).not.toContain('"stack"');
  });
});
