import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  checkClock,
  checkConnections,
  checkDatabase,
} from "../../src/cli/doctor/check-database.ts";
import {
  checkAccess,
  checkConnectionLimits,
  checkDataDirectory,
  checkLogFiles,
  checkNode,
  checkPort,
} from "../../src/cli/doctor/check-machine.ts";
import { checkAgents, checkBaseService, checkGateway } from "../../src/cli/doctor/check-peers.ts";
import { checkRunning } from "../../src/cli/doctor/check-running.ts";
import { checkMemory, checkRedis } from "../../src/cli/doctor/check-redis.ts";
import { checkSpeech } from "../../src/cli/doctor/check-speech.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { examine, runDoctor } from "../../src/cli/doctor/run-doctor.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/settings.ts";
import { createPostgresDatabase } from "../../src/database/postgres.ts";
import { migrate } from "../../src/database/migrate.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { captureTerminal } from "../support/capture-terminal.ts";
import { createClient } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { startService, type TestService } from "../support/start-service.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chat-doctor-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function configOf(environment: Record<string, string> = {}): Config {
  const loaded = loadConfig({
    environment: { SERVICE_DATA_DIR: directory, PORT: "0", ...environment },
    cwd: directory,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return loaded.config;
}

function statuses(findings: readonly Finding[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ name, status }) => [name, status]));
}

const closedPort = "127.0.0.1:9";

describe("the machine", () => {
  it("node", () => {
    expect(checkNode("24.1.0").status).toBe("ok");
    expect(checkNode("20.19.0")).toMatchObject({
      status: "fail",
      remedy: expect.stringContaining("npm install"),
    });
  });

  it("data directory", async () => {
    expect(await checkDataDirectory(configOf())).toMatchObject({ status: "ok" });
    const file = join(directory, "a-file");
    await writeFile(file, "");
    expect(
      await checkDataDirectory(configOf({ SERVICE_DATA_DIR: join(file, "below") })),
    ).toMatchObject({
      status: "fail",
      found: expect.stringContaining("ENOTDIR"),
      remedy: expect.stringContaining("SERVICE_DATA_DIR"),
    });
  });

  it("log files", async () => {
    expect((await checkLogFiles(configOf())).status).toBe("off");
    const path = join(directory, "logs", "chat.log");
    expect((await checkLogFiles(configOf({ LOGGING_FILE_PATH: path }))).status).toBe("ok");
    await mkdir(path, { recursive: true });
    expect(await checkLogFiles(configOf({ LOGGING_FILE_PATH: path }))).toMatchObject({
      status: "fail",
      found: expect.stringContaining("EISDIR"),
    });
  });

  it("port: free, taken by a stranger, taken by the service itself", async () => {
    const stranger = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(stranger, "listening");
    const port = String((stranger.address() as AddressInfo).port);
    expect(await checkPort(configOf({ PORT: port }))).toMatchObject({
      status: "fail",
      remedy: expect.stringContaining(`ss -ltnp | grep ":${port} "`),
    });
    stranger.close();
    await once(stranger, "close");
    expect((await checkPort(configOf({ PORT: port }))).status).toBe("ok");
    const service = await startService();
    expect(await checkPort(configOf({ PORT: new URL(service.url).port }))).toMatchObject({
      status: "ok",
      found: expect.stringContaining("is running at"),
    });
    await service.stop();
  });

  it("access", () => {
    expect(checkAccess(configOf()).status).toBe("ok");
    expect(checkAccess(configOf({ HOST: "0.0.0.0" })).status).toBe("warn");
    const signed = (key: string) =>
      checkAccess(configOf({ HOST: "0.0.0.0", AUTH_MODE: "jwt", SECURITY_SECRET_KEY: key }));
    expect(signed("0123456789".repeat(4)).status).toBe("ok");
    expect(signed("abc")).toMatchObject({
      status: "warn",
      remedy: expect.stringContaining("openssl rand"),
    });
  });

  it("files and connections that a process may have open", () => {
    expect(checkConnectionLimits(configOf(), 1_048_576, 4_096).status).toBe("ok");
    expect(checkConnectionLimits(configOf(), Infinity, null).status).toBe("ok");
    expect(checkConnectionLimits(configOf(), 1_024, 4_096)).toMatchObject({
      status: "warn",
      found: expect.stringContaining("1024 files"),
      remedy: expect.stringContaining("LimitNOFILE=11530"),
    });
    expect(checkConnectionLimits(configOf({ LIMITS_MAX_VIEWERS: "10" }), 2_000, 4_096).status).toBe(
      "ok",
    );
    expect(checkConnectionLimits(configOf(), null, 128)).toMatchObject({
      status: "warn",
      remedy: expect.stringContaining("somaxconn"),
    });
  });

  it("clock and connections", () => {
    expect(checkClock(500).status).toBe("ok");
    expect(checkClock(-5_000)).toMatchObject({
      status: "warn",
      found: expect.stringContaining("ahead of"),
    });
    expect(checkClock(60_000)).toMatchObject({
      status: "fail",
      remedy: expect.stringContaining("set-ntp"),
    });
    expect(checkConnections(100, configOf()).status).toBe("ok");
    expect(checkConnections(50, configOf()).status).toBe("warn");
    const workers = configOf({ SERVER_WORKERS: "4", DATABASE_URL: "postgresql://a/b" });
    expect(checkConnections(300, workers)).toMatchObject({ status: "ok" });
    expect(checkConnections(200, workers)).toMatchObject({
      status: "warn",
      found: expect.stringContaining("of 4 workers may open 124 of"),
      remedy: expect.stringContaining("SERVER_WORKERS"),
    });
    const withRedis = configOf({
      SERVER_WORKERS: "4",
      DATABASE_URL: "postgresql://a/b",
      REDIS_URL: "redis://c",
    });
    expect(checkConnections(240, withRedis).status).toBe("ok");
  });
});

