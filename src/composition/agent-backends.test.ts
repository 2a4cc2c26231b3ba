import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openService } from "../../test/support/open-service.ts";
import { createDataDir } from "../../test/support/start-service.ts";
import type { AgentBackend } from "../agents/agent-backend.ts";
import { checkAgents } from "../cli/doctor/check-peers.ts";
import { loadConfig } from "../config/load-config.ts";
import { silentLogger } from "../telemetry/logger.ts";
import {
  agentBackendKinds,
  createAgentBackends,
  listAllModels,
  type AgentBackendKind,
} from "./agent-backends.ts";

/** What CONTRIBUTING promises to who adds a backend: the adapter, and one line of composition. */
const echo: AgentBackend = {
  source: "echo",
  list: async () => [
    {
      agentId: "parrot",
      name: "Parrot",
      description: "Says it again",
      type: "agent",
      model: null,
      tools: [],
      metadata: {},
    },
  ],
  async *run({ message }) {
    yield { type: "text", text: message };
    yield { type: "finish", reason: "stop" };
  },
  listModels: async () => [{ id: "loud", name: "Loud", provider: "echo", canChat: true }],
  probe: async () => ({ status: "healthy", details: { feathers: 7 } }),
  examine: async () => [
    { name: "beak", status: "warn", found: "it is open", remedy: "Give it a cracker" },
  ],
  close: async () => {},
};
const kinds: readonly AgentBackendKind[] = [
  ...agentBackendKinds,
  { source: "echo", create: () => echo },
];

let dataDir: string;
beforeAll(async () => {
  dataDir = await createDataDir();
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

function configOf(environment: Record<string, string> = {}) {
  const loaded = loadConfig({
    environment: { SERVICE_DATA_DIR: dataDir, LOGGING_LEVEL: "ERROR", ...environment },
    cwd: dataDir,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return loaded.config;
}

test("one line adds a backend to the API, health, metrics, models and the doctor", async () => {
  const config = configOf();
  const { app, get, close } = await openService(config, kinds);
  try {
    expect((await get("/chat/agents"))["agents"]).toContainEqual(
      expect.objectContaining({ agent_id: "parrot", source: "echo", status: "available" }),
    );
    expect((await get("/chat/models"))["models"]).toEqual([
      { id: "loud", name: "Loud", provider: "echo", can_chat: true },
    ]);
    expect(await get("/health/config")).toMatchObject({ features: { model_selection: true } });
    const reply = await app.inject({
      method: "POST",
      url: "/chat/message",
      payload: { user_id: "u", agent_id: "parrot", message: "hello" },
    });
    expect(reply.json()).toMatchObject({ response: "hello" });

    const health = await get("/health/detailed");
    expect(Object.keys(health["dependencies"] as object)).toEqual([
      "database",
      "redis",
      "models",
      "agno",
      "builtin",
      "echo",
      "voice",
      "gateway",
      "base_service",
    ]);
    expect(health).toMatchObject({
      dependencies: {
        echo: { status: "healthy", details: { feathers: 7 } },
        agno: { status: "disabled" },
        base_service: { status: "disabled" },
      },
      components: { agents: { details: { sources: { echo: { reachable: 1 } } } } },
    });
    const metrics = (await app.inject({ url: "/metrics" })).payload;
    expect(metrics).toContain('chat_dependency_up{dependency="echo"} 1');
    expect(metrics).toContain('chat_replies_total{source="echo",status="complete"} 1');
  } finally {
    await close();
  }
  expect(await checkAgents(config, kinds)).toEqual(
    expect.arrayContaining([
      { name: "echo", status: "ok", found: "feathers 7" },
      { name: "beak", status: "warn", found: "it is open", remedy: "Give it a cracker" },
      { name: "agno", status: "off", found: "not configured" },
    ]),
  );
});

test("those that need no model are there where nothing else is", () => {
  const sources = (environment: Record<string, string>, all = agentBackendKinds) =>
    createAgentBackends(configOf(environment), silentLogger, all).flatMap(({ backend }) => {
      void backend?.close();
      return backend?.source ?? [];
    });
  expect(sources({})).toEqual(["builtin"]);
  expect(sources({ MODELS_API_URL: "http://127.0.0.1:9/v1" })).toEqual(["models"]);
  expect(sources({}, [{ source: "echo", create: () => echo }, ...agentBackendKinds])).toEqual([
    "echo",
  ]);
  expect(sources({ AGNO_API_URL: "http://127.0.0.1:9", BUILTIN_AGENTS: "always" })).toEqual([
    "agno",
    "builtin",
  ]);
});

test("models of a backend that cannot say are missing, unless none can", async () => {
  const silent = { ...echo, listModels: () => Promise.reject(new Error("away")) };
  const { listModels: _without, ...none } = echo;
  const signal = new AbortController().signal;
  expect(await listAllModels([silent, none, echo], signal)).toHaveLength(1);
  expect(await listAllModels([none], signal)).toEqual([]);
  await expect(listAllModels([silent, none], signal)).rejects.toThrow("away");
});

test("the Base Service is a dependency where it says who is calling, and only there", async () => {
  let status = 401;
  const server = createServer((_request, response) => response.writeHead(status).end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reportOf = async (mode: string) => {
    const environment = { BASE_SERVICE_URL: url, AUTH_MODE: mode };
    const { get, close } = await openService(configOf(environment));
    const { dependencies } = await get("/health/detailed");
    await close();
    return (dependencies as Record<string, unknown>)["base_service"];
  };
  expect(await reportOf("base-service")).toMatchObject({
    status: "healthy",
    latency_ms: expect.any(Number),
  });
  expect(await reportOf("open")).toMatchObject({ status: "disabled" });
  status = 502;
  expect(await reportOf("base-service")).toMatchObject({ status: "unhealthy" });
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  expect(await reportOf("base-service")).toMatchObject({ status: "unhealthy" });
});
