import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "vitest";
import {
  sendJson,
  startScriptedAgentOs,
  wireEvent,
  type Answer,
  type ScriptedAgentOs,
} from "../../../../test/agno/scripted-agent-os.ts";
import { collect, never, only, request } from "../../../../test/agno/scenarios.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { Problem } from "../../../problems/problem.ts";
import type { ProblemType } from "../../../problems/catalogue.ts";
import { AgentInterrupted, RunStopped, type AgentBackend } from "../../agent-backend.ts";
import type { AgnoBackendOptions } from "./agno-backend.ts";
import type { Wire } from "./wire.ts";

let server: ScriptedAgentOs;
let backend: AgentBackend;

beforeEach(async () => {
  server = await startScriptedAgentOs();
});
afterEach(async () => {
  await backend?.close();
  await server.unplug();
});

function use(changes: Partial<AgnoBackendOptions> = {}): AgentBackend {
  backend = backendFor(server.url, { timeoutMs: 2_000, patienceMs: 300, ...changes });
  return backend;
}

function withKey(apiKey: string, forwardUserToken = false) {
  const servers = [{ name: "test", apiUrl: server.url, apiKey }];
  return use({ servers, forwardUserToken });
}

function isRun(method: string, path: string): boolean {
  return method === "POST" && path.endsWith("/runs");
}

/** Runs are refused like this. */
function refuseRuns(status: number, detail: unknown, headers: Record<string, string> = {}): void {
  server.setAnswer(({ method, path }, response) => {
    if (!isRun(method, path)) return false;
    for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
    sendJson(response, status, { detail });
    return true;
  });
}

/** Runs consist of these events. */
function playEvents(events: readonly Wire[], also: Answer = () => false): void {
  server.setAnswer((asked, response) => {
    if (also(asked, response)) return true;
    if (!isRun(asked.method, asked.path)) return false;
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) response.write(wireEvent(event));
    response.end();
    return true;
  });
}

const agentEvent = (event: string, members: Wire = {}): Wire => ({
  event,
  agent_id: "assistant",
  run_id: "run-1",
  ...members,
});

function runs() {
  return server.requests.filter(({ method, path }) => isRun(method, path));
}

const schema = { type: "object", properties: { city: { type: "string" } } };

test("the form of an answer goes along with a run, and comes back as JSON", async () => {
  const content = { city: "Lyon" };
  playEvents([
    agentEvent("RunStarted"),
    agentEvent("RunContent", { content, content_type: "weather" }),
    agentEvent("RunCompleted", { content, content_type: "weather" }),
  ]);
  const responseFormat = {
    type: "json_schema",
    json_schema: { name: "weather", schema: { ...schema, title: "Else" } },
  } as const;
  const asked = request("assistant", "hello", { settings: { responseFormat } });
  assert.equal((await collect(use().run(asked, never))).text, '{"city":"Lyon"}');
  assert.deepEqual(JSON.parse(String(runs()[0]?.form["output_schema"])), {
    ...schema,
    title: "weather",
  });
  await collect(backend.run(request("assistant", "hello"), never));
  assert.equal(runs()[1]?.form["output_schema"], undefined);
});

test.each([
  ["agent", { type: "text" }, true],
  ["workflow", { type: "text" }, true],
  ["agent", { type: "json_object" }, false],
  ["agent", { type: "json_schema", json_schema: { name: "x", schema } }, true],
  ["team", { type: "json_schema", json_schema: { name: "x", schema } }, true],
  ["workflow", { type: "json_schema", json_schema: { name: "x", schema } }, false],
  ["agent", { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } }, false],
  ["agent", { type: "json_schema", json_schema: { name: "x", schema: { type: "array" } } }, false],
] as const)("%s and %j: %s", (type, value, isTaken) => {
  const agent = { agentId: "a", name: "", description: "", model: null, tools: [], metadata: {} };
  const setting = { name: "responseFormat", value } as const;
  const fault = use().settingFault?.({ ...agent, type }, setting);
  assert.equal(fault === null, isTaken, String(fault));
});

