import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Problem } from "../../../problems/problem.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runRequest } from "../../agent-backend.contract.ts";
import { AgentInterrupted, type AgentEvent } from "../../agent-backend.ts";
import { createCompletionReader } from "./completion-stream.ts";
import { createModelsBackend, type ModelsBackend } from "./models-backend.ts";

/** What servers of models were seen to send, and what is made of it: docs/models.md has the same as a table. */

let server: Server;
let backend: ModelsBackend;
let answer: (response: ServerResponse, request: IncomingMessage) => void;
let asked: number;
const never = new AbortController().signal;

beforeEach(async () => {
  asked = 0;
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      asked += 1;
      answer(response, request);
    });
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
    agents: [],
    defaultAgents: true,
    defaultModel: "m",
    historyMessages: 20,
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

interface Reply {
  readonly text: string;
  readonly reasoning: string;
  readonly images: readonly string[];
  /** The reason of the end, `interrupted`, or the words of the problem. */
  readonly end: string;
}

async function replyTo(...pieces: readonly string[]): Promise<Reply> {
  answer = (response) => {
    for (const piece of pieces) response.write(piece);
    response.end();
  };
  return reply();
}

async function reply(): Promise<Reply> {
  const events: AgentEvent[] = [];
  const tell = (event: AgentEvent) => void events.push(event);
  let end = "nothing";
  try {
    for await (const event of backend.run(runRequest("general-chat", { tell }), never)) {
      events.push(event);
      if (event.type === "finish") end = event.reason;
    }
  } catch (error) {
    if (error instanceof AgentInterrupted) end = "interrupted";
    else if (error instanceof Problem) end = error.text("en");
    else throw error;
  }
  // What was told before is replaced.
  const last = events.findLastIndex(({ type }) => type === "replace");
  const first = events[last];
  return {
    text: (first?.type === "replace" ? first.text : "") + textOf(events.slice(last + 1), "text"),
    reasoning: textOf(events, "reasoning"),
    images: events.flatMap((event) => (event.type === "media" ? [event.url] : [])),
    end,
  };
}

function textOf(events: readonly AgentEvent[], type: "text" | "reasoning"): string {
  return events.map((event) => (event.type === type ? event.text : "")).join("");
}

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const delta = (fields: object, finish: unknown = null) =>
  data({ choices: [{ index: 0, delta: fields, finish_reason: finish }] });
const stop = delta({}, "stop");
const done = "data: [DONE]\n\n";
/** The connection breaks after these. */
function breakAfter(...pieces: readonly string[]): Promise<Reply> {
  answer = (response) => {
    response.write(pieces.join(""), () => setImmediate(() => response.socket?.destroy()));
  };
  return reply();
}

test("a reason in the other spelling", async () => {
  const ending = data({ choices: [{ delta: { content: "lf" }, finishReason: "MAX_TOKENS" }] });
  expect(await replyTo(delta({ content: "ha" }), ending, done)).toMatchObject({
    text: "half",
    end: "length",
  });
});

