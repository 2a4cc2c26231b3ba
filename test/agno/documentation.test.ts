import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "vitest";
import { freePort } from "../support/backends.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import type { Turn } from "../support/scripted-turn.ts";
import { agnoVersions } from "./environment.ts";
import { forEachAgno } from "./for-each-agno.ts";
import { collect, never, only, request } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs } from "./start-agent-os.ts";

const root = join(import.meta.dirname, "../..");

/** Uses the tool once, then repeats what it said. */
function useOnce(name: string, args: object) {
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
      const model = await startOpenAiServer({ respond: useOnce("get_weather", { city: "Lyon" }) });
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

    test("the example: an agent with a memory and follow-up questions, approvals, a team, a workflow", async () => {
      const script = join(root, "examples/agentos/agent_os.py");
      const model = await startOpenAiServer({ respond: exampleModel });
      const agentOs = await startAgentOs({ python, modelUrl: model.url, script });
      const backend = backendFor(agentOs.url);
      const ask = (agentId: string, text: string) =>
        collect(backend.run(request(agentId, text), never));
      try {
        const ids = (await backend.list(never)).map((agent) => agent.agentId);
        assert.deepEqual(ids, ["assistant", "service-desk", "newsroom", "article"]);

        const answer = await ask("assistant", "I like short answers");
        assert.equal(answer.text, "Noted.");
        assert.deepEqual(
          only(answer, "suggestions").map(({ suggestions }) => suggestions),
          [["How short?", "Why?", "What else?"]],
        );
        const { userId } = request("assistant", "");
        const { memories } = await backend.memories!(userId, never);
        assert.deepEqual(
          memories.map(({ text }) => text),
          ["Likes short answers"],
        );
        assert.ok(memories[0]!.agentIds.includes("assistant"));
        assert.equal((await backend.forgetMemories!(userId, memories[0]!.id, never)).deleted, 1);
        assert.deepEqual((await backend.memories!(userId, never)).memories, []);

        const asked = request("service-desk", "Close ticket 1001");
        const [paused] = only(await collect(backend.run(asked, never)), "paused");
        const decisions = [{ id: paused!.requirements[0]!.id, approved: true }];
        const closed = await collect(backend.continue!(asked, paused!.state, decisions, never));
        assert.equal(closed.text, "Closed: Printer on floor 3 jams");

        const news = await ask("newsroom", "Why is the sky blue?");
        assert.equal(news.text, "Because of the air.");
        const members = only(news, "agent").filter(({ event }) => event === "member_completed");
        assert.deepEqual(
          members.map(({ agentId }) => agentId),
          ["researcher"],
        );
        assert.equal((await ask("article", "Cats")).text, "Noted.");
      } finally {
        await backend.close();
        await agentOs.close();
        await model.close();
      }
    });

    test("the commands of docs/agno.md lead from nothing to an answer, as they stand", async () => {
      const guide = await readFile(join(root, "docs/agno.md"), "utf8");
      const section = guide.slice(
        guide.indexOf("## Five minutes"),
        guide.indexOf("## What becomes"),
      );
      const blocks = [...section.matchAll(/```(?:sh|python)\n([^]*?)```/g)].map(
        ([, text]) => text!,
      );
      const [install, code, startOs, startService, talk] = blocks;
      assert.equal(blocks.length, 5);
      assert.match(install!, /^python3 -m venv \.venv\n\.venv\/bin\/pip install "agno\[os\]==/);
      const folder = await mkdtemp(join(tmpdir(), "agno-guide-"));
      await symlink(dirname(dirname(python)), join(folder, ".venv"));
      await writeFile(join(folder, "my_os.py"), code!);
      const model = await startOpenAiServer({ respond: useOnce("get_weather", { city: "Lyon" }) });
      // Only the ports are others: those of the guide may be taken where the tests run.
      const ports = { "11434": model.port, "7777": await freePort(), "8001": await freePort() };
      const sh = (command: string, cwd: string, env: Record<string, string>) =>
        spawn(
          "sh",
          [
            "-c",
            command.replaceAll(
              /127\.0\.0\.1:(\d+)/g,
              (_, port) => `127.0.0.1:${ports[port as keyof typeof ports]}`,
            ),
          ],
          {
            cwd,
            env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
            detached: true,
            stdio: ["ignore", "pipe", "pipe"],
          },
        );
      const running = [
        sh(startOs!, folder, { PORT: String(ports["7777"]) }),
        sh(startService!, root, {
          PORT: String(ports["8001"]),
          SERVICE_DATA_DIR: join(folder, "data"),
        }),
      ];
      const output: string[] = [];
      for (const each of running) {
        each.stdout.on("data", (piece: Buffer) => output.push(piece.toString()));
        each.stderr.on("data", (piece: Buffer) => output.push(piece.toString()));
      }
      try {
        const until = performance.now() + 60_000;
        let said = "";
        while (!said.includes("24 degrees")) {
          assert.ok(performance.now() < until, `${said}\n${output.join("")}`);
          said = await outputOf(sh(talk!, root, {}));
        }
        assert.match(said, /"agent_id":"weather"/);
        assert.match(said, /"type":"tool_call"/);
        assert.match(said, /"type":"assistant_chunk"/);
      } finally {
        for (const each of running) process.kill(-each.pid!, "SIGKILL");
        await model.close();
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      }
    });
  });
});

/** What the model of the example says to those who ask it. */
function exampleModel({ body }: { body: Readonly<Record<string, unknown>> }): Turn {
  const messages = body["messages"] as { role: string; content: string }[];
  const tools = (body["tools"] ?? []) as { function: { name: string } }[];
  const has = (name: string) => tools.some((tool) => tool.function.name === name);
  const result = messages.findLast((message) => message.role === "tool")?.content;
  const call = (name: string, args: object): Turn => ({
    toolCalls: [{ id: `call_${name}`, name, arguments: args }],
  });
  if (body["response_format"] !== undefined) {
    return { tokens: [JSON.stringify({ suggestions: ["How short?", "Why?", "What else?"] })] };
  }
  if (has("add_memory")) {
    if (result !== undefined) return { tokens: ["Done."] };
    return call("add_memory", { memory: "Likes short answers", topics: ["style"] });
  }
  if (has("close_ticket")) {
    return result === undefined ? call("close_ticket", { number: "1001" }) : { tokens: [result] };
  }
  if (has("delegate_task_to_member")) {
    if (result !== undefined) return { tokens: ["Because of the air."] };
    return call("delegate_task_to_member", { member_id: "researcher", task: "find out" });
  }
  return { tokens: ["Noted."] };
}

async function outputOf(child: ReturnType<typeof spawn>): Promise<string> {
  let said = "";
  child.stdout?.on("data", (piece: Buffer) => (said += piece.toString()));
  await once(child, "close");
  return said;
}
