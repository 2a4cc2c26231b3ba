import { setImmediate, setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  startOpenAiServer,
  type OpenAiServer,
  type RecordedRequest,
  type Turn,
} from "../../../../test/support/openai-server.ts";
import { Problem } from "../../../problems/problem.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runRequest } from "../../agent-backend.contract.ts";
import type { AgentEvent, HistoryBounds, HistoryMessage, RunRequest } from "../../agent-backend.ts";
import type { AgentSettings } from "./agents.ts";
import { createModelsBackend, type ModelsBackend } from "./models-backend.ts";

let server: OpenAiServer;
let backend: ModelsBackend;
const never = new AbortController().signal;

/** By default the time-out is beyond any test's own: what ends here does not end because of it. */
function create(
  agents: readonly AgentSettings[] = [],
  historyMessages = 20,
  timeoutMs = 60_000,
): ModelsBackend {
  return createModelsBackend({
    endpoint: { apiUrl: server.url, apiKey: "key" },
    modelService: null,
    cacheTtlMs: 60_000,
    agents,
    defaultAgents: true,
    defaultModel: "test-model",
    historyMessages,
    timeoutMs,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
}

beforeEach(async () => {
  server = await startOpenAiServer();
  backend = create();
});

afterEach(async () => {
  await backend.close();
  await server.close();
});

/** What is told and what is yielded, in one order. */
async function run(agentId: string, changes: Partial<RunRequest> = {}): Promise<AgentEvent[]> {
  const events: AgentEvent[] = [];
  const tell = (event: AgentEvent) => void events.push(event);
  const request = runRequest(agentId, { tell, ...changes });
  for await (const event of backend.run(request, never)) events.push(event);
  return events.filter(({ type }) => type !== "context");
}

const textOf = (events: readonly AgentEvent[]) =>
  events.map((event) => (event.type === "text" ? event.text : "")).join("");

const messagesOf = (request: RecordedRequest | undefined) =>
  (request?.body["messages"] ?? []) as { role: string; content: unknown; tool_calls?: unknown }[];

const toolNamesOf = (request: RecordedRequest | undefined) =>
  ((request?.body["tools"] ?? []) as { function: { name: string } }[]).map(
    (tool) => tool.function.name,
  );

/** Which agent a request is for, by the instructions that the tests give: "I am <id>." */
const speakerOf = (request: RecordedRequest) =>
  /I am ([\w-]+)\./.exec(String(messagesOf(request)[0]?.content))?.[1] ?? "?";

const agent = (id: string, handoffs: readonly string[] = [], more: object = {}): AgentSettings => ({
  id,
  name: id.toUpperCase(),
  description: `Knows ${id}.`,
  instructions: `I am ${id}.`,
  handoffs,
  ...more,
});

describe("a turn", () => {
  test("is the same for who is told its words and for who waits for them", async () => {
    const turns: Turn[] = [
      {
        reasoning: ["So", " …"],
        tokens: ["Let me", " see"],
        toolCalls: [{ name: "current_time", arguments: {} }],
      },
      { tokens: ["It is", " late", "."] },
    ];
    server.enqueue(...turns);
    const told: AgentEvent[] = [];
    const tell = (event: AgentEvent) => void told.push(event);
    const events = await run("analyst", { tell });
    server.enqueue(...turns);
    const { tell: _none, ...alone } = runRequest("analyst");
    const yielded: AgentEvent[] = [];
    for await (const event of backend.run(alone, never)) yielded.push(event);
    const wordsOf = (all: readonly AgentEvent[]) =>
      all.filter(({ type }) => type === "text" || type === "reasoning");
    expect(textOf(yielded)).toBe("Let me see\n\nIt is late.");
    expect(wordsOf([...told, ...events])).toHaveLength(wordsOf(yielded).length);
    // What comes with the beginning of an answer is waited for all the same.
    expect(told.map((event) => (event.type === "text" ? event.text : event.type))).toEqual(
      expect.arrayContaining([" late", "."]),
    );
  });

  test("waits where the log is behind, and loses nothing", async () => {
    server.enqueue({ tokens: ["a", "b", "c", "d"], pace: () => setImmediate() });
    const events: AgentEvent[] = [];
    let isBehind = false;
    const tell = async (event: AgentEvent) => {
      expect(isBehind).toBe(false);
      events.push(event);
      isBehind = true;
      await setTimeout(20);
      isBehind = false;
    };
    const request = runRequest("analyst", { tell });
    for await (const event of backend.run(request, never)) {
      expect(isBehind).toBe(false);
      events.push(event);
    }
    expect(textOf(events)).toBe("abcd");
    expect(events.at(-1)?.type).toBe("finish");
  });

  test("is told as roles: instructions, history, and the message once", async () => {
    const history: HistoryMessage[] = [
      { role: "user", content: "Hi", agentId: null },
      { role: "assistant", content: "Hello!", agentId: "general-chat" },
      { role: "assistant", content: "  ", agentId: "general-chat" },
    ];
    let bounds: HistoryBounds | undefined;
    await run("analyst", {
      message: "Why?",
      settings: { instructions: "Be brief." },
      context: { page: "billing" },
      history: (given) => {
        bounds = given;
        return Promise.resolve(history);
      },
    });
    const [system, ...rest] = messagesOf(server.requests[0]);
    expect(system?.role).toBe("system");
    expect(system?.content).toMatch(/careful professional analyst/);
    expect(system?.content).toContain("Be brief.");
    expect(system?.content).toContain('{"page":"billing"}');
    expect(rest).toEqual([
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello!" },
      { role: "user", content: "Why?" },
    ]);
    expect(bounds).toEqual({ messages: 20, maxBytes: 6 * (32_768 - 4_096) });
  });

  test("is sent with model, temperature, key, request id and idempotency key", async () => {
    await run("creative", { traceparent: "00-1-2-01", attempt: 2 });
    const { body, headers } = server.requests[0]!;
    expect(body).toMatchObject({
      model: "test-model",
      temperature: 0.9,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(body).not.toHaveProperty("tools");
    expect(headers).toMatchObject({
      authorization: "Bearer key",
      "x-request-id": "contract-request",
      traceparent: "00-1-2-01",
      "idempotency-key": "01990000-0000-7000-8000-000000000001-2-1-0",
    });
  });

  test("is in the user's language, and the session's model and temperature win", async () => {
    await run("analyst", { language: "zh", settings: { model: "other", temperature: 0 } });
    expect(server.requests[0]?.body).toMatchObject({ model: "other", temperature: 0 });
    expect(messagesOf(server.requests[0])[0]?.content).toMatch(/严谨的专业分析师/);
  });

  test("shows images, and mentions what it cannot show", async () => {
    await run("general-chat", {
      attachments: [
        { name: "a.png", mediaType: "image/png", bytes: new Uint8Array([1, 2, 3]) },
        { name: "b.pdf", mediaType: "application/pdf", bytes: new Uint8Array([4]) },
      ],
    });
    expect(messagesOf(server.requests[0]).at(-1)?.content).toEqual([
      { type: "text", text: "Hello\n\n[attached: b.pdf (application/pdf), not shown to you]" },
      { type: "image_url", image_url: { url: "data:image/png;base64,AQID" } },
    ]);
  });

  test("gives reasoning, text, usage and the reason of its end", async () => {
    server.enqueue(
      {
        reasoning: ["Let ", "me"],
        tokens: ["A", "B"],
        usage: { prompt_tokens: 7, completion_tokens: 4 },
      },
      {
        reasoning: ["hm"],
        reasoningField: "reasoning",
        tokens: ["C"],
        finishReason: "length",
        usage: null,
      },
    );
    expect(await run("general-chat")).toEqual([
      { type: "reasoning", text: "Let " },
      { type: "reasoning", text: "me" },
      { type: "text", text: "A" },
      { type: "text", text: "B" },
      { type: "usage", inputTokens: 7, outputTokens: 4, model: "test-model" },
      { type: "finish", reason: "stop" },
    ]);
    expect((await run("general-chat")).at(-1)).toEqual({ type: "finish", reason: "length" });
  });

  test("survives characters and lines cut anywhere", async () => {
    const tokens = ["你好", "，👩🏽‍🚀", " end\n\n"];
    server.enqueue({ tokens, fragmentBytes: 1 });
    expect(textOf(await run("general-chat"))).toBe(tokens.join(""));
  });

  test("ends soon where the server keeps the connection after the last event", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    server.enqueue({
      tokens: ["A"],
      finishReason: "stop",
      done: false,
      usage: null,
      holdOpen: held,
    });
    const events = await run("general-chat");
    expect(events.at(-1)).toEqual({ type: "finish", reason: "stop" });
    release();
  });
});

describe("members that a model refuses", () => {
  test("are left out, and not sent to it again", async () => {
    await server.close();
    server = await startOpenAiServer({ refuses: ["stream_options", "temperature"] });
    await backend.close();
    backend = create();
    expect(textOf(await run("general-chat"))).toBe("You said: Hello");
    const sent = (request: RecordedRequest) =>
      ["stream_options", "temperature"].filter((member) => member in request.body);
    expect(server.requests.map(sent)).toEqual([
      ["stream_options", "temperature"],
      ["temperature"],
      [],
    ]);
    await run("general-chat");
    expect(server.requests.map(sent).slice(3)).toEqual([[]]);
    await run("general-chat", { settings: { model: "another" } });
    expect(server.requests.map(sent).slice(4)).toHaveLength(3);
  });

  test("tools too: the agent then answers by itself", async () => {
    await server.close();
    server = await startOpenAiServer({ refuses: ["tools"] });
    await backend.close();
    backend = create([agent("a", ["analyst"])]);
    expect(textOf(await run("a"))).toBe("You said: Hello");
    expect(server.requests.at(-1)?.body).not.toHaveProperty("tool_choice");
  });

  test("are not blamed for what the request itself is refused for", async () => {
    const refuse = (status: number, code: string): Turn => ({
      fault: { kind: "status", status, body: { error: { code } } },
    });
    server.enqueue(refuse(400, "context_length_exceeded"));
    const error = await run("general-chat").catch((caught: unknown) => caught);
    expect(String(error)).toMatch(/too long for the model/);
    expect(server.requests).toHaveLength(1);
    // Not named: left out once, and not remembered.
    server.enqueue(refuse(400, "transient gateway hiccup"));
    await run("general-chat");
    expect(server.requests[2]?.body).not.toHaveProperty("stream_options");
    server.setRespond(() => ({ tokens: ["ok"] }));
    await run("general-chat");
    expect(server.requests[3]?.body).toHaveProperty("stream_options");
  });
});

describe("a refusal says what can be done", () => {
  test.each([
    [401, {}, /refuses this service's key/, /密钥/],
    [404, {}, /model does not exist/, /模型不存在/],
    [404, "404 page not found", /does not know the path.*\/v1/, /路径/],
    [404, { detail: "Not Found" }, /does not know the path/, /路径/],
    [400, { error: { code: "context_length_exceeded" } }, /too long for the model/, /上下文/],
    ...[
      [400, "prompt is too long: 210000 tokens > 200000 maximum"],
      [400, "the request exceeds the available context size"],
      [400, "exceed_context_size_error"],
      [400, "The input token count (40000) exceeds the maximum number of tokens allowed (32768)"],
      [400, "Range of input length should be [1, 30720]"],
      [422, "input must be less than max_seq_len"],
      [413, "Request too large"],
      [
        400,
        "Trying to keep the first 5000 tokens when context overflows; loaded with context length of only 4096",
      ],
    ].map(([status, message]): [number, object, RegExp, RegExp] => [
      Number(status),
      [{ error: { message } }],
      /too long for the model/,
      /上下文/,
    ]),
    [402, { error: { message: "Insufficient Balance" } }, /no credit/, /额度/],
    [429, { error: { code: "insufficient_quota" } }, /no credit/, /额度/],
    [
      400,
      { error: { message: "unknown variant `image_url`, expected `text`" } },
      /no images/,
      /不支持图片/,
    ],
    [400, { error: { message: "This model does not support image input" } }, /no images/, /图片/],
    ...[
      "You uploaded an unsupported image. Please make sure your image has of one the following formats",
      "Could not process image",
      "The image data you provided does not represent a valid image: invalid image",
      "image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes",
      "cannot identify image file <_io.BytesIO object>",
      "failed to decode image bytes",
      "Image was specified using the image/png media type, but the image appears to be a image/jpeg image: unsupported image format",
      "图片格式不正确",
    ].map((message): [number, object, RegExp, RegExp] => [
      400,
      { error: { code: "invalid_request_error", message } },
      /cannot read the image/,
      /无法读取该图片/,
    ]),
  ])("%i %j", async (status, body, en, zh) => {
    server.setRespond(() => ({ fault: { kind: "status", status, body } }));
    const error = await run("general-chat").catch((caught: unknown) => caught);
    const isLength = String(en).includes("too long");
    expect(error).toMatchObject({ type: isLength ? "context_too_long" : "agent_failed" });
    expect(server.requests).toHaveLength(1);
    expect((error as { text: (language: string) => string }).text("en")).toMatch(en);
    expect((error as { text: (language: string) => string }).text("zh")).toMatch(zh);
  });
});

describe("a prompt", () => {
  const said = (...texts: readonly string[]): HistoryMessage[] =>
    texts.map((text) => ({
      role: text.startsWith("a") ? "assistant" : text.startsWith("s") ? "system" : "user",
      content: text,
      agentId: null,
    }));
  const promptOf = async (
    history: readonly HistoryMessage[],
    changes: Partial<RunRequest> = {},
  ) => {
    await run("general-chat", { message: "now", history: async () => history, ...changes });
    return messagesOf(server.requests.at(-1)).slice(1);
  };

  test.each<[string, readonly string[], readonly string[]]>([
    ["a failed reply", ["u1", "a1", "u2"], ["u1", "a1", "u2\n\nnow"]],
    ["two of them", ["u1", "a1", "u2", "u3"], ["u1", "a1", "u2\n\nu3\n\nnow"]],
    ["only failed ones", ["u1", "u2"], ["u1\n\nu2\n\nnow"]],
    ["a failed one in between", ["u1", "u2", "a2"], ["u1\n\nu2", "a2", "now"]],
    ["a window that begins with an answer", ["a0", "u1", "a1"], ["u1", "a1", "now"]],
    ["only answers", ["a0", "a1"], ["now"]],
    ["two answers", ["u1", "a1", "a2"], ["u1", "a1\n\na2", "now"]],
  ])(
    "after %s alternates, beginning and ending with the user",
    async (_name, history, expected) => {
      const messages = await promptOf(said(...history));
      expect(messages.map((message) => message.content)).toEqual(expected);
      expect(messages.map((message) => message.role)).toEqual(
        expected.map((_text, index) => (index % 2 === 0 ? "user" : "assistant")),
      );
    },
  );

  test("puts what the system said into the one system message, and keeps images", async () => {
    const bytes = new Uint8Array([1]);
    const messages = await promptOf(said("u1", "s1"), {
      attachments: [{ name: "a.png", mediaType: "image/png", bytes }],
    });
    expect(messages).toMatchObject([
      { role: "user", content: [{ type: "text", text: "u1\n\nnow" }, { type: "image_url" }] },
    ]);
    expect(messagesOf(server.requests.at(-1))[0]?.content).toMatch(/s1$/);
  });

  test.each([
    "System role not supported",
    "Developer instruction is not enabled for models/gemma-3",
    "This model does not support system messages",
  ])("has no system message where the model takes none: %s", async (message) => {
    server.setRespond((request) =>
      messagesOf(request)[0]?.role === "system"
        ? { fault: { kind: "status", status: 400, body: { error: { message } } } }
        : { tokens: ["ok"] },
    );
    for (let turn = 0; turn < 2; turn += 1) expect(textOf(await run("general-chat"))).toBe("ok");
    expect(server.requests).toHaveLength(3);
    const [only, ...rest] = messagesOf(server.requests.at(-1));
    expect(rest).toEqual([]);
    expect(only?.content).toMatch(/helpful, friendly assistant[^]*\n\nHello$/);
  });
});

describe("tools", () => {
  beforeEach(async () => {
    await backend.close();
    backend = create([agent("a", [], { tools: ["calculator", "current_time"] })]);
  });

  test("are offered, used, and their results told to the model", async () => {
    server.enqueue(
      {
        tokens: ["Let me see."],
        toolCalls: [{ id: "c1", name: "calculator", arguments: { expression: "6*7" } }],
      },
      { tokens: ["It is 42."] },
    );
    const events = await run("a");
    expect(toolNamesOf(server.requests[0])).toEqual(["calculator", "current_time"]);
    expect(messagesOf(server.requests[1]).slice(-2)).toEqual([
      {
        role: "assistant",
        content: "Let me see.",
        tool_calls: [
          {
            id: "c1",
            type: "function",
            function: { name: "calculator", arguments: '{"expression":"6*7"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "42" },
    ]);
    expect(events.filter((event) => event.type === "tool")).toEqual([
      {
        type: "tool",
        toolCallId: "c1",
        name: "calculator",
        status: "started",
        arguments: { expression: "6*7" },
      },
      {
        type: "tool",
        toolCallId: "c1",
        name: "calculator",
        status: "completed",
        arguments: { expression: "6*7" },
        result: "42",
      },
    ]);
    expect(textOf(events)).toBe("Let me see.\n\nIt is 42.");
    expect(events.filter((event) => event.type === "usage")).toHaveLength(2);
    expect(events.filter((event) => event.type === "finish")).toHaveLength(1);
  });

  test("several calls of one round are all answered, in order", async () => {
    server.enqueue(
      {
        toolCalls: [
          { id: "c1", name: "calculator", arguments: { expression: "1+1" } },
          { id: "c2", name: "current_time", arguments: {} },
          { id: "c3", name: "calculator", arguments: { expression: "2+2" } },
        ],
      },
      { tokens: ["done"] },
    );
    await run("a");
    const results = messagesOf(server.requests[1]).slice(-3) as unknown as {
      tool_call_id: string;
      content: string;
    }[];
    expect(results.map((each) => each.tool_call_id)).toEqual(["c1", "c2", "c3"]);
    expect([results[0]?.content, results[2]?.content]).toEqual(["2", "4"]);
  });

  test.each([
    ["calculator", '{"expression": ', /not valid JSON/],
    ["calculator", "[1]", /must be a JSON object/],
    ["calculator", '{"expression": "rm -rf"}', /only numbers|not an arithmetic/],
    ["shell", "{}", /no tool of this name/],
    ["ask_analyst", '{"task": "x"}', /no tool of this name/],
  ])("a wrong call (%s %s) is told to the model, which goes on", async (name, args, message) => {
    server.enqueue({ toolCalls: [{ id: "c1", name, arguments: args }] }, { tokens: ["sorry"] });
    const events = await run("a");
    expect(messagesOf(server.requests[1]).at(-1)).toMatchObject({
      role: "tool",
      tool_call_id: "c1",
      content: expect.stringMatching(message) as string,
    });
    expect(events.findLast((event) => event.type === "tool")).toMatchObject({
      status: "failed",
    });
    expect(textOf(events)).toBe("sorry");
  });

  test("a model that never stops calling is stopped after ten requests", async () => {
    server.setRespond(() => ({
      toolCalls: [{ name: "calculator", arguments: { expression: "1" } }],
    }));
    const events = await run("a");
    expect(server.requests).toHaveLength(10);
    expect(server.requests[8]?.body["tool_choice"]).toBe("auto");
    expect(server.requests[9]?.body["tool_choice"]).toBe("none");
    expect(events.at(-1)).toEqual({ type: "finish", reason: "length" });
  });
});

describe("handoffs", () => {
  /** Answers each agent by its own script, whatever the order in which they ask. */
  function script(turns: Readonly<Record<string, readonly Turn[]>>): void {
    const left = new Map(Object.entries(turns).map(([id, list]) => [id, [...list]]));
    server.setRespond((request) => {
      const turn = left.get(speakerOf(request))?.shift();
      if (!turn) throw new Error(`nothing to say for ${speakerOf(request)}`);
      return turn;
    });
  }
  const ask = (id: string, task: string): Turn => ({
    toolCalls: [{ id: `call-${id}`, name: `ask_${id}`, arguments: { task } }],
  });
  async function use(...agents: readonly AgentSettings[]): Promise<void> {
    await backend.close();
    backend = create(agents);
  }
  const agentEvents = (events: readonly AgentEvent[]) =>
    events.flatMap((event) =>
      event.type === "agent"
        ? [
            `${event.parentAgentId ?? ""} ${event.event} ${event.agentId} ${event.detail ?? ""}`.trim(),
          ]
        : [],
    );

  test("the colleague works in a conversation of its own, then the agent addressed goes on", async () => {
    await use(
      agent("boss", ["maths"]),
      agent("maths", [], { temperature: 0, model: "maths-model" }),
    );
    script({
      boss: [
        { ...ask("maths", "What is 6*7?"), tokens: ["One moment."] },
        { tokens: ["Maths ", "says 42."] },
      ],
      maths: [{ reasoning: ["6*7"], tokens: ["4", "2"] }],
    });
    const events = await run("boss", {
      message: "Please, 6*7?",
      settings: { model: "session-model", temperature: 1 },
      history: () => Promise.resolve([{ role: "user", content: "Before", agentId: null }]),
    });
    expect(events).toEqual([
      { type: "text", text: "One moment." },
      { type: "usage", inputTokens: 10, outputTokens: 1, model: "session-model" },
      { type: "agent", event: "handoff", agentId: "maths", name: "MATHS", parentAgentId: "boss" },
      {
        type: "agent",
        event: "member_started",
        agentId: "maths",
        name: "MATHS",
        parentAgentId: "boss",
      },
      { type: "reasoning", text: "6*7", agentId: "maths" },
      { type: "usage", inputTokens: 10, outputTokens: 3, model: "maths-model" },
      {
        type: "agent",
        event: "member_completed",
        agentId: "maths",
        name: "MATHS",
        parentAgentId: "boss",
        detail: "42",
      },
      { type: "text", text: "\n\nMaths " },
      { type: "text", text: "says 42." },
      { type: "usage", inputTokens: 10, outputTokens: 2, model: "session-model" },
      { type: "finish", reason: "stop" },
    ]);
    const [first, second, third] = server.requests;
    expect(toolNamesOf(first)).toEqual(["ask_maths"]);
    expect(first?.body).toMatchObject({ model: "session-model", temperature: 1 });
    expect(second?.body).toMatchObject({ model: "maths-model", temperature: 0 });
    expect(messagesOf(second).map((message) => message.role)).toEqual(["system", "user"]);
    expect(messagesOf(second).at(-1)?.content).toMatch(
      /BOSS asks.*What is 6\*7\?.*Please, 6\*7\?/s,
    );
    expect(messagesOf(third).at(-1)).toEqual({
      role: "tool",
      tool_call_id: "call-maths",
      content: "42",
    });
  });

  test("a configured agent may delegate to a default one, in the user's language", async () => {
    await use(agent("boss", ["analyst"]));
    server.enqueue(ask("analyst", "看看"), { tokens: ["分析"] }, { tokens: ["好"] });
    const events = await run("boss", { language: "zh" });
    expect(events.find((event) => event.type === "agent")).toMatchObject({ name: "专业分析师" });
    expect(textOf(events)).toBe("好");
  });

  test("several colleagues work side by side, and their answers go back in the order of the calls", async () => {
    await use(agent("boss", ["one", "two"]), agent("one"), agent("two"));
    let twoIsDone = () => {};
    const gate = new Promise<void>((resolve) => (twoIsDone = resolve));
    script({
      boss: [
        { toolCalls: [...(ask("one", "1").toolCalls ?? []), ...(ask("two", "2").toolCalls ?? [])] },
        { tokens: ["both"] },
      ],
      one: [{ tokens: ["answer one"], pace: () => gate }],
      two: [{ tokens: ["answer two"] }],
    });
    const events: AgentEvent[] = [];
    for await (const event of backend.run(runRequest("boss"), never)) {
      events.push(event);
      if (event.type === "agent" && event.event === "member_completed") twoIsDone();
    }
    expect(agentEvents(events).filter((line) => line.includes("completed"))).toEqual([
      "boss member_completed two answer two",
      "boss member_completed one answer one",
    ]);
    expect(
      messagesOf(server.requests.at(-1))
        .slice(-2)
        .map((message) => message.content),
    ).toEqual(["answer one", "answer two"]);
  });

  test("a colleague may ask another one, but nobody who waits already, and not deeper than three", async () => {
    await use(
      agent("one", ["two"]),
      agent("two", ["one", "three"]),
      agent("three", ["one", "two", "four"]),
      agent("four"),
    );
    script({
      one: [ask("two", "x"), { tokens: ["end"] }],
      two: [ask("three", "y"), { tokens: ["two says"] }],
      three: [{ tokens: ["three says"] }],
    });
    const events = await run("one");
    expect(agentEvents(events)).toEqual([
      "one handoff two",
      "one member_started two",
      "two handoff three",
      "two member_started three",
      "two member_completed three three says",
      "one member_completed two two says",
    ]);
    expect(server.requests.map((request) => [speakerOf(request), ...toolNamesOf(request)])).toEqual(
      [
        ["one", "ask_two"],
        ["two", "ask_three"],
        ["three"],
        ["two", "ask_three"],
        ["one", "ask_two"],
      ],
    );
  });

  test("agents that only ask each other end within the limit of requests", async () => {
    await use(agent("one", ["two", "three"]), agent("two", ["three"]), agent("three", ["two"]));
    server.setRespond((request) => ({
      toolCalls: toolNamesOf(request).map((name) => ({ name, arguments: { task: "you do it" } })),
      tokens: toolNamesOf(request).length === 0 ? ["fine"] : [],
    }));
    const events = await run("one");
    expect(events.at(-1)).toEqual({ type: "finish", reason: "length" });
    expect(server.requests.length).toBeLessThanOrEqual(12);
  });

  test("nobody is asked beyond the limit of requests, also not side by side", async () => {
    const ids = ["a", "b", "c", "d", "e"];
    await use(agent("boss", ids), ...ids.map((id) => agent(id)));
    server.setRespond((request) =>
      speakerOf(request) === "boss"
        ? { toolCalls: ids.map((id) => ({ name: `ask_${id}`, arguments: { task: "x" } })) }
        : { tokens: ["y"] },
    );
    const events = await run("boss");
    expect(server.requests).toHaveLength(11);
    const keys = server.requests.map((request) => request.headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(11);
    expect(events.filter((event) => event.type === "tool")).toHaveLength(2);
  });

  test("a colleague that fails does not fail the reply", async () => {
    await backend.close();
    backend = create([agent("boss", ["maths"]), agent("maths")], 0, 500);
    for (const fault of [
      { kind: "status", status: 500 },
      { kind: "die" },
      { kind: "end_early" },
      { kind: "hang" },
    ] as const) {
      script({
        boss: [ask("maths", "x"), { tokens: ["alone"] }],
        maths: [{ tokens: ["4"], fault }],
      });
      const events = await run("boss");
      expect(textOf(events)).toBe("alone");
      expect(events).toContainEqual({
        type: "tool",
        toolCallId: "call-maths",
        name: "ask_maths",
        status: "failed",
        result: "Error: the colleague could not answer; go on without",
      });
      expect(agentEvents(events).at(-1)).toBe("boss member_failed maths");
    }
  });

  test("a task must be a text", async () => {
    await use(agent("boss", ["maths"]), agent("maths"));
    script({
      boss: [{ toolCalls: [{ name: "ask_maths", arguments: { task: 5 } }] }, { tokens: ["ok"] }],
    });
    const events = await run("boss");
    expect(agentEvents(events)).toEqual([]);
    expect(textOf(events)).toBe("ok");
  });

  test("an abort stops all colleagues at their source", async () => {
    await use(agent("boss", ["one", "two"]), agent("one"), agent("two"));
    script({
      boss: [
        { toolCalls: [...(ask("one", "1").toolCalls ?? []), ...(ask("two", "2").toolCalls ?? [])] },
      ],
      one: [{ tokens: ["1"], fault: { kind: "hang" } }],
      two: [{ tokens: ["2"], fault: { kind: "hang" } }],
    });
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of backend.run(runRequest("boss"), stop.signal)) {
        expect(event.type).toMatch(/agent|usage|context/);
      }
    })();
    const asked = await Promise.all([server.request(1), server.request(2)]);
    // Callers may abort with a problem: it is not the colleagues'.
    const reason = new Problem("agent_timeout", { agentId: "boss", seconds: 900 });
    stop.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(await Promise.all(asked.map((request) => request.closed))).toEqual([
      "aborted",
      "aborted",
    ]);
  });

  test("a reader that leaves stops all colleagues at their source", async () => {
    await use(agent("boss", ["one", "two"]), agent("one"), agent("two"));
    script({
      boss: [
        { toolCalls: [...(ask("one", "1").toolCalls ?? []), ...(ask("two", "2").toolCalls ?? [])] },
      ],
      one: [{ reasoning: ["1"], fault: { kind: "hang" } }],
      two: [{ reasoning: ["2"], fault: { kind: "hang" } }],
    });
    let thoughts = 0;
    for await (const event of backend.run(runRequest("boss"), never)) {
      if (event.type === "reasoning") thoughts += 1;
      if (thoughts === 2) break;
    }
    expect(await Promise.all(server.requests.slice(1).map((request) => request.closed))).toEqual([
      "aborted",
      "aborted",
    ]);
  });

  test("names that are no function names are numbered", async () => {
    await use(agent("boss", ["数学", "a b.c"]), agent("数学"), agent("a b.c"));
    await run("boss");
    expect(toolNamesOf(server.requests[0])).toEqual(["ask_1", "ask_a_b_c"]);
  });
});
