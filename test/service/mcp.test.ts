import { rm } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import {
  referenceProgram,
  startOddServers,
  startReferenceHttp,
  type OddServers,
  type ReferenceHttpServer,
} from "../support/mcp-servers.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import type { SeenEvent } from "../support/reply-stream.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

/** Agents with tools of the official reference server, as a program and over HTTP, and of one that misbehaves. */

type Message = Readonly<Record<string, unknown>> & {
  readonly role: string;
  readonly content: unknown;
};
type Requirement = Readonly<Record<string, unknown>> & { readonly id: string };

let model: OpenAiServer;
let odd: OddServers;
let remote: ReferenceHttpServer;
let service: TestService;
let client: Client;
let dataDir: string;
let from: number;

const isEnd = ({ type }: SeenEvent) =>
  ["conversation_complete", "error", "cancelled"].includes(type);
const call = (name: string, args: unknown, id = `id-${name}`) => ({ id, name, arguments: args });
/** Of the requests of this test. */
const request = (index: number) => model.requests[from + index]!;
const results = (index: number) =>
  (request(index).body["messages"] as Message[]).filter(({ role }) => role === "tool");
const offered = (index: number) =>
  (request(index).body["tools"] as { function: { name: string } }[]).map(
    (tool) => tool.function.name,
  );

async function start(): Promise<void> {
  const local = { name: "local", ...referenceProgram };
  const web = { name: "web", url: remote.url, headers: { "x-team": "tests" } };
  const agents = [
    {
      id: "free",
      name: "Free",
      mcp: [
        {
          ...local,
          require_approval: "none",
          tools: ["echo", "get-sum", "get-tiny-image", "get-env", "get-structured-content"],
        },
        { ...web, require_approval: "none" },
        { name: "odd", ...odd.program("--with-child"), require_approval: "none" },
      ],
    },
    { id: "careful", name: "Careful", mcp: [{ ...local, require_approval: ["get-sum"] }] },
    { id: "lead", name: "Lead", handoffs: ["careful"], mcp: [web] },
    {
      id: "poor",
      name: "Poor",
      mcp: [
        { name: "away", url: "http://127.0.0.1:1/mcp" },
        { name: "missing", command: "/no/such/program" },
        { ...local, require_approval: "none", tools: ["echo"] },
      ],
    },
  ];
  service = await startService({
    dataDir,
    env: {
      OPENAI_BASE_URL: model.url,
      MODELS_DEFAULT_MODEL: "test-model",
      MODELS_AGENTS: JSON.stringify(agents),
    },
  });
  client = createClient(service.url);
}