describe("a service that runs already", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ env: { MODELS_API_URL: `http://${closedPort}/v1` } });
  });
  afterAll(async () => {
    await service.stop();
  });
  const here = (environment: Record<string, string>) =>
    checkRunning(
      configOf({ PORT: new URL(service.url).port, SERVICE_ENVIRONMENT: "test", ...environment }),
    );

  it("is asked what it cannot reach", async () => {
    const findings = await here({ MODELS_API_URL: "http://127.0.0.1:1/v1" });
    expect(findings.map(({ status }) => status)).toEqual(["ok", "fail"]);
    expect(findings[1]).toMatchObject({
      found: expect.stringMatching(/models is unhealthy/),
      remedy: expect.stringContaining("MODELS_API_URL"),
    });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["sources of agents", {}, /models is configured there and not configured here/],
    ["database", { DATABASE_URL: "postgresql://h/x" }, /database is embedded PostgreSQL there/],
    ["redis", { REDIS_URL: "redis://h" }, /redis is not configured there and configured here/],
    [
      "access",
      { AUTH_MODE: "jwt", SECURITY_SECRET_KEY: "k" },
      /auth\.mode is open there and jwt here/,
    ],
    ["environment", { SERVICE_ENVIRONMENT: "development" }, /environment is test there/],
  ])("has other settings than this terminal: %s", async (_what, environment, words) => {
    const [first] = await here(environment);
    expect(first).toMatchObject({ status: "fail", found: expect.stringMatching(words) });
  });

  it("is not there: nothing is said of it", async () => {
    expect(await checkRunning(configOf({ PORT: "9" }))).toEqual([]);
  });
});

