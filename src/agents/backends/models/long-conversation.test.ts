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
import type { HistoryMessage, RunRequest, SentContext } from "../../agent-backend.ts";
import type { ContextTokens } from "./context-windows.ts";
import { createModelsBackend, type ModelsBackend } from "./models-backend.ts";

let server: OpenAiServer;
let backend: ModelsBackend | undefined;
/** Without usage: what is estimated stays as it is. */
const ok: Turn = { tokens: ["ok"], usage: null };
const never = new AbortController().signal;

/** Instead of the one before. */
async function create(contextTokens: ContextTokens = null, tools: string[] = []): Promise<void> {
  await backend?.close();
  backend = createModelsBackend({
    endpoint: { apiUrl: server.url, apiKey: null },
    modelService: null,
    cacheTtlMs: 60_000,
    agents: [{ id: "plain", name: "Plain", instructions: "", tools }],
    defaultAgents: false,
    defaultModel: "test-model",
    historyMessages: 0,
    contextTokens,
    timeoutMs: 60_000,
    log: silentLogger,
    sleep: () => Promise.resolve(),
  });
}

beforeEach(async () => {
  server = await startOpenAiServer({ respond: () => ok });
  await create();
});
afterEach(async () => {
  await backend?.close();
  backend = undefined;
  await server.close();
});

async function send(message: string, changes: Partial<RunRequest> = {}) {
  const contexts: SentContext[] = [];
  let text = "";
  for await (const event of backend!.run(runRequest("plain", { message, ...changes }), never)) {
    if (event.type === "context") contexts.push(event.context);
    if (event.type === "text") text += event.text;
  }
  return { text, context: contexts.at(-1) };
}

type Said = { role: string; content: string | { type: string; text?: string }[] };
const messagesOf = (request: RecordedRequest | undefined) =>
  (request?.body["messages"] ?? []) as Said[];
const sizeOf = (request: RecordedRequest) => JSON.stringify(request.body["messages"]).length;

/** `count` turns of about `words` tokens each; numbers as the store gives them. */
const talk = (count: number, words: number): HistoryMessage[] =>
  Array.from({ length: count * 2 }, (_, index) => ({
    role: index % 2 === 0 ? ("user" as const) : ("assistant" as const),
    content: `${index % 2 === 0 ? "q" : "a"}${Math.floor(index / 2)} ${"word ".repeat(words / 2)}`,
    agentId: null,
    seq: index + 1,
  }));
const past = (history: readonly HistoryMessage[]) => ({ history: async () => history });
const refusal = (message: string, status = 400): Turn => ({
  fault: { kind: "status", status, body: { error: { message } } },
});

describe("a prompt that is larger than its model's window", () => {
  test("loses whole turns, the oldest first, and says so", async () => {
    await create(4_000);
    const { context } = await send("now", past(talk(20, 500)));
    const messages = messagesOf(server.requests[0]);
    expect(messages[0]?.role).toBe("user");
    expect(messages.map(({ role }) => role)).toEqual(
      messages.map((_, index) => (index % 2 === 0 ? "user" : "assistant")),
    );
    expect(messages.at(-2)?.content).toMatch(/^a19 /);
    expect(messages.length).toBeGreaterThan(5);
    expect(messages.length).toBeLessThan(15);
    expect(context).toMatchObject({ messages: messages.length, dropped: 41 - messages.length });
    expect(context?.estimatedTokens).toBeLessThanOrEqual(3_000);
  });

  test("counts what was not even read", async () => {
    await create(4_000);
    const { context } = await send("now", past(talk(20, 500).slice(10)));
    expect((context?.messages ?? 0) + (context?.dropped ?? 0)).toBe(41);
  });

  test("keeps the message, also where it alone is larger: the model decides", async () => {
    await create(1_000);
    const long = "word ".repeat(5_000);
    const { text, context } = await send(long, past(talk(2, 10)));
    expect(text).toBe("ok");
    expect(context).toMatchObject({ messages: 1, dropped: 4 });
  });

  test("asks for no more of the past than could have room", async () => {
    await create(4_000);
    let maxBytes: number | undefined;
    await send("now", {
      history: async (bounds) => {
        maxBytes = bounds?.maxBytes;
        return [];
      },
    });
    expect(maxBytes).toBe(18_000);
  });

  test("is measured by what the endpoint tells of its model", async () => {
    const told = async (fields: object) => {
      server.setRespond(() => ok);
      server.setModelFields(fields);
      await backend!.list(never);
      return (await send("now", past(talk(20, 500)))).context?.estimatedTokens ?? 0;
    };
    for (const fields of [
      { max_model_len: 2_048 },
      { context_length: 2_048 },
      { context_window: "2048" },
      { meta: { n_ctx_train: 2_048 } },
      { loaded_context_length: 2_048, max_context_length: 131_072 },
      { top_provider: { context_length: 2_048 } },
    ]) {
      expect(await told(fields)).toBeLessThan(1_536);
    }
    expect(await told({ context_length: -1 })).toBeGreaterThan(5_000);
  });

  test("a failed message that was too long harms no later one", async () => {
    await create(4_000);
    const long: HistoryMessage = { role: "user", content: "x ".repeat(20_000), agentId: null };
    await send("short", past([...talk(1, 20), long]));
    expect(messagesOf(server.requests[0])).toEqual([{ role: "user", content: "short" }]);
  });
});

