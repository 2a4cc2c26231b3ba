import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, test } from "vitest";
import { silentLogger } from "../../../telemetry/logger.ts";
import { runAgentBackendContract, runRequest } from "../../agent-backend.contract.ts";
import type { AgentBackend, AgentEvent, HistoryMessage, RunRequest } from "../../agent-backend.ts";
import { createBuiltinBackend } from "./builtin-backend.ts";

const never = new AbortController().signal;
const noSource = "its agents run in this process; there is no source that could do this";

runAgentBackendContract({
  name: "builtin",
  create: () => {
    const backend = createBuiltinBackend({ logger: silentLogger, ollamaUrl: null });
    return Promise.resolve({
      backend,
      agentId: "general-chat",
      play: () => {},
      stopped: () => Promise.resolve(),
      unplug: () => Promise.resolve(),
      close: () => backend.close(),
    });
  },
  deviations: Object.fromEntries(
    [
      "text arrives in order and one end comes last",
      "text arrives while the agent still speaks",
      "runs side by side do not mix",
      "an abort before the first event ends the run here and at its source",
      "a refusal is agent_failed, without the source's words",
      "an overloaded source is agent_unavailable",
      "an unreachable source is agent_unavailable",
      "a source that never answers is agent_timeout",
      "a source that falls silent is agent_timeout, after what it said",
      "a connection that breaks before the first event is agent_failed",
      "a connection that breaks in mid-answer is AgentInterrupted, after what was said",
      "a stream that ends before its time is no finished run",
      "a run that fails in mid-answer is agent_failed, after what was said",
      "garbage is agent_failed, without the source's words",
      "a line of 100 MB is refused in bounded memory",
      "a fault does not spoil the next run",
      "a probe says whether the source answers, and never raises",
    ].map((name) => [name, noSource]),
  ),
});

const backend = createBuiltinBackend({ logger: silentLogger, ollamaUrl: null });
afterAll(() => backend.close());

const laterTurn: readonly HistoryMessage[] = [
  { role: "user", content: "hi", agentId: null },
  { role: "assistant", content: "Hello!", agentId: "general-chat" },
];

async function run(
  agentId: string,
  message: string,
  changes: Partial<RunRequest> = {},
  subject: AgentBackend = backend,
): Promise<{ text: string; events: AgentEvent[] }> {
  const events: AgentEvent[] = [];
  for await (const event of subject.run(runRequest(agentId, { message, ...changes }), never)) {
    events.push(event);
  }
  const text = events.map((event) => (event.type === "text" ? event.text : "")).join("");
  return { text, events };
}

const later = { history: () => Promise.resolve(laterTurn) };

function steps(events: readonly AgentEvent[]): string[] {
  const names = events.map((event) => {
    if (event.type === "agent") return `${event.event} ${event.agentId}`;
    return event.type === "tool" ? `${event.name} ${event.status}` : event.type;
  });
  return names.filter((name, index) => name !== names[index - 1]);
}

