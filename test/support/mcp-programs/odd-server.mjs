// An MCP server in a hundred lines, for what the official reference server does not do: it tells the test over a socket
// what it hears, never answers, dies, changes its list, ignores that it should end, and has a child that does too.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const report = connect(Number(process.env.REPORT_PORT), "127.0.0.1");
const tell = (what) => report.write(`${JSON.stringify(what)}\n`);
const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const tool = (name) => ({ name, description: `Does ${name}.`, inputSchema: { type: "object" } });
const names = ["wait", "die", "fail", "big", "grow", "structured", "flood", "nothing", "a.b/ä"];
const content = (text) => ({ content: [{ type: "text", text }] });

console.log("a greeting that is no message");
console.error(`started with ${process.env.API_TOKEN}`);
process.on("SIGTERM", () => tell({ heard: "SIGTERM" }));
if (process.argv.includes("--with-child")) {
  spawn(process.execPath, [new URL("stubborn-child.mjs", import.meta.url).pathname], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}
tell({ started: process.pid, environment: Object.keys(process.env) });

const answers = {
  fail: () => ({ ...content("no such file"), isError: true }),
  big: () => content("ä".repeat(1024 * 1024)),
  structured: () => ({ content: [], structuredContent: { degrees: 21 } }),
  nothing: () => ({ content: [] }),
  grow() {
    names.push("grown");
    send({ method: "notifications/tools/list_changed" });
    return content("grown");
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) tell({ method, params });
    if (method === "initialize") {
      if (process.argv.includes("--refuse")) process.exit(3);
      const { protocolVersion } = params;
      const capabilities = { tools: { listChanged: true } };
      const serverInfo = { name: "odd", version: "1" };
      send({ id, result: { protocolVersion, capabilities, serverInfo } });
    } else if (method === "tools/list") {
      tell({ listed: names.length });
      send({ id, result: { tools: names.map(tool) } });
    } else if (method === "tools/call") {
      tell({ called: params.name, with: params.arguments, id });
      if (params.name === "die") process.exit(1);
      if (params.name === "flood") process.stdout.write("x".repeat(32 * 1024 * 1024));
      const result = answers[params.name]?.();
      if (result !== undefined) send({ id, result });
    }
  })
  // It goes on without its input.
  .on("close", () => tell({ heard: "end" }));
setInterval(() => undefined, 60_000);