describe("a prompt that the model refuses for its length", () => {
  test.each([
    ["prompt is too long: 210000 tokens > 200000 maximum", 400],
    [
      "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
      422,
    ],
    ["Context size has been exceeded.", 500],
    ["the request exceeds the available context size", 400],
    ["The input token count (40000) exceeds the maximum number of tokens allowed (32768)", 400],
    ["Range of input length should be [1, 30720]", 400],
    ["input must be less than max_seq_len", 422],
    ["Request Entity Too Large", 413],
    ["loaded with context length of only 4096", 400],
    ["This model's maximum context length is 8192 tokens", 200],
  ])("is sent again with half of the past: %s", async (message, status) => {
    const history = talk(8, 200);
    server.setRespond((request) => {
      if (messagesOf(request).length <= 9) return ok;
      return status === 200
        ? { tokens: [], fault: { kind: "error_frame", error: { message } } }
        : refusal(message, status);
    });
    const { text, context } = await send("now", past(history));
    expect(text).toBe("ok");
    expect(server.requests.map((request) => messagesOf(request).length)).toEqual([17, 9]);
    expect(context).toMatchObject({ messages: 9, dropped: 8 });
    // What was learned holds for the next turn.
    await send("again", past(history));
    expect(sizeOf(server.requests[2]!)).toBeLessThan(sizeOf(server.requests[0]!));
  });

  test("at last goes alone, after three more tries in all", async () => {
    server.setRespond((request) =>
      messagesOf(request).length > 1 ? refusal("too many tokens") : ok,
    );
    const { context } = await send("now", past(talk(8, 200)));
    expect(server.requests.map((request) => messagesOf(request).length)).toEqual([17, 9, 5, 1]);
    expect(context).toMatchObject({ messages: 1, dropped: 16 });
  });

  test("fails with words that say what to do, where even that is too long", async () => {
    server.setRespond(() => refusal("prompt is too long"));
    const error = await send("now", past(talk(1, 20))).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ type: "context_too_long", status: 422 });
    expect((error as Problem).text("en")).toMatch(/Send less text/);
    expect(server.requests).toHaveLength(2);
  });

  test("five long messages and then short ones: a session never dies", async () => {
    server.setRespond((request) =>
      sizeOf(request) > 30_000 ? refusal("context_length_exceeded") : ok,
    );
    const history: HistoryMessage[] = [];
    const texts = [...Array.from({ length: 5 }, () => "word ".repeat(1_800)), "s", "s", "s"];
    for (const message of texts) {
      expect((await send(message, past([...history]))).text).toBe("ok");
      history.push({ role: "user", content: message, agentId: null });
      history.push({ role: "assistant", content: "ok", agentId: null });
    }
  });

  test("what a tool has brought counts too", async () => {
    await create(null, ["current_time"]);
    server.enqueue({ toolCalls: [{ name: "current_time", arguments: "{}" }] });
    server.setRespond((request) =>
      messagesOf(request).length > 8 ? refusal("too many tokens") : ok,
    );
    expect((await send("now", past(talk(4, 100)))).text).toBe("ok");
    const last = messagesOf(server.requests.at(-1));
    expect(last.slice(-2).map(({ role }) => role)).toEqual(["assistant", "tool"]);
  });
});

