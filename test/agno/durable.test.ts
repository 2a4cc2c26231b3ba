import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, test } from "vitest";
import { AgentInterrupted, RunStopped } from "../../src/agents/agent-backend.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { forEachAgno } from "./for-each-agno.ts";
import { scriptedModel } from "./model-script.ts";
import { collect, never, request } from "./scenarios.ts";
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
    const start = async (durable: number) => {
      await agentOs?.close();
      const database = await postgres!.freshDatabase();
      agentOs = await startAgentOs({ python, modelUrl: model.url, database, durable });
    };
    /** Kills AgentOS when so much was said, and starts it again. */
    const killAt = (word: string) => {
      let restarted: Promise<void> | null = null;
      return (_event: unknown, text: string) => {
        if (text.endsWith(word)) restarted ??= agentOs.kill().then(() => agentOs.start());
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

    test("a run that is taken up by another process after it was begun again is whole", async () => {
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