describe("a finish_reason that is none", () => {
  test.each(["", "null", " ", "none", null, undefined, false, {}])("%j goes on", async (sign) => {
    const pieces = ["One ", "two ", "three"].map((content) => delta({ content }, sign));
    expect(await replyTo(...pieces, stop, done)).toMatchObject({
      text: "One two three",
      end: "stop",
    });
    expect(await breakAfter(...pieces.slice(0, 2))).toMatchObject({
      text: "One two ",
      end: "interrupted",
    });
    expect(await replyTo(...pieces, delta({}, "length"), done)).toMatchObject({ end: "length" });
  });

  test("with nothing said before it, the answer has not ended", async () => {
    const first = delta({ role: "assistant" }, "stop");
    expect(await replyTo(first, delta({ content: "late" }), stop, done)).toMatchObject({
      text: "late",
      end: "stop",
    });
    // So that no time runs after which it would be closed.
    const reader = createCompletionReader();
    const value = { choices: [{ delta: { role: "assistant" }, finish_reason: "stop" }] };
    reader.read({ event: null, value });
    expect(reader.ended).toBeNull();
    reader.read({ event: null, value: { choices: [{ delta: { content: "late" } }] } });
    reader.read({ event: null, value: { choices: [{ delta: {}, finish_reason: "stop" }] } });
    expect(reader.ended).toBe("contradicted");
  });

  test("words after it take it back; the last one counts", async () => {
    const early = delta({ content: "One " }, "stop");
    expect(await replyTo(early, delta({ content: "two" }), delta({}, "length"))).toMatchObject({
      text: "One two",
      end: "length",
    });
    expect(await breakAfter(early, delta({ content: "two" }))).toMatchObject({
      text: "One two",
      end: "interrupted",
    });
    expect(await breakAfter(early, early, early)).toMatchObject({ end: "interrupted" });
    expect(await replyTo(early, early, early)).toMatchObject({ end: "stop" });
    expect(await breakAfter(delta({ content: "One" }), stop)).toMatchObject({ end: "stop" });
    expect(await replyTo(delta({ content: "a" }), stop, delta({}, "length"))).toMatchObject({
      end: "length",
    });
  });

  test.each([
    ["max_tokens", "length"],
    ["MAX_TOKENS", "length"],
    ["max_output_tokens", "length"],
    ["model_length", "length"],
    ["SAFETY", "content_filter"],
    ["RECITATION", "content_filter"],
    ["sensitive", "content_filter"],
    ["eos", "stop"],
    ["end_turn", "stop"],
    ["tool_calls", "stop"],
    ["insufficient_system_resource", "insufficient_system_resource"],
    ["abort", "abort"],
    ["timeout", "timeout"],
    ["repetition_truncation", "repetition_truncation"],
    ["it was nice, bye!", "stop"],
  ])("%s is told as %s", async (given, told) => {
    expect(await replyTo(delta({ content: "a" }), delta({}, given), done)).toMatchObject({
      text: "a",
      end: told,
    });
  });

  test.each(["error", "network_error", "model ended in error"])(
    "%s is a failure",
    async (given) => {
      expect((await replyTo(delta({ content: "a" }), delta({}, given), done)).end).toMatch(
        /failed/,
      );
    },
  );
});

