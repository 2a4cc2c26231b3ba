import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { AgentBackend } from "../../src/agents/agent-backend.ts";
import { createCatalogue, type Catalogue } from "../../src/agents/catalogue.ts";
import { Problem } from "../../src/problems/problem.ts";
import { silentLogger, type Logger } from "../../src/telemetry/logger.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { forEachAgno } from "./for-each-agno.ts";
import { scriptedModel } from "./model-script.ts";
import { collect, never, request } from "./scenarios.ts";
import { backendFor } from "./stage.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";

/** What is said of a server that hangs, dies, comes back with another key and other agents. */
forEachAgno((version, python) => {
  describe(`AgentOS ${version} comes and goes`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    let folder: string;
    let keyFile: string;
    let backend: AgentBackend;
    let catalogue: Catalogue;
    const lines: string[] = [];
    const note = (_fields: unknown, message: string) => void lines.push(message);
    const logger: Logger = { ...silentLogger, warn: note };

    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
      folder = await mkdtemp(join(tmpdir(), "agno-key-"));
      keyFile = join(folder, "key");
      await writeFile(keyFile, "first-key\n");
      agentOs = await startAgentOs({ python, modelUrl: model.url, securityKey: "first-key" });
      backend = backendFor(agentOs.url, {
        servers: [{ name: "agno", apiUrl: agentOs.url, apiKeyFile: keyFile }],
        log: logger,
      });
      catalogue = createCatalogue({
        backends: [backend],
        defaultAgent: null,
        refreshMs: 1_000,
        logger,
      });
      await catalogue.start();
    }, 120_000);
    afterAll(async () => {
      catalogue?.close();
      await backend?.close();
      agentOs?.thaw();
      await agentOs?.close();
      await model?.close();
      await rm(folder, { recursive: true, force: true });
    });

    const everybody = {
      entry: (agentId: string) => catalogue?.seenBy({ identity: null }).entry(agentId),
      resolve: async (agentId: string) => catalogue?.seenBy({ identity: null }).resolve(agentId),
    };
    const status = (agentId: string) => everybody.entry(agentId)?.status ?? "gone";
    const become = async (agentId: string, wanted: ReturnType<typeof status>) => {
      const until = performance.now() + 30_000;
      while (status(agentId) !== wanted) {
        assert.ok(
          performance.now() < until,
          `${agentId} is ${status(agentId)}\n${lines.join("\n")}`,
        );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const ask = (agentId: string, text = "hello") =>
      collect(backend.run(request(agentId, text), never));
    const problemOf = ({ error }: { error: unknown }): Problem => {
      assert.ok(error instanceof Problem, String(error));
      return error;
    };
    /** What the log was told since the last time. */
    const told = () => lines.splice(0).filter((line) => line.startsWith("agno is"));

    test("a key in a file is used", async () => {
      assert.equal(status("assistant"), "available");
      assert.equal((await ask("assistant")).text, "You said: hello");
      assert.deepEqual(told(), []);
    });

    test("hanging: its agents are unavailable, the log says why in one line", async () => {
      agentOs.freeze();
      await become("assistant", "unavailable");
      const [line, ...more] = told();
      assert.match(line ?? "", /^agno is away: it takes connections, but does not answer \(http/);
      assert.deepEqual(more, []);
      agentOs.thaw();
      await become("assistant", "available");
    });

    test("killed: whoever asks is told that it is not running, and so is the log", async () => {
      await agentOs.kill();
      const problem = problemOf(await ask("assistant"));
      assert.equal(problem.type, "agent_unavailable");
      assert.match(problem.text("en"), /: its server is not running\. Try again shortly\.$/);
      await become("assistant", "unavailable");
      const all = told();
      assert.equal(all.length, 1, all.join("\n"));
      assert.match(
        all[0]!,
        /^agno is (still )?away: nobody listens there \(.*correct AGNO_API_URL/,
      );
    });

    test("back with another key and other agents: both are noticed without a restart", async () => {
      await agentOs.start({ securityKey: "second-key", without: "assistant" });
      for (;;) {
        const [line] = told();
        if (line === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
        else {
          assert.match(line, /^agno is still away: it refuses the key .*Correct AGNO_API_KEY/);
          break;
        }
      }
      const refused = problemOf(await ask("weather"));
      assert.equal(refused.status, 502);
      assert.match(refused.text("en"), /refused the credentials/);
      await writeFile(keyFile, "second-key\n");
      await become("weather", "available");
      await become("assistant", "gone");
      assert.equal(problemOf(await ask("assistant")).type, "agent_not_found");
      assert.equal((await ask("weather")).text, "You said: hello");
      await assert.rejects(everybody.resolve("assistant"), { type: "agent_not_found" });
    }, 120_000);

    test("a proxy that cuts every connection after a second: no word lost, none doubled", async () => {
      const proxy = await startCuttingProxy(agentOs.url, 1_000);
      const behind = backendFor(proxy.url, {
        servers: [{ name: "agno", apiUrl: proxy.url, apiKeyFile: keyFile }],
      });
      try {
        const answer = await collect(behind.run(request("forgetful", "slowly"), never));
        assert.equal(answer.error, null);
        assert.equal(answer.text, Array.from({ length: 60 }, (_, n) => `w${n} `).join(""));
        assert.ok(proxy.cuts > 0);
      } finally {
        await behind.close();
        await proxy.close();
      }
    });
  });
});

async function startCuttingProxy(target: string, afterMs: number) {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((socket) => {
    const upstream = connect(Number(port), hostname);
    const timer = setTimeout(() => {
      cuts += 1;
      socket.resetAndDestroy();
      upstream.destroy();
    }, afterMs);
    for (const each of [socket, upstream]) {
      open.add(each);
      each.on("error", () => each.destroy());
      each.on("close", () => {
        clearTimeout(timer);
        open.delete(each);
      });
    }
    socket.pipe(upstream).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
