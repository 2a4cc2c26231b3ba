import { randomUUID } from "node:crypto";
import { createOpenResponses } from "@ai-sdk/open-responses";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  HumanMessage,
  type AIMessage,
  type AIMessageChunk,
  type BaseMessage,
} from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText, type ModelMessage } from "ai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";

let acted: ActedService;
beforeAll(async () => {
  acted = await startActedService({
    ...scripts,
    answer: [
      { type: "text", text: "Answer." },
      { type: "finish", reason: "stop" },
    ],
  });
});
afterAll(() => acted.close());

/** Every test has a user of its own. */
let user: string;
beforeEach(() => {
  user = randomUUID();
});

const text = "First. 你好, world.";
const model = "actor";
const headers = () => ({ "x-user-id": user });

/** It asks again whatever an answer says, but for 4xx. */
function langChain(useResponsesApi: boolean, url = acted.url, maxRetries = 0): ChatOpenAI {
  const configuration = { baseURL: `${url}/v1`, defaultHeaders: headers() };
  return new ChatOpenAI({ model, apiKey: "none", useResponsesApi, configuration, maxRetries });
}

const aiSdk = {
  "@ai-sdk/openai": (url = acted.url, more = {}) =>
    createOpenAI({
      baseURL: `${url}/v1`,
      apiKey: "none",
      headers: { ...headers(), ...more },
    }).responses(model),
  "@ai-sdk/openai, completions": (url = acted.url, more = {}) =>
    createOpenAI({
      baseURL: `${url}/v1`,
      apiKey: "none",
      headers: { ...headers(), ...more },
    }).chat(model),
  "@ai-sdk/open-responses": (url = acted.url, more = {}) =>
    createOpenResponses({
      name: "chat",
      url: `${url}/v1/responses`,
      apiKey: "none",
      headers: { ...headers(), ...more },
    })(model),
  "@ai-sdk/openai-compatible": (url = acted.url, more = {}) =>
    createOpenAICompatible({
      name: "chat",
      baseURL: `${url}/v1`,
      headers: { ...headers(), ...more },
      includeUsage: true,
    })(model),
};
const kinds = Object.entries(aiSdk);

/** What each session of the user's holds, the newest session first. */
async function sessionsOf(): Promise<string[][]> {
  const { body } = await acted.native.get<{ sessions: { session_id: string }[] }>(
    `/sessions?user_id=${user}`,
  );
  return Promise.all(
    body.sessions.map(async ({ session_id: id }) => {
      const history = await acted.native.get<{ messages: { content: string }[] }>(
        `/chat/history/${id}`,
      );
      return history.body.messages.map(({ content }) => content);
    }),
  );
}

describe.each([
  ["completions", false],
  ["responses", true],
])("LangChain over %s", (_name, useResponsesApi) => {
  it("reads a whole answer, and runs none of its tools", async () => {
    const message = await langChain(useResponsesApi).invoke("everything");
    expect(message.text).toBe(text);
    expect(message.tool_calls).toEqual([]);
    expect(message.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 11 });
  });

  it("reads a stream", async () => {
    let all: AIMessageChunk | undefined;
    for await (const chunk of await langChain(useResponsesApi).stream("everything")) {
      all = all === undefined ? chunk : all.concat(chunk);
    }
    expect(all?.text).toBe(text);
    expect(all?.tool_calls).toEqual([]);
    expect(all?.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 11 });
  });

  it("is given what its client has to do", async () => {
    const message = await langChain(useResponsesApi).invoke("external");
    expect(message.tool_calls).toMatchObject([
      { name: "open_door", args: { door: 2 } },
      { name: "form" },
    ]);
  });

  it("is told what went wrong", async () => {
    const client = langChain(useResponsesApi);
    await expect(client.invoke("fails")).rejects.toThrow(/inside the service|failed/);
    const nobody = new ChatOpenAI({ ...client.lc_kwargs, model: "nobody" });
    await expect(nobody.invoke("Hi")).rejects.toThrow(/nobody/);
  });

  it.each(["request", 0, 1] as const)(
    "asks once where it has a key, cut after %s",
    async (bytes) => {
      const before = acted.runs();
      const proxy = await startCuttingProxy(acted.url, bytes);
      const options = { headers: { "Idempotency-Key": randomUUID() } };
      const client = langChain(useResponsesApi, proxy.url, 2);
      const message = await client.invoke("everything", { options });
      proxy.close();
      expect(message.text).toBe(text);
      expect(proxy.connections()).toBeGreaterThan(1);
      expect(acted.runs()).toBe(before + 1);
    },
  );
});

