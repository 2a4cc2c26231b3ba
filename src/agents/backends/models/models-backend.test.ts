import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  startModelService,
  type ModelServiceOptions,
  type ModelServiceServer,
} from "../../../../test/support/model-service-server.ts";
import { startOpenAiServer, type OpenAiServer } from "../../../../test/support/openai-server.ts";
import { turnOf } from "../../../../test/support/scene-turn.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import {
  runAgentBackendContract,
  runRequest,
  type AgentBackendSubject,
} from "../../agent-backend.contract.ts";
import type { AgentEvent, RunRequest } from "../../agent-backend.ts";
import { createUpstream } from "../../upstream/upstream.ts";
import { createModelServiceSource } from "./model-service-source.ts";
import { createModelsBackend, type ModelsBackendOptions } from "./models-backend.ts";

const never = new AbortController().signal;

const defaults: Omit<ModelsBackendOptions, "endpoint" | "modelService"> = {
  cacheTtlMs: 60_000,
  agents: [],
  defaultAgents: true,
  defaultModel: null,
  historyMessages: 20,
  timeoutMs: 400,
  log: silentLogger,
  sleep: () => Promise.resolve(),
};

async function endpointSubject(): Promise<AgentBackendSubject> {
  const server = await startOpenAiServer();
  const endpoint = { apiUrl: server.url, apiKey: null };
  const backend = createModelsBackend({ ...defaults, endpoint, modelService: null });
  return {
    backend,
    agentId: "general-chat",
    play: (scene) => server.setRespond(() => turnOf(scene)),
    async stopped() {
      expect(await server.requests.at(-1)?.closed).toBe("aborted");
    },
    unplug: () => server.close(),
    async close() {
      await backend.close();
      await server.close();
    },
  };
}

async function modelServiceSubject(): Promise<AgentBackendSubject> {
  let respond = turnOf({ kind: "answer", texts: [] });
  const server = await startModelService({ respond: () => respond });
  const modelService = { url: server.url, apiKey: null };
  const backend = createModelsBackend({
    ...defaults,
    endpoint: null,
    modelService,
    defaultModel: "zhipu/glm-4",
  });
  return {
    backend,
    agentId: "general-chat",
    play: (scene) => {
      respond = turnOf(scene);
    },
    async stopped() {
      expect(await server.requests.at(-1)?.closed).toBe("aborted");
    },
    unplug: () => server.close(),
    async close() {
      await backend.close();
      await server.close();
    },
  };
}

runAgentBackendContract({ name: "models over an endpoint", create: endpointSubject });
runAgentBackendContract({ name: "models over a Model Service", create: modelServiceSubject });

