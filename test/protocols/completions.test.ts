import { randomUUID } from "node:crypto";
import { APIError, type OpenAI } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../support/client.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { lastUserText, type OpenAiServer } from "../support/openai-server.ts";
import {
  openAiClient,
  startProtocolService,
  type ProtocolService,
} from "../support/protocol-service.ts";
import { eventually } from "../support/stage.ts";

interface History {
  readonly messages: {
    role: string;
    content: string;
    message_id: string;
    metadata: Record<string, unknown>;
    siblings?: { ids: string[] };
  }[];
}

let service: ProtocolService;
let model: OpenAiServer;
let native: Client;
beforeAll(async () => {
  service = await startProtocolService({ SERVER_HEARTBEAT_SECONDS: "0.5" });
  ({ model, native } = service);
});
afterAll(() => service.close());

/** Every test has a user of its own. */
let user: string;
let openai: OpenAI;
beforeEach(() => {
  user = randomUUID();
  openai = openAiClient(service.url, user);
});

const clientAt = (url: string, headers: Record<string, string> = {}) =>
  openAiClient(url, user, headers);
const isTextOrNull = (value: unknown) => value === null || typeof value === "string";
const agent = "general-chat";
const titleOf = (question: string, answer = "") =>
  `### Task:\nGenerate a concise title, 2 to 4 words.\n### Chat History:\nUSER: ${question}\nASSISTANT: ${answer}`;
const ask = (content: string, ...before: ChatCompletionMessageParam[]) => ({
  model: agent,
  messages: [...before, { role: "user" as const, content }],
});
const said = (content: string): ChatCompletionMessageParam => ({ role: "assistant", content });
const asked = (content: string): ChatCompletionMessageParam => ({ role: "user", content });
const sessionsOf = async () => {
  const { body } = await native.get<{ sessions: { session_id: string }[] }>(
    `/sessions?user_id=${user}`,
  );
  return body.sessions;
};
const historyOf = async (sessionId: string, more = "") =>
  (await native.get<History>(`/chat/history/${sessionId}?limit=100${more}`)).body.messages;

describe("models", () => {
  it("are the agents", async () => {
    const models = await openai.models.list();
    expect(models.data.map(({ id }) => id)).toContain(agent);
    expect(models.data[0]).toMatchObject({ object: "model", created: expect.any(Number) });
    expect(await openai.models.retrieve(agent)).toMatchObject({ id: agent, object: "model" });
  });

  it("that are not there are told as the client reads it", async () => {
    await expect(openai.models.retrieve("nobody")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
      type: "invalid_request_error",
      requestID: expect.stringMatching(/./),
    });
    const missing = openai.chat.completions.create({ ...ask("Hi"), model: "nobody" });
    await expect(missing).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  });
});

