import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, test } from "vitest";
import { AgentInterrupted, RunStopped } from "../../src/agents/agent-backend.ts";
import { Problem } from "../../src/problems/problem.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { forEachAgno } from "./for-each-agno.ts";
import { scriptedModel } from "./model-script.ts";
import { collect, never, only, request } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";

const slowText = Array.from({ length: 60 }, (_, index) => `w${index} `).join("");
const postgres: TestPostgres | null = await startPostgres();

/** Runs outlive their AgentOS where its queue is kept in PostgreSQL, which 3.x has. */
forEachAgno((version, python) => {
  const hasNone = version.startsWith("2.") || postgres === null;
  describe.skipIf(hasNone)(`the durable queue of AgentOS ${version}`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
    });
    afterAll(async () => {
      await agentOs?.close();
      await model?.close();
    });
    const start = async (durable: number, retryDelay = 1, atOnce?: number) => {
      await agentOs?.close();
      const database = await postgres!.freshDatabase();
      agentOs = await startAgentOs({
        python,
        modelUrl: model.url,
        database,
        durable,
        retryDelay,
        ...(atOnce !== undefined && { atOnce }),
      });
    };
    /** Waits until the queue says this of a run that it has begun, or that will never begin. */
    const become = async (status: string) => {
      for (;;) {
        const answer = await agentOs.ask("/queue/jobs");
        const { data } = (await answer.json()) as { data: { status: string; attempt: number }[] };
        const isSo = (job: (typeof data)[number]) =>
          job.status === status && (job.attempt > 0 || status === "cancelled");
        if (data.some(isSo)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    /** Ends AgentOS when so much was said, as `kill -9` does it if nothing else is said, and starts it again. */
    const killAt = (word: string, end = () => agentOs.kill()) => {
      let restarted: Promise<void> | null = null;
      return (_event: unknown, text: string) => {
        if (text.endsWith(word)) restarted ??= end().then(() => agentOs.start());
      };
    };

    test("a run that it begins again is followed to its end, and not cancelled", async () => {
      await start(2);
      const backend = backendFor(agentOs.url, { patienceMs: 120_000 });
      const asked = request("assistant", "slowly");
      const before = model.requests.length;
      const answer = await collect(backend.run(asked, never), killAt("w20 "));
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, slowText);
      assert.equal(model.requests.length - before, 2);
      await backend.close();
    });

    test("a run that fails and is tried again goes on, in place of what was said", async () => {
      await start(2);
      const backend = backendFor(agentOs.url);
      const answer = await collect(backend.run(request("stumbling", "stumble 1"), never));
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, "stumbled 1 times");
      assert.deepEqual(answer.events.at(-1), { type: "finish", reason: "stop" });
      await backend.close();
    });

    test("a run that fails whenever it is tried ends as the last try does", async () => {
      await start(2);
      const backend = backendFor(agentOs.url);
      const answer = await collect(backend.run(request("stumbling", "stumble 5"), never));
      assert.ok(answer.error instanceof Problem, String(answer.error));
      assert.equal(answer.error.type, "agent_failed");
      assert.doesNotMatch(JSON.stringify(answer.events), /secret-of-the-step/);
      const steps = only(answer, "agent").filter(({ event }) => event === "step_failed");
      assert.equal(steps.length, 2, agentOs.output);
      await backend.close();
    });

    test("a failed run that the queue is done with is not waited for", async () => {
      await start(2);
      const backend = backendFor(agentOs.url, { timeoutMs: 600_000 });
      const answer = await collect(backend.run(request("assistant", "explode"), never));
      assert.ok(answer.error instanceof Problem, String(answer.error));
      assert.equal(answer.error.type, "agent_failed");
      assert.equal(answer.text, "The first half ");
      await backend.close();
    });

    test("runs that wait for their turn wait as long as it takes, and can be cancelled", async () => {
      await start(1, 1, 1);
      const backend = backendFor(agentOs.url, { timeoutMs: 3_000 });
      const before = model.requests.length;
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["held"], pace: () => gate.promise });
      const first = collect(backend.run(request("crew", "hold"), never));
      while (model.requests.length === before) await new Promise((go) => setTimeout(go, 20));
      const second = collect(backend.run(request("assistant", "hello"), never));
      const stop = new AbortController();
      const third = collect(backend.run(request("forgetful", "not wanted"), stop.signal));
      // More than once nothing is heard of them for that long.
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      stop.abort(new RunStopped("cancelled", false));
      const { error } = await third;
      assert.ok(error instanceof RunStopped, String(error));
      await become("cancelled");
      gate.resolve();
      await first;
      const answer = await second;
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, "You said: hello");
      await backend.close();
      const asked = model.requests.map(({ body }) => JSON.stringify(body));
      assert.ok(!asked.some((body) => body.includes("not wanted")));
    });

    test("a run that is cancelled while it waits for its next try is not tried again", async () => {
      await start(2, 600);
      const backend = backendFor(agentOs.url);
      const stop = new AbortController();
      const asked = collect(backend.run(request("stumbling", "stumble 1"), stop.signal));
      await become("queued");
      stop.abort(new RunStopped("cancelled", false));
      assert.ok((await asked).error instanceof RunStopped);
      await become("cancelled");
      await backend.close();
    });

    test("a run whose AgentOS dies while it waits for its next try is followed to its end", async () => {
      await start(2, 20);
      const backend = backendFor(agentOs.url, { patienceMs: 120_000 });
      const asked = collect(backend.run(request("stumbling", "stumble 1"), never));
      await become("queued");
      await agentOs.kill();
      await agentOs.start();
      const answer = await asked;
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, "stumbled 1 times");
      await backend.close();
    });

    test.each([
      ["janitor", "I shall delete it. The tool says: Deleted /data/old.txt"],
      ["checked", "You said: You said: clean"],
      ["cleaning", "I shall delete it. The tool says: Deleted /data/old.txt"],
    ])("a pause of %s that outlives AgentOS goes on when it is decided", async (agentId, text) => {
      await start(2);
      const backend = backendFor(agentOs.url);
      const asked = request(agentId, "clean");
      const before = await collect(backend.run(asked, never));
      const [paused] = only(before, "paused");
      const { requirements, state } = paused!;
      await become("paused");
      await agentOs.kill();
      await agentOs.start();
      const decisions = [{ id: requirements[0]!.id, approved: true }];
      const answer = await collect(backend.continue!(asked, state, decisions, never));
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(before.text + answer.text, text);
      await backend.close();
    });

    test("a run whose AgentOS is shut down in order is followed to its end", async () => {
      await start(2);
      const backend = backendFor(agentOs.url, { patienceMs: 120_000 });
      const answer = await collect(
        backend.run(request("assistant", "slowly"), never),
        killAt("w20 ", () => agentOs.shutDown()),
      );
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, slowText);
      await backend.close();
    });

    test("a run that is taken up by another process after it was begun again is whole", async () => {
      await start(2);
      const first = backendFor(agentOs.url);
      const asked = request("assistant", "slowly");
      const stop = new AbortController();
      let kept: { state: Record<string, unknown>; text: string } | null = null;
      await collect(first.run(asked, stop.signal), (event, text) => {
        if (event.type === "resumable") kept = { state: { ...event.state }, text };
        if (text.endsWith("w40 ")) stop.abort(new RunStopped("handed on", true));
      });
      await first.close();
      await agentOs.kill();
      await agentOs.start();
      const second = backendFor(agentOs.url, { patienceMs: 120_000 });
      const { state } = JSON.parse(JSON.stringify(kept)) as { state: Record<string, unknown> };
      const rest = await collect(second.resume!({ ...asked, attempt: 2 }, state, never));
      assert.equal(rest.error, null, agentOs.output);
      // From its beginning: what was said before is taken back.
      assert.equal(rest.text, slowText);
      await second.close();
    });

    test("a run whose turn has not come when its process dies is followed by another, and not asked for twice", async () => {
      await start(1, 1, 1);
      const backend = backendFor(agentOs.url);
      const before = model.requests.length;
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["held"], pace: () => gate.promise });
      const first = collect(backend.run(request("crew", "hold"), never));
      while (model.requests.length === before) await new Promise((go) => setTimeout(go, 20));
      const dying = backendFor(agentOs.url);
      const asked = request("assistant", "hello");
      const stop = new AbortController();
      let kept: Record<string, unknown> | null = null;
      const lost = collect(dying.run(asked, stop.signal), (event) => {
        if (event.type === "resumable") kept ??= { ...event.state };
      });
      for (let jobs = 0; jobs < 2; await new Promise((go) => setTimeout(go, 50))) {
        const answer = (await (await agentOs.ask("/queue/jobs")).json()) as { data: unknown[] };
        jobs = answer.data.length;
      }
      stop.abort(new RunStopped("handed on", true));
      await lost;
      await dying.close();
      assert.ok(kept !== null);
      const second = backendFor(agentOs.url);
      const state = JSON.parse(JSON.stringify(kept)) as Record<string, unknown>;
      const rest = collect(second.resume!({ ...asked, attempt: 2 }, state, never));
      gate.resolve();
      await first;
      const answer = await rest;
      assert.equal(answer.error, null, agentOs.output);
      assert.equal(answer.text, "You said: hello");
      const asks = model.requests.slice(before).map(({ body }) => JSON.stringify(body));
      assert.equal(asks.filter((body) => body.includes("hello")).length, 1);
      await second.close();
      await backend.close();
    });

    test("a run that its queue never had is interrupted", async () => {
      await start(1);
      const backend = backendFor(agentOs.url);
      const asked = request("assistant", "hello");
      let kept: Record<string, unknown> | null = null;
      const stop = new AbortController();
      await collect(backend.run(asked, stop.signal), (event) => {
        if (kept !== null || event.type !== "resumable") return;
        kept = { ...event.state };
        stop.abort(new RunStopped("handed on", true));
      });
      const answer = await collect(backend.resume!({ ...asked, attempt: 2 }, kept ?? {}, never));
      assert.ok(answer.error instanceof AgentInterrupted, String(answer.error));
      await backend.close();
    });

    test("a run that it does not begin again is interrupted, long before it is given up there", async () => {
      await start(1);
      const backend = backendFor(agentOs.url, { patienceMs: 120_000 });
      const answer = await collect(
        backend.run(request("assistant", "slowly"), never),
        killAt("w20 "),
      );
      assert.ok(answer.error instanceof AgentInterrupted, String(answer.error));
      assert.ok(answer.text.includes("w20 ") && slowText.startsWith(answer.text));
      await backend.close();
    });
  });
});

afterAll(() => postgres?.stop());
