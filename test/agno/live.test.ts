import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, test } from "vitest";
import {
  AgentInterrupted,
  StillPaused,
  type AgentBackend,
} from "../../src/agents/agent-backend.ts";
import { Problem } from "../../src/problems/problem.ts";
import { formOf, outputOf } from "../../src/replies/structured-output.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { messagesOf, scriptedModel } from "./model-script.ts";
import { forEachSetup } from "./for-each-agno.ts";
import { startRecordingProxy } from "./recording-proxy.ts";
import { collect, never, only, request } from "./scenarios.ts";
import { backendFor as backendWith } from "./stage.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";

const slowText = Array.from({ length: 60 }, (_, index) => `w${index} `).join("");

/** What recordings cannot show: runs that are stopped, processes that die, servers set up in another way. */
forEachSetup((version, python, { name, securityKey, database }) => {
  describe(`AgentOS ${version}, live (${name})`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
      agentOs = await startAgentOs({
        python,
        modelUrl: model.url,
        database: await database(),
        securityKey,
      });
    }, 120_000);
    afterAll(async () => {
      await agentOs?.close();
      await model?.close();
    });

    const backendFor = (url: string, changes = {}) => backendWith(url, changes, securityKey);

    async function using(work: (backend: AgentBackend) => Promise<void>, changes = {}) {
      const backend = backendFor(agentOs.url, changes);
      try {
        await work(backend);
      } finally {
        await backend.close();
      }
    }

    /** The only run of a session, when it is over. */
    async function storedRun(sessionId: string): Promise<{ status: string; content: string }> {
      for (;;) {
        const answer = await agentOs.ask(`/agents/assistant/runs?session_id=${sessionId}`);
        // The session is stored with its first run.
        const runs = answer.ok ? await answer.json() : [];
        const [run] = runs as { status: string; content: string }[];
        if (run && run.status !== "RUNNING") return run;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }

    for (const background of [true, false]) {
      const where = background ? "in the background" : "in the foreground";
      test(`a run ${where} that is aborted stops in AgentOS`, async () => {
        await using(
          async (backend) => {
            const asked = request("assistant", "slowly");
            const stop = new AbortController();
            const reason = new Error("enough");
            const answer = await collect(backend.run(asked, stop.signal), (_event, text) => {
              if (text.includes("w5 ")) stop.abort(reason);
            });
            assert.equal(answer.error, reason);
            const run = await storedRun(asked.sessionId);
            assert.equal(run.status, "CANCELLED");
            assert.ok(run.content.length < slowText.length, "it did not go on to its end");
          },
          { background },
        );
      });
    }

    test("a run is taken up by another process from its last state: no token lost, none doubled", async () => {
      const proxy = await startRecordingProxy(agentOs.url);
      const first = backendFor(proxy.url);
      const asked = request("assistant", "slowly");
      let said = "";
      let stored: { state: Record<string, unknown>; text: string } | null = null;
      const dying = collect(first.run(asked, never), (event, text) => {
        said = text;
        // What a node stores in one transaction.
        if (event.type === "resumable") stored = { state: { ...event.state }, text };
        // Dies without a word: nothing more reaches AgentOS.
        if (said.includes("w35 ")) void proxy.unplug();
      });
      await dying;
      await first.close();
      assert.ok(stored);
      const { state, text } = JSON.parse(JSON.stringify(stored)) as {
        state: Record<string, unknown>;
        text: string;
      };
      assert.ok(text.length > 0 && text.length <= said.length);
      await using(async (second) => {
        assert.ok(second.resume);
        const rest = await collect(second.resume({ ...asked, attempt: 2 }, state, never));
        assert.equal(rest.error, null);
        assert.deepEqual(only(rest, "replace"), []);
        assert.equal(text + rest.text, slowText);
        assert.deepEqual(rest.events.at(-1), { type: "finish", reason: "stop" });
      });
    });

    test("a run that ended meanwhile is taken up too", async () => {
      const proxy = await startRecordingProxy(agentOs.url);
      const first = backendFor(proxy.url, { patienceMs: 100 });
      const asked = request("crew", "Write about cats");
      let stored: { state: Record<string, unknown>; text: string } | null = null;
      let told = 0;
      await collect(first.run(asked, never), (event, text) => {
        if (event.type === "resumable" && (told += 1) === 2) {
          stored = { state: { ...event.state }, text };
          void proxy.unplug();
        }
      });
      await first.close();
      const kept = stored as unknown as { state: Record<string, unknown>; text: string };
      await using(async (second) => {
        const rest = await collect(second.resume!({ ...asked, attempt: 2 }, kept.state, never));
        assert.equal(rest.error, null);
        assert.equal(kept.text + rest.text, "The crew is done.");
      });
    });

    test("AgentOS dies in mid-run: interrupted in bounded time, and the next run works", async () => {
      await using(
        async (backend) => {
          const begun = performance.now();
          let restarted = Promise.resolve();
          let killed = false;
          const answer = await collect(
            backend.run(request("assistant", "slowly"), never),
            (_event, text) => {
              if (!killed && text.endsWith("w20 ")) {
                killed = true;
                restarted = agentOs.kill().then(() => agentOs.start());
              }
            },
          );
          assert.ok(answer.error instanceof AgentInterrupted, String(answer.error));
          assert.ok(slowText.startsWith(answer.text) && answer.text.includes("w20 "));
          assert.ok(performance.now() - begun < 60_000);
          await restarted;
          const next = await collect(backend.run(request("assistant", "hello"), never));
          assert.equal(next.error, null);
          assert.equal(next.text, "You said: hello");
        },
        { patienceMs: 45_000 },
      );
    }, 120_000);

    test("a run whose AgentOS died cannot be taken up: interrupted", async () => {
      await using(async (backend) => {
        const asked = request("assistant", "slowly");
        const stop = new AbortController();
        let state: Record<string, unknown> | null = null;
        await collect(backend.run(asked, stop.signal), (event, text) => {
          if (event.type === "resumable") state = { ...event.state };
          if (text.endsWith("w20 ")) stop.abort(new Error("died"));
        });
        await agentOs.kill();
        await agentOs.start();
        assert.ok(state);
        const rest = await collect(backend.resume!(asked, state, never));
        assert.equal(rest.text, "");
        assert.ok(rest.error instanceof AgentInterrupted, String(rest.error));
      });
    }, 120_000);

    test("a foreground run whose connection breaks is interrupted", async () => {
      const proxy = await startRecordingProxy(agentOs.url);
      const backend = backendFor(proxy.url, { background: false });
      proxy.cutAfter(/\/runs$/, 12);
      const answer = await collect(backend.run(request("assistant", "slowly"), never));
      assert.ok(answer.error instanceof AgentInterrupted, String(answer.error));
      assert.ok(answer.text.length > 0 && slowText.startsWith(answer.text));
      await backend.close();
      await proxy.close();
    });

    test("a run that falls silent ends in agent_timeout, and is stopped in AgentOS", async () => {
      const proxy = await startRecordingProxy(agentOs.url);
      const backend = backendFor(proxy.url, { timeoutMs: 1_500 });
      const answer = await collect(backend.run(request("assistant", "hang"), never));
      assert.equal(answer.text, "Wait ");
      assert.ok(answer.error instanceof Problem, String(answer.error));
      assert.equal(answer.error.type, "agent_timeout");
      await backend.close();
      const cancel = proxy.exchanges.find((each) => each.path.endsWith("/cancel"));
      assert.equal(cancel?.status, 200);
      await proxy.close();
    });

    test("a tool may work for longer than a run may be silent", async () => {
      await using(
        async (backend) => {
          const answer = await collect(backend.run(request("weather", "wait a moment"), never));
          assert.equal(answer.error, null);
          assert.equal(answer.text, "The tool says: waited");
        },
        { timeoutMs: 300 },
      );
    });

    test("AgentOS remembers a conversation under our session id", async () => {
      await using(async (backend) => {
        const asked = request("assistant", "my name is Ann");
        assert.equal((await collect(backend.run(asked, never))).error, null);
        const own = { agentId: "assistant", status: "complete", told: 0 } as const;
        const history = () =>
          Promise.resolve([
            { role: "user" as const, content: "my name is Ann", agentId: null },
            { role: "assistant" as const, content: "Hello Ann", agentId: "assistant", own },
          ]);
        // A backend that has just been started does not know whether AgentOS knows.
        await using(async (fresh) => {
          const next = { ...asked, message: "who am I?", history };
          assert.equal((await collect(fresh.run(next, never))).error, null);
        });
        const heard = messagesOf(model.requests.at(-1)!).filter((each) => each.role === "user");
        assert.deepEqual(
          heard.map((each) => each.content),
          ["my name is Ann", "who am I?"],
        );
        await backend.forgetSession!({
          sessionId: asked.sessionId,
          userId: asked.userId,
          agentIds: ["assistant"],
        });
        const session = await agentOs.ask(`/sessions/${asked.sessionId}?type=agent`);
        assert.equal(session.status, 404);
      });
    });

    test("the form of an answer reaches the model, and the answer fits it", async () => {
      const schema = {
        type: "object",
        properties: {
          name: { type: "string" },
          inhabitants: { type: "integer" },
          mayor: { type: "string" },
        },
        required: ["name", "inhabitants"],
      };
      const responseFormat = {
        type: "json_schema",
        json_schema: { name: "city", schema },
      } as const;
      await using(async (backend) => {
        for (const agentId of ["assistant", "router"]) {
          const asked = request(agentId, "of Lyon", { settings: { responseFormat } });
          const answer = await collect(backend.run(asked, never));
          assert.equal(answer.error, null);
          assert.match(
            JSON.stringify(model.requests.at(-1)?.body["response_format"]),
            /inhabitants/,
          );
          const outputFormat = formOf(responseFormat, answer.text);
          const end = { status: "complete", finishReason: "stop", content: answer.text };
          assert.deepEqual(outputOf({ ...end, outputFormat }), {
            output: { name: "Lyon", inhabitants: 522_250 },
          });
        }
      });
    });

    /** What AgentOS has of a run, by the state that we keep of it. */
    async function runOf(state: object, sessionId: string): Promise<Record<string, unknown>> {
      const { run } = state as { run: { kind: string; componentId: string; runId: string } };
      const path = `${run.kind}s/${run.componentId}/runs/${run.runId}`;
      const answer = await agentOs.ask(`/${path}?session_id=${sessionId}`);
      return (await answer.json()) as Record<string, unknown>;
    }

    test.each([
      { agentId: "janitor", end: "CANCELLED" },
      { agentId: "secretary", end: "CANCELLED" },
      { agentId: "operator", end: "CANCELLED" },
      { agentId: "cleaners", end: "CANCELLED" },
      { agentId: "cleaning", end: "CANCELLED" },
      // Its last step is left out.
      { agentId: "checked", end: "COMPLETED" },
    ])("a pause that nobody will decide about ends: $agentId", async ({ agentId, end }) => {
      await using(async (backend) => {
        const asked = request(agentId, "clean");
        const [paused] = only(await collect(backend.run(asked, never)), "paused");
        const { state } = paused!;
        assert.equal((await runOf(state, asked.sessionId))["status"], "PAUSED");
        const before = model.requests.length;
        await backend.abandon!(asked, state);
        const run = await runOf(state, asked.sessionId);
        assert.equal(run["status"], end);
        assert.doesNotMatch(JSON.stringify(run), /Deleted |Sent Hello/);
        assert.equal(model.requests.length, before, "no model was asked");
        // A job may be done twice.
        await backend.abandon!(asked, state);
        assert.equal((await runOf(state, asked.sessionId))["status"], end);
      });
    });

    for (const agentId of ["janitor", "cleaners", "checked"]) {
      test(`decisions whose connection broke are neither lost nor taken twice: ${agentId}`, async () => {
        const proxy = await startRecordingProxy(agentOs.url);
        const backend = backendFor(proxy.url);
        const sent = () => proxy.exchanges.filter(({ path }) => path.endsWith("/continue")).length;
        try {
          const asked = request(agentId, "clean");
          const [paused] = only(await collect(backend.run(asked, never)), "paused");
          const { state, requirements } = paused!;
          const decisions = [{ id: requirements[0]!.id, approved: true }];
          const decide = () => collect(backend.continue!(asked, state, decisions, never));
          // Taken by AgentOS; of its answer not a byte arrives.
          proxy.loseAnswer(/\/continue$/);
          let answer = await decide();
          assert.equal(sent(), 1);
          const isOpen = answer.error instanceof StillPaused;
          // Where nothing was heard of it for a while it is asked for again, and not sent again.
          if (isOpen) {
            let { status } = await runOf(state, asked.sessionId);
            while (status === "PAUSED" || status === "RUNNING") {
              await new Promise((resolve) => setTimeout(resolve, 50));
              ({ status } = await runOf(state, asked.sessionId));
            }
            answer = await decide();
          }
          assert.equal(answer.error, null);
          assert.equal(sent(), 1);
          assert.deepEqual(answer.events.at(-1), { type: "finish", reason: "stop" });
          assert.equal((await runOf(state, asked.sessionId))["status"], "COMPLETED");
        } finally {
          await backend.close();
          await proxy.close();
        }
      });
    }

    test("decisions that did not arrive are sent again", async () => {
      const proxy = await startRecordingProxy(agentOs.url);
      const backend = backendFor(proxy.url);
      try {
        const asked = request("janitor", "clean");
        const [paused] = only(await collect(backend.run(asked, never)), "paused");
        const { state, requirements } = paused!;
        const decisions = [{ id: requirements[0]!.id, approved: true }];
        const decide = () => collect(backend.continue!(asked, state, decisions, never));
        proxy.loseRequest(/\/continue$/);
        const lost = await decide();
        assert.ok(lost.error instanceof StillPaused, String(lost.error));
        assert.equal((await runOf(state, asked.sessionId))["status"], "PAUSED");
        const answer = await decide();
        assert.equal(answer.error, null);
        assert.match(answer.text, /Deleted \/data\/old\.txt/);
      } finally {
        await backend.close();
        await proxy.close();
      }
    });
  });

  describe(`AgentOS ${version} set up in another way`, () => {
    test("without a database runs are in the foreground, and earlier messages go along", async () => {
      const model = await startOpenAiServer({ respond: scriptedModel });
      const agentOs = await startAgentOs({ python, modelUrl: model.url, database: false });
      const backend = backendWith(agentOs.url);
      try {
        const history = () =>
          Promise.resolve([{ role: "user" as const, content: "I am Ann", agentId: null }]);
        const answer = await collect(
          backend.run(request("assistant", "who am I?", { history }), never),
        );
        assert.equal(answer.error, null);
        assert.match(answer.text, /I am Ann[^]*who am I\?/);
        assert.deepEqual(only(answer, "resumable"), []);
        const article = await collect(backend.run(request("article", "cats"), never));
        assert.equal(article.error, null);
        assert.equal(article.text, "You said: You said: cats");
        await backend.forgetSession!({
          sessionId: "s",
          userId: "u",
          agentIds: ["assistant"],
        });
      } finally {
        await backend.close();
        await agentOs.close();
        await model.close();
      }
    }, 120_000);

    test("with a security key", async () => {
      const model = await startOpenAiServer({ respond: scriptedModel });
      const key = "the-key";
      const agentOs = await startAgentOs({ python, modelUrl: model.url, securityKey: key });
      const withKey = (apiKey?: string) =>
        backendWith(agentOs.url, {
          servers: [{ name: "test", apiUrl: agentOs.url, ...(apiKey ? { apiKey } : {}) }],
        });
      const good = withKey(key);
      const bad = withKey("wrong");
      const none = withKey();
      try {
        const answer = await collect(good.run(request("assistant", "hello"), never));
        assert.equal(answer.text, "You said: hello");
        for (const refused of [bad, none]) {
          await assert.rejects(
            refused.list(never),
            (error) => error instanceof Problem && error.type === "agent_unavailable",
          );
        }
      } finally {
        await Promise.all([good, bad, none].map((backend) => backend.close()));
        await agentOs.close();
        await model.close();
      }
    }, 120_000);
  });
});