function assertProblem(error: unknown, type: ProblemType): asserts error is Problem {
  assert.ok(error instanceof Problem, String(error));
  assert.equal(error.type, type);
}

describe("what is refused", () => {
  const cases: readonly [number, unknown, ProblemType][] = [
    [400, "Unsupported file type", "validation_failed"],
    [401, "Invalid authentication token", "agent_failed"],
    [403, "Access denied to run this agent", "agent_failed"],
    [404, "Agent not found", "agent_not_found"],
    [404, "Session not found", "agent_failed"],
    [422, [{ type: "missing", loc: ["body", "message"], msg: "Field required" }], "agent_failed"],
    [500, "upstream words", "agent_failed"],
    [503, "upstream words", "agent_unavailable"],
  ];
  for (const [status, detail, type] of cases) {
    test(`${status} ${JSON.stringify(detail)} is ${type}`, async () => {
      use();
      refuseRuns(status, detail);
      const { error } = await collect(backend.run(request("assistant", "hello"), never));
      assertProblem(error, type);
      assert.doesNotMatch(error.message, /upstream words/);
      assert.equal(runs().length, 1, "it is not tried again");
    });
  }

  test("429 with Retry-After tells callers when to come back", async () => {
    use();
    refuseRuns(429, "Job queue is full", { "retry-after": "7" });
    const { error } = await collect(backend.run(request("assistant", "hello"), never));
    assertProblem(error, "agent_unavailable");
    assert.equal(error.retryAfterSeconds, 7);
    assert.equal(runs().length, 1);
  });

  test("nothing is cancelled that was never begun", async () => {
    use();
    refuseRuns(500, "no");
    await collect(backend.run(request("assistant", "hello"), never));
    await backend.close();
    assert.ok(!server.requests.some(({ path }) => path.endsWith("/cancel")));
  });

  test("a caller's own token is the caller's fault", async () => {
    withKey("service-key", true);
    refuseRuns(403, "Insufficient permissions");
    const asked = request("assistant", "hello", { userToken: "user-token" });
    assertProblem((await collect(backend.run(asked, never))).error, "forbidden");
  });

  test("attachments of workflows", async () => {
    use();
    const attachments = [{ name: "a.txt", mediaType: "text/plain", bytes: new Uint8Array([1]) }];
    const asked = request("article", "hello", { attachments });
    assertProblem((await collect(backend.run(asked, never))).error, "validation_failed");
    assert.equal(runs().length, 0);
  });
});

describe("a server with a durable queue", () => {
  test("is asked again when it is full, under the same idempotency key", async () => {
    use();
    let tries = 0;
    server.setAnswer(({ method, path }, response) => {
      if (path === "/config") sendJson(response, 200, { queue: { durable: true } });
      else if (isRun(method, path) && (tries += 1) < 3) sendJson(response, 503, { detail: "no" });
      else return false;
      return true;
    });
    const asked = request("assistant", "hello");
    const answer = await collect(backend.run(asked, never));
    assert.equal(answer.error, null);
    const keys = runs().map(({ headers }) => headers["idempotency-key"]);
    assert.deepEqual(keys, Array(3).fill(`${asked.replyId}-1`));
  });

  test("gives runs an id of its own, under which they are stopped", async () => {
    use();
    const cancelled = Promise.withResolvers<string>();
    server.setAnswer(({ method, path }, response) => {
      if (path.endsWith("/cancel")) cancelled.resolve(path);
      if (!isRun(method, path)) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(wireEvent(agentEvent("RunStarted", { run_id: "of-the-queue" })));
      response.write(wireEvent(agentEvent("RunContent", { run_id: "of-the-queue", content: "x" })));
      return true;
    });
    const stop = new AbortController();
    await collect(backend.run(request("assistant", "hello"), stop.signal), () => stop.abort());
    assert.equal(await cancelled.promise, "/agents/assistant/runs/of-the-queue/cancel");
  });
});

