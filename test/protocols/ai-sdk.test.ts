import { randomUUID } from "node:crypto";
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
  uiMessageChunkSchema,
  validateUIMessages,
  type ChatInit,
  type UIMessage,
  type UIMessageChunk,
} from "ai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { PlainChat } from "../support/ai-chat.ts";

let acted: ActedService;
beforeAll(async () => {
  acted = await startActedService(scripts, { STREAMS_RETENTION_SECONDS: "600" });
});
afterAll(() => acted.close());

/** Every test has a user and a chat of its own. */
let user: string;
let id: string;
beforeEach(() => {
  user = randomUUID();
  id = `chat/${randomUUID()}`;
});

type Fetch = typeof globalThis.fetch;

const transport = (fetch?: Fetch, agent = "actor") =>
  new DefaultChatTransport<UIMessage>({
    api: `${acted.url}/ai/${agent}`,
    headers: { "X-User-Id": user },
    ...(fetch && { fetch }),
  });

const chatOf = (init: ChatInit<UIMessage> = {}) =>
  new PlainChat({ id, transport: transport(), ...init });

const headers = () => ({ "Content-Type": "application/json", "X-User-Id": user });

const post = (body: unknown, path = "/ai/actor") =>
  fetch(`${acted.url}${path}`, {
    method: "POST",
    headers: headers(),
    body: JSON.stringify(body),
  });

const bodyOf = (text: string, more: object = {}) => ({
  id,
  trigger: "submit-message",
  messages: [{ id: randomUUID(), role: "user", parts: [{ type: "text", text }] }],
  ...more,
});

/** What is sent, each piece as the SDK's own schema has it. */
async function chunksOf(response: Response): Promise<UIMessageChunk[]> {
  const text = await response.text();
  expect(response.status, text).toBe(200);
  const frames = text.split("\n\n").filter((frame) => frame.includes("data: "));
  expect(frames.at(-1)).toBe("data: [DONE]");
  const chunks: UIMessageChunk[] = [];
  for (const frame of frames.slice(0, -1)) {
    const chunk: unknown = JSON.parse(frame.slice(frame.indexOf("data: ") + 6));
    const read = await uiMessageChunkSchema().validate?.(chunk);
    expect(read?.success, frame).toBe(true);
    chunks.push(chunk as UIMessageChunk);
  }
  return chunks;
}

