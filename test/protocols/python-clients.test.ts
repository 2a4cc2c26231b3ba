import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService } from "../support/acted-service.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { pythonWith } from "../support/python.ts";

const packages = ["openai==3.57.0", "langchain-openai==1.7.4"];
const made = await pythonWith("openai-python", packages, packages.join("\n"));
const isRequired = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("python");
if ("missing" in made) {
  if (isRequired) throw new Error(`the Python clients: ${made.missing}`);
  console.warn(`SKIPPED: the Python clients: ${made.missing}`);
}

const text = "First. 你好, world.";

it.skipIf("missing" in made)(
  "the official Python clients read, resume, decide and ask once",
  { timeout: 240_000 },
  async () => {
    if ("missing" in made) return;
    const acted = await startActedService(scripts);
    const proxies = [
      await startCuttingProxy(acted.url, "request"),
      await startCuttingProxy(acted.url, 0),
      await startCuttingProxy(acted.url, 1),
    ];
    const program = join(import.meta.dirname, "python_clients.py");
    const urls = [acted.url, ...proxies.map(({ url }) => url)];
    const { stdout } = await promisify(execFile)(made.python, [program, ...urls]);
    for (const proxy of proxies) proxy.close();
    const runs = acted.runs();
    await acted.close();
    const gone = { status: 404, code: "session_not_found" };
    expect(JSON.parse(stdout)).toMatchObject({
      version: "3.57.0",
      models: expect.arrayContaining(["actor"]),
      completion: { whole: text, stream: text, calls: null, usage: [18, 18] },
      response: {
        whole: text,
        stream: text,
        types: ["reasoning", "message", "mcp_call", "mcp_call", "message"],
        resumed: text,
        "behind every event": true,
        again: true,
      },
      replaced: "Right words and more",
      approval: { asked: "mcp_approval_request", name: "erase", further: "Done." },
      external: { names: ["open_door", "form"], further: "Done." },
      failed: {
        last: "response.failed",
        final: { kind: "RuntimeError" },
        completion: { kind: "APIError" },
        unknown: { kind: "NotFoundError", status: 404, code: "model_not_found" },
      },
      conversation: { items: ["Right words and more", "replaced"], gone },
      cut: [text, text, text],
      langchain: {
        completions: { whole: text, stream: text, calls: [] },
        responses: { whole: text, stream: text, calls: [] },
      },
    });
    // Each of what was asked above, once: two completions, two responses, a replaced one, two that wait, two that fail, a
    // conversation's, three that were cut, and four of LangChain's.
    expect(runs).toBe(2 + 2 + 1 + 2 + 2 + 1 + 3 + 4);
  },
);