describe("credentials", () => {
  test("the key goes with everything", async () => {
    withKey("the-key");
    await collect(backend.run(request("assistant", "hello", { userToken: "secret" }), never));
    for (const { headers } of server.requests) {
      assert.equal(headers.authorization, "Bearer the-key");
    }
  });

  test("the caller's token goes with runs only, where that is wanted", async () => {
    withKey("the-key", true);
    await collect(backend.run(request("assistant", "hello", { userToken: "mine" }), never));
    for (const { headers, path } of server.requests) {
      const expected = path.endsWith("/runs") ? "Bearer mine" : "Bearer the-key";
      assert.equal(headers.authorization, expected, path);
    }
  });
});

describe("background runs", () => {
  const refusal = "Background execution requires a database to be configured on the agent";

  test("that AgentOS refuses go to the foreground, and stay there", async () => {
    use();
    server.setAnswer(({ method, path, form }, response) => {
      if (!isRun(method, path) || form["background"] === undefined) return false;
      sendJson(response, 400, { detail: refusal });
      return true;
    });
    for (const message of ["one", "two"]) {
      const answer = await collect(backend.run(request("assistant", message), never));
      assert.equal(answer.text, "Hello");
      assert.deepEqual(only(answer, "resumable"), []);
    }
    const tried = runs().map(({ form }) => [form["message"], form["background"]]);
    assert.deepEqual(tried, [
      ["one", "true"],
      ["one", undefined],
      ["two", undefined],
    ]);
    assert.equal(new Set(runs().map(({ form }) => form["run_id"])).size, 3);
  });

  test("are not asked of servers that tell no version, which are older than 2.6", async () => {
    use();
    server.setAnswer(({ path }, response) => {
      if (path !== "/info") return false;
      sendJson(response, 404, { detail: "Not Found" });
      return true;
    });
    const answer = await collect(backend.run(request("assistant", "one"), never));
    assert.equal(answer.text, "Hello");
    assert.equal(runs()[0]?.form["background"], undefined);
  });

  test("that fail as 2.x refuses them go to the foreground", async () => {
    use();
    server.setAnswer(({ method, path, form }, response) => {
      if (!isRun(method, path) || form["background"] === undefined) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(wireEvent({ event: "RunError", agent_id: "", content: refusal }));
      return true;
    });
    const answer = await collect(backend.run(request("assistant", "one"), never));
    assert.equal(answer.text, "Hello");
    assert.equal(answer.error, null);
  });

  test("whose connection broke take no event twice, whatever is told again", async () => {
    use();
    const events = ["a", "b", "c", "d"].map((content, index) =>
      agentEvent("RunContent", { content, event_index: index + 1 }),
    );
    server.setAnswer(({ method, path, form }, response) => {
      if (!isRun(method, path) && !path.endsWith("/resume")) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (isRun(method, path)) {
        response.write(wireEvent(agentEvent("RunStarted", { event_index: 0 })));
        for (const event of events.slice(0, 2)) response.write(wireEvent(event));
        setTimeout(() => response.destroy(), 20);
        return true;
      }
      assert.equal(form["last_event_index"], "2");
      response.write('event: catch_up\ndata: {"event":"catch_up"}\n\n');
      for (const event of events) response.write(wireEvent(event));
      const completed = { content: "abcd", event_index: 5 };
      response.end(wireEvent(agentEvent("RunCompleted", completed)));
      return true;
    });
    const answer = await collect(backend.run(request("assistant", "hello"), never));
    assert.equal(answer.error, null);
    assert.deepEqual(
      only(answer, "text").map((event) => event.text),
      ["a", "b", "c", "d"],
    );
  });

  test("are polled when their stream ends without an end", async () => {
    use({ patienceMs: 5_000 });
    let polls = 0;
    playEvents(
      [
        agentEvent("RunStarted", { event_index: 0 }),
        agentEvent("RunContent", { content: "Hel", event_index: 1 }),
      ],
      ({ method, path }, response) => {
        if (method === "GET" && path.endsWith("/runs/run-1")) {
          polls += 1;
          const status = polls < 3 ? "RUNNING" : "COMPLETED";
          sendJson(response, 200, { status, content: "Hello", run_id: "run-1" });
        } else if (path.endsWith("/resume")) {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.end('event: stream_expired\ndata: {"event":"stream_expired"}\n\n');
        } else return false;
        return true;
      },
    );
    const answer = await collect(backend.run(request("assistant", "hello"), never));
    assert.equal(answer.error, null);
    assert.equal(answer.text, "Hello");
    assert.equal(polls, 3);
  });

  test("of a server that was started after them are lost", async () => {
    use({ patienceMs: 60_000 });
    const begun = 1_790_000_000;
    playEvents([agentEvent("RunStarted", { event_index: 0 })], ({ method, path }, response) => {
      if (method === "GET" && path.endsWith("/runs/run-1")) {
        sendJson(response, 200, { status: "RUNNING", created_at: begun });
      } else if (path === "/health") {
        const instantiated_at = new Date((begun + 60) * 1000).toISOString();
        sendJson(response, 200, { status: "ok", instantiated_at });
      } else return false;
      return true;
    });
    const { error } = await collect(backend.run(request("assistant", "hello"), never));
    assert.ok(error instanceof AgentInterrupted, String(error));
  });

  test("that stay silent about their end are given up", async () => {
    use({ patienceMs: 300 });
    playEvents([agentEvent("RunStarted", { event_index: 0 })], ({ method, path }, response) => {
      if (method !== "GET" || !path.endsWith("/runs/run-1")) return false;
      sendJson(response, 200, { status: "RUNNING" });
      return true;
    });
    const { error } = await collect(backend.run(request("assistant", "hello"), never));
    assert.ok(error instanceof AgentInterrupted, String(error));
  });

  test("a stored state that is of no use is interrupted", async () => {
    use();
    const text = { length: 0, hash: "0-0" };
    const run = { server: "test", kind: "agent", componentId: "assistant", runId: "r" };
    const states = [
      {},
      { run: null, progress: [] },
      { run: { ...run, server: "gone" }, progress: { text, eventIndex: 1 } },
      { run: { ...run, kind: "other" }, progress: { text, eventIndex: 1 } },
      { run, progress: { text } },
      { run, progress: { eventIndex: 1 } },
    ];
    for (const state of states) {
      const { error } = await collect(backend.resume!(request("assistant", "x"), state, never));
      assert.ok(error instanceof AgentInterrupted, String(error));
    }
    assert.equal(server.requests.length, 0);
  });

  test("tell their state at the start and now and then, not with each token", async () => {
    use();
    server.play({ kind: "answer", texts: Array.from({ length: 500 }, () => "x ") });
    const answer = await collect(backend.run(request("assistant", "hello"), never));
    const count = only(answer, "resumable").length;
    assert.ok(count >= 1 && count < 10, `${count} states`);
    assert.ok(answer.events.findIndex((event) => event.type === "resumable") < 2);
  });

  test("whose connection broke and that AgentOS does not know are lost at once", async () => {
    use({ patienceMs: 600_000 });
    server.play({ kind: "die_in_answer", texts: ["first"] });
    const { error } = await collect(backend.run(request("assistant", "hello"), never));
    assert.ok(error instanceof AgentInterrupted, String(error));
  });
});

