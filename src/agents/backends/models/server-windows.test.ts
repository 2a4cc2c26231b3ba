import { afterEach, expect, test } from "vitest";
import { startJsonServer, type JsonServer } from "../../../../test/support/json-server.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { createUpstream } from "../../upstream/upstream.ts";
import { parseModelList } from "./model-list.ts";
import { createServerWindows, type ServerWindows } from "./server-windows.ts";

let server: JsonServer;
let windows: ServerWindows;
let now = 0;

async function meet(answers: Readonly<Record<string, unknown>>): Promise<void> {
  now = 0;
  server = await startJsonServer(({ path, body }) => {
    const key = path === "/api/show" ? `show ${(body as { model: string }).model}` : path;
    return key in answers ? { status: 200, body: answers[key] } : { status: 404, body: {} };
  });
  windows = createServerWindows({
    root: createUpstream({
      name: "models",
      baseUrl: server.url,
      idleTimeoutMs: 60_000,
      log: silentLogger,
    }),
    now: () => now,
    log: silentLogger,
  });
}

afterEach(async () => {
  await windows.close();
  await server.stop();
});

/** Until the last question of a round. */
async function learn(ids: readonly string[], owner: string, last: string): Promise<void> {
  const asked = server.nextRequest(({ path }) => path === last);
  windows.learn(parseModelList({ data: ids.map((id) => ({ id, owned_by: owner })) }));
  await asked;
}
const told = (model: string) => expect.poll(() => windows.of(model), { timeout: 5_000 });

test("Ollama tells what a model was loaded with, else what it sets, else what it could take", async () => {
  const loaded: { model: string; context_length: number }[] = [];
  await meet({
    "show loaded:latest": { model_info: { "qwen3.context_length": 40_960 } },
    "show set": {
      parameters: 'temperature 0.6\nnum_ctx                        8192\nstop "x"',
      model_info: { "qwen3.context_length": 40_960 },
    },
    "show plain": { model_info: { "general.architecture": "x", "x.context_length": 2_048 } },
    "show odd": { parameters: { num_ctx: 3 }, model_info: ["context_length"] },
    "/api/ps": { models: loaded },
  });
  const ids = ["loaded:latest", "set", "plain", "odd"];
  await learn(ids, "library", "/api/ps");
  await told("plain").toBe(2_048);
  expect(["loaded", "loaded:latest", "set", "odd", "none"].map((id) => windows.of(id))).toEqual([
    40_960,
    40_960,
    8_192,
    null,
    null,
  ]);
  loaded.push({ model: "loaded:latest", context_length: 4_096 });
  await learn(ids, "library", "/api/ps");
  await told("loaded").toBe(4_096);
  loaded.length = 0;
  await learn(ids, "library", "/api/ps");
  await windows.close();
  // What it was loaded with once is what it will be loaded with again.
  expect(windows.of("loaded")).toBe(4_096);
  const shown = server.requests.filter(({ path }) => path === "/api/show");
  expect(shown.map(({ body }) => (body as { model: string }).model)).toEqual([
    ...ids,
    "odd",
    "odd",
  ]);
});

test("llama.cpp tells what it was started with", async () => {
  await meet({ "/props": { default_generation_settings: { n_ctx: 16_384 } } });
  await learn(["any.gguf"], "llamacpp", "/props");
  await told("any.gguf").toBe(16_384);
});

test("LM Studio tells what a model was loaded with, else what it could take", async () => {
  await meet({
    "/api/v0/models": {
      data: [
        { id: "a", max_context_length: 131_072, loaded_context_length: 4_096 },
        { id: "b", max_context_length: 32_768 },
        { id: 3 },
        null,
      ],
    },
  });
  await learn(["a", "b"], "organization_owner", "/api/v0/models");
  await told("b").toBe(32_768);
  expect(windows.of("a")).toBe(4_096);
});

test("a model that cannot be shown does not keep the others from it", async () => {
  await meet({ "show b": { model_info: { "x.context_length": 2_048 } }, "/api/ps": {} });
  await learn(["a", "b"], "library", "/api/ps");
  await told("b").toBe(2_048);
});

test("anything else is not asked; what is away or answers nonsense harms nothing", async () => {
  await meet({ "/props": "nonsense" });
  windows.learn(parseModelList({ data: [{ id: "m", owned_by: "openai" }] }));
  expect(server.requests).toEqual([]);
  await learn(["m"], "llamacpp", "/props");
  await windows.close();
  expect(windows.of("m")).toBeNull();
});
