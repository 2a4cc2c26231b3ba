import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson } from "../../../../test/support/openai-server.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runRequest } from "../../agent-backend.contract.ts";
import { createModelsBackend, type ModelsBackend } from "./models-backend.ts";

/** What a model said with its calls goes back to it as it came: some servers refuse the round otherwise. */

type Fields = Readonly<Record<string, unknown>>;
type Message = Fields & { readonly role: string; readonly tool_calls?: readonly Fields[] };

let server: Server;
let backend: ModelsBackend;
let deltas: readonly Fields[];
let refusal: string | null;
let rounds: (readonly Message[])[];

beforeEach(async () => {
  rounds = [];
  refusal = null;
  server = createServer((request, response) => {
    void (async () => {
      const body = await readJson(request);
      rounds.push(body["messages"] as Message[]);
      if (refusal !== null && JSON.stringify(body).includes(refusal)) {
        response.writeHead(400).end(JSON.stringify({ error: { message: refusal } }));
        return;
      }
      const said = rounds.length === 1 ? deltas : [{ content: "done" }];
      for (const delta of said)
        response.write(`data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`);
      response.end("data: [DONE]\n\n");
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  backend = createModelsBackend({
    endpoint: {
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      apiKey: null,
    },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [{ id: "a", name: "A", tools: ["current_time"] }],
    defaultAgents: false,
    defaultModel: "m",
    historyMessages: 0,
    timeoutMs: 60_000,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
});

afterEach(async () => {
  await backend.close();
  server.closeAllConnections();
  server.close();
});

/** What the assistant is told to have said, in the second round. */
async function echoOf(...given: readonly Fields[]): Promise<Message> {
  deltas = given;
  let text = "";
  for await (const event of backend.run(runRequest("a"), new AbortController().signal)) {
    if (event.type === "text") text += event.text;
  }
  expect(text).toBe("done");
  const echo = rounds.at(-1)?.find((message) => message.role === "assistant");
  if (!echo) throw new Error("nothing was echoed");
  return echo;
}

const call = (more: Fields = {}, fn: Fields = {}): Fields => ({
  tool_calls: [
    {
      index: 0,
      id: "c1",
      type: "function",
      ...more,
      function: { name: "current_time", arguments: "{}", ...fn },
    },
  ],
});

test("thinking, under the name it had", async () => {
  const echo = await echoOf(
    { reasoning_content: "I need " },
    { reasoning_content: "the time" },
    call(),
  );
  expect(echo).toMatchObject({
    role: "assistant",
    content: null,
    reasoning_content: "I need the time",
  });
});

test("details of thinking, put together from their pieces", async () => {
  const piece = (text: string) => ({
    reasoning_details: [{ type: "reasoning.text", index: 0, text }],
  });
  const signed = { reasoning_details: [{ type: "reasoning.encrypted", data: "x" }] };
  expect(await echoOf(piece("I "), piece("need"), signed, call())).toMatchObject({
    reasoning_details: [
      { type: "reasoning.text", index: 0, text: "I need" },
      { type: "reasoning.encrypted", data: "x" },
    ],
  });
});

test("signatures and whatever else a call has", async () => {
  const extra = { google: { thought_signature: "sig" } };
  const echo = await echoOf(call({ extra_content: extra, x: 1 }, { thought_signature: "s" }));
  expect(echo.tool_calls).toEqual([
    {
      id: "c1",
      type: "function",
      extra_content: extra,
      x: 1,
      function: { name: "current_time", arguments: "{}", thought_signature: "s" },
    },
  ]);
});

test.each([
  ["", "{}"],
  ["  ", "{}"],
  ["{}", "{}"],
  ['{"zone": "UTC"}', '{"zone": "UTC"}'],
  ['{"zone": "2+', JSON.stringify({ not_valid_json: '{"zone": "2+' })],
  ["[1]", JSON.stringify({ not_valid_json: "[1]" })],
])("arguments %j go back as JSON", async (given, sent) => {
  const echo = await echoOf(call({}, { arguments: given }));
  expect(echo.tool_calls?.[0]?.["function"]).toMatchObject({ arguments: sent });
});

test("two calls of one id are told apart", async () => {
  const one = { id: "call_0", function: { name: "current_time", arguments: "{}" } };
  const echo = await echoOf({ tool_calls: [one] }, { tool_calls: [one] });
  const ids = echo.tool_calls?.map((each) => each["id"]) ?? [];
  expect(new Set(ids).size).toBe(2);
  const results = rounds.at(-1)?.filter((message) => message.role === "tool") ?? [];
  expect(results.map((message) => message["tool_call_id"])).toEqual(ids);
});

test("a name that is repeated with each piece is one call", async () => {
  const piece = (text: string) => ({
    tool_calls: [{ function: { name: "current_time", arguments: text } }],
  });
  const echo = await echoOf(piece("{"), piece('"zone":'), piece('"UTC"}'), piece(""));
  expect(echo.tool_calls).toHaveLength(1);
  expect(echo.tool_calls?.[0]?.["function"]).toMatchObject({ arguments: '{"zone":"UTC"}' });
});

test("thinking is left out where the server refuses it", async () => {
  refusal = "reasoning_content";
  const echo = await echoOf({ reasoning_content: "hm" }, call());
  expect(echo).not.toHaveProperty("reasoning_content");
});

test("a refusal that only speaks of a tool takes no tools away", async () => {
  refusal = "gateway could not parse tool output of an earlier message";
  await expect(echoOf({ content: refusal }, call())).rejects.toMatchObject({
    type: "agent_failed",
  });
  expect(rounds).toHaveLength(3);
});