test("a foreground run that AgentOS cancelled because its connection broke is interrupted", async () => {
  use({ background: false });
  server.play({ kind: "die_in_answer", texts: ["first"] });
  server.setAnswer(({ method, path }, response) => {
    if (method !== "GET" || !path.includes("/runs/")) return false;
    sendJson(response, 200, { status: "CANCELLED", content: "first" });
    return true;
  });
  const { error } = await collect(backend.run(request("assistant", "hello"), never));
  assert.ok(error instanceof AgentInterrupted, String(error));
});

for (const background of [true, false]) {
  const where = background ? "background" : "foreground";
  test(`an abort ends a ${where} run at once, also while nothing comes`, async () => {
    use({ timeoutMs: 600_000, background });
    server.play({ kind: "hang_in_answer", texts: ["first"] });
    const stop = new AbortController();
    const reason = new Error("enough");
    const answer = collect(backend.run(request("assistant", "hello"), stop.signal), (event) => {
      // Later than the last event.
      if (event.type === "text") setTimeout(() => stop.abort(reason), 50);
    });
    assert.equal((await answer).error, reason);
    await server.stopped();
  });
}

for (const background of [true, false]) {
  const where = background ? "background" : "foreground";
  test(`a ${where} run that goes on under another attempt is not cancelled, and its connection ends`, async () => {
    use({ timeoutMs: 600_000, background });
    server.play({ kind: "hang_in_answer", texts: ["first"] });
    const stop = new AbortController();
    const answer = collect(backend.run(request("assistant", "hello"), stop.signal), (event) => {
      if (event.type === "text") stop.abort(new RunStopped("fenced", true));
    });
    assert.ok((await answer).error instanceof RunStopped);
    // What is to be done in the background is done when it is closed.
    await backend.close();
    assert.ok(!server.requests.some(({ path }) => path.endsWith("/cancel")));
  });
}