describe("general-chat", () => {
  test("greets in the language of the message and says how to connect a model", async () => {
    const english = await run("general-chat", "Hello!", { language: "zh" });
    assert.match(english.text, /^Hello! .*no language model is connected/);
    const chinese = await run("general-chat", "你好", { language: "en" });
    assert.match(chinese.text, /^你好！.*尚未连接任何语言模型/);
    for (const { text, events } of [english, chinese]) {
      assert.match(
        text,
        /^OPENAI_BASE_URL=\S+ OPENAI_API_KEY=\S+ MODELS_DEFAULT_MODEL=\S+ npm start$/m,
      );
      assert.match(text, /^AGNO_API_URL=\S+ npm start$/m);
      assert.doesNotMatch(text, /11434/);
      assert.deepEqual(steps(events), ["text", "finish"]);
      assert.deepEqual(events.at(-1), { type: "finish", reason: "stop" });
      assert.ok(events.length > 20, "comes in small pieces");
    }
  });

  test("a message without words is answered in the language asked for", async () => {
    assert.match((await run("general-chat", "👋", { language: "zh" })).text, /^你好！/);
  });

  test.each([
    ["thanks a lot!", "You are welcome."],
    ["Cheers", "You are welcome."],
    ["thank you very much", "You are welcome."],
    ["非常感谢你的帮助", "不客气。"],
    ["辛苦了！", "不客气。"],
  ])("%s is answered as people do", async (message, expected) => {
    assert.equal((await run("general-chat", message, later)).text, expected);
  });

  test("greets once in a session", async () => {
    const { text } = await run("general-chat", "hi", later);
    assert.doesNotMatch(text, /Hello|OPENAI_BASE_URL/);
    assert.match(text, /What I can do/);
  });

  test.each([
    ["(2+3)*4 等于多少", "(2+3)*4 = 20"],
    ["3 km to miles", "3 km = 1.864113576712 miles"],
    ["3公里等于多少英里", "3 公里 = 1.864113576712 英里"],
    ["平均值 3 5 8", "mean(3, 5, 8) = 5.3333333333333"],
  ])("hands %s over to the calculator", async (message, expected) => {
    const { text, events } = await run("general-chat", message, later);
    assert.equal(text, expected);
    assert.deepEqual(steps(events), [
      "handoff calculator",
      "member_started calculator",
      "calculate started",
      "calculate completed",
      "text",
      "member_completed calculator",
      "finish",
    ]);
  });

  test.each([
    [
      "How do I cancel a reply?",
      "Source: docs/getting-started.md › Getting started › Cancel a reply",
    ],
    ["断线后如何续传？", "来源：docs/getting-started.zh-CN.md › 快速开始 › 断线续传与跟随回复"],
  ])("hands %s over to the guide", async (message, source) => {
    const { text, events } = await run("general-chat", message, later);
    assert.ok(text.includes(source), text);
    assert.deepEqual(steps(events), [
      "handoff guide",
      "member_started guide",
      "search_documentation started",
      "search_documentation completed",
      "text",
      "member_completed guide",
      "finish",
    ]);
    const handoff = events.find((event) => event.type === "agent");
    assert.equal(handoff?.parentAgentId, "general-chat");
  });

  test("on the first turn the answer follows the greeting", async () => {
    const { text } = await run("general-chat", "How do I cancel a reply?");
    assert.match(text, /^Hello![^]+npm start\n```\n\n---\n\n[^]+Source: docs\//);
  });

  test.each(["What is the capital of France?", "红烧肉怎么做"])(
    "does not pretend to answer: %s",
    async (message) => {
      for (const changes of [{}, later]) {
        const { text, events } = await run("general-chat", message, changes);
        assert.match(text, /needs a language model|需要语言模型/);
        assert.match(text, /OPENAI_BASE_URL=/);
        assert.deepEqual(steps(events), ["text", "finish"]);
      }
    },
  );

  test("names the line for an Ollama on this machine", async () => {
    const server: Server = createServer((_request, response) =>
      response.end('{"models": [{"name": "qwen3:0.6b"}]}'),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const ollamaUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const told: string[] = [];
    const logger = {
      ...silentLogger,
      info: (_fields: object, text: string) => void told.push(text),
    };
    const subject = createBuiltinBackend({ logger, ollamaUrl });
    try {
      const line = `OPENAI_BASE_URL=${ollamaUrl}/v1 MODELS_DEFAULT_MODEL=qwen3:0.6b npm start`;
      const { text } = await run("general-chat", "hi", {}, subject);
      assert.ok(text.split("\n").includes(line), text);
      // At the start, once, and by the doctor.
      await subject.list(never);
      await subject.list(never);
      assert.deepEqual(told, [
        `an Ollama runs on this machine; this would have it answer: ${line}`,
      ]);
      assert.deepEqual(await subject.examine?.(never), [
        { name: "ollama", status: "ok", found: told[0] },
      ]);
      const beside = createBuiltinBackend({ logger, ollamaUrl, modelsConnected: true });
      await beside.list(never);
      assert.deepEqual([told.length, await beside.examine?.(never)], [1, []]);
    } finally {
      await subject.close();
      server.closeAllConnections();
      server.close();
    }
  });

  test("beside connected agents it does not say that none is connected", async () => {
    const subject = createBuiltinBackend({ logger: silentLogger, modelsConnected: true });
    const { text } = await run("general-chat", "hello", {}, subject);
    assert.doesNotMatch(text, /connected yet|OPENAI_BASE_URL/);
    assert.match(text, /GET \/chat\/agents/);
    await subject.close();
  });

  test("says that it cannot read attachments", async () => {
    const attachments = [{ name: "a.png", mediaType: "image/png", bytes: new Uint8Array(3) }];
    assert.match(
      (await run("general-chat", "what is this", { attachments })).text,
      /^\(I cannot read/,
    );
    assert.match((await run("calculator", "三加五", { attachments })).text, /^（我无法读取附件/);
  });
});

describe("guide", () => {
  test("quotes the page as it stands", async () => {
    const { text } = await run("guide", "How do I change the port?");
    assert.ok(text.includes("```sh\nHOST=0.0.0.0 PORT=9000 npm start\n```"), text);
  });

  test("says in Chinese that a page is in English", async () => {
    assert.match((await run("guide", "分页怎么用")).text, /^文档中的这一节目前只有英文：/);
  });

  test("lists topics when it has no answer", async () => {
    const english = await run("guide", "What is the capital of France?");
    assert.match(english.text, /^I found nothing on that[^]+\n- /);
    const chinese = await run("guide", "红烧肉怎么做");
    assert.match(chinese.text, /^文档中没有找到[^]+\n- 连接模型/);
  });

  test("without documentation it says so", async () => {
    const documentationRoot = import.meta.dirname;
    const subject = createBuiltinBackend({ logger: silentLogger, documentationRoot });
    assert.match((await run("guide", "resume a stream", {}, subject)).text, /not installed here/);
    await subject.close();
  });
});

describe("calculator", () => {
  test("says what it understands when there is nothing to calculate", async () => {
    assert.match((await run("calculator", "hello")).text, /could not find a calculation/);
    assert.match((await run("calculator", "你好")).text, /没有找到可以计算的内容/);
  });

  test.each([
    ["calculate 3 +", /cannot read this as a calculation: 3 \+/],
    ["计算 3 +", /无法将其理解为算式：3 \+/],
    ["100 USD to EUR", /“USD” is neither/],
    ["ones(1e9)", /“ones” is neither/],
    ["sqrt(1, 2)", /“sqrt” does not take so many/],
    ["1/0", /no finite value/],
    ["3 km to kg", /units do not fit/],
    ["999999!", /no finite value/],
    ["1+".repeat(300), /too long for me/],
  ])("says what is wrong with %s", async (message, expected) => {
    const { text, events } = await run("calculator", message);
    assert.match(text, expected);
    assert.deepEqual(steps(events), ["calculate started", "calculate failed", "text", "finish"]);
  });
});

test("an abort ends a reply where it is, with its reason and without a finish", async () => {
  for (const [agentId, message] of [
    ["general-chat", "How do I cancel a reply?"],
    ["guide", "How do I cancel a reply?"],
    ["calculator", "3 + 5 + 8"],
  ] as const) {
    const stop = new AbortController();
    const reason = new Error("enough");
    const seen: AgentEvent[] = [];
    const reading = async () => {
      for await (const event of backend.run(runRequest(agentId, { message }), stop.signal)) {
        seen.push(event);
        if (event.type === "text") stop.abort(reason);
      }
    };
    await assert.rejects(reading, (error) => error === reason);
    assert.equal(seen.at(-1)?.type, "text");
  }
});
