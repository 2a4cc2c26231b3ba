import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const deploy = join(import.meta.dirname, "../../deploy");
const run = promisify(execFile);

let service: TestService;
let text: string;
beforeAll(async () => {
  service = await startService();
  const client = createClient(service.url);
  const sessionId = await client.session("ann");
  await client.send("POST", "/chat/message", {
    session_id: sessionId,
    user_id: "ann",
    message: "1 + 1",
  });
  await client.get("/nowhere");
  text = (await client.get<string>("/metrics")).body;
});
afterAll(async () => {
  await service.stop();
});

/** Whether Debian's package prometheus is there. */
async function promtool(...args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run("promtool", args, { cwd: deploy });
    return stdout + stderr;
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    if (code === "ENOENT") {
      process.stderr.write("\n*** SKIPPED: tests that need promtool: install prometheus ***\n\n");
      return null;
    }
    throw new Error(stdout + stderr, { cause: error });
  }
}

/** Every metric that a PromQL text names. */
function metricsIn(query: string): string[] {
  return [...query.matchAll(/\b(?:chat|process|nodejs)_[a-z_]+/g)].map(([name]) =>
    name.replace(/_(?:bucket|count|sum)$/, ""),
  );
}

/** What the service serves: every family, also those that nothing has happened to yet. */
function served(): Set<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? ""));
}

describe("monitoring", () => {
  it("metrics pass promtool", async (context) => {
    const child = execFile("promtool", ["check", "metrics"]);
    const ended = new Promise<{ code: number | null; output: string } | null>((resolve) => {
      let output = "";
      child.stdout?.on("data", (chunk: string) => (output += chunk));
      child.stderr?.on("data", (chunk: string) => (output += chunk));
      child.on("error", () => resolve(null));
      child.on("close", (code) => resolve({ code, output }));
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(text);
    const result = await ended;
    if (result === null) return context.skip();
    expect(result.output.split("\n").filter((line) => line.includes("chat_"))).toEqual([]);
  });

  it("alert rules pass promtool's check and their own tests", async (context) => {
    if ((await promtool("check", "rules", "prometheus/alerts.yaml")) === null)
      return context.skip();
    expect(await promtool("test", "rules", "prometheus/alerts.test.yaml")).toContain("SUCCESS");
    expect(await promtool("check", "config", "prometheus/prometheus.example.yaml")).toContain(
      "SUCCESS",
    );
  });

  it("dashboard and alerts ask only for metrics that there are", async () => {
    const dashboard = await readFile(join(deploy, "grafana/chat-service.json"), "utf8");
    const { panels } = JSON.parse(dashboard) as { panels: { targets?: { expr: string }[] }[] };
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(30);
    const alerts = await readFile(join(deploy, "prometheus/alerts.yaml"), "utf8");
    const known = served();
    for (const query of [
      ...queries,
      ...[...alerts.matchAll(/expr:([^]*?)\n\s+for:/g)].map(([, expr]) => expr ?? ""),
    ]) {
      for (const metric of metricsIn(query)) expect(known, query).toContain(metric);
    }
  });

  it("every metric of ours is on the dashboard", async () => {
    const dashboard = await readFile(join(deploy, "grafana/chat-service.json"), "utf8");
    const shown = new Set(metricsIn(dashboard));
    const ours = [...served()].filter((name) => name.startsWith("chat_"));
    expect(ours.filter((name) => !shown.has(name))).toEqual([]);
  });
});
