import assert from "node:assert/strict";
import { afterEach, describe, test } from "vitest";
import {
  sendJson,
  startScriptedAgentOs,
  type ScriptedAgentOs,
} from "../../../../test/agno/scripted-agent-os.ts";
import { collect, never, request } from "../../../../test/agno/scenarios.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { Problem } from "../../../problems/problem.ts";
import type { AgentBackend } from "../../agent-backend.ts";
import type { AgnoBackendOptions } from "./agno-backend.ts";

const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const each of cleanUp.splice(0).toReversed()) await each();
});

async function startServer(): Promise<ScriptedAgentOs> {
  const server = await startScriptedAgentOs();
  cleanUp.push(() => server.unplug());
  return server;
}

function backendOf(
  servers: Readonly<Record<string, ScriptedAgentOs>>,
  changes: Partial<AgnoBackendOptions> = {},
): AgentBackend {
  const backend = backendFor("http://unused.invalid", {
    servers: Object.entries(servers).map(([name, { url }]) => ({ name, apiUrl: url })),
    ...changes,
  });
  cleanUp.push(() => backend.close());
  return backend;
}

/** Answers these GETs, and 404 to the other lists. */
function serve(server: ScriptedAgentOs, answers: Readonly<Record<string, unknown>>): void {
  server.setAnswer(({ method, path }, response) => {
    if (method !== "GET" || path === "/health") return false;
    const answer = answers[path];
    if (typeof answer === "number") sendJson(response, answer, { detail: "no" });
    else if (answer === undefined) sendJson(response, 404, { detail: "Not Found" });
    else sendJson(response, 200, answer);
    return true;
  });
}

const ids = async (backend: AgentBackend) =>
  (await backend.list(never)).map((agent) => agent.agentId);