const textOf = (message: UIMessage | undefined) =>
  (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");

const kept = async (query = "") => {
  const response = await fetch(`${acted.url}/ai/actor/${encodeURIComponent(id)}/messages${query}`, {
    headers: headers(),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as UIMessage[];
};

/** Without what is not sent, as JSON has it. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe("a chat", () => {
  it("has thinking, tools and text, goes on, and is there when it is opened again", async () => {
    const chat = chatOf();
    await chat.sendMessage({ text: "everything" });
    expect(chat.status).toBe("ready");
    const [, reply] = chat.messages;
    expect(reply).toMatchObject({
      role: "assistant",
      metadata: { agent_id: "actor", usage: { inputTokens: 7, outputTokens: 11, totalTokens: 18 } },
      parts: [
        { type: "step-start" },
        { type: "reasoning", text: "Let me think.", state: "done" },
        { type: "text", text: "First. ", state: "done" },
        {
          type: "dynamic-tool",
          toolName: "look",
          state: "output-available",
          input: { at: "x" },
          output: { seen: 1 },
          providerExecuted: true,
        },
        { type: "dynamic-tool", toolName: "fail", state: "output-error", errorText: "broken" },
        { type: "text", text: "你好, world." },
      ],
    });
    await chat.sendMessage({ text: "members" });
    await chat.sendMessage({ text: "replaced" });
    expect(textOf(chat.lastMessage)).toBe("Right words and more");
    const stored = await kept();
    expect(stored.map(({ id: each, role }) => [each, role])).toEqual(
      chat.messages.map(({ id: each, role }) => [each, role]),
    );
    expect(stored.map(textOf)).toEqual(chat.messages.map(textOf));
    await validateUIMessages({ messages: stored });
    const other = chatOf({ messages: stored });
    await other.sendMessage({ text: "extended" });
    expect(textOf(other.lastMessage)).toBe("Right words");
    expect(await kept()).toHaveLength(8);
    expect((await kept(`?limit=2&before=${stored[2]?.id}`)).map(textOf)).toEqual([
      "everything",
      "First. 你好, world.",
    ]);
  });
});

describe("a reply that waits", () => {
  it("for a confirmation is answered in its message, which goes on", async () => {
    const chat = chatOf({
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    for (const approved of [true, false]) {
      await chat.sendMessage({ text: "confirm" });
      const asked = chat.lastMessage?.parts.find((part) => part.type === "dynamic-tool");
      expect(asked).toMatchObject({
        toolName: "erase",
        state: "approval-requested",
        input: { what: "all" },
      });
      expect((await kept()).at(-1)?.parts).toEqual(plain(chat.lastMessage?.parts));
      const count = chat.messages.length;
      await chat.addToolApprovalResponse({
        id: asked?.approval?.id ?? "",
        approved,
        reason: "because",
      });
      await expect.poll(() => textOf(chat.lastMessage)).toBe("May I? Done.");
      await expect.poll(() => chat.status).toBe("ready");
      expect(acted.decided.at(-1)).toEqual([{ id: "r1", approved, note: "because" }]);
      expect(chat.messages).toHaveLength(count);
      expect(chat.lastMessage?.parts.find((part) => part.type === "dynamic-tool")?.state).toBe(
        approved ? "output-available" : "output-denied",
      );
      await validateUIMessages({ messages: chat.messages });
    }
  });

  it("for its client gets what that has to give", async () => {
    const chat = chatOf({ sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls });
    await chat.sendMessage({ text: "external" });
    const calls = chat.lastMessage?.parts.filter((part) => part.type === "dynamic-tool") ?? [];
    expect(calls.map(({ toolName, state }) => [toolName, state])).toEqual([
      ["open_door", "input-available"],
      ["form", "input-available"],
    ]);
    const [door, form] = calls.map(({ toolCallId }) => toolCallId);
    await chat.addToolOutput({ tool: "open_door", toolCallId: door ?? "", output: "open" });
    await chat.addToolOutput({ tool: "form", toolCallId: form ?? "", output: { age: 7 } });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("Your turn. Done.");
    expect(acted.decided.at(-1)).toEqual([
      { id: "e1", approved: true, result: "open" },
      { id: "i1", approved: true, result: { age: 7 } },
    ]);
    await expect.poll(() => chat.status).toBe("ready");
    await chat.sendMessage({ text: "extended" });
    expect(textOf(chat.lastMessage)).toBe("Right words");
  });

  const answerTo = (
    question: ReturnType<typeof bodyOf>,
    messageId: string,
    request: UIMessageChunk | undefined,
    approved: boolean,
  ) => {
    const { toolCallId, approvalId } = request as { toolCallId: string; approvalId: string };
    const part = {
      type: "dynamic-tool",
      toolName: "erase",
      toolCallId,
      state: "approval-responded",
      input: {},
      approval: { id: approvalId, approved },
    };
    const parts = [{ type: "text", text: "May I? " }, part];
    const messages = [...question.messages, { id: messageId, role: "assistant", parts }];
    return { ...question, messageId, messages };
  };

  it("is answered once, however often the answer comes", async () => {
    const question = bodyOf("confirm");
    const first = await chunksOf(await post(question));
    const request = first.find(({ type }) => type === "tool-approval-request");
    const start = first[0] as { messageId: string };
    const answer = answerTo(question, start.messageId, request, true);
    const count = acted.decided.length;
    const told = await chunksOf(await post(answer));
    expect(told[0]).toEqual(first[0]);
    expect(told.filter(({ type }) => type === "text-delta")).toMatchObject([{ delta: "Done." }]);
    expect(await chunksOf(await post(answer))).toEqual(told);
    expect(acted.decided).toHaveLength(count + 1);
    const other = answerTo(question, start.messageId, request, false);
    const refused = await post(other);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ type: "message_not_running" });
  });
});

describe("an end", () => {
  it("by a failure keeps the text, and says what happened", async () => {
    const chat = chatOf();
    await chat.sendMessage({ text: "fails" });
    expect(chat.status).toBe("error");
    expect(textOf(chat.lastMessage)).toBe("Half ");
    expect(chat.lastMessage?.metadata).toMatchObject({ error: { type: "internal_error" } });
    expect((await kept()).at(-1)).toEqual(plain(chat.lastMessage));
    // Another try is another reply to the same message.
    await chat.regenerate();
    expect(await kept()).toHaveLength(2);
  });

  it("at a limit is told as such", async () => {
    const reasons: unknown[] = [];
    const chat = chatOf({ onFinish: ({ finishReason }) => void reasons.push(finishReason) });
    await chat.sendMessage({ text: "extended" });
    await chat.sendMessage({ text: "everything" });
    await chat.sendMessage({ text: "confirm" });
    expect(reasons).toEqual(["length", "stop", "tool-calls"]);
  });

  it("by a stop keeps the text", async () => {
    const chat = chatOf();
    const sending = chat.sendMessage({ text: "waits" });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("Half ");
    const path = `/ai/actor/${encodeURIComponent(id)}/stop`;
    expect(await (await post(undefined, path)).json()).toEqual({ stopped: true });
    await sending;
    expect(chat.status).toBe("ready");
    expect(textOf(chat.lastMessage)).toBe("Half ");
    expect(chat.lastMessage?.metadata).toMatchObject({ finish_reason: "cancelled" });
    expect((await kept()).at(-1)).toEqual(plain(chat.lastMessage));
    expect(await (await post(undefined, path)).json()).toEqual({ stopped: false });
  });
});

describe("a place in a chat", () => {
  it("is where its client's messages say: below, beside, anew", async () => {
    const chat = chatOf();
    await chat.sendMessage({ text: "extended one" });
    await chat.sendMessage({ text: "extended two" });
    const [first, , second, reply] = chat.messages;
    await chat.regenerate();
    expect(chat.messages).toHaveLength(4);
    expect(chat.lastMessage?.id).not.toBe(reply?.id);
    await chat.regenerate({ messageId: chat.messages[1]?.id ?? "" });
    expect((await kept()).map(textOf)).toEqual(["extended one", "Right words"]);
    await chat.sendMessage({ text: "extended three" });
    await chat.sendMessage({ text: "extended 2", messageId: chat.messages[2]?.id ?? "" });
    expect((await kept()).map(textOf)).toEqual([
      "extended one",
      "Right words",
      "extended 2",
      "Right words",
    ]);
    await chat.sendMessage({ text: "extended 1", messageId: first?.id ?? "" });
    expect((await kept()).map(textOf)).toEqual(["extended 1", "Right words"]);
    // The same words again are another branch, not the reply of then.
    await chat.sendMessage({ text: "extended one", messageId: first?.id ?? "" });
    expect((await kept()).map(textOf)).toEqual(["extended one", "Right words"]);
    expect((await kept()).map((each) => each.id)).toEqual(chat.messages.map((each) => each.id));
    expect(second).toBeDefined();
    const { body } = await acted.native.get<{ sessions: unknown[] }>(`/sessions?user_id=${user}`);
    expect(body.sessions).toHaveLength(1);
  });

  it("is at its end, where a client sends its last message alone", async () => {
    for (const word of ["extended one", "extended two"]) await chunksOf(await post(bodyOf(word)));
    expect((await kept()).map(textOf)).toEqual([
      "extended one",
      "Right words",
      "extended two",
      "Right words",
    ]);
  });

  it("begins with what the client says was said", async () => {
    const greeting: UIMessage = {
      id: "greeting",
      role: "assistant",
      parts: [{ type: "text", text: "How can I help?" }],
    };
    const chat = chatOf({ messages: [greeting] });
    await chat.sendMessage({ text: "extended one" });
    await chat.sendMessage({ text: "extended two" });
    await chat.regenerate();
    expect((await kept()).map(textOf)).toEqual([
      "How can I help?",
      "extended one",
      "Right words",
      "extended two",
      "Right words",
    ]);
  });

  it("is found although the answer to what was said before never came", async () => {
    let isLost = true;
    const lossy: Fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!isLost) return response;
      await response.body?.cancel();
      throw new TypeError("fetch failed");
    };
    const chat = chatOf({ transport: transport(lossy) });
    await chat.sendMessage({ text: "extended one" });
    expect(chat.status).toBe("error");
    isLost = false;
    await chat.sendMessage({ text: "extended two" });
    expect((await kept()).map(textOf)).toEqual([
      "extended one",
      "Right words",
      "extended two",
      "Right words",
    ]);
  });
});

describe("what a client sends", () => {
  const png = `data:image/png;base64,${Buffer.from("not really one").toString("base64")}`;
  const note = `data:text/plain;base64,${Buffer.from("Buy milk.").toString("base64")}`;

  it("may be files, which are there when the chat is opened, asked again and edited", async () => {
    const chat = chatOf();
    const file = {
      type: "file",
      mediaType: "text/plain",
      filename: "note.txt",
      url: note,
    } as const;
    await chat.sendMessage({ text: "extended one", files: [file] });
    await chat.sendMessage({ files: [file] });
    const stored = await kept();
    const [first, , second] = stored;
    expect(first?.parts).toMatchObject([
      { type: "file", mediaType: "text/plain", filename: "note.txt" },
      { type: "text", text: "extended one" },
    ]);
    expect(second?.parts.map(({ type }) => type)).toEqual(["file"]);
    const [part] = first?.parts ?? [];
    const url = part?.type === "file" ? part.url : "";
    const read = await fetch(`${acted.url}${url}?user_id=${user}`, { headers: headers() });
    expect(await read.text()).toBe("Buy milk.");
    const other = chatOf({ messages: stored });
    await other.regenerate();
    expect(other.status).toBe("ready");
    await other.sendMessage({
      messageId: first?.id ?? "",
      parts: [...(first?.parts.slice(0, 1) ?? []), { type: "text", text: "extended two" }],
    });
    expect(other.status).toBe("ready");
    const edited = await kept();
    expect(edited).toHaveLength(2);
    expect(edited[0]?.parts).toMatchObject([
      { type: "file", filename: "note.txt" },
      { type: "text", text: "extended two" },
    ]);
  });

  it("of any other shape is refused, shortly", async () => {
    const user = (parts: unknown) => [{ id: "m", role: "user", parts }];
    const wrong: [unknown, string][] = [
      [bodyOf("x", { id: "a\u0000b" }), "id"],
      [bodyOf("x", { id: "x".repeat(257) }), "id"],
      [bodyOf("x", { id: undefined }), "id"],
      [bodyOf("x", { trigger: "other" }), "trigger"],
      [bodyOf("x", { messages: [] }), "messages"],
      [bodyOf("x", { messages: [null] }), "messages"],
      [bodyOf("x", { messages: [{ role: "assistant", parts: [] }] }), "messages"],
      [bodyOf("  "), "messages/0/parts"],
      [bodyOf("x".repeat(50_000)), "messages/0/parts"],
      [bodyOf("x", { messages: user("text") }), "messages/0/parts"],
      [bodyOf("x", { messages: user([null]) }), "messages/0/parts/0"],
      [bodyOf("x", { messages: user([{ type: "text", text: 7 }]) }), "messages/0/parts/0"],
      [bodyOf("x", { messages: user([{ type: "file", url: "https://x/y.png" }]) }), "messages.0"],
      [bodyOf("x", { messages: user([{ type: "file" }]) }), "messages/0/parts/0"],
      [
        bodyOf("x", {
          messages: user([{ type: "file", url: `/chat/attachments/${randomUUID()}` }]),
        }),
        "must say something",
      ],
      [
        bodyOf("x", {
          messages: user([
            { type: "text", text: "x" },
            { type: "file", url: `/chat/attachments/${randomUUID()}` },
          ]),
        }),
        "messages",
      ],
      [bodyOf("x", { messages: user([{ type: "file", url: png.slice(0, -3) }]) }), ""],
      [[], ""],
      [null, ""],
    ];
    for (const [body, told] of wrong) {
      const response = await post(body);
      const answer = (await response.json()) as { type: string; error: string };
      expect([400, 422], JSON.stringify([body, answer])).toContain(response.status);
      expect(answer.error).toContain(told);
      expect(Object.keys(answer)).toEqual(["error", "type"]);
    }
    const chat = chatOf({ transport: transport(undefined, "nobody") });
    await chat.sendMessage({ text: "x" });
    expect(JSON.parse(chat.error?.message ?? "")).toMatchObject({ type: "agent_not_found" });
    expect((await post(bodyOf("x"), "/ai/nobody/x")).status).toBe(404);
    expect((await fetch(`${acted.url}/ai/actor/x/messages?before=%00`)).status).toBe(422);
    expect([400, 422]).toContain((await fetch(`${acted.url}/ai/actor/%00/messages`)).status);
    expect(await (await fetch(`${acted.url}/ai/actor`)).json()).toMatchObject({
      type: "method_not_allowed",
    });
  });
});

describe("a connection that is lost", () => {
  /** The `fetch` of a client whose answers stop behind some pieces: the first one alone. */
  const cutting = (after: number): Fetch => {
    let isFirst = true;
    return async (input, init) => {
      const response = await fetch(input, init);
      if (!isFirst || response.body === null) return response;
      isFirst = false;
      const frames = (await response.text()).split("\n\n").slice(0, after);
      const body = new ReadableStream({
        start(controller) {
          for (const frame of frames) controller.enqueue(new TextEncoder().encode(`${frame}\n\n`));
          controller.error(new TypeError("network error"));
        },
      });
      return new Response(body, response);
    };
  };

  /** A transport that says which reply it has the half of. */
  const resuming = (chat: () => PlainChat, fetch: Fetch) =>
    new DefaultChatTransport<UIMessage>({
      api: `${acted.url}/ai/actor`,
      headers: { "X-User-Id": user },
      fetch,
      prepareReconnectToStreamRequest: ({ id: each }) => {
        const last = chat().lastMessage;
        const half = last?.role === "assistant" ? `?message_id=${last.id}` : "";
        return { api: `${acted.url}/ai/actor/${encodeURIComponent(each)}/stream${half}` };
      },
    });

  it.each(["everything", "members", "replaced", "confirm", "fails"])(
    "of '%s' behind any piece is as none, once it is resumed, and the agent runs once",
    async (word) => {
      const whole = chatOf();
      await whole.sendMessage({ text: word });
      const told = (await (await post(bodyOf(word, { id: randomUUID() }))).text()).split("\n\n");
      for (const after of told.keys()) {
        const before = acted.runs();
        const chat: PlainChat = chatOf({
          id: `${id} ${after}`,
          transport: resuming(() => chat, cutting(after)),
        });
        await chat.sendMessage({ text: word });
        expect(chat.status).toBe("error");
        // Without a piece it has nothing to resume: it asks again.
        const hasHalf = chat.lastMessage?.role === "assistant";
        if (hasHalf) await chat.resumeStream();
        else await chat.sendMessage(undefined);
        const { lastMessage, messages } = chat;
        expect(messages).toHaveLength(2);
        const shape = (message: UIMessage | undefined) =>
          JSON.parse(
            JSON.stringify(message?.parts).replaceAll(message?.id ?? "-", "ID"),
          ) as unknown;
        expect(shape(lastMessage)).toEqual(shape(whole.lastMessage));
        // What has failed is asked for anew by whoever has nothing of it.
        expect(acted.runs()).toBe(before + (word === "fails" && !hasHalf ? 2 : 1));
      }
    },
  );

  it("before anything came is the same run for whoever asks anew", async () => {
    for (const isMade of [true, false]) {
      const before = acted.runs();
      let isLost = true;
      const lossy: Fetch = async (input, init) => {
        if (!isLost) return fetch(input, init);
        isLost = false;
        const response = isMade ? await fetch(input, init) : null;
        await response?.body?.cancel();
        throw new TypeError("fetch failed");
      };
      const chat = chatOf({ id: randomUUID(), transport: transport(lossy) });
      await chat.sendMessage({ text: "waits" });
      expect(chat.status).toBe("error");
      const again = chat.regenerate();
      await expect.poll(() => textOf(chat.lastMessage)).toBe("Half ");
      expect(acted.runs()).toBe(before + 1);
      await post(undefined, `/ai/actor/${chat.id}/stop`);
      await again;
      expect(chat.messages).toHaveLength(2);
    }
  });

  it("is one run, although requests cross", async () => {
    const before = acted.runs();
    const question = bodyOf("everything");
    const all = await Promise.all(
      Array.from({ length: 5 }, async () => chunksOf(await post(question))),
    );
    for (const each of all) {
      expect(each.filter(({ type }) => type !== "data-queued")).toEqual(all[0]);
    }
    expect(acted.runs()).toBe(before + 1);
  });
});

describe("what is being made", () => {
  it("is shown from its start to whoever opens the chat, and nothing where nothing is", async () => {
    const stream = async (query = "") =>
      fetch(`${acted.url}/ai/actor/${encodeURIComponent(id)}/stream${query}`, {
        headers: headers(),
      });
    expect((await stream()).status).toBe(204);
    const idle = chatOf();
    await idle.resumeStream();
    expect(idle.status).toBe("ready");
    const chat = chatOf();
    const sending = chat.sendMessage({ text: "waits" });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("Half ");
    const stored = await kept();
    expect(stored.at(-1)?.id).toBe(chat.lastMessage?.id);
    const other = chatOf({ messages: stored });
    const following = other.resumeStream();
    await expect.poll(() => textOf(other.lastMessage)).toBe("Half ");
    expect(other.status).toBe("streaming");
    await post(undefined, `/ai/actor/${encodeURIComponent(id)}/stop`);
    await Promise.all([sending, following]);
    expect(plain(other.messages)).toEqual(
      plain(chat.messages).toSpliced(0, 1, ...stored.slice(0, 1)),
    );
    expect((await stream()).status).toBe(204);
    const over = await chunksOf(await stream(`?message_id=${chat.lastMessage?.id}`));
    expect(over.at(-1)).toEqual({ type: "abort", reason: "cancelled" });
    expect((await stream(`?message_id=${randomUUID()}`)).status).toBe(404);
    expect((await stream("?message_id=nothing")).status).toBe(404);
  });

  it("is told to wait, where something is made in front of it", async () => {
    const chat = chatOf();
    const first = chat.sendMessage({ text: "waits" });
    await expect.poll(() => textOf(chat.lastMessage)).toBe("Half ");
    const queued: unknown[] = [];
    const other = chatOf({ messages: await kept(), onData: (part) => void queued.push(part) });
    const second = other.sendMessage({ text: "extended" });
    await expect.poll(() => queued).toMatchObject([{ type: "data-queued", data: { position: 1 } }]);
    await post(undefined, `/ai/actor/${encodeURIComponent(id)}/stop`);
    await Promise.all([first, second]);
    expect(textOf(other.lastMessage)).toBe("Right words");
    expect(other.lastMessage?.parts.map(({ type }) => type)).toEqual(["step-start", "text"]);
  });
});

it("nothing of it is there where it is switched off", async () => {
  const elsewhere = await startActedService(scripts, { PROTOCOLS_AI_SDK: "false" });
  const { body } = await elsewhere.native.get("/ai/actor/x/messages");
  expect(body).toMatchObject({ success: false, error: { code: 404, type: "not_found" } });
  await elsewhere.close();
});