describe("a completion", () => {
  it("comes whole, with usage, and leaves nothing in the list of conversations", async () => {
    const { data, response } = await openai.chat.completions.create(ask("one two")).withResponse();
    expect(data).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f-]{36}$/),
      object: "chat.completion",
      model: agent,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "You said: one two" },
          finish_reason: "stop",
        },
      ],
    });
    expect(data.usage?.total_tokens).toBe(
      (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0),
    );
    expect(data.usage?.completion_tokens).toBeGreaterThan(0);
    const messageId = response.headers.get("x-message-id");
    expect(data.id).toBe(`chatcmpl-${messageId}`);
    // It can be read natively for as long as it is there.
    const message = await native.get<{ content: string }>(`/chat/message/${messageId}`);
    expect(message.body.content).toBe("You said: one two");
    expect(await sessionsOf()).toEqual([]);
  });

  it("comes as a stream of what the native one says, in numbered events", async () => {
    model.enqueue({
      reasoning: ["hm ", "so"],
      tokens: ["Hel", "lo ", "你好"],
      finishReason: "length",
    });
    const response = await fetch(`${service.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-user-id": user },
      body: JSON.stringify({
        ...ask("stream"),
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    const text = await response.text();
    const numbers = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    const chunks = [...text.matchAll(/^data: (\{.*)$/gm)].map(
      ([, json = ""]) => JSON.parse(json) as OpenAI.ChatCompletionChunk,
    );
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
    expect(deltas[0]).toEqual({ role: "assistant", content: "" });
    expect(deltas.map(({ content }) => content ?? "").join("")).toBe("Hello 你好");
    const thought = (deltas as { reasoning_content?: string }[]).map(
      ({ reasoning_content: part }) => part ?? "",
    );
    expect(thought.join("")).toBe("hm so");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("length");
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { completion_tokens: expect.any(Number) },
    });
    const messageId = response.headers.get("x-message-id") ?? "";
    const stream = await native.follow(messageId);
    expect((await stream.all()).at(-1)).toMatchObject({
      full_response: "Hello 你好",
      usage: { output_tokens: chunks.at(-1)?.usage?.completion_tokens },
    });
  });

  it("is told what the system says, for this turn, and what was said before", async () => {
    const text = `again ${user}`;
    await openai.chat.completions.create({
      model: agent,
      temperature: 0.5,
      messages: [
        { role: "system", content: "Be brief." },
        asked("first"),
        said("answer"),
        { role: "user", content: [{ type: "text", text }] },
      ],
    });
    const request = model.requests.find((each) => lastUserText(each) === text);
    const messages = request?.body["messages"] as { role: string; content: string }[];
    expect(messages[0]?.content).toContain("Be brief.");
    expect(messages.slice(1).map(({ role, content }) => `${role} ${content}`)).toEqual([
      "user first",
      "assistant answer",
      `user ${text}`,
    ]);
    expect(request?.body["temperature"]).toBe(0.5);
  });
});

describe("a conversation that a header names", () => {
  const named = (id: string, header = "X-Conversation-Id") =>
    clientAt(service.url, { [header]: id });

  it("is one session, whose history is what was said here", async () => {
    const client = named("chat 1");
    const first = await client.chat.completions.create(ask("first"));
    const answer = first.choices[0]?.message.content ?? "";
    await client.chat.completions.create(ask("second", asked("first"), said(answer)));
    const [session, ...others] = await sessionsOf();
    expect(others).toEqual([]);
    const messages = await historyOf(session?.session_id ?? "");
    expect(messages.map(({ content }) => content)).toEqual([
      "first",
      "You said: first",
      "second",
      "You said: second",
    ]);
    // Names are a user's and a header's own.
    await named("chat 1", "X-OpenWebUI-Chat-Id").chat.completions.create(ask("elsewhere"));
    expect(await sessionsOf()).toHaveLength(2);
    const native1 = named(session?.session_id ?? "", "X-Session-ID");
    await native1.chat.completions.create(ask("third", asked("second"), said("You said: second")));
    expect(await historyOf(session?.session_id ?? "")).toHaveLength(6);
    const conversation = named(`conv_${session?.session_id}`, "X-Session-ID");
    await conversation.chat.completions.create(
      ask("fourth", asked("third"), said("You said: third")),
    );
    expect(await historyOf(session?.session_id ?? "")).toHaveLength(8);
  });

  it("keeps out what is asked beside it: titles, tags, and histories that never were", async () => {
    const client = named("chat 2");
    await client.chat.completions.create(ask("hello"));
    await client.chat.completions.create(ask(titleOf("hello", "You said: hello")));
    await client.chat.completions.create(ask("and now", asked("hello"), said("I am root")));
    const [session] = await sessionsOf();
    const messages = await historyOf(session?.session_id ?? "", "&path=all");
    expect(messages.map(({ content }) => content)).toEqual(["hello", "You said: hello"]);
  });

  it("is what its client begins with, and not the title that is asked for first", async () => {
    const client = named("chat 6");
    const titled = await client.chat.completions.create(ask(titleOf("hello"))).withResponse();
    await client.chat.completions.create(ask("hello"));
    await client.chat.completions.create(ask("go on", asked("hello"), said("You said: hello")));
    const sessions = await sessionsOf();
    expect(sessions).toHaveLength(1);
    expect(sessions[0]?.session_id).not.toBe(titled.response.headers.get("x-session-id"));
    const messages = await historyOf(sessions[0]?.session_id ?? "", "&path=all");
    expect(messages.map(({ content }) => content)).toEqual([
      "hello",
      "You said: hello",
      "go on",
      "You said: go on",
    ]);
    const { body } = await native.get<{ results: unknown[] }>(
      `/chat/search?user_id=${user}&q=concise`,
    );
    expect(JSON.stringify(body)).not.toContain("concise title");
  });

  it("begins anew where its first message is said otherwise", async () => {
    const client = named("chat 7");
    await client.chat.completions.create(ask("hello"));
    await client.chat.completions.create(ask("hello you"));
    await client.chat.completions.create(
      ask("and", asked("hello you"), said("You said: hello you")),
    );
    const [session] = await sessionsOf();
    const path = await historyOf(session?.session_id ?? "");
    expect(path.map(({ content }) => content)).toEqual([
      "hello you",
      "You said: hello you",
      "and",
      "You said: and",
    ]);
    expect(path[0]?.siblings?.ids).toHaveLength(2);
  });

  it("branches where its client says something else, and answers again where it says the same", async () => {
    const client = named("chat 3");
    const before = [asked("a"), said("You said: a")];
    await client.chat.completions.create(ask("a"));
    await client.chat.completions.create(ask("b", ...before));
    await client.chat.completions.create(ask("c", ...before));
    await client.chat.completions.create(ask("c", ...before));
    const [session] = await sessionsOf();
    const path = await historyOf(session?.session_id ?? "");
    expect(path.map(({ content }) => content)).toEqual(["a", "You said: a", "c", "You said: c"]);
    expect(path[2]?.siblings?.ids).toHaveLength(2);
    expect(path[3]?.siblings?.ids).toHaveLength(2);
  });

  it("begins with what was said elsewhere, and says so", async () => {
    const client = named("chat 4");
    await client.chat.completions.create(ask("go on", asked("old"), said("older")));
    const [session] = await sessionsOf();
    const messages = await historyOf(session?.session_id ?? "");
    expect(messages.map(({ content }) => content)).toEqual([
      "old",
      "older",
      "go on",
      "You said: go on",
    ]);
    expect(messages.map(({ metadata }) => metadata["imported"] ?? false)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("is begun once by many at the same moment", async () => {
    const client = named("chat 5");
    await Promise.all(["x", "y", "z"].map((text) => client.chat.completions.create(ask(text))));
    expect(await sessionsOf()).toHaveLength(1);
  });
});

describe("what goes wrong", () => {
  it("is not told of tools that nobody is to call", async () => {
    const tools = [{ type: "function" as const, function: { name: "f" } }];
    const none = { tools, tool_choice: "none" as const };
    expect((await openai.chat.completions.create({ ...ask("Hi"), ...none })).choices).toHaveLength(
      1,
    );
    const [tool] = tools.map(({ type, function: { name } }) => ({ type, name }));
    const response = await openai.responses.create({
      model: agent,
      input: "Hi",
      tools: [{ ...(tool ?? tools[0]), parameters: {}, strict: false } as never],
      tool_choice: "none",
    });
    expect(response.status).toBe("completed");
  });

  it("says where in the body a file cannot be read", async () => {
    const parts = [
      { type: "text", text: "Look" },
      { type: "image_url", image_url: { url: "data:image/png;base64,@@@" } },
    ];
    const asked = { model: agent, messages: [{ role: "user", content: parts }] };
    await expect(openai.chat.completions.create(asked as never)).rejects.toMatchObject({
      status: 422,
      param: "messages[0].content[1]",
    });
  });

  it.each([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
    ["n", { n: 2 }],
    ["logprobs", { logprobs: true }],
    ["response_format", { response_format: { type: "json_object" }, model: "echo" }],
  ])("%s is refused by its name", async (param, more) => {
    const body = { ...ask("Hi"), ...more };
    if (body.model === "echo" && !(await openai.models.list()).data.some(({ id }) => id === "echo"))
      return;
    const refused = openai.chat.completions.create(body as never);
    await expect(refused).rejects.toMatchObject({
      status: 400,
      code: "unsupported_parameter",
      param,
      type: "invalid_request_error",
    });
  });

  const raw = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(service.url + path, {
      method,
      headers: { "content-type": "application/json", "x-user-id": user, ...headers },
      ...(body !== undefined && { body }),
    });

  it.each([
    ["GET", "/v1/nothing/here", undefined, 404, "not_found"],
    ["GET", "/v1", undefined, 404, "not_found"],
    ["GET", "/v1/chat/completions", undefined, 405, "method_not_allowed"],
    ["POST", "/v1/chat/completions", "{no json", 400, "malformed_json"],
    ["POST", "/v1/chat/completions", "{}", 422, "validation_failed"],
    [
      "POST",
      "/v1/chat/completions",
      `{"messages":[{"role":"assistant","content":"x"}]}`,
      400,
      "bad_request",
    ],
    [
      "POST",
      "/v1/chat/completions",
      `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/y.png"}}]}]}`,
      400,
      "unsupported_parameter",
    ],
    [
      "POST",
      "/v1/chat/completions",
      `{"messages":[{"role":"user","content":"${"x".repeat(2_000_000)}"}]}`,
      413,
      "payload_too_large",
    ],
    ["GET", "/v1/models/%zz", undefined, 400, "bad_request"],
  ])("%s %s %.40s is told in this protocol's shape", async (method, path, body, status, code) => {
    const response = await raw(method, path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      error: {
        message: expect.stringMatching(/./),
        type: "invalid_request_error",
        code,
        param: code === "validation_failed" ? "messages" : expect.toSatisfy(isTextOrNull),
      },
    });
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(response.headers.get("x-request-id")).toMatch(/./);
  });

  it.each<[param: string | null, message: RegExp, more: object]>([
    ["user", /at most 128/, { user: "u".repeat(129) }],
    ["safety_identifier", /at most 128/, { safety_identifier: "u".repeat(129) }],
    ["response_format", /json_schema/, { response_format: { type: "zz" } }],
    ["response_format", /json_schema/, { response_format: { type: "json_schema" } }],
    ["n", /one answer/, { n: 2 }],
    ["logprobs", /how likely/, { logprobs: true }],
    [
      "messages[0].content[0]",
      /data URLs/,
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }],
          },
        ],
      },
    ],
    [null, /^the body must be object/, []],
  ])("%s is refused with its reason (%s)", async (param, message, more) => {
    const body = JSON.stringify(Array.isArray(more) ? more : { ...ask("Hi"), ...more });
    const headers = { "content-type": "application/json" };
    const refused = await fetch(`${service.url}/v1/chat/completions`, {
      method: "POST",
      headers,
      body,
    });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.status).toBeLessThan(500);
    expect(await refused.json()).toEqual({
      error: expect.objectContaining({ param, message: expect.stringMatching(message) }),
    });
  });

  it.each(["merge", "steer"])(
    "what a session says of messages that come meanwhile (%s) takes no answer away",
    async (onBusy) => {
      const { session_id: named } = (
        await native.send<{ session_id: string }>("POST", "/chat/session", {
          user_id: user,
          session_config: { on_busy: onBusy },
        })
      ).body;
      const client = clientAt(service.url, { "X-Session-ID": named });
      const texts = ["first", "second", "third"].map((text) => `${text} ${user}`);
      const answers = await Promise.all(
        texts.map((text) => client.chat.completions.create(ask(text))),
      );
      expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(
        texts.map((text) => `You said: ${text}`),
      );
    },
  );

  it("a key for another body is refused once", async () => {
    const key = { headers: { "Idempotency-Key": randomUUID() } };
    await openai.chat.completions.create(ask("one"), key);
    const before = model.requests.length;
    await expect(openai.chat.completions.create(ask("two"), key)).rejects.toMatchObject({
      status: 409,
      code: "idempotency_conflict",
    });
    expect(model.requests.length).toBe(before);
  });

  it("a reply that fails is told after the text that came, and not asked for again", async () => {
    model.enqueue({ tokens: ["half "], fault: { kind: "die" } });
    const stream = await openai.chat.completions.create({ ...ask(`fail ${user}`), stream: true });
    let text = "";
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
    expect(text).toBe("half ");
    model.enqueue({ fault: { kind: "status", status: 401, body: { error: { message: "no" } } } });
    const whole = openai.chat.completions.create(ask(`refused ${user}`));
    await expect(whole).rejects.toMatchObject({ type: "server_error" });
    expect(service.callsFor(`refused ${user}`)).toBe(1);
  });
});

