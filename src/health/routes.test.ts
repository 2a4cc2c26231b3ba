import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemoryRateLimiter } from "../cache/memory-rate-limiter.ts";
import { loadConfig } from "../config/load-config.ts";
import { Shares } from "../lib/shares.ts";
import { createServer, type Server } from "../http/create-server.ts";
import { createOpenIdentity } from "../identity/open.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createLogger } from "../telemetry/create-logger.ts";
import { createMetricsReport } from "../telemetry/metrics-report.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { noTracer } from "../telemetry/tracer.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { watchEventLoop } from "./event-loop.ts";
import { createHealth } from "./health.ts";
import { infoRoutes } from "./info-routes.ts";
import type { Probe, ProbeOutcome } from "./probe.ts";
import { createRefreshGauges } from "./refresh-gauges.ts";
import { healthRoutes } from "./routes.ts";
import { createSessionsOverview, type SessionCount } from "./sessions-overview.ts";

const healthy: ProbeOutcome = { status: "healthy", details: {} };
const well: Probe = () => Promise.resolve(healthy);

/** What the world around the service is like; tests change it. */
let world: {
  database: Probe;
  redis: Probe | null;
  migrations: Probe;
  agnoIsReachable: boolean;
  draining: boolean;
  delayMs: number;
  sessions: SessionCount[];
};
let close: (() => Promise<void>) | undefined;

beforeEach(() => {
  world = {
    database: well,
    redis: null,
    migrations: well,
    agnoIsReachable: true,
    draining: false,
    delayMs: 3,
    sessions: [
      { status: "active", agentId: "general-chat", sessions: 2 },
      { status: "archived", agentId: "general-chat", sessions: 1 },
    ],
  };
});
afterEach(async () => {
  await close?.();
});

async function start(environment: NodeJS.ProcessEnv = {}) {
  const loaded = loadConfig({ environment, cwd: "/nowhere" });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  const { config } = loaded;
  const metrics = createMetrics();
  const telemetry = createTelemetry(silentLogger, metrics);
  const eventLoop = { recentDelayMs: () => world.delayMs, close() {} };
  const report = createMetricsReport({ metrics });
  const health = createHealth({
    database: (signal) => world.database(signal),
    redis: world.redis,
    others: {
      agno: async () => ({ status: world.agnoIsReachable ? "healthy" : "unhealthy", details: {} }),
      models: null,
      voice: null,
      gateway: null,
      base_service: null,
    },
    toldElsewhere: new Set(["agno"]),
    migrations: (signal) => world.migrations(signal),
    agents: () => [{ source: "agno", isReachable: world.agnoIsReachable }],
    components: { replies: () => ({ status: "healthy", details: { running: 4 } }) },
    isDraining: () => world.draining,
    eventLoop,
    maxEventLoopDelayMs: 100,
    timeoutMs: 200,
    metrics,
    logger: silentLogger,
  });
  const refreshGauges = createRefreshGauges({
    metrics,
    health,
    eventLoop,
    sessionFollowers: { stats: () => ({ followers: 6 }) },
    database: { describe: () => ({ driver: "x", pool: { open: 3, idle: 2, waiting: 0 } }) },
    sessionsOverview: createSessionsOverview({
      sessions: async () => world.sessions,
      queued: async () => ({ queued: 5, oldestSeconds: 12 }),
      outboxes: async () => ({ events: { waiting: 2, dead: 1, oldestSeconds: 30 } }),
      logger: silentLogger,
    }),
  });
  const features = {
    transcription: false,
    synthesis: true,
    websocket: true,
    modelSelection: false,
  };
  const { app }: Server = await createServer({
    audit: { record: async () => {} },
    limiter: createMemoryRateLimiter({}),
    pace: createMemoryRateLimiter({}),
    room: new Shares({ total: 1, each: 1, maxWaiting: 1 }),
    costs: {},
    errorShapes: [],
    config,
    logger: createLogger({ ...config.logging, level: "ERROR" }, config.service).pino,
    identity: createOpenIdentity(),
    tracer: noTracer,
    telemetry,
    metrics,
  });
  await app.register(
    healthRoutes({
      config,
      version: "1.2.3",
      health,
      metrics,
      reports: async () => [
        { part: await report.part(), eventLoopDelayMs: 3, memory: process.memoryUsage() },
      ],
      refreshGauges,
      async scrape() {
        await refreshGauges();
        return metrics.registry.metrics();
      },
      features,
    }),
  );
  await app.register(infoRoutes({ config, version: "1.2.3", features }));
  close = async () => {
    report.close();
    await app.close();
  };
  const get = async (url: string, headers: Record<string, string> = {}) => {
    const response = await app.inject({ url, headers });
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.payload,
      json: () => response.json() as Record<string, unknown>,
    };
  };
  return { get, telemetry, metrics };
}