describe("LangChain over responses", () => {
  it("goes on in the same conversation, whether it says so or sends what was said", async () => {
    const first = (await langChain(true).invoke("answer one")) as AIMessage;
    const id = first.response_metadata["id"] as string;
    await langChain(true).invoke("answer two", { previous_response_id: id });
    expect(await sessionsOf()).toEqual([["answer one", "Answer.", "answer two", "Answer."]]);
    const said: BaseMessage[] = [new HumanMessage("answer one"), first];
    await langChain(true).invoke([...said, new HumanMessage("answer three")]);
    expect(await sessionsOf()).toEqual([["answer one", "Answer.", "answer three", "Answer."]]);
  });
});

describe.each(kinds)("%s", (name, modelOf) => {
  const isResponses = name === "@ai-sdk/openai" || name === "@ai-sdk/open-responses";

  it("reads a whole answer and a stream", async () => {
    const whole = await generateText({ model: modelOf(), prompt: "everything" });
    const stream = streamText({ model: modelOf(), prompt: "everything" });
    expect(whole.text).toBe(text);
    expect(await stream.text).toBe(text);
    for (const usage of [whole.usage, await stream.usage]) {
      expect(usage).toMatchObject({ inputTokens: 7, outputTokens: 11 });
    }
    expect(whole.finishReason).toBe("stop");
    expect(await stream.finishReason).toBe("stop");
    // The others read no thinking that is told as text.
    if (name === "@ai-sdk/open-responses" || name === "@ai-sdk/openai-compatible") {
      expect(whole.reasoningText).toBe("Let me think.");
      expect(await stream.reasoningText).toBe("Let me think.");
    }
    const calls = whole.toolCalls.map(({ toolName, providerExecuted }) => [
      toolName,
      providerExecuted,
    ]);
    expect(calls).toEqual(
      name === "@ai-sdk/openai"
        ? [
            ["mcp.look", true],
            ["mcp.fail", true],
          ]
        : [],
    );
  });

  it("is told what went wrong, once", async () => {
    const before = acted.runs();
    const failed = generateText({ model: modelOf(), prompt: "fails", maxRetries: 0 });
    await expect(failed).rejects.toMatchObject({ name: "AI_APICallError" });
    expect(acted.runs()).toBe(before + 1);
  });

  it("asks once where it has a key, cut before the answer", async () => {
    const before = acted.runs();
    const proxy = await startCuttingProxy(acted.url, 0);
    const keyed = modelOf(proxy.url, { "Idempotency-Key": randomUUID() });
    const whole = await generateText({ model: keyed, prompt: "everything" });
    proxy.close();
    expect(whole.text).toBe(text);
    expect(acted.runs()).toBe(before + 1);
  });

  it.runIf(isResponses)("goes on in the same conversation, by what it was given", async () => {
    const messages: ModelMessage[] = [{ role: "user", content: "answer one" }];
    for (const next of ["answer two", "answer three"]) {
      const { response } = await generateText({ model: modelOf(), messages });
      messages.push(...response.messages, { role: "user", content: next });
    }
    await generateText({ model: modelOf(), messages, system: "Be brief." });
    expect(await sessionsOf()).toEqual([
      ["answer one", "Answer.", "answer two", "Answer.", "answer three", "Answer."],
    ]);
    // Somebody else's names nothing of this user's.
    user = randomUUID();
    const other = generateText({ model: modelOf(), messages });
    if (name === "@ai-sdk/openai") await expect(other).rejects.toMatchObject({ statusCode: 404 });
    else expect((await other).text).toBe("Answer.");
  });
});

describe("@ai-sdk/openai", () => {
  it.each([
    ["confirm", "r1", true],
    ["confirm", "r1", false],
    // Nothing but the request itself says which response asked.
    ["silent", "s_1", true],
  ])("decides what a reply waits for (%s, %s, %s)", async (content, id, approved) => {
    const openai = aiSdk["@ai-sdk/openai"]();
    const messages: ModelMessage[] = [{ role: "user", content }];
    const first = await generateText({ model: openai, messages });
    const [asked] = first.content.flatMap((part) =>
      part.type === "tool-approval-request" ? [part] : [],
    );
    expect(asked?.toolCall).toMatchObject({ toolName: "mcp.erase", input: { what: "all" } });
    const approvalId = asked?.approvalId ?? "";
    messages.push(...first.response.messages, {
      role: "tool",
      content: [{ type: "tool-approval-response", approvalId, approved, providerExecuted: true }],
    });
    const next = await generateText({ model: openai, messages });
    expect(next.text).toBe("Done.");
    expect(acted.decided.at(-1)).toEqual([{ id, approved }]);
  });
});