beforeAll(async () => {
  [odd, remote, model, dataDir] = await Promise.all([
    startOddServers(),
    startReferenceHttp(),
    startOpenAiServer(),
    createDataDir(),
  ]);
  await start();
});
beforeEach(() => {
  from = model.requests.length;
});
afterAll(async () => {
  await service.stop();
  await odd.gone();
  await remote.kill();
  await model.close();
  odd.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function ask(agentId: string, message = "go") {
  const sessionId = await client.session("alice", { agent_id: agentId });
  const stream = await client.stream({ session_id: sessionId, message });
  const { reply_message_id: messageId } = await stream.next(({ type }) => type === "user_message");
  return { stream, sessionId, messageId: String(messageId) };
}

async function pausedOn(agentId: string) {
  const { stream, messageId } = await ask(agentId);
  const paused = await stream.next(({ type }) => type === "paused");
  await stream.all();
  return { messageId, requirements: paused["requirements"] as Requirement[] };
}

const goOn = (messageId: string, decisions: readonly object[]) =>
  client.send<{ response: string; status: string }>("POST", `/chat/message/${messageId}/continue`, {
    decisions,
  });

describe("tools of MCP servers", () => {
  it("are offered and called, as programs and over HTTP, and what they give is told", async () => {
    model.enqueue(
      {
        toolCalls: [
          call("local__echo", { message: "ä" }),
          call("web__get-sum", { a: 2, b: 3 }),
          call("local__get-tiny-image", {}),
          call("local__get-structured-content", { location: "Chicago" }),
          call("odd__fail", {}),
          call("web__get-sum", { a: "two" }, "wrong"),
          call("local__get-resource-links", {}),
        ],
      },
      { tokens: ["Done."] },
    );
    const events = await (await ask("free")).stream.all();
    expect(events.at(-1)).toMatchObject({ type: "conversation_complete", full_response: "Done." });
    expect(offered(0)).toEqual(expect.arrayContaining(["local__echo", "web__echo", "odd__wait"]));
    // Of the program only those that the configuration names.
    expect(offered(0)).not.toContain("local__get-resource-links");
    const [echo, sum, image, structured, failed, wrong, hidden] = results(1).map((each) =>
      String(each.content),
    );
    expect(echo).toBe("Echo: ä");
    expect(sum).toBe("The sum of 2 and 3 is 5.");
    expect(image).toMatch(/image\/png, \d+ bytes: the user sees it/);
    expect(structured).toContain('"humidity"');
    expect(failed).toBe("Error: no such file");
    expect(wrong).toMatch(/^Error: .*a/s);
    expect(hidden).toBe("Error: there is no tool of this name");
    expect(events.find(({ type }) => type === "media")).toMatchObject({
      kind: "image",
      url: expect.stringMatching(/^data:image\/png;base64,/),
    });
    const tools = events.filter(({ type, status }) => type === "tool_call" && status !== "started");
    expect(tools.map(({ name, status }) => [name, status])).toEqual(
      expect.arrayContaining([
        ["local__echo", "completed"],
        ["odd__fail", "failed"],
      ]),
    );
    const { body } = await client.get<{ agents: { agent_id: string; tools: string[] }[] }>(
      "/chat/agents",
    );
    expect(body.agents.map((agent) => agent.agent_id)).toContain("free");
  });

  it("have nothing of the service's own environment", async () => {
    model.enqueue({ toolCalls: [call("local__get-env", {})] }, { tokens: ["Done."] });
    await (await ask("free")).stream.all();
    expect(results(1)[0]?.content).toContain("PATH");
    expect(results(1)[0]?.content).not.toContain("MODELS_AGENTS");
  });

  it("are given up when the reply is cancelled", async () => {
    const before = odd.all.length;
    model.enqueue({ toolCalls: [call("odd__wait", {})] });
    const { stream, messageId } = await ask("free");
    await odd.told((told) => told["called"] === "wait", before);
    expect((await client.send("POST", `/chat/message/${messageId}/cancel`)).status).toBe(200);
    expect((await stream.next(isEnd)).type).toBe("cancelled");
    await odd.told((told) => told["method"] === "notifications/cancelled", before);
  });

  it("fail when their program is killed in mid-call, and work again in the next reply", async () => {
    const before = odd.all.length;
    model.enqueue({ toolCalls: [call("odd__wait", {})] }, { tokens: ["Without it."] });
    const { stream } = await ask("free");
    await odd.told((told) => told["called"] === "wait", before);
    const pids = odd.all.flatMap(({ started }) => (typeof started === "number" ? [started] : []));
    process.kill(pids.at(-1)!, "SIGKILL");
    expect(await stream.next(isEnd)).toMatchObject({
      type: "conversation_complete",
      full_response: "Without it.",
    });
    expect(results(1)[0]?.content).toMatch(/^Error: the connection to the server odd broke/);
    model.enqueue({ toolCalls: [call("odd__structured", {})] }, { tokens: ["With it."] });
    await (await ask("free")).stream.all();
    expect(results(3)[0]?.content).toBe('{"degrees":21}');
  });

  it("fail when their server over HTTP dies in mid-call, and work again when it is back", async () => {
    model.enqueue(
      { toolCalls: [call("web__trigger-long-running-operation", { duration: 60, steps: 600 })] },
      { tokens: ["Without it."] },
    );
    const { stream } = await ask("free");
    await stream.next(({ type }) => type === "tool_call");
    await remote.kill();
    expect(await stream.next(isEnd)).toMatchObject({ full_response: "Without it." });
    expect(results(1)[0]?.content).toMatch(/^Error: .*web/);
    model.enqueue({ toolCalls: [call("web__echo", { message: "?" })] }, { tokens: ["Still."] });
    expect(await (await ask("free")).stream.next(isEnd)).toMatchObject({ full_response: "Still." });
    const health = await client.get("/health/detailed");
    expect(JSON.stringify(health.body)).toContain('"web":"unreachable"');
    expect(JSON.stringify(health.body)).toContain("MCP server web");
    const warnings = service
      .output()
      .split("\n")
      .filter((line) => line.includes("the MCP server web is away"));
    expect(warnings).toHaveLength(1);
    remote = await startReferenceHttp(remote.port);
    // It is tried again after a while that grows.
    for (;;) {
      from = model.requests.length;
      model.enqueue({ toolCalls: [call("web__echo", { message: "!" })] }, { tokens: ["Back."] });
      await (await ask("free")).stream.all();
      if (results(1)[0]?.content === "Echo: !") break;
    }
  });

  it("are not waited for at the start, and nobody's reply depends on them", async () => {
    model.enqueue({ toolCalls: [call("local__echo", { message: "a" })] }, { tokens: ["Fine."] });
    const end = await (await ask("poor")).stream.next(isEnd);
    expect(end).toMatchObject({ type: "conversation_complete", full_response: "Fine." });
    expect(offered(0)).toEqual(["local__echo"]);
    expect((await client.get("/health/readiness")).status).toBe(200);
    const { body } = await client.get<{ dependencies: { models: { details: object } } }>(
      "/health/detailed",
    );
    expect(body.dependencies.models).toMatchObject({
      status: "healthy",
      details: {
        mcp: { away: "unreachable", missing: "not_found", local: "healthy" },
        remedy: expect.stringContaining("MCP server away"),
      },
    });
  });
});

describe("a tool that needs a person's approval", () => {
  const twoRounds = [
    {
      tokens: ["I shall add. "],
      toolCalls: [
        call("local__echo", { message: "first" }, "one"),
        call("local__get-sum", { a: 20, b: 22 }, "two"),
      ],
    },
    { tokens: ["It is done."] },
  ] as const;
  const rounds = () => model.enqueue(...twoRounds);

  it("pauses the reply, is called when allowed, and the reply goes on", async () => {
    rounds();
    const { messageId, requirements } = await pausedOn("careful");
    expect(requirements).toMatchObject([
      { kind: "confirm", tool: "local__get-sum", arguments: { a: 20, b: 22 } },
    ]);
    expect(model.requests.length - from).toBe(1);
    const answer = await goOn(messageId, [{ id: requirements[0]!.id, approved: true }]);
    expect(answer.status).toBe(200);
    const { body } = await client.get<Message>(`/chat/message/${messageId}`);
    expect(body).toMatchObject({ status: "complete", content: "I shall add. \n\nIt is done." });
    expect(results(1).map((each) => each.content)).toEqual([
      "Echo: first",
      "The sum of 20 and 22 is 42.",
    ]);
    expect(body["tool_calls"]).toMatchObject([
      { tool_call_id: "one", status: "completed" },
      { tool_call_id: "two", status: "completed" },
    ]);
  });

  it("what is sent behind it, before or after the pause, is told that it waits for the decision", async () => {
    const gate = Promise.withResolvers<void>();
    const [first, second] = twoRounds;
    model.enqueue({ ...first, pace: () => gate.promise }, second);
    const { stream, sessionId, messageId } = await ask("careful");
    const body = { session_id: sessionId, message: "and then?" };
    const next = await client.stream(body);
    const queued = await next.next(({ type }) => type === "queued");
    expect(queued["reason"]).toBe("running");
    const whole = client.send<Message>("POST", "/chat/message", body);
    await vi.waitFor(async () => {
      const { body: queue } = await client.get<{ messages: object[] }>(
        `/sessions/${sessionId}/queue`,
      );
      expect(queue.messages).toHaveLength(4);
    }, 60_000);
    gate.resolve();
    const { requirements } = await stream.next(({ type }) => type === "paused");
    const waits = { reason: "decision", waits_for: messageId, requirements };
    expect(await next.next(({ id }) => id === 3)).toMatchObject({
      position: 1,
      ...waits,
    });
    // Nobody can say when it will be answered.
    expect(await whole).toMatchObject({
      status: 202,
      body: { status: "queued", position: 2, ...waits },
    });
    const late = await client.send<Message>("POST", "/chat/message", body);
    expect(late).toMatchObject({ status: 202, body: { status: "queued", position: 3, ...waits } });
    expect(late.headers.get("location")).toBe(`/chat/message/${String(late.body["message_id"])}`);
    const key = { prefer: "respond-async", "idempotency-key": "behind-a-decision" };
    let last = "";
    for (const isRepeat of [false, true]) {
      const unwaited = await client.send<Message>("POST", "/chat/message", body, key);
      expect(unwaited).toMatchObject({
        status: 202,
        body: { status: "queued", position: 4, ...waits },
      });
      if (isRepeat) expect(unwaited.body["message_id"]).toBe(last);
      last = String(unwaited.body["message_id"]);
    }
    await goOn(
      messageId,
      (requirements as Requirement[]).map(({ id }) => ({ id, approved: true })),
    );
    expect(await next.next(({ id }) => id === 4)).toMatchObject({
      type: "queued",
      reason: "running",
    });
    expect((await next.next(isEnd)).type).toBe("conversation_complete");
    const followed = await client.follow(last);
    expect((await followed.next(isEnd)).type).toBe("conversation_complete");
  });

  it("is not called when it is refused; the model is told why", async () => {
    rounds();
    const { messageId, requirements } = await pausedOn("careful");
    await goOn(messageId, [{ id: requirements[0]!.id, approved: false, note: "not today" }]);
    expect(results(1)[1]?.content).toBe("Error: the user has declined this call: not today");
  });

  it("waits through a kill of the service, and is called on the next one", async () => {
    rounds();
    const { messageId, requirements } = await pausedOn("careful");
    await service.kill();
    await odd.gone();
    await start();
    const answer = await goOn(messageId, [{ id: requirements[0]!.id, approved: true }]);
    expect(answer.status).toBe(200);
    expect(results(1)[1]?.content).toBe("The sum of 20 and 22 is 42.");
    const { body } = await client.get<Message>(`/chat/message/${messageId}`);
    expect(body).toMatchObject({ status: "complete", content: "I shall add. \n\nIt is done." });
  });

  it("may be one of a colleague, beside one of the agent itself, and again in the next round", async () => {
    model.enqueue(
      {
        toolCalls: [
          call("ask_careful", { task: "add" }, "delegated"),
          call("web__echo", { message: "mine" }, "own"),
        ],
      },
      { toolCalls: [call("local__get-sum", { a: 1, b: 1 }, "sum")] },
      // After the approval: the colleague wants another one.
      { toolCalls: [call("local__get-sum", { a: 2, b: 2 }, "sum")] },
      { tokens: ["Both sums are there."] },
      { tokens: ["All is done."] },
    );
    const { messageId, requirements } = await pausedOn("lead");
    expect(requirements).toHaveLength(2);
    expect(new Set(requirements.map(({ id }) => id)).size).toBe(2);
    expect(requirements).toContainEqual(
      expect.objectContaining({ arguments: { member: "Careful", a: 1, b: 1 } }),
    );
    const again = await goOn(
      messageId,
      requirements.map(({ id }) => ({ id, approved: true })),
    );
    expect(again.status).toBe(200);
    const { body } = await client.get<{ requirements: Requirement[] }>(
      `/chat/message/${messageId}`,
    );
    expect(body.requirements).toMatchObject([{ arguments: { member: "Careful", a: 2, b: 2 } }]);
    await goOn(messageId, [{ id: body.requirements[0]!.id, approved: true }]);
    const message = await client.get<Message>(`/chat/message/${messageId}`);
    expect(message.body).toMatchObject({ status: "complete", content: "All is done." });
    expect(results(4).map((each) => each.content)).toEqual(["Both sums are there.", "Echo: mine"]);
  });
});