describe("models", () => {
  let endpoint: OpenAiServer;
  let service: ModelServiceServer;
  const clock = { ms: 0 };
  const closes: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    clock.ms = 0;
    endpoint = await startOpenAiServer({
      models: ["text-embedding-3", "big-model", "small-model"],
    });
    service = await start();
    closes.push(() => endpoint.close());
  });

  afterEach(async () => {
    for (const close of closes.splice(0).toReversed()) await close();
  });

  async function start(options: ModelServiceOptions = {}): Promise<ModelServiceServer> {
    const server = await startModelService({
      models: [
        { provider_id: "zhipu", model_id: "glm-4", name: "GLM-4", provider_name: "智谱AI" },
        { provider_id: "Qwen", model_id: "Qwen3/32B", name: "Qwen3", is_enabled: false },
        { provider_id: "zhipu", model_id: "embedding-3", name: "E", model_type: "embedding" },
      ],
      ...options,
    });
    closes.push(() => server.close());
    return server;
  }

  function create(
    which: "endpoint" | "service" | "both",
    changes: Partial<ModelsBackendOptions> = {},
  ) {
    const backend = createModelsBackend({
      ...defaults,
      endpoint: which === "service" ? null : { apiUrl: endpoint.url, apiKey: null },
      modelService: which === "endpoint" ? null : { url: service.url, apiKey: "service-key" },
      now: () => clock.ms,
      ...changes,
    });
    closes.push(() => backend.close());
    const run = async (request: Partial<RunRequest> = {}) => {
      const events: AgentEvent[] = [];
      for await (const event of backend.run(runRequest("general-chat", request), never)) {
        if (event.type !== "context") events.push(event);
      }
      return events;
    };
    return { backend, run };
  }

  test("are listed from both sources; speech and embeddings of a Model Service are not", async () => {
    const { backend } = create("both");
    expect(await backend.listModels(never)).toEqual([
      { id: "text-embedding-3", name: "text-embedding-3", provider: "tests", canChat: false },
      { id: "big-model", name: "big-model", provider: "tests", canChat: true },
      { id: "small-model", name: "small-model", provider: "tests", canChat: true },
      { id: "zhipu/glm-4", name: "GLM-4", provider: "智谱AI", canChat: true },
      { id: "Qwen/Qwen3/32B", name: "Qwen3", provider: "Qwen", canChat: true },
    ]);
  });

  test("lists are kept for a while, asked for once, and kept longer when a source is down", async () => {
    const { backend } = create("both");
    await Promise.all([backend.listModels(never), backend.listModels(never)]);
    await backend.listModels(never);
    expect([endpoint.modelRequests, service.catalogueRequests]).toEqual([1, 1]);
    clock.ms += 60_000;
    endpoint.setModels(["new-model"]);
    service.setCatalogueStatus(500);
    const ids = (await backend.listModels(never)).map((model) => model.id);
    expect(ids).toEqual(["new-model", "zhipu/glm-4", "Qwen/Qwen3/32B"]);
    expect([endpoint.modelRequests, service.catalogueRequests]).toEqual([2, 2]);
  });

  test("a source that cannot be asked is left out, none at all is an error", async () => {
    const { backend } = create("both");
    service.setCatalogueStatus(500);
    expect(await backend.listModels(never)).toHaveLength(3);
    const { backend: alone } = create("service");
    await expect(alone.listModels(never)).rejects.toMatchObject({ type: "agent_failed" });
    await service.close();
    const { backend: cut } = create("service");
    await expect(cut.listModels(never)).rejects.toMatchObject({ type: "agent_unavailable" });
  });

  test("the default is the endpoint's first that can talk", async () => {
    const { run, backend } = create("both");
    await run();
    await run();
    expect(endpoint.requests.map((request) => request.body["model"])).toEqual([
      "big-model",
      "big-model",
    ]);
    expect(endpoint.modelRequests).toBe(1);
    expect((await backend.list(never))[0]?.model).toBeNull();
  });

  test("without any model to be had the agent is unavailable or has failed", async () => {
    endpoint.setModels([]);
    await expect(create("endpoint").run()).rejects.toMatchObject({ type: "agent_failed" });
    await endpoint.close();
    await expect(create("endpoint").run()).rejects.toMatchObject({
      type: "agent_unavailable",
      retryAfterSeconds: 5,
    });
  });

  test("of a Model Service: the user's default before the system's, with its parameters", async () => {
    service = await start({
      defaults: [
        {
          scope: "system",
          provider_id: "zhipu",
          model_id: "glm-4",
          config_params: { max_tokens: 100, top_p: 0.5, temperature: 0.1, other: 1 },
        },
        { scope: "system", category: "embedding", provider_id: "x", model_id: "y" },
        { scope: "user", user_id: "ann&co", provider_id: "Qwen", model_id: "Qwen3/32B" },
      ],
    });
    const { run } = create("service");
    await run({ userId: "bob" });
    await run({ userId: "ann&co" });
    await run({ userId: "bob" });
    const [bob, ann, again] = service.requests.map((request) => request.body);
    expect(bob).toMatchObject({
      provider_id: "zhipu",
      model_id: "glm-4",
      max_tokens: 100,
      top_p: 0.5,
      temperature: 0.7,
      stream: true,
    });
    expect(bob).not.toHaveProperty("other");
    expect(bob).not.toHaveProperty("user_id");
    expect(bob).not.toHaveProperty("stream_options");
    expect(ann).toMatchObject({ provider_id: "Qwen", model_id: "Qwen3/32B" });
    expect(again).toEqual(bob);
    // Two users' defaults and the system's, each once.
    expect(service.catalogueRequests).toBe(3);
    expect(service.requests[0]?.headers.authorization).toBe("Bearer service-key");
  });

  test("speak the Model Service's dialect: texts only, usage unasked, text/plain", async () => {
    const { run } = create("service", { defaultModel: "zhipu/glm-4" });
    service.enqueue({ tokens: ["你", "好"], usage: { input_tokens: 3, output_tokens: 2 } });
    const image = { name: "a.png", mediaType: "image/png", bytes: new Uint8Array([1]) };
    expect(await run({ attachments: [image] })).toEqual([
      { type: "text", text: "你" },
      { type: "text", text: "好" },
      { type: "usage", inputTokens: 3, outputTokens: 2, model: "zhipu/glm-4" },
      { type: "finish", reason: "stop" },
    ]);
    const messages = service.requests[0]?.body["messages"] as { content: unknown }[];
    expect(messages.at(-1)?.content).toBe("Hello\n[image, not shown to this model]");
  });

  test("delegation works over a Model Service that takes tools", async () => {
    const { backend } = create("service", {
      defaultModel: "zhipu/glm-4",
      agents: [{ id: "boss", name: "Boss", handoffs: ["analyst"] }],
    });
    service.enqueue(
      { toolCalls: [{ name: "ask_analyst", arguments: { task: "x" } }] },
      { tokens: ["because"] },
      { tokens: ["it is so"] },
    );
    let text = "";
    for await (const event of backend.run(runRequest("boss"), never)) {
      if (event.type === "text") text += event.text;
    }
    expect(text).toBe("it is so");
    expect(service.requests).toHaveLength(3);
  });

  test.each([
    ["both", "zhipu/glm-4", "service"],
    ["both", "Qwen/Qwen3/32B", "service"],
    ["both", "deepseek-ai/DeepSeek-V3", "endpoint"],
    ["both", "big-model", "endpoint"],
    ["endpoint", "zhipu/glm-4", "endpoint"],
    ["service", "other/model", "service"],
    ["service", "glm-4", "service"],
  ] as const)("with %s configured, %s is asked of the %s", async (which, model, source) => {
    await create(which).run({ settings: { model } });
    expect([endpoint.requests.length, service.requests.length]).toEqual(
      source === "endpoint" ? [1, 0] : [0, 1],
    );
  });

  test("a name with a slash goes to the Model Service when its list is not to be had, unless the endpoint has it", async () => {
    service.setCatalogueStatus(500);
    endpoint.setModels(["deepseek-ai/DeepSeek-V3"]);
    const { run } = create("both");
    await run({ settings: { model: "zhipu/glm-4" } });
    await run({ settings: { model: "deepseek-ai/DeepSeek-V3" } });
    expect([endpoint.requests.length, service.requests.length]).toEqual([1, 1]);
  });

  test("a name that a Model Service does not have is told", async () => {
    const { run } = create("service");
    const error = await run({ settings: { model: "gpt-9" } }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ type: "agent_failed" });
    expect(String(error)).toMatch(/model does not exist/);
    expect(service.requests).toHaveLength(0);
  });

  test("connections to a source are kept", async () => {
    const { run } = create("endpoint", { defaultModel: "m" });
    const ports = new Set<number | undefined>();
    endpoint.setRespond((request) => {
      ports.add(request.remotePort);
      return { tokens: ["x"] };
    });
    for (let i = 0; i < 6; i += 1) await run();
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  test("agents are listed at any time, as unavailable while no source of models answers", async () => {
    const { backend } = create("both");
    const list = async () => {
      const agents = await backend.list(never);
      return agents.map((agent) => [agent.agentId, agent.isAvailable]);
    };
    const all = (isAvailable: boolean) =>
      ["general-chat", "analyst", "creative"].map((id) => [id, isAvailable]);
    expect(await list()).toEqual(all(true));
    await service.close();
    expect(await list()).toEqual(all(true));
    endpoint.setModelsStatus(500);
    expect(await list()).toEqual(all(false));
    endpoint.setModelsStatus(null);
    expect(await list()).toEqual(all(true));
  });

  test("a probe tells each source's state in a word", async () => {
    const { backend } = create("both");
    const probe = () => backend.probe(AbortSignal.timeout(2_000));
    expect(await probe()).toEqual({
      status: "healthy",
      details: { endpoint: "healthy", model_service: "healthy" },
    });
    endpoint.setModelsStatus(404);
    service.setCatalogueStatus(500);
    expect(await probe()).toEqual({
      status: "unhealthy",
      details: { endpoint: "healthy", model_service: "status 500" },
      remedy: expect.any(String),
    });
    endpoint.setModelsStatus(401);
    await service.close();
    expect((await probe()).details).toEqual({
      endpoint: "unauthorized",
      model_service: "unreachable",
    });
  });

  describe("a first minute with", () => {
    const answerTo = async (handle: (path: string) => unknown) => {
      const asked: string[] = [];
      const server = createHttpServer((request, response) => {
        request.resume();
        asked.push(request.url ?? "");
        const answer = handle(request.url ?? "");
        if (answer === undefined) response.writeHead(404).end("404 page not found");
        else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      closes.push(async () => {
        server.closeAllConnections();
        server.close();
      });
      return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    };
    const said =
      'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

    test("an address that only has a list is found by the doctor", async () => {
      const list = { data: [{ id: "m" }] };
      const { url, asked } = await answerTo((path) => (path === "/v1/models" ? list : undefined));
      const endpoint = { apiUrl: `${url}/v1`, apiKey: null };
      const { backend } = create("endpoint", { endpoint });
      expect(await backend.examine(never)).toContainEqual(
        expect.objectContaining({
          name: "completions",
          status: "fail",
          remedy: expect.stringContaining("MODELS_API_URL") as string,
        }),
      );
      expect(asked).toContain("/v1/chat/completions");
      const other = create("endpoint", { endpoint: { ...endpoint, api: "responses" } });
      await other.backend.examine(never);
      expect(asked).toContain("/v1/responses");
      const refusal = { error: { message: "model is required" } };
      const well = await answerTo((path) => (path === "/v1/models" ? list : refusal));
      const there = create("endpoint", { endpoint: { apiUrl: `${well.url}/v1`, apiKey: null } });
      expect(await there.backend.examine(never)).toMatchObject([
        { name: "default model", status: "ok" },
      ]);
    });

    test("a base without /v1 works, and is told", async () => {
      const { url, asked } = await answerTo((path) =>
        path === "/v1/models"
          ? { data: [{ id: "m" }] }
          : path === "/v1/chat/completions"
            ? said
            : undefined,
      );
      const warnings: string[] = [];
      const log = {
        ...silentLogger,
        warn: (_fields: object, text: string) => void warnings.push(text),
      };
      const { backend, run } = create("endpoint", { endpoint: { apiUrl: url, apiKey: null }, log });
      expect((await backend.probe(never)).status).toBe("healthy");
      expect(await run()).toContainEqual({ type: "text", text: "hi" });
      expect(asked.at(-1)).toBe("/v1/chat/completions");
      expect(warnings).toEqual(["MODELS_API_URL lacks /v1 at its end, which is added"]);
    });

    test.each([
      "/v1/chat/completions",
      "/v1/chat/completions/",
      "/v1/responses",
      "/chat/completions",
    ])("a base that was copied with %s works, and is told", async (path) => {
      const { url, asked } = await answerTo((given) =>
        given === "/v1/models"
          ? { data: [{ id: "m" }] }
          : given === "/v1/chat/completions"
            ? said
            : undefined,
      );
      const warnings: string[] = [];
      const log = {
        ...silentLogger,
        warn: (_fields: object, text: string) => void warnings.push(text),
      };
      const endpoint = { apiUrl: `${url}${path}`, apiKey: null };
      const { backend, run } = create("endpoint", { endpoint, log });
      expect((await backend.probe(never)).status).toBe("healthy");
      expect(await run()).toContainEqual({ type: "text", text: "hi" });
      expect(asked.at(-1)).toBe("/v1/chat/completions");
      expect(warnings[0]).toMatch(/^MODELS_API_URL names a path/);
    });

    test("a base where nothing is: users, then health, are told of the address", async () => {
      const { url } = await answerTo(() => undefined);
      const endpoint = { apiUrl: url, apiKey: null };
      const { backend, run } = create("endpoint", { endpoint, defaultModel: "m" });
      const error = await run().catch((caught: unknown) => caught);
      expect(String(error)).toMatch(/does not know the path.*MODELS_API_URL/);
      expect(await backend.probe(never)).toMatchObject({
        status: "unhealthy",
        details: { endpoint: "no such path" },
        remedy: expect.stringContaining("/v1"),
      });
    });

    test.each<[string, unknown, string | null]>([
      ["a bare list", [{ id: "m" }], "m"],
      ["names", ["m"], "m"],
      ["models by name", { models: [{ name: "m" }] }, "m"],
      [
        "models that cannot chat",
        { data: [{ id: "babbage-002" }, { id: "sora-2" }, { id: "m" }] },
        "m",
      ],
      [
        "capabilities",
        { data: [{ id: "x", capabilities: { chat_completion: false } }, { id: "m" }] },
        "m",
      ],
      ["null", { data: null }, null],
      ["nothing", { data: [] }, null],
    ])("a list as %s", async (_name, list, chosen) => {
      const sent: string[] = [];
      const { url } = await answerTo((path) => {
        sent.push(path);
        return path === "/v1/models" ? list : said;
      });
      const endpoint = { apiUrl: `${url}/v1`, apiKey: null };
      const { backend, run } = create("endpoint", { endpoint });
      const health = await backend.probe(never);
      expect(health.status).toBe(chosen === null ? "unhealthy" : "healthy");
      if (chosen === null) {
        expect(health.details).toEqual({ endpoint: "no models" });
        expect(health.remedy).toContain("MODELS_DEFAULT_MODEL");
        const withDefault = create("endpoint", { endpoint, defaultModel: "m" });
        expect((await withDefault.backend.probe(never)).status).toBe("healthy");
      } else {
        expect(await run()).toContainEqual({ type: "text", text: "hi" });
        expect((await backend.listModels(never)).map((model) => model.id)).toContain(chosen);
      }
    });

    test("something else than an endpoint", async () => {
      const { url } = await answerTo(() => "<html>");
      const { backend } = create("endpoint", { endpoint: { apiUrl: url, apiKey: null } });
      expect((await backend.probe(never)).remedy).toMatch(/no endpoint of models/);
    });
  });

  test("a probe asks once, also of a source that is busy", async () => {
    const { backend } = create("endpoint");
    endpoint.setModelsStatus(503);
    expect((await backend.probe(never)).details).toEqual({ endpoint: "status 503" });
    expect(endpoint.modelRequests).toBe(1);
  });

  test("a probe tells that a source is not asked any more", async () => {
    const { backend } = create("endpoint");
    endpoint.setModelsStatus(503);
    for (let times = 0; times < 10; times += 1) await backend.probe(never);
    expect((await backend.probe(never)).details).toMatchObject({ circuit_of_endpoint: "open" });
    expect(endpoint.modelRequests).toBe(10);
  });

  test("an abort ends the wait for a list of models", async () => {
    const deaf = createServer();
    deaf.listen(0, "127.0.0.1");
    await once(deaf, "listening");
    closes.push(async () => {
      deaf.close();
      await once(deaf, "close");
    });
    const sockets: Socket[] = [];
    const stop = new AbortController();
    const reason = new Error("stopped");
    deaf.on("connection", (socket) => {
      sockets.push(socket);
      stop.abort(reason);
    });
    const { port } = deaf.address() as AddressInfo;
    const backend = createModelsBackend({
      ...defaults,
      endpoint: { apiUrl: `http://127.0.0.1:${port}/v1`, apiKey: null },
      modelService: null,
    });
    const first = backend.run(runRequest("general-chat"), stop.signal).next();
    await expect(first).rejects.toBe(reason);
    await expect(backend.listModels(stop.signal)).rejects.toBe(reason);
    await backend.close();
    for (const socket of sockets) socket.destroy();
  });

  test("only so many users' defaults are remembered", async () => {
    const source = createModelServiceSource({
      upstream: createUpstream({
        name: "model-service",
        baseUrl: service.url,
        idleTimeoutMs: 1_000,
        log: silentLogger,
      }),
      cacheTtlMs: 60_000,
      now: () => clock.ms,
      log: silentLogger,
    });
    closes.push(() => source.close());
    for (let user = 0; user <= 1_000; user += 1) await source.defaultModel(`user-${user}`, never);
    const asked = service.catalogueRequests;
    await source.defaultModel("user-1", never);
    expect(service.catalogueRequests).toBe(asked);
    await source.defaultModel("user-0", never);
    expect(service.catalogueRequests).toBe(asked + 1);
  });

  test("mistakes in the agents are told at once", () => {
    expect(() =>
      create("endpoint", { agents: [{ id: "a", name: "A", tools: ["shell"] }] }),
    ).toThrow(/models\.agents: a names the unknown tool shell/);
  });
});
