import { randomUUID } from "node:crypto";
import { HttpAgent, type Message } from "@ag-ui/client";
import { EventSchema } from "@ag-ui/core/schemas";
import { CopilotKitCore, type ProxiedCopilotRuntimeAgent } from "@copilotkit/core";
import { HttpAgent as OldAgent } from "ag-ui-client-0";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";

let acted: ActedService;
beforeAll(async () => {
  acted = await startActedService(scripts, { STREAMS_RETENTION_SECONDS: "600" });
});
afterAll(() => acted.close());

/** Every test has a user and a thread of its own. */
let user: string;
let threadId: string;
beforeEach(() => {
  user = randomUUID();
  threadId = randomUUID();
});

interface Told extends Record<string, unknown> {
  readonly type: string;
}

const bodyOf = (content: unknown, more: object = {}) => ({
  threadId,
  runId: randomUUID(),
  protocolVersion: "1.0",
  state: {},
  messages: [{ id: randomUUID(), role: "user", content }],
  tools: [],
  context: [],
  forwardedProps: {},
  ...more,
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${acted.url}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-User-Id": user, ...headers },
    body: JSON.stringify(body),
  });
}

/** As it goes over the wire. */
async function run(body: unknown, headers: Record<string, string> = {}, path = "/agui/actor") {
  const response = await post(path, body, headers);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(text).not.toContain("[DONE]");
  const frames = text.split("\n\n").filter((frame) => frame.includes("data: "));
  const events = frames.map((frame) => {
    const event = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "") as Told;
    EventSchema.parse(event);
    return event;
  });
  const ids = frames.map((frame) => /^id: (\d+)$/m.exec(frame)?.[1] ?? "");
  return { events, ids, headers: response.headers };
}

const clients = { "1.0.0": HttpAgent, "0.0.59": OldAgent as unknown as typeof HttpAgent };

const agentOf = (Agent: typeof HttpAgent, agentId = "actor") =>
  new Agent({ url: `${acted.url}/agui/${agentId}`, threadId, headers: { "X-User-Id": user } });

const say = (agent: HttpAgent, content: string) =>
  agent.addMessage({ id: randomUUID(), role: "user", content });

const said = (messages: readonly Message[]) =>
  messages.flatMap(({ role, content }) =>
    role === "assistant" && content !== undefined && content !== "" ? [content] : [],
  );

const nativeOf = async (sessionId: string) => {
  const { body } = await acted.native.get<{ messages: { role: string; content: string }[] }>(
    `/chat/history/${sessionId}?user_id=${user}`,
  );
  return body.messages.map(({ role, content }) => `${role}: ${content}`);
};

for (const [version, Agent] of Object.entries(clients)) {
  describe(`with @ag-ui/client ${version}`, () => {
    it("a run has thinking, tools and text, and the thread goes on", async () => {
      const agent = agentOf(Agent);
      say(agent, "everything");
      await agent.runAgent();
      const [, thought, first, look, fail, last] = agent.messages;
      expect(thought).toMatchObject({ role: "reasoning", content: "Let me think." });
      expect(first).toMatchObject({
        role: "assistant",
        content: "First. ",
        toolCalls: [
          { function: { name: "look", arguments: '{"at":"x"}' } },
          { function: { name: "fail", arguments: "{}" } },
        ],
      });
      expect(look).toMatchObject({ role: "tool", content: '{"seen":1}' });
      expect(fail).toMatchObject({ role: "tool", content: "broken" });
      expect(last).toMatchObject({ role: "assistant", content: "你好, world." });
      say(agent, "extended");
      await agent.runAgent();
      expect(said(agent.messages).at(-1)).toBe("Right words");
      const { body } = await acted.native.get<{ sessions: { session_id: string }[] }>(
        `/sessions?user_id=${user}`,
      );
      expect(body.sessions).toHaveLength(1);
      expect(await nativeOf(body.sessions[0]?.session_id ?? "")).toEqual([
        "user: everything",
        "assistant: First. 你好, world.",
        "user: extended",
        "assistant: Right words",
      ]);
    });

    it("text that is taken back is replaced, and nothing else is lost", async () => {
      const agent = agentOf(Agent);
      say(agent, "members");
      await agent.runAgent();
      say(agent, "replaced");
      await agent.runAgent();
      expect(said(agent.messages)).toEqual(["The crew is done.", "Right words and more"]);
      expect(agent.messages.filter(({ role }) => role === "user")).toHaveLength(2);
    });

    it("a failure keeps the text, and says what happened", async () => {
      const agent = agentOf(Agent);
      say(agent, "fails");
      const errors: string[] = [];
      await agent.runAgent(
        {},
        { onRunErrorEvent: ({ event }) => void errors.push(String(event.code)) },
      );
      expect(errors).toEqual(["internal_error"]);
      expect(said(agent.messages)).toEqual(["Half "]);
    });

    it("interrupts are answered, and the thread goes on", async () => {
      const agent = agentOf(Agent);
      say(agent, "external");
      await agent.runAgent();
      const [external, input] = agent.pendingInterrupts;
      expect(external).toMatchObject({ reason: "external", message: 'open_door {"door":2}' });
      expect(input).toMatchObject({ reason: "input", responseSchema: { properties: { age: {} } } });
      await agent.runAgent({
        resume: [
          { interruptId: external?.id ?? "", status: "resolved", payload: "open" },
          { interruptId: input?.id ?? "", status: "resolved", payload: { age: 7 } },
        ],
      });
      expect(acted.decided.at(-1)).toEqual([
        { id: "e1", approved: true, result: "open" },
        { id: "i1", approved: true, result: { age: 7 } },
      ]);
      expect(said(agent.messages)).toEqual(["Your turn. ", "Done."]);
      expect(agent.pendingInterrupts).toEqual([]);
      say(agent, "confirm");
      await agent.runAgent();
      const [confirm] = agent.pendingInterrupts;
      await agent.runAgent({ resume: [{ interruptId: confirm?.id ?? "", status: "cancelled" }] });
      expect(acted.decided.at(-1)).toEqual([{ id: "r1", approved: false }]);
    });
  });
}