describe("files of earlier messages", () => {
  const file = (id: string, mediaType: string, size = 3) => ({
    id,
    name: `${id}.${mediaType.split("/")[1]}`,
    mediaType,
    size,
  });
  const bytes = (text: string) => new TextEncoder().encode(text);
  const withFiles = (files: readonly ReturnType<typeof file>[], answered = true) => {
    const asked: string[][] = [];
    const history: HistoryMessage[] = [
      { role: "user", content: "what is this?", agentId: null, files },
      ...(answered ? [{ role: "assistant" as const, content: "a cat", agentId: null }] : []),
    ];
    return {
      asked,
      history: async () => history,
      files: async (ids: readonly string[]) => {
        asked.push([...ids]);
        return files
          .filter(({ id }) => ids.includes(id))
          .map((each) => ({ ...each, bytes: bytes("abc") }));
      },
    };
  };

  test("pictures are shown again, text is put in, of others there is a note", async () => {
    const given = withFiles([
      file("p", "image/png"),
      file("t", "text/plain"),
      file("d", "application/pdf"),
    ]);
    await send("what colour is it?", given);
    expect(messagesOf(server.requests[0])).toEqual([
      {
        role: "user",
        content: [
          {
            type: "text",
            text: "what is this?\n\n[attached then: d.pdf (application/pdf), not shown to you now]\n\n[attached: t.plain (text/plain)]\n```plain\nabc\n```",
          },
          { type: "image_url", image_url: { url: "data:image/png;base64,YWJj" } },
        ],
      },
      { role: "assistant", content: "a cat" },
      { role: "user", content: "what colour is it?" },
    ]);
  });

  test("only the newest, within bytes, tokens and number", async () => {
    const many = Array.from({ length: 10 }, (_, index) => file(`p${index}`, "image/png"));
    const large = [file("large", "image/png", 9 * 1024 * 1024), file("small", "image/png")];
    const given = withFiles(many);
    await send("now", given);
    expect(given.asked[0]).toEqual(["p9", "p8", "p7", "p6", "p5", "p4", "p3"]);
    const content = messagesOf(server.requests[0])[0]?.content as { text?: string }[];
    expect(content).toHaveLength(8);
    expect(content[0]?.text).toMatch(/p0\.png.*not shown[^]*p2\.png/);
    const other = withFiles(large);
    await send("now", other);
    expect(other.asked).toEqual([["small"]]);
    await create(2_000);
    const none = withFiles(many);
    await send("now", none);
    expect(none.asked).toEqual([]);
  });

  test.each([true, false])(
    "are left out, and so for a while, where the model takes none (answered: %s)",
    async (answered) => {
      const takesNone = (request: RecordedRequest) =>
        JSON.stringify(request.body).includes("image_url")
          ? refusal("unknown variant `image_url`, expected `text`")
          : ok;
      server.setRespond(takesNone);
      const given = withFiles([file("p", "image/png")], answered);
      expect((await send("and now?", given)).text).toBe("ok");
      expect(server.requests).toHaveLength(2);
      expect(JSON.stringify(messagesOf(server.requests[1]))).toContain("which you cannot see");
      await send("once more", given);
      expect(server.requests).toHaveLength(3);
      const own = { name: "b.png", mediaType: "image/png", bytes: bytes("x") };
      const error = await send("this one", { ...given, attachments: [own] }).catch(
        (caught: unknown) => caught,
      );
      expect((error as Problem).text("en")).toMatch(/takes no images/);
    },
  );
});

describe("text files", () => {
  const attach = (name: string, mediaType: string, text: string | Uint8Array) => ({
    name,
    mediaType,
    bytes: typeof text === "string" ? new TextEncoder().encode(text) : text,
  });
  const shown = async (...attachments: ReturnType<typeof attach>[]) => {
    await send("read", { attachments });
    return String(messagesOf(server.requests.at(-1)).at(-1)?.content);
  };

  test("are put in, in a fence that nothing in them can end", async () => {
    expect(await shown(attach("a.py", "text/x-python", "print(1)\n````\nend"))).toBe(
      "read\n\n[attached: a.py (text/x-python)]\n`````py\nprint(1)\n````\nend\n`````",
    );
  });

  test.each(["application/json", "application/xml", "application/ld+json", "text/csv"])(
    "of type %s",
    async (type) => {
      expect(await shown(attach("a", type, "{}"))).toContain("```\n{}\n```");
    },
  );

  test("in UTF-16 are read; what is no text after all is noted", async () => {
    const wide = new Uint8Array([0xff, 0xfe, 0x60, 0x4f, 0x7d, 0x59]);
    expect(await shown(attach("a.txt", "text/plain", wide))).toContain("```txt\n你好\n```");
    for (const bytes of [new Uint8Array([0xff, 0xd8, 1]), new Uint8Array([65, 0, 66])]) {
      expect(await shown(attach("a.txt", "text/plain", bytes))).toBe(
        "read\n\n[attached: a.txt (text/plain), not shown to you]",
      );
    }
  });

  test("are bounded, each and together", async () => {
    const long = "x".repeat(100_000);
    const one = await shown(attach("a.txt", "text/plain", long));
    expect(one).toMatch(/\[\d+ more characters are left out\]$/);
    expect(one.length).toBeLessThan(66_000);
    const files = Array.from({ length: 9 }, (_, index) =>
      attach(`${index}.txt`, "text/plain", long),
    );
    expect((await shown(...files)).length).toBeLessThan(50_000);
  });
});
