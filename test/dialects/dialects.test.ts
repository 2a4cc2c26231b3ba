import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { runRequest } from "../../src/agents/agent-backend.contract.ts";
import type { AgentEvent } from "../../src/agents/agent-backend.ts";
import {
  createModelsBackend,
  type ModelsBackend,
} from "../../src/agents/backends/models/models-backend.ts";
import { Problem } from "../../src/problems/problem.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { readJson } from "../support/openai-server.ts";
import { azure } from "./azure.ts";
import { dashscope } from "./dashscope.ts";
import { deepseek } from "./deepseek.ts";
import { callArguments, thought, usage, words, type Dialect, type Refusal } from "./dialect.ts";
import { gemini } from "./gemini.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { lmStudio } from "./lm-studio.ts";
import { mistral } from "./mistral.ts";
import { ollama } from "./ollama.ts";
import { openaiResponses } from "./openai-responses.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { vllm } from "./vllm.ts";

/** Whatever server is behind an address: the same comes out. */

const dialects = [
  openai,
  openaiResponses,
  azure,
  ollama,
  vllm,
  llamaCpp,
  lmStudio,
  openrouter,
  deepseek,
  mistral,
  gemini,
  dashscope,
];

type Fields = Readonly<Record<string, unknown>>;
type Answer = Refusal | string;

const never = new AbortController().signal;
let server: Server;
let backend: ModelsBackend;
let answers: Answer[];
let bodies: Fields[];
let paths: string[];

function send(response: ServerResponse, answer: Answer, pieceBytes: number): void {
  const {
    status,
    headers = {},
    body,
  } = typeof answer === "string" ? { status: 200, body: answer } : answer;
  if (typeof body !== "string") {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
    return;
  }
  response.writeHead(status, { "content-type": "text/event-stream", ...headers });
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    response.write(bytes.subarray(at, at + pieceBytes));
  }
  response.end();
}