describe("a run", () => {
  it("resumes behind each of its events as if nothing had been, and is one however often it is asked for", async () => {
    for (const word of ["everything", "members", "replaced", "confirm", "fails"]) {
      const body = bodyOf(word, { threadId: randomUUID() });
      const before = acted.runs();
      const { events, ids, headers } = await run(body);
      expect(ids.map(Number)).toEqual(
        events.map(
          ({ metadata }) => (metadata as { chat_service: { seq: number } }).chat_service.seq,
        ),
      );
      for (const [index, id] of ids.entries()) {
        const rest = await run(body, { "Last-Event-ID": id });
        expect(rest.events).toEqual(events.slice(index + 1));
        expect(rest.headers.get("x-message-id")).toBe(headers.get("x-message-id"));
      }
      expect(acted.runs()).toBe(before + 1);
    }
  });

  it("shows members as subagents, and media as an event of its own", async () => {
    const { events } = await run(bodyOf("members"));
    const started = events.find(({ type }) => type === "SUBAGENT_STARTED");
    expect(started).toMatchObject({ name: "Writer" });
    const tagged = events.filter((event) => event["subagentRunId"] === started?.["subagentRunId"]);
    expect(tagged.map(({ type }) => type)).toEqual([
      "SUBAGENT_STARTED",
      "REASONING_START",
      "REASONING_MESSAGE_START",
      "REASONING_MESSAGE_CONTENT",
      "REASONING_MESSAGE_END",
      "REASONING_END",
      "TOOL_CALL_START",
      "TOOL_CALL_ARGS",
      "TOOL_CALL_END",
      "TOOL_CALL_RESULT",
      "SUBAGENT_FINISHED",
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "CUSTOM",
        name: "media",
        value: expect.objectContaining({ kind: "image", url: "https://example.com/a.png" }),
      }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "RUN_FINISHED",
      outcome: { type: "success" },
      usage: [{ inputTokens: 3, outputTokens: 5 }],
    });
  });

  it("with the id of another one is refused", async () => {
    const body = bodyOf("extended");
    await run(body);
    const other = { ...bodyOf("everything"), runId: body.runId };
    const response = await post("/agui/actor", other);
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({
      type: "RUN_ERROR",
      code: "idempotency_conflict",
    });
  });

  it("with a shorter history is a branch; without one it goes on", async () => {
    const first = bodyOf("extended one");
    const { headers } = await run(first);
    const sessionId = headers.get("x-session-id") ?? "";
    await run(bodyOf("extended two"));
    expect(await nativeOf(sessionId)).toHaveLength(4);
    await run({
      ...bodyOf("x"),
      messages: [
        ...first.messages,
        { id: "a", role: "assistant", content: "Right words" },
        { id: "b", role: "user", content: "extended three" },
      ],
    });
    expect((await nativeOf(sessionId)).at(-2)).toBe("user: extended three");
    expect(await nativeOf(sessionId)).toHaveLength(4);
    // The first message again, edited, and then the same once more.
    const edited = { ...first.messages[0], content: "extended other" };
    await run({ ...bodyOf("x"), messages: [edited] });
    expect(await nativeOf(sessionId)).toEqual(["user: extended other", "assistant: Right words"]);
    // What is about something else leaves nothing behind.
    const elsewhere = [
      { id: "c", role: "user", content: "never said" },
      { id: "d", role: "assistant", content: "nor this" },
    ];
    await run({
      ...bodyOf("x"),
      messages: [...elsewhere, { id: "e", role: "user", content: "extended" }],
    });
    expect(await nativeOf(sessionId)).toHaveLength(2);
  });

  it("of any other shape is refused in the protocol's own", async () => {
    const wrong: [unknown, string][] = [
      [bodyOf("x", { tools: [{ name: "t", description: "", parameters: {} }] }), "tools"],
      [bodyOf("x", { threadId: "a\u0000b" }), "threadId"],
      [bodyOf("x", { threadId: "a\u0001b" }), "threadId"],
      [bodyOf("x", { runId: "\ud800" }), "runId"],
      [bodyOf("x", { runId: "   " }), "runId"],
      [bodyOf("x", { threadId: "x".repeat(257) }), "threadId"],
      [bodyOf("x", { messages: [] }), "messages"],
      [bodyOf("x", { messages: [null] }), "messages"],
      [bodyOf("x", { messages: [{ role: "assistant", content: "I" }] }), "messages"],
      [bodyOf("  "), "messages/0/content"],
      [bodyOf(7), "messages/0/content"],
      [bodyOf([{ type: "image", source: { type: "url", value: "http://x/y.png" } }]), "messages"],
      [bodyOf([{ type: "image", source: null }]), "messages/0/content/0"],
      [bodyOf([null]), "messages/0/content/0"],
      [bodyOf("x", { context: [{ description: 1 }] }), "context/0"],
      [bodyOf("x", { context: "all" }), "context"],
      [bodyOf("x", { state: { long: "x".repeat(30_000) } }), "context"],
      [bodyOf("x", { resume: {} }), "resume"],
      [bodyOf("x", { resume: [null] }), "resume/0/interruptId"],
      [bodyOf("x", { resume: [{ interruptId: `${randomUUID()}_r1`, status: "resolved" }] }), ""],
      [[], "the body must be"],
      [null, "the body must be"],
    ];
    for (const [body, told] of wrong) {
      const response = await post("/agui/actor", body);
      const answer = (await response.json()) as { type: string; message: string; code: string };
      expect([400, 404, 422], JSON.stringify([body, answer])).toContain(response.status);
      expect(answer.type).toBe("RUN_ERROR");
      expect(answer.message).toContain(told);
    }
    expect((await post("/agui/nobody", bodyOf("x"))).status).toBe(404);
    expect((await post("/agui/actor", bodyOf("x"), { "Last-Event-ID": "abc" })).status).toBe(400);
    expect(await (await fetch(`${acted.url}/agui/actor`)).json()).toMatchObject({
      type: "RUN_ERROR",
      code: "method_not_allowed",
    });
  });
});

