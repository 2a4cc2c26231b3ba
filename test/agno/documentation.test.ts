import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { Turn } from "../support/scripted-turn.ts";
import { agnoVersions } from "./environment.ts";
import { forEachAgno } from "./for-each-agno.ts";
import { collect, never, only, request } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs } from "./start-agent-os.ts";

const root = join(import.meta.dirname, "../..");

/** Uses the tool once, then repeats what it said. */
function once(name: string, args: object) {
  return ({ body }: { body: Readonly<Record<string, unknown>> }): Turn => {
    const messages = body["messages"] as { role: string; content: string }[];
    const result = messages.findLast((message) => message.role === "tool")?.content;
    if (result !== undefined) return { tokens: [result] };
    return { toolCalls: [{ name, arguments: args }] };
  };
}

test("docs/agno.md and the example name versions that are tested", async () => {
  const guide = await readFile(join(root, "docs/agno.md"), "utf8");
  for (const version of agnoVersions)
    assert.match(guide, new RegExp(`\\| ${version.replaceAll(".", "\\.")} +\\|`, "m"));
  const requirements = await readFile(join(root, "examples/agentos/requirements.txt"), "utf8");
  assert.ok(requirements.includes(`agno[os]==${agnoVersions.at(-1)}\n`));
});

forEachAgno((version, python) => {
  describe(`with AgentOS ${version}`, () => {
    test("the script of docs/agno.md runs, and has a conversation", async () => {
      const guide = await readFile(join(root, "docs/agno.md"), "utf8");
      const code = /```python\n([^]*?)```/.exec(guide)?.[1] ?? "";
      const lines = code.trim().split("\n").length;
      assert.ok(lines > 10 && lines <= 20, `${lines} lines`);
      const folder = await mkdtemp(join(tmpdir(), "agno-guide-"));
      const script = join(folder, "my_os.py");
      await writeFile(script, code);
      const model = await startOpenAiServer({ respond: once("get_weather", { city: "Lyon" }) });
      const agentOs = await startAgentOs({ python, modelUrl: model.url, script });
      const backend = backendFor(agentOs.url);
      try {
        const answer = await collect(backend.run(request("weather", "Lyon?"), never));
        assert.equal(answer.error, null);
        assert.equal(answer.text, "Sunny in Lyon, 24 degrees");
      } finally {
        await backend.close();
        await agentOs.close();
        await model.close();
        await rm(folder, { recursive: true, force: true });
      }
    });

    test("the example runs, and asks before it closes a ticket", async () => {
      const script = join(root, "examples/agentos/agent_os.py");
      const model = await startOpenAiServer({ respond: once("close_ticket", { number: "1001" }) });
      const agentOs = await startAgentOs({ python, modelUrl: model.url, script });
      const backend = backendFor(agentOs.url);
      try {
        const ids = (await backend.list(never)).map((agent) => agent.agentId);
        assert.deepEqual(ids, ["assistant", "service-desk", "newsroom", "article"]);
        const asked = request("service-desk", "Close ticket 1001");
        const [paused] = only(await collect(backend.run(asked, never)), "paused");
        const decisions = [{ id: paused!.requirements[0]!.id, approved: true }];
        const answer = await collect(backend.continue!(asked, paused!.state, decisions, never));
        assert.equal(answer.text, "Closed: Printer on floor 3 jams");
      } finally {
        await backend.close();
        await agentOs.close();
        await model.close();
      }
    });
  });
});