/** A server of this dialect, which gives these answers, and a backend that knows nothing of it but its address. */
async function meet(
  dialect: Dialect,
  given: readonly Answer[],
  pieceBytes = Infinity,
): Promise<void> {
  answers = [...given];
  bodies = [];
  paths = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    paths.push(request.url ?? "");
    const hasKey = request.headers.authorization === "Bearer right-key";
    if (dialect.needsKey && !hasKey) send(response, dialect.refusals.badKey ?? "", Infinity);
    else if (request.method === "GET") {
      send(response, { status: 200, body: dialect.models.answer }, Infinity);
    } else if (!/\/(completions|responses)$/.test(request.url ?? "")) {
      send(response, { status: 404, body: "404 page not found" }, Infinity);
    } else {
      bodies.push(await readJson(request));
      const answer = answers.shift();
      if (answer === undefined) throw new Error("more requests than answers");
      send(response, answer, pieceBytes);
    }
  };
  server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  backend = createModelsBackend({
    endpoint: {
      apiUrl: `http://127.0.0.1:${port}${dialect.basePath}`,
      apiKey: "right-key",
      ...(dialect.api && { api: dialect.api }),
    },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [{ id: "a", name: "A", tools: ["current_time"] }],
    defaultAgents: false,
    defaultModel: null,
    historyMessages: 0,
    timeoutMs: 60_000,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
}

afterEach(async () => {
  await backend.close();
  server.closeAllConnections();
  server.close();
});

async function hear(): Promise<AgentEvent[]> {
  const events: AgentEvent[] = [];
  for await (const event of backend.run(runRequest("a"), never)) events.push(event);
  return events;
}

async function refusal(): Promise<Problem> {
  const error = await hear().then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a problem, got ${String(error)}`);
  return error;
}

const textOf = (events: readonly AgentEvent[], type: "text" | "reasoning") =>
  events.map((event) => (event.type === type ? event.text : "")).join("");
const of = <T extends AgentEvent["type"]>(events: readonly AgentEvent[], type: T) =>
  events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
/** As many times as it is asked. */
const always = (answer: Refusal) => Array.from({ length: 10 }, () => answer);

describe.each(dialects)("$name", (dialect) => {
  test("its models are listed, and the first that can chat is the default", async () => {
    await meet(dialect, [dialect.said]);
    const models = await backend.listModels(never);
    expect(models.map(({ id }) => id)).toEqual(expect.arrayContaining([...dialect.models.ids]));
    await hear();
    expect(bodies[0]?.["model"]).toBe(dialect.models.ids[0]);
    const path = dialect.api === "responses" ? "responses" : "chat/completions";
    expect(paths).toContain(`${dialect.basePath}/${path}`);
  });

  test.each([Infinity, 7, 1])("what it says is heard, in pieces of %s bytes", async (bytes) => {
    await meet(dialect, [dialect.said], bytes);
    const events = await hear();
    expect(textOf(events, "text")).toBe(words);
    expect(textOf(events, "reasoning")).toBe(dialect.thinks ? thought : "");
    expect(of(events, "usage")).toMatchObject([{ ...usage, model: dialect.models.ids[0] }]);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "stop" });
  });

  test("what it calls is done, and told to it in its own words", async () => {
    await meet(dialect, [dialect.called, dialect.said]);
    const events = await hear();
    expect(of(events, "tool").map(({ name, status }) => [name, status])).toEqual([
      ["current_time", "started"],
      ["current_time", "completed"],
    ]);
    expect(of(events, "tool")[0]?.arguments).toEqual(callArguments);
    expect(textOf(events, "text")).toBe(words);
    expect(of(events, "finish")).toEqual([{ type: "finish", reason: "stop" }]);
    expect(of(events, "usage")).toHaveLength(2);
    if (dialect.api === "responses") {
      const input = bodies[1]?.["input"] as Fields[];
      const given = input.slice(-1 - dialect.wantsBack!.items!.length);
      expect(given.slice(0, -1)).toMatchObject(dialect.wantsBack!.items!);
      expect(given.at(-1)).toMatchObject({
        type: "function_call_output",
        call_id: given.at(-2)?.["call_id"],
        output: expect.stringContaining("GMT+9") as string,
      });
      return;
    }
    const messages = bodies[1]?.["messages"] as Fields[];
    const [said, result] = messages.slice(-2) as [Fields, Fields];
    const [call] = said["tool_calls"] as [Fields];
    const { arguments: text } = call["function"] as { arguments: string };
    expect(JSON.parse(text)).toEqual(callArguments);
    expect(said).toMatchObject({ role: "assistant", ...dialect.wantsBack?.message });
    expect(call).toMatchObject({ type: "function", ...dialect.wantsBack?.call });
    expect(result).toMatchObject({ role: "tool", tool_call_id: call["id"] });
    expect(String(result["content"])).toContain("GMT+9");
  });

  const { badKey, unknownModel, tooLong, overloaded } = dialect.refusals;

  test.runIf(badKey)("a key that it refuses is said to be that", async () => {
    await meet(dialect, always(badKey!));
    const problem = await refusal();
    expect(problem.type).toBe("agent_failed");
    expect(problem.text("en")).toMatch(/refuses this service's key/);
    expect(bodies).toHaveLength(1);
  });

  test.runIf(unknownModel)("a model that it does not have is said to be that", async () => {
    await meet(dialect, always(unknownModel!));
    const problem = await refusal();
    expect(problem.type).toBe("agent_failed");
    expect(problem.text("en")).toMatch(/model does not exist/);
    expect(bodies).toHaveLength(1);
  });

  test("a conversation that is too long for it is said to be that", async () => {
    await meet(dialect, always(tooLong));
    const problem = await refusal();
    expect(problem.text("en")).toMatch(/too long/);
  });

  test("is asked again while it is overloaded, and then said to be away", async () => {
    await meet(dialect, [overloaded, dialect.said]);
    expect(textOf(await hear(), "text")).toBe(words);
    answers.push(...always(overloaded));
    expect((await refusal()).type).toBe("agent_unavailable");
  });
});

test("each has its row in the documentation", async () => {
  const page = await readFile(new URL("../../docs/models.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| "));
  for (const { name, basePath } of dialects) {
    expect(rows).toContainEqual(expect.stringMatching(`^\\| ${name} +\\| \`${basePath}\` `));
  }
});