describe("one server", () => {
  test("whose lists are not for this key is listed by its summaries", async () => {
    const server = await startServer();
    serve(server, {
      "/agents": 403,
      "/teams": 403,
      "/workflows": 403,
      "/config": {
        agents: [{ id: "a", name: "A", model: { id: "m" }, db_id: "d" }],
        teams: [{ team_id: "t", mode: "route" }],
      },
    });
    const agents = await backendOf({ one: server }).list(never);
    assert.deepEqual(
      agents.map(({ agentId, name, type, model }) => ({ agentId, name, type, model })),
      [
        { agentId: "a", name: "A", type: "agent", model: "m" },
        { agentId: "t", name: "t", type: "team", model: null },
      ],
    );
  });

  test("with a mistake in one list still shows the others", async () => {
    const server = await startServer();
    serve(server, { "/agents": [{ id: "a" }], "/teams": 500, "/workflows": [], "/config": 500 });
    assert.deepEqual(await ids(backendOf({ one: server })), ["a"]);
  });

  test("of the first version is refused", async () => {
    const server = await startServer();
    serve(server, {});
    await assert.rejects(
      backendOf({ one: server }).list(never),
      (error) => error instanceof Problem && error.type === "agent_unavailable",
    );
  });

  test("an agent, a team and a workflow may have the same id", async () => {
    const server = await startServer();
    const same = [{ id: "x" }];
    serve(server, { "/agents": same, "/teams": same, "/workflows": same, "/config": {} });
    assert.deepEqual(await ids(backendOf({ one: server })), ["x", "one:x", "one:workflow:x"]);
  });

  test("that goes away keeps its agents; what is new is found when it is asked for", async () => {
    const server = await startServer();
    serve(server, { "/agents": [{ id: "a" }], "/teams": [], "/workflows": [], "/config": {} });
    const backend = backendOf({ one: server });
    assert.deepEqual(await ids(backend), ["a"]);
    serve(server, { "/agents": [{ id: "b" }], "/teams": [], "/workflows": [], "/config": {} });
    assert.equal((await collect(backend.run(request("b", "hello"), never))).error, null);
    assert.deepEqual(await ids(backend), ["b"]);
    await server.unplug();
    const { error } = await collect(backend.run(request("gone", "hello"), never));
    assert.ok(error instanceof Problem && error.type === "agent_not_found");
    assert.deepEqual(await ids(backend), ["b"]);
  });

  test("is asked anew in the background", async () => {
    const server = await startServer();
    serve(server, { "/agents": [{ id: "a" }], "/teams": [], "/workflows": [], "/config": {} });
    const backend = backendOf({ one: server }, { refreshMs: 20 });
    assert.deepEqual(await ids(backend), ["a"]);
    serve(server, { "/agents": [{ id: "b" }], "/teams": [], "/workflows": [], "/config": {} });
    while ((await ids(backend))[0] !== "b") await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("a caller who gives up waits no longer", async () => {
    const server = await startServer();
    server.setAnswer(() => true);
    const reason = new Error("enough");
    const stop = new AbortController();
    const listing = backendOf({ one: server }).list(stop.signal);
    stop.abort(reason);
    await assert.rejects(listing, reason);
  });
});

test("what one might ask an agent first", async () => {
  const server = await startServer();
  const lists = {
    "/agents": [{ id: "a" }, { id: "b" }, { id: "c" }],
    "/teams": [],
    "/workflows": [],
  };
  const config = {
    chat: { quick_prompts: { a: ["old"], b: ["And b?", 1, ""] } },
    manifest: { a: { quick_prompts: ["What is a?"] }, b: { description: "x" } },
  };
  serve(server, { ...lists, "/config": config });
  const agents = await backendOf({ one: server }).list(never);
  assert.deepEqual(
    agents.map(({ prompts }) => prompts),
    [["What is a?"], ["And b?"], undefined],
  );
});

describe("several servers", () => {
  test("share a list; on a collision the later one gets its name in front", async () => {
    const [one, two] = [await startServer(), await startServer()];
    serve(one, { "/agents": [{ id: "x" }, { id: "y" }], "/teams": [], "/workflows": [] });
    serve(two, { "/agents": [{ id: "x" }, { id: "z" }], "/teams": [], "/workflows": [] });
    const backend = backendOf({ one, two });
    assert.deepEqual(await ids(backend), ["x", "y", "two:x", "z"]);
    const runOn = async (agentId: string) => {
      const before = two.requests.length;
      assert.equal((await collect(backend.run(request(agentId, "hello"), never))).error, null);
      return two.requests.length > before ? "two" : "one";
    };
    assert.equal(await runOn("x"), "one");
    assert.equal(await runOn("two:x"), "two");
    assert.equal(await runOn("z"), "two");
    assert.equal(await runOn("two:z"), "two", "the long form is always good");
  });

  test("one that is away does not hide the others", async () => {
    const [one, two] = [await startServer(), await startServer()];
    serve(two, { "/agents": [{ id: "z" }], "/teams": [], "/workflows": [] });
    await one.unplug();
    const backend = backendOf({ one, two });
    assert.deepEqual(await ids(backend), ["z"]);
    const { error } = await collect(backend.run(request("x", "hello"), never));
    assert.ok(error instanceof Problem && error.type === "agent_unavailable");
    const health = await backend.probe(never);
    assert.equal(health.status, "unhealthy");
    assert.match(JSON.stringify(health.details), /"nobody listens there"/);
    assert.doesNotMatch(JSON.stringify(health.details), /circuit/);
    for (let times = 0; times < 10; times += 1) await backend.probe(never);
    const { details } = await backend.probe(never);
    assert.match(JSON.stringify(details), /"server":"one"[^}]*"circuit":"open"/);
  });
});

describe("deleted sessions", () => {
  async function listed() {
    const server = await startServer();
    const agents = [{ id: "a", db_id: "d1" }, { id: "b", db_id: "d2" }, { id: "no-memory" }];
    const lists = { "/agents": agents, "/teams": [], "/workflows": [], "/config": {} };
    const deleted: string[] = [];
    let status = 204;
    server.setAnswer(({ method, path, query }, response) => {
      if (method === "DELETE") {
        deleted.push(`${path} ${query.get("db_id")} ${query.get("user_id")}`);
        if (status === 204) response.writeHead(204).end();
        else sendJson(response, status, { detail: "no" });
        return true;
      }
      const answer = lists[path as keyof typeof lists];
      if (answer === undefined) return false;
      sendJson(response, 200, answer);
      return true;
    });
    const backend = backendOf({ one: server });
    const forget = (...agentIds: string[]) =>
      backend.forgetSession!({ sessionId: "s", userId: "u", agentIds });
    return { forget, deleted, refuse: (next: number) => void (status = next) };
  }

  test("are deleted in the databases of their agents", async () => {
    const { forget, deleted } = await listed();
    await forget("a", "no-memory");
    assert.deepEqual(deleted, ["/sessions/s d1 u"]);
  });

  test("are deleted everywhere when an agent is not known any more", async () => {
    const { forget, deleted } = await listed();
    await forget("a", "retired");
    assert.deepEqual(deleted, ["/sessions/s d1 u", "/sessions/s d2 u"]);
  });

  test("are tried again only where that may help", async () => {
    const { forget, refuse } = await listed();
    for (const status of [400, 403, 404]) {
      refuse(status);
      await forget("a");
    }
    refuse(500);
    await assert.rejects(forget("a"));
  });
});