describe("a token for whoever watches", () => {
  it.each(["/metrics", "/health/metrics", "/health/detailed"])("is needed for %s", async (path) => {
    const { get } = await start({ MONITORING_TOKEN: "abc" });
    expect((await get(path)).status).toBe(401);
    expect((await get(path, { authorization: "Bearer abd" })).status).toBe(401);
    expect((await get(path, { authorization: "Bearer abc" })).status).toBe(200);
  });

  it("is needed for nothing else", async () => {
    const { get } = await start({ MONITORING_TOKEN: "abc" });
    for (const path of [
      "/health",
      "/health/liveness",
      "/health/readiness",
      "/health/config",
      "/info",
    ])
      expect((await get(path)).status).toBe(200);
  });
});

describe("health", () => {
  it("says healthy exactly, with and without the slash and below each prefix", async () => {
    const { get } = await start();
    for (const path of ["/health", "/health/", "/api/health", "/api/v1/health/"]) {
      const { status, json, headers } = await get(path);
      expect(status).toBe(200);
      expect(json()).toEqual({
        status: "healthy",
        service: "chat-service",
        version: "1.2.3",
        timestamp: expect.stringMatching(/Z$/),
      });
      expect(headers["cache-control"]).toBe("no-store");
    }
  });

  it("is alive until the event loop is stuck", async () => {
    const { get } = await start();
    expect(await get("/health/liveness").then(({ status, json }) => [status, json()])).toEqual([
      200,
      { alive: true, timestamp: expect.any(String), uptime_seconds: expect.any(Number) },
    ]);
    world.delayMs = 101;
    const { status, json } = await get("/health/liveness");
    expect([status, json()["alive"]]).toEqual([503, false]);
  });

  it.each([
    ["all is well", {}, 200, {}],
    [
      "the database is away",
      { database: () => Promise.reject(new Error("10.0.0.1")) },
      503,
      { database: false },
    ],
    [
      "the database hangs",
      { database: () => new Promise<never>(() => {}) },
      503,
      { database: false },
    ],
    [
      "a migration is missing",
      { migrations: async () => ({ ...healthy, status: "unhealthy" as const }) },
      503,
      { migrations: false },
    ],
    ["the node drains", { draining: true }, 503, { draining: true }],
    ["Redis is away", { redis: () => Promise.reject(new Error("x")) }, 200, { cache: false }],
    ["agents are away", { agnoIsReachable: false }, 200, { agents: false }],
  ])("readiness when %s", async (_name, change, expected, checks) => {
    Object.assign(world, change);
    const { get } = await start();
    const { status, json } = await get("/health/readiness");
    expect(status).toBe(expected);
    expect(json()).toEqual({
      ready: expected === 200,
      timestamp: expect.any(String),
      checks: {
        database: true,
        cache: true,
        agents: true,
        migrations: true,
        draining: false,
        ...checks,
      },
    });
  });

  it("details every part and dependency, and what is not configured as disabled", async () => {
    const { get } = await start();
    const { json } = await get("/health/detailed");
    const body = json();
    expect(body["status"]).toBe("healthy");
    expect(body["components"]).toMatchObject({
      replies: { status: "healthy", details: { running: 4 } },
    });
    const dependencies = body["dependencies"] as Record<string, { status: string }>;
    expect(
      Object.fromEntries(Object.entries(dependencies).map(([name, { status }]) => [name, status])),
    ).toEqual({
      database: "healthy",
      redis: "disabled",
      agno: "healthy",
      models: "disabled",
      voice: "disabled",
      gateway: "disabled",
      base_service: "disabled",
    });
    expect(dependencies["agno"]).toMatchObject({ latency_ms: expect.any(Number), details: {} });
  });

  it("is degraded without a dependency and unhealthy without the database, and tells no driver texts", async () => {
    world.agnoIsReachable = false;
    const first = await start();
    expect((await first.get("/health/detailed")).json()["status"]).toBe("degraded");
    await close?.();
    world.database = () => Promise.reject(new Error("postgresql://chat:geheim@10.0.0.1 refused"));
    const second = await start();
    const { json, text, status } = await second.get("/health/detailed");
    expect([status, json()["status"]]).toEqual([200, "unhealthy"]);
    expect(text).not.toMatch(/geheim|10\.0\.0\.1|refused/);
  });

  it("tells clients their features and limits, and nothing secret", async () => {
    const { get } = await start({ LIMITS_MAX_MESSAGE_LENGTH: "77", REDIS_PASSWORD: "geheim" });
    const { json, text } = await get("/health/config");
    expect(json()).toMatchObject({
      service: "chat-service",
      environment: "development",
      features: { voice_enabled: true, transcription_enabled: false, authentication: "open" },
      limits: { max_message_length: 77, max_active_sessions: null },
    });
    expect(text).not.toContain("geheim");
  });

  it("describes itself at / and /info, and names only paths that exist", async () => {
    const { get } = await start();
    expect((await get("/")).json()).toMatchObject({
      status: "running",
      docs_url: "/docs",
      health_check: "/health",
    });
    const { json } = await get("/info");
    expect(json()["endpoints"]).toMatchObject({ chat: {}, health: { basic: "GET /health" } });
    expect(json()["endpoints"]).not.toHaveProperty("chat.voice");
  });
});