describe("what is said elsewhere than in a text", () => {
  const image = "data:image/png;base64,AAAA";
  test.each<[string, readonly string[], Partial<Reply>]>([
    [
      "thinking and text as parts",
      [
        delta({
          content: [{ type: "thinking", thinking: [{ type: "text", text: "let me think" }] }],
        }),
        delta({ content: [{ type: "text", text: "The answer is 4." }] }),
      ],
      { text: "The answer is 4.", reasoning: "let me think", end: "stop" },
    ],
    [
      "thinking in a part of its own",
      [
        delta({
          content: [
            { type: "thinking", thinking: "hm" },
            { type: "text", text: "4" },
          ],
        }),
      ],
      { text: "4", reasoning: "hm" },
    ],
    ["one part", [delta({ content: { type: "text", text: "4" } })], { text: "4" }],
    [
      "parts in parts",
      [delta({ content: { parts: [{ text: "4" }, { text: "2" }] } })],
      { text: "42" },
    ],
    [
      "a refusal",
      [delta({ content: null, refusal: "I can't help " }), delta({ refusal: "with that." })],
      { text: "I can't help with that.", end: "content_filter" },
    ],
    [
      "a refusal as part",
      [delta({ content: [{ type: "refusal", refusal: "No." }] })],
      { text: "No.", end: "content_filter" },
    ],
    [
      "images beside the text",
      [delta({ content: "", images: [{ type: "image_url", image_url: { url: image } }] })],
      { text: "", images: [image], end: "stop" },
    ],
    [
      "an image as part",
      [
        delta({
          content: [
            { type: "image_url", image_url: image },
            { type: "text", text: "so" },
          ],
        }),
      ],
      { text: "so", images: [image] },
    ],
    [
      "an image as bytes",
      [delta({ content: "", images: [{ b64_json: "AAAA", mime_type: "image/png" }] })],
      { images: [image], end: "stop" },
    ],
    [
      "thinking under a second name, the first empty",
      [delta({ reasoning_content: "", reasoning: "hm" }), delta({ content: "4" })],
      { reasoning: "hm", text: "4" },
    ],
    [
      "thinking only in details",
      [
        delta({ reasoning_details: [{ type: "reasoning.text", text: "hm" }] }),
        delta({ content: "4" }),
      ],
      { reasoning: "hm", text: "4" },
    ],
    [
      "thinking twice, told once",
      [
        delta({ reasoning: "hm", reasoning_details: [{ type: "reasoning.text", text: "hm" }] }),
        delta({ content: "4" }),
      ],
      { reasoning: "hm", text: "4" },
    ],
    ["the words of a voice", [delta({ audio: { transcript: "4" } })], { text: "4" }],
    ["a bare text", [data({ choices: [{ text: "4", finish_reason: null }] })], { text: "4" }],
    [
      "a whole message after its pieces",
      [delta({ content: "4" }), data({ choices: [{ message: { content: "42" } }] })],
      { text: "42" },
    ],
  ])("%s", async (_name, pieces, expected) => {
    expect(await replyTo(...pieces, stop, done)).toMatchObject(expected);
  });

  test("a large image is passed on; more than 8 MiB of them are told", async () => {
    const url = `data:image/png;base64,${"A".repeat(1_500_000)}`;
    const shown = delta({ images: [{ image_url: { url } }] });
    const here = delta({ content: "Here: " });
    expect(await replyTo(here, shown, stop, done)).toEqual({
      text: "Here: ",
      reasoning: "",
      images: [url],
      end: "stop",
    });
    const { images, text, end } = await replyTo(...Array.from({ length: 6 }, () => shown), stop);
    expect([images.length, end]).toEqual([5, "stop"]);
    expect(text).toContain("too large to be passed on");
  });

  test.each<[string, readonly string[], Partial<Reply>]>([
    ["at once", ["<think>hm</think>\n\n4"], { reasoning: "hm", text: "4" }],
    [
      "in pieces",
      [..."\n<think>\nhm </th> 1 < 2</think>\n\n4"],
      { reasoning: "\nhm </th> 1 < 2", text: "4" },
    ],
    ["under another name", ["<thinking>hm</thinking>4"], { reasoning: "hm", text: "4" }],
    ["as Mistral's", ["[THINK]hm[/THINK]4"], { reasoning: "hm", text: "4" }],
    ["as Seed's", ["<seed:think>hm</seed:think>4"], { reasoning: "hm", text: "4" }],
    ["as Kimi's", ["◁think▷hm◁/think▷4"], { reasoning: "hm", text: "4" }],
    ["as Cohere's", [..."<|START_THINKING|>hm<|END_THINKING|>4"], { reasoning: "hm", text: "4" }],
    [
      "as in the channels of gpt-oss",
      [
        ..."<|channel|>analysis<|message|>hm < 2<|end|><|start|>assistant<|channel|>final<|message|>4",
      ],
      { reasoning: "hm < 2", text: "4" },
    ],
    [
      "as in its channels, some marks left out",
      ["<|channel|>analysis<|message|>hm<|channel|>", "final<|message|>", "4"],
      { reasoning: "hm", text: "4" },
    ],
    ["none before its last channel", ["<|channel|>final<|message|>", "4"], { text: "4" }],
    ["later on: that is the answer", ["Say <think>x</think>"], { text: "Say <think>x</think>" }],
    ["begun only", ["<thi", "s>"], { text: "<this>" }],
    ["begun only, at the end", ["<thi"], { text: "<thi" }],
    ["nothing but spaces", ["  ", "4"], { text: "  4" }],
    ["ended only", ["hm\n</think>\n\n4"], { reasoning: "hm\n", text: "4" }],
    [
      "ended only, as a token",
      ["h", "m\n", "</think>", "\n\n", " 4", "2"],
      { reasoning: "hm\n", text: "42" },
    ],
    [
      "ended only, in pieces",
      ["hm\n\n", "</", "think", ">", "4"],
      { reasoning: "hm\n\n", text: "4" },
    ],
    ["ended only, with nothing before", ["</think>\n\n4"], { text: "4" }],
    ["ended twice", ["a\n</think>\nb\n</think>\nc"], { reasoning: "a\n", text: "b\n</think>\nc" }],
    ["ended within a line", ["Close it with </think>\n4"], { text: "Close it with </think>\n4" }],
    [
      "ended in a block of code",
      ["```\n<b>\n</think>\n", "```\n4"],
      { text: "```\n<b>\n</think>\n```\n4" },
    ],
    [
      "ended again after it was begun",
      ["<think>a</think>b\n</think>\nc"],
      { reasoning: "a", text: "b\n</think>\nc" },
    ],
  ])("thinking in the text, %s", async (_name, texts, expected) => {
    const pieces = texts.map((content) => delta({ content }));
    expect(await replyTo(...pieces, stop, done)).toEqual({
      reasoning: "",
      images: [],
      end: "stop",
      ...expected,
    });
  });
});