describe("the database", () => {
  let postgres: TestPostgres | null;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres?.stop();
  });

  it("embedded: before the first start, and in use by the service", async () => {
    expect(statuses(await checkDatabase(configOf()))).toEqual({ database: "ok" });
    const service = await startService();
    const [finding] = await checkDatabase(configOf({ SERVICE_DATA_DIR: service.dataDir }));
    expect(finding).toMatchObject({
      status: "ok",
      found: expect.stringContaining("is in use by process"),
    });
    await service.stop();
  });

  it("a server: migrations missing, then applied", async (context) => {
    if (postgres === null) return context.skip();
    const url = await postgres.freshDatabase();
    const checkOnly = configOf({ DATABASE_URL: url, DATABASE_MIGRATE: "false" });
    const before = await checkDatabase(checkOnly);
    expect(statuses(before)).toMatchObject({ database: "ok", clock: "ok", migrations: "fail" });
    expect(before.find(({ name }) => name === "migrations")?.remedy).toBe("chat-service migrate");
    expect(statuses(await checkDatabase(configOf({ DATABASE_URL: url })))).toMatchObject({
      migrations: "ok",
    });
    const database = createPostgresDatabase({
      url,
      maxConnections: 1,
      poolTimeoutMs: 5_000,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 5_000,
      pooler: "none",
      log: silentLogger,
    });
    await migrate(database);
    expect(statuses(await checkDatabase(checkOnly))).toMatchObject({ migrations: "ok" });
    await database.query("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
    await database.close();
    expect(statuses(await checkDatabase(checkOnly))).toMatchObject({ migrations: "fail" });
  });

  it("a login that may have few connections", async (context) => {
    if (postgres === null) return context.skip();
    await postgres.query("CREATE ROLE few LOGIN SUPERUSER CONNECTION LIMIT 3");
    const url = new URL(await postgres.freshDatabase());
    url.username = "few";
    const findings = await checkDatabase(configOf({ DATABASE_URL: url.href }));
    expect(findings.find(({ name }) => name === "connections")).toMatchObject({
      status: "warn",
      found: expect.stringContaining("of the 3 connections that this login may have"),
    });
  });

  it("a server whose database knows no characters works, and is warned of", async (context) => {
    if (postgres === null) return context.skip();
    const name = `ascii_${Date.now()}`;
    await postgres.query(
      `CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    const service = await startService({ env: { DATABASE_URL: url.href } });
    onTestFinished(async () => {
      await service.stop();
      await postgres?.query(`DROP DATABASE ${name}`);
    });
    const client = createClient(service.url);
    const session_id = await client.session("ann");
    const message = "你好 😀 Grüße";
    await client.send("POST", "/chat/message", { user_id: "ann", session_id, message });
    const { body } = await client.get(`/chat/history/${session_id}?q=你好`);
    expect(JSON.stringify(body)).toContain(message);
    const findings = statuses(await checkDatabase(configOf({ DATABASE_URL: url.href })));
    expect(findings).toMatchObject({ database: "ok", encoding: "warn" });
  });

  it("a server that is not there, and a database that is not there", async (context) => {
    const [refused] = await checkDatabase(
      configOf({ DATABASE_URL: `postgresql://u:geheim@${closedPort}/chat` }),
    );
    expect(refused).toMatchObject({ status: "fail", found: `nobody listens at ${closedPort}` });
    expect(JSON.stringify(refused)).not.toContain("geheim");
    if (postgres === null) return context.skip();
    const elsewhere = new URL(postgres.url);
    elsewhere.pathname = "/nowhere";
    const [missing] = await checkDatabase(configOf({ DATABASE_URL: elsewhere.href }));
    expect(missing).toMatchObject({
      status: "fail",
      remedy: expect.stringMatching(/^createdb .* nowhere$/),
    });
  });
});

describe("redis", () => {
  it("off, away, well, with a password, and evicting", async (context) => {
    expect(statuses(await checkRedis(configOf()))).toEqual({ redis: "off" });
    const [away] = await checkRedis(configOf({ REDIS_URL: `redis://${closedPort}` }));
    expect(away).toMatchObject({ status: "fail", found: expect.stringContaining("ECONNREFUSED") });
    const redis = await startRedis({ own: true, args: ["--maxmemory", "50mb"] });
    if (redis === null) return context.skip();
    const config = configOf({ REDIS_URL: redis.url });
    expect(statuses(await checkRedis(config))).toEqual({ redis: "ok", "redis memory": "ok" });
    await redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    expect(statuses(await checkRedis(config))).toEqual({ redis: "ok", "redis memory": "warn" });
    await redis.command("CONFIG", "SET", "requirepass", "geheim");
    const [refused] = await checkRedis(config);
    expect(refused).toMatchObject({
      status: "fail",
      remedy: expect.stringContaining("REDIS_PASSWORD"),
    });
    await redis.stop();
    expect(checkMemory("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n").status).toBe("ok");
  });
});