describe("CopilotKit", () => {
  // Its core asks for agents in a browser alone.
  beforeAll(() => void vi.stubGlobal("window", globalThis));
  afterAll(() => void vi.unstubAllGlobals());

  async function kit() {
    const core = new CopilotKitCore({
      runtimeUrl: `${acted.url}/copilotkit`,
      runtimeTransport: "rest",
      headers: { "X-User-Id": user },
    });
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (core.getAgent("actor") !== undefined) resolve();
      };
      core.subscribe({
        onAgentsChanged: look,
        onError: ({ error }) => reject(error),
      });
      look();
    });
    const agent = core.getAgent("actor") as ProxiedCopilotRuntimeAgent;
    agent.threadId = threadId;
    return { core, agent };
  }

  it("runs agents, and opens threads with their history", async () => {
    const { core, agent } = await kit();
    for (const word of ["everything", "members", "fails"]) {
      say(agent as unknown as HttpAgent, word);
      await core.runAgent({ agent });
    }
    const before = agent.messages as Message[];
    const other = await kit();
    await other.core.connectAgent({ agent: other.agent });
    const opened = other.agent.messages as Message[];
    expect(opened.filter(({ role }) => role === "user")).toEqual(
      before.filter(({ role }) => role === "user"),
    );
    expect(said(opened).join("|")).toBe("First. 你好, world.|The crew is done.|Half ");
    expect(opened.filter(({ role }) => role === "tool")).toHaveLength(3);
    // Once more: nothing is there twice.
    await other.core.connectAgent({ agent: other.agent });
    expect(said(other.agent.messages as Message[])).toEqual(said(opened));
    expect(other.agent.messages).toHaveLength(opened.length);
  });

  it("follows what is being made, and stops it", async () => {
    const { core, agent } = await kit();
    say(agent as unknown as HttpAgent, "waits");
    const running = core.runAgent({ agent });
    const begun = Promise.withResolvers<void>();
    agent.subscribe({ onTextMessageContentEvent: () => begun.resolve() });
    await begun.promise;
    const other = await kit();
    const heard = Promise.withResolvers<void>();
    other.agent.subscribe({ onTextMessageContentEvent: () => heard.resolve() });
    const following = other.core.connectAgent({ agent: other.agent });
    await heard.promise;
    agent.abortRun();
    await Promise.all([running, following]);
    expect(said(other.agent.messages as Message[])).toEqual(["Half "]);
    const again = await post(`/copilotkit/agent/actor/stop/${threadId}`, {});
    expect(await again.json()).toEqual({ stopped: false });
  });

  it("answers interrupts of a thread that it has opened anew", async () => {
    const { core, agent } = await kit();
    say(agent as unknown as HttpAgent, "confirm");
    await core.runAgent({ agent });
    const other = await kit();
    await other.core.connectAgent({ agent: other.agent });
    const [interrupt] = other.agent.pendingInterrupts;
    expect(interrupt).toMatchObject({ reason: "confirm" });
    await other.agent.runAgent({
      resume: [
        { interruptId: interrupt?.id ?? "", status: "resolved", payload: { approved: true } },
      ],
    });
    expect(said(other.agent.messages as Message[])).toEqual(["May I? ", "Done."]);
    const third = await kit();
    await third.core.connectAgent({ agent: third.agent });
    expect(said(third.agent.messages as Message[]).join("")).toBe("May I? Done.");
    expect(third.agent.pendingInterrupts).toEqual([]);
  });

  it("has threads that are sessions, each user's own", async () => {
    await run(bodyOf("extended"));
    const threads = async () => {
      const response = await fetch(`${acted.url}/copilotkit/threads?agentId=actor`, {
        headers: { "X-User-Id": user },
      });
      return ((await response.json()) as { threads: { id: string; name: string }[] }).threads;
    };
    expect(await threads()).toMatchObject([{ id: threadId, agentId: "actor", archived: false }]);
    const change = (method: string, body: object, path = "", as = user) =>
      fetch(`${acted.url}/copilotkit/threads/${threadId}${path}`, {
        method,
        headers: { "Content-Type": "application/json", "X-User-Id": as },
        body: JSON.stringify({ agentId: "actor", ...body }),
      });
    expect((await change("PATCH", { name: "Renamed" }, "", "somebody else")).status).toBe(404);
    expect((await change("PATCH", { name: "Renamed" })).status).toBe(200);
    expect(await threads()).toMatchObject([{ name: "Renamed" }]);
    expect((await change("POST", {}, "/archive")).status).toBe(200);
    expect(await threads()).toEqual([]);
    expect((await change("PATCH", { archived: false })).status).toBe(200);
    expect(await threads()).toHaveLength(1);
    expect((await change("DELETE", {}, "", "somebody else")).status).toBe(404);
    expect((await change("DELETE", {})).status).toBe(200);
    expect(await threads()).toEqual([]);
    const { events } = await run(bodyOf("x"), {}, "/copilotkit/agent/actor/connect");
    expect(events).toEqual([]);
  });
});

it("nothing of it is there where it is switched off", async () => {
  const elsewhere = await startActedService(scripts, { PROTOCOLS_AG_UI: "false" });
  const { body } = await elsewhere.native.get("/copilotkit/info");
  expect(body).toMatchObject({ success: false, error: { code: 404, type: "not_found" } });
  await elsewhere.close();
});