describe("a connection that breaks", () => {
  /** Through a proxy that cuts the first answer after so many bytes. */
  const cutAt = async (
    bytes: number | "request",
    isStream: boolean,
    header: Record<string, string>,
  ) => {
    const text = `cut ${bytes} ${isStream} ${randomUUID()}`;
    const proxy = await startCuttingProxy(service.url, bytes);
    try {
      const client = clientAt(proxy.url, header);
      if (!isStream) {
        const whole = await client.chat.completions.create(ask(text));
        return { text, content: whole.choices[0]?.message.content };
      }
      let content = "";
      const stream = await client.chat.completions.create({ ...ask(text), stream: true });
      for await (const chunk of stream) content += chunk.choices[0]?.delta.content ?? "";
      return { text, content };
    } finally {
      proxy.close();
    }
  };

  it.each(["request", 0, 1, 50] as const)(
    "after %s bytes of a whole answer leads to one run",
    async (bytes) => {
      for (const header of [{}, { "X-Conversation-Id": `cut ${bytes}` }]) {
        const { text, content } = await cutAt(bytes, false, header);
        expect(content).toBe(`You said: ${text}`);
        expect(service.callsFor(text)).toBe(1);
      }
    },
  );

  it("before a stream begins leads to one run", async () => {
    const { text, content } = await cutAt(0, true, {});
    expect(content).toBe(`You said: ${text}`);
    expect(service.callsFor(text)).toBe(1);
  });

  it("twice the same is asked twice where nobody says that it is a repeat", async () => {
    const text = `same ${user}`;
    await openai.chat.completions.create(ask(text));
    await openai.chat.completions.create(ask(text));
    expect(service.callsFor(text)).toBe(2);
  });

  /** Begins a stream that stands still, and goes away; what becomes of the model's answer. */
  const leave = async (header: Record<string, string>) => {
    const gate = Promise.withResolvers<void>();
    const text = `leave ${randomUUID()}`;
    model.enqueue({
      tokens: ["a ", "b ", "c"],
      pace: (index) => (index === 1 ? gate.promise : undefined),
    });
    const client = clientAt(service.url, header);
    const call = client.chat.completions.create({ ...ask(text), stream: true }).withResponse();
    const { data: stream, response } = await call;
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content === "a ") break;
    const messageId = response.headers.get("x-message-id") ?? "";
    const status = async () =>
      (await native.get<{ status: string }>(`/chat/message/${messageId}`)).body.status;
    return { status, gate, messageId };
  };

  it("for good stops what belongs to no conversation", async () => {
    const { status, gate } = await leave({});
    await eventually("the reply is stopped", async () => (await status()) === "cancelled");
    gate.resolve();
  });

  it("for good changes nothing in a conversation", async () => {
    const { status, gate, messageId } = await leave({ "X-Conversation-Id": "left" });
    gate.resolve();
    await eventually("the reply is complete", async () => (await status()) === "complete");
    const { body } = await native.get<{ content: string }>(`/chat/message/${messageId}`);
    expect(body.content).toBe("a b c");
  });
});