describe("agents, speech and peers", () => {
  let model: OpenAiServer;
  beforeAll(async () => {
    model = await startOpenAiServer({ models: ["small", "large"] });
  });
  afterAll(async () => {
    await model.close();
  });

  it("agents and models", async () => {
    expect(statuses(await checkAgents(configOf()))).toMatchObject({
      agno: "off",
      models: "off",
      agents: "ok",
    });
    const none = await checkAgents(configOf({ BUILTIN_AGENTS: "never" }));
    expect(none.find(({ name }) => name === "agents")).toMatchObject({ status: "fail" });

    const good = configOf({ MODELS_API_URL: model.url, MODELS_DEFAULT_MODEL: "large" });
    expect(statuses(await checkAgents(good))).toMatchObject({
      models: "ok",
      "default model": "ok",
    });
    const wrong = await checkAgents(
      configOf({ MODELS_API_URL: model.url, MODELS_DEFAULT_MODEL: "huge" }),
    );
    expect(wrong.find(({ name }) => name === "models")).toMatchObject({
      status: "fail",
      found: expect.stringContaining("default model not there"),
      remedy: "Set MODELS_DEFAULT_MODEL to one of small, large, or load it (ollama pull huge)",
    });
    expect(statuses(wrong)).toMatchObject({ agents: "fail" });
    const away = await checkAgents(
      configOf({ MODELS_API_URL: `http://${closedPort}/v1`, AGNO_API_URL: `http://${closedPort}` }),
    );
    expect(statuses(away)).toMatchObject({ models: "fail", agno: "fail" });
  });

  it("speech", async () => {
    expect(statuses(await checkSpeech(configOf({ VOICE_ENABLED: "false" })))).toEqual({
      speech: "off",
    });
    expect(statuses(await checkSpeech(configOf({ VOICE_TTS_PROVIDER: "flite" })))).toEqual({
      "speech in": "off",
      "speech out": "ok",
    });
    const away = configOf({
      VOICE_API_URL: `http://${closedPort}/v1`,
      VOICE_STT_PROVIDER: "openai",
      VOICE_TTS_PROVIDER: "openai",
    });
    expect(statuses(await checkSpeech(away))).toMatchObject({
      "speech in": "fail",
      "speech out": "fail",
    });
    const missing = configOf({ VOICE_STT_PROVIDER: "sherpa" });
    expect(await checkSpeech(missing)).toMatchObject([
      { status: "fail", found: expect.stringContaining("voice.stt.model") },
    ]);
  });

  it("gateway and base service", async () => {
    const origin = new URL(model.url).origin;
    expect(statuses(await checkGateway(configOf()))).toEqual({ gateway: "off" });
    expect(statuses(await checkGateway(configOf({ GATEWAY_URL: origin })))).toEqual({
      gateway: "ok",
    });
    expect(statuses(await checkGateway(configOf({ GATEWAY_URL: `http://${closedPort}` })))).toEqual(
      { gateway: "fail" },
    );
    const elsewhere = await checkGateway(configOf({ GATEWAY_URL: "http://gateway.invalid" }));
    expect(statuses(elsewhere)).toEqual({ gateway: "fail", "gateway address": "fail" });
    expect((await checkBaseService(configOf())).status).toBe("off");
    expect((await checkBaseService(configOf({ BASE_SERVICE_URL: origin }))).status).toBe("ok");
    const away = { BASE_SERVICE_URL: `http://${closedPort}` };
    expect((await checkBaseService(configOf(away))).status).toBe("warn");
    expect((await checkBaseService(configOf({ ...away, AUTH_MODE: "base-service" }))).status).toBe(
      "fail",
    );
  });
});

describe("chat-service doctor", () => {
  it("finds nothing wrong with the defaults", async () => {
    const findings = await examine(configOf());
    expect(findings.filter(({ status }) => status === "fail")).toEqual([]);
    for (const finding of findings) {
      if (finding.status === "warn") expect(finding.remedy).toBeDefined();
    }
  });

  it("tells every fault of the configuration, in text and as JSON, and ends with 1", async () => {
    const file = join(directory, "config.yaml");
    await writeFile(file, "redis:\n  urll: x\nservice:\n  port: many\n");
    const shown = captureTerminal();
    expect(await runDoctor(["--config", file], shown.terminal)).toBe(1);
    expect(shown.seen.output).toMatch(/✗ configuration {2}.*redis\.urll/);
    expect(shown.seen.output).toContain("2 to mend");
    const machine = captureTerminal();
    expect(await runDoctor(["--config", file, "--json"], machine.terminal)).toBe(1);
    const report = JSON.parse(machine.seen.output) as { healthy: boolean; findings: Finding[] };
    expect(report.healthy).toBe(false);
    expect(report.findings.filter(({ status }) => status === "fail")).toHaveLength(2);
    expect(await runDoctor(["--what"], captureTerminal().terminal)).toBe(2);
  });
});
