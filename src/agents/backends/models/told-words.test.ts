import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";
import { constants, createGzip } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runRequest } from "../../agent-backend.contract.ts";
import type { AgentEvent } from "../../agent-backend.ts";
import { createModelsBackend } from "./models-backend.ts";

/** What a model's server sends for one request, and in which pieces. */
interface Answer {
  readonly pieces: readonly Buffer[];
  readonly isPacked: boolean;
}

let answers: Answer[] = [];
const server = createServer((request, response) => {
  request.resume();
  play(answers.shift() ?? proper, response).catch((error: unknown) =>
    response.destroy(error as Error),
  );
});

async function play({ pieces, isPacked }: Answer, response: ServerResponse): Promise<void> {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    ...(isPacked && { "content-encoding": "gzip" }),
  });
  const gzip = createGzip();
  if (isPacked) gzip.pipe(response);
  for (const piece of pieces) {
    if (isPacked) {
      gzip.write(piece);
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
    } else response.write(piece);
    // A packet of its own.
    await setImmediate();
  }
  if (isPacked) gzip.end();
  else response.end();
}

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const event = (members: object) => `data: ${JSON.stringify({ id: "1", ...members })}\n\n`;
const choice = (delta: object, finish_reason: string | null = null, index = 0) => ({
  index,
  delta,
  finish_reason,
});
const chunk = (delta: object, reason?: string) => event({ choices: [choice(delta, reason)] });
const ending = `${chunk({}, "stop")}data: [DONE]\n\n`;
const proper: Answer = {
  pieces: [Buffer.from(chunk({ content: "bye" }) + ending)],
  isPacked: false,
};

const words = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }) },
  // What no more is read of while nobody takes it begins at 64 KiB.
  { weight: 1, arbitrary: fc.integer({ max: 75_000, min: 1 }).map((n) => "é🙂x".repeat(n)) },
  { weight: 1, arbitrary: fc.constantFrom("", "<think>", "</think>", "\ud83d", "\ude42", "\n\n") },
);
const call = {
  tool_calls: [{ index: 0, id: "c", function: { name: "current_time", arguments: "{}" } }],
};
const sent = fc.oneof(
  { weight: 8, arbitrary: words.map((content) => chunk({ content })) },
  { weight: 3, arbitrary: words.map((reasoning) => chunk({ reasoning_content: reasoning })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(words, words)
      .map(([content, reasoning]) => chunk({ content, reasoning_content: reasoning })),
  },
  {
    weight: 1,
    arbitrary: words.map((content) =>
      event({ choices: [choice({ content }), choice({ content }, null, 1)] }),
    ),
  },
  { weight: 1, arbitrary: words.map((content) => chunk({ ...call, content })) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      chunk({}, "stop"),
      chunk({}, "length"),
      chunk({}),
      chunk({ content: null }),
      event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }),
      event({ error: { message: "boom", code: 500 } }),
      event({}),
      ": alive\n\n",
      "data: \n\n",
    ),
  },
);

const answer: fc.Arbitrary<Answer> = fc
  .record({
    events: fc.array(sent, { maxLength: 25 }),
    end: fc.constantFrom(ending, ""),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
    isPacked: fc.boolean(),
  })
  .map(({ events, end, cuts, isPacked }) => {
    const bytes = Buffer.from(events.join("") + end);
    const places = cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b);
    const pieces = [0, ...places].map((from, index) => bytes.subarray(from, places[index]));
    return { pieces, isPacked };
  });

/** What a run says, and how it fails. `slow`: after which words the log is behind; null: none are told. */
async function run(script: readonly Answer[], slow: readonly boolean[] | null) {
  answers = [...script];
  const { port } = server.address() as AddressInfo;
  const backend = createModelsBackend({
    endpoint: { apiUrl: `http://127.0.0.1:${port}/v1`, apiKey: "key" },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [],
    defaultAgents: true,
    defaultModel: "test-model",
    historyMessages: 20,
    timeoutMs: 60_000,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
  const said: Record<string, unknown>[] = [];
  let isBehind = false;
  const hear = (heard: AgentEvent) => {
    expect(isBehind).toBe(false);
    const last = said.at(-1);
    const isWords = heard.type === "text" || heard.type === "reasoning";
    if (isWords && last?.["type"] === heard.type) last["text"] += heard.text;
    // Ids are made up.
    else if (heard.type === "tool") said.push({ ...heard, toolCallId: "" });
    else if (heard.type !== "context") said.push({ ...heard });
  };
  let count = 0;
  const tell = (told: AgentEvent) => {
    hear(told);
    count += 1;
    if (slow?.[count % slow.length] !== true) return undefined;
    isBehind = true;
    return setTimeout(1).then(() => void (isBehind = false));
  };
  const { tell: _none, ...alone } = runRequest("analyst");
  const request = slow === null ? alone : { ...alone, tell };
  let fault: unknown = null;
  try {
    for await (const yielded of backend.run(request, new AbortController().signal)) hear(yielded);
  } catch (error) {
    fault = (error as { type?: string }).type ?? (error as Error).message;
  }
  await backend.close();
  return { said, fault };
}

test("however an answer arrives, who is told its words has what one has who waits for all of it", async () => {
  const large = "x".repeat(40_000);
  const heldBack: Answer = {
    pieces: [1, 2, 3, 4, 5, 6]
      .map((number) => Buffer.from(chunk({ content: `${number}${large}` })))
      .concat(Buffer.from(ending)),
    isPacked: false,
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(answer, { minLength: 1, maxLength: 2 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      async (script, slow) => {
        const alone = await run(script, null);
        expect(await run(script, slow)).toEqual(alone);
      },
    ),
    { numRuns: 100, examples: [[[heldBack], [true]]] },
  );
});