test("unknown events are counted, not shown, and end nothing", async () => {
  const seen: string[] = [];
  use({ onUnknownEvent: (type) => seen.push(type) });
  playEvents([
    agentEvent("RunStarted"),
    agentEvent("BrandNewEvent", { content: "surprise" }),
    agentEvent("RunCompleted", { content: "done" }),
  ]);
  const answer = await collect(backend.run(request("assistant", "hello"), never));
  assert.equal(answer.error, null);
  assert.equal(answer.text, "done");
  assert.deepEqual(seen, ["BrandNewEvent"]);
  const { details } = await backend.probe(never);
  assert.equal(details["unknown_events"], 1);
});

describe("a run that nobody will go on with", () => {
  const run = {
    server: "test",
    kind: "agent",
    componentId: "assistant",
    runId: "run-1",
    background: true,
  };
  const progress = { eventIndex: 3, startedAt: 0, text: { length: 0, hash: "0" }, leg: null };
  const cancels = () => server.requests.filter(({ path }) => path.endsWith("/runs/run-1/cancel"));

  test.each([
    { what: "runs", state: { run, progress } },
    { what: "waits for a decision", state: { run, progress, pause: [] } },
  ])("is cancelled where it $what", async ({ state }) => {
    await use().abandon?.(request("assistant", "hello"), state);
    assert.equal(cancels().length, 1);
  });

  test.each([
    { status: 503, isRepeated: true },
    { status: 429, isRepeated: true },
    { status: 404, isRepeated: false },
    { status: 403, isRepeated: false },
    { status: 500, isRepeated: false },
  ])("is asked for again after $status: $isRepeated", async ({ status, isRepeated }) => {
    server.setAnswer(({ path }, response) => {
      if (!path.endsWith("/cancel")) return false;
      sendJson(response, status, { detail: "no" });
      return true;
    });
    const asked =
      use().abandon?.(request("assistant", "hello"), { run, progress }) ?? Promise.resolve();
    await (isRepeated ? assert.rejects(asked) : asked);
  });

  test("is asked for again when its server was away", async () => {
    const asking = use();
    await server.unplug();
    await assert.rejects(
      asking.abandon?.(request("assistant", "hello"), { run, progress }) ?? Promise.resolve(),
    );
  });
});