describe("an unusual line does not harm a good reply", () => {
  const a = delta({ content: "A" });
  const b = delta({ content: "B" });
  test.each([
    ["data: \n\n"],
    ["data:\n\n"],
    ["data\n\n"],
    ["event: ping\ndata: ping\n\n"],
    ['data: {"type":"ping"}\n\n'],
    [": OPENROUTER PROCESSING\n\n"],
    ["data: null\n\ndata: 7\n\ndata: []\n\n"],
    ["data: {}\n\n"],
    ['data: {"error":null,"choices":[]}\n\n'],
    ['data: {"error":{},"choices":[]}\n\n'],
    ['data: {"code":0,"message":"ok","choices":[]}\n\n'],
    ['data: {"choices":[{"delta":null,"finish_reason":""}]}\n\n'],
    ["this is nothing\n"],
    ["\uFEFF\n"],
  ])("%j", async (line) => {
    expect(await replyTo(line, a, line, b, stop, line, done)).toMatchObject({
      text: "AB",
      end: "stop",
    });
  });

  test("events with one newline between them arrive as they come", async () => {
    const gone = Promise.withResolvers<void>();
    const single = (text: string) => text.replace(/\n\n$/, "\n");
    answer = (response) => {
      response.write(single(a));
      void (async () => {
        await gone.promise;
        response.end(single(b) + single(stop) + single(done));
      })();
    };
    let text = "";
    for await (const event of backend.run(runRequest("general-chat"), never)) {
      if (event.type !== "text") continue;
      text += event.text;
      gone.resolve();
    }
    expect(text).toBe("AB");
  });
});

describe("no stream at all", () => {
  const whole = { choices: [{ message: { content: "whole answer" }, finish_reason: "stop" }] };
  test.each([
    ["plain JSON", JSON.stringify(whole)],
    ["JSON for people", JSON.stringify(whole, null, 2)],
    ["JSON in a list", JSON.stringify([whole])],
  ])("%s", async (_name, body) => {
    answer = (response) => {
      response.setHeader("content-type", "application/json");
      response.end(body);
    };
    expect(await reply()).toMatchObject({ text: "whole answer", end: "stop" });
  });

  test("a web page is none", async () => {
    expect((await replyTo("<html>\n<body>Sign in</body></html>")).end).toMatch(/MODELS_API_URL/);
  });
});

describe("errors in an answer of 200", () => {
  const vllm = {
    object: "error",
    message: "This model's maximum context length is 4096 tokens",
    code: 40303,
  };
  test.each([
    [vllm],
    [{ error: { message: "context length exceeded" } }],
    [{ error: "busy" }],
    [{ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
    [{ success: false, message: "no" }],
    [{ detail: "no" }],
    [{ code: 1113, msg: "no" }],
    [{ message: "Endpoint request timed out" }],
    [{ base_resp: { status_code: 1004, status_msg: "no" } }],
    [{ base_resp: { status_code: 1008, status_msg: "insufficient balance" }, choices: null }],
    [{ code: 1113, msg: "no", choices: [] }],
    [{ errors: [{ message: "no" }] }],
  ])("%j", async (error) => {
    for (const text of [data(error) + done, JSON.stringify(error), JSON.stringify([error])]) {
      expect((await replyTo(text)).end).toMatch(/failed|too long/);
    }
    const { text, end } = await replyTo(delta({ content: "A" }), data(error), done);
    expect(text).toBe("A");
    expect(end).toMatch(/failed|too long/);
  });

  test("an event of that name", async () => {
    expect((await replyTo('event: error\ndata: {"status":503}\n\n')).end).toMatch(/failed/);
    // In words, after some of the answer: that is not whole, whatever comes then.
    for (const name of ["error", "Error"]) {
      const told = `event: ${name}\ndata: upstream is gone\n\n`;
      const { text, end } = await replyTo(delta({ content: "A" }), told, stop, done);
      expect([text, end]).toEqual(["A", expect.stringMatching(/failed/)]);
    }
    // It is the next one's no more.
    const good = `event: error\n\n${data("ping")}${delta({ content: "B" })}`;
    expect(await replyTo(good, stop, done)).toMatchObject({ text: "B", end: "stop" });
  });

  test.each(["[DONE]", "[done]", '"[DONE]"', " [Done] "])("%s is an end", async (sign) => {
    const answer = await replyTo(delta({ content: "A" }), `data: ${sign}\n\n`);
    expect(answer).toMatchObject({ text: "A", end: "stop" });
  });
});

describe("an answer without anything", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["at all", [stop, done], /ended without an answer/],
    ["but an end", [done], /ended without an answer/],
    ["but spaces", [delta({ content: " \n" }), stop, done], /ended without an answer/],
    ["but thinking", [delta({ reasoning: "hm" }), delta({}, "length")], /output limit/],
    ["because of a filter", [delta({}, "content_filter"), done], /content filter/],
  ])("%s is no success", async (_name, pieces, words) => {
    expect((await replyTo(...pieces)).end).toMatch(words);
    expect(asked).toBe(1);
  });
});