describe("metrics", () => {
  it("are Prometheus text, with the gauges brought to the present", async () => {
    const { get, telemetry } = await start();
    telemetry.problem("rate_limited");
    const { text, headers } = await get("/metrics");
    expect(headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain('chat_sessions{status="active"} 2');
    expect(text).toContain("chat_messages_queued 5");
    expect(text).toContain("chat_session_followers 6");
    expect(text).toContain('chat_errors_total{type="rate_limited"} 1');
    expect(text).toContain('chat_dependency_up{dependency="agno"} 1');
    expect(text).not.toContain('dependency="redis"');
    expect(text).toContain('chat_database_connections{state="idle"} 2');
    expect(text).toContain("chat_event_loop_delay_seconds 0.003");
    expect(text).toContain("process_resident_memory_bytes");
  });

  it("are JSON at /health/metrics, of the same registry", async () => {
    const { get, telemetry } = await start();
    telemetry.turnAccepted({
      sessionId: "s",
      replyId: "r",
      agentId: "a",
      type: "text",
      queued: false,
    });
    const { json } = await get("/health/metrics");
    expect(json()).toMatchObject({
      sessions: {
        total: 3,
        total_active: 2,
        by_status: { active: 2, archived: 1 },
        by_agent: { "general-chat": 3 },
      },
      messages: { total: 1, queued: 5 },
      system: { event_loop_delay_ms: 3 },
    });
  });

  it("are not served when switched off, and elsewhere when asked", async () => {
    const off = await start({ MONITORING_METRICS_ENABLED: "false" });
    expect((await off.get("/metrics")).status).toBe(404);
    expect((await off.get("/health/metrics")).status).toBe(404);
    await close?.();
    const moved = await start({ MONITORING_METRICS_PATH: "/internal/metrics" });
    expect((await moved.get("/internal/metrics")).status).toBe(200);
    expect((await moved.get("/metrics")).status).toBe(404);
  });
});

describe("watchEventLoop", () => {
  it("sees a blocked loop and forgets it", async () => {
    const watch = watchEventLoop(100);
    const quiet = () => new Promise((resolve) => setTimeout(resolve, 60));
    await quiet();
    const until = performance.now() + 300;
    while (performance.now() < until);
    await quiet();
    expect(watch.recentDelayMs()).toBeGreaterThan(200);
    await expect
      .poll(() => watch.recentDelayMs(), { timeout: 10_000, interval: 50 })
      .toBeLessThan(200);
    watch.close();
  });
});
