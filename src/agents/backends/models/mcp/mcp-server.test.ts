import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startOddServers, type OddServers } from "../../../../../test/support/mcp-servers.ts";
import type { Logger } from "../../../../telemetry/logger.ts";
import { ToolFault } from "../tool.ts";
import { createMcpServer, type McpServer } from "./mcp-server.ts";
import type { McpServerSettings } from "./mcp-settings.ts";
import { toolOutputOf } from "./tool-output.ts";

/** Against real programs, of which some do everything that a server should not. */

let programs: OddServers;
let lines: { level: string; message: string; fields: object }[];
let servers: McpServer[];
let onLine: (message: string) => void;

const never = new AbortController().signal;
const log: Logger = (() => {
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields });
    onLine(message);
  };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
})();

function create(settings: Omit<McpServerSettings, "name">, retryMs = 10): McpServer {
  const server = createMcpServer({ settings: { name: "odd", ...settings }, log, retryMs });
  servers.push(server);
  server.start();
  return server;
}

beforeEach(async () => {
  lines = [];
  servers = [];
  onLine = () => undefined;
  programs = await startOddServers();
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await programs.gone();
  programs.close();
});

const serious = () => lines.filter(({ level }) => level === "warn" || level === "error");

describe("a program", () => {
  test("is listed and called; it gets nothing of this process's environment but the usual", async () => {
    process.env["OWN_SECRET"] = "x";
    const server = create(programs.program());
    await server.settled();
    delete process.env["OWN_SECRET"];
    expect(server.state()).toMatchObject({ status: "healthy", fault: null });
    expect(server.state().tools.map((tool) => tool.name)).toContain("wait");
    const { environment } = await programs.told((told) => "started" in told);
    expect(environment).toContain("API_TOKEN");
    expect(environment).not.toContain("OWN_SECRET");
    const result = await server.call("grow", { a: 1 }, never);
    expect(result.content).toEqual([{ type: "text", text: "grown" }]);
    expect(await programs.told((told) => told["called"] === "grow")).toMatchObject({
      with: { a: 1 },
    });
  });

  test("that changes its list is listed again", async () => {
    const server = create(programs.program());
    await server.settled();
    const before = programs.all.length;
    await server.call("grow", {}, never);
    await programs.told((told) => "listed" in told, before);
    const isListed = () => server.state().tools.some(({ name }) => name === "grown");
    // The answer is on its way.
    while (!isListed()) await server.call("nothing", {}, never);
  });

  test("hears that a call is cancelled", async () => {
    const server = create(programs.program());
    const stop = new AbortController();
    await server.settled();
    const call = server.call("wait", {}, stop.signal);
    const { id } = await programs.told((told) => told["called"] === "wait");
    stop.abort(new Error("cancelled by the user"));
    await expect(call).rejects.toThrow("cancelled by the user");
    const notice = await programs.told((told) => told["method"] === "notifications/cancelled");
    expect(notice).toMatchObject({ params: { requestId: id } });
    expect(server.state().status).toBe("healthy");
  });

  test("that does not answer in time is told so, and the model is", async () => {
    const server = create({ ...programs.program(), timeout_seconds: 0.1 });
    await server.settled();
    await expect(server.call("wait", {}, never)).rejects.toThrow(
      /did not answer within 0.1 seconds; whether it has done/,
    );
    await programs.told((told) => told["method"] === "notifications/cancelled");
    expect(server.state().status).toBe("healthy");
  });

  test("that dies in a call fails that call alone, and is started again", async () => {
    const server = create(programs.program());
    await server.settled();
    const call = server.call("die", {}, never);
    await expect(call).rejects.toThrow(ToolFault);
    await expect(call).rejects.toThrow(/connection to the server odd broke/);
    const result = await server.call("grow", {}, never);
    expect(result.content).toEqual([{ type: "text", text: "grown" }]);
    expect(programs.all.filter((told) => told["called"] === "die")).toHaveLength(1);
    expect(serious()).toEqual([]);
  });

  test("that says more than there is room for is ended, and started again", async () => {
    const server = create(programs.program());
    await server.settled();
    await expect(server.call("flood", {}, never)).rejects.toThrow(ToolFault);
    expect((await server.call("grow", {}, never)).content).toHaveLength(1);
  });

  test("that ends at once, again and again, is one line in the log", async () => {
    const seen = Promise.withResolvers<void>();
    let attempts = 0;
    onLine = (message) => {
      if (message.startsWith("the MCP server odd: ") && ++attempts === 4) seen.resolve();
    };
    const server = create(programs.program("--refuse"), 1);
    await seen.promise;
    expect(serious()).toHaveLength(1);
    expect(server.state()).toMatchObject({ status: "unreachable", fault: "closed", tools: [] });
    await expect(server.call("wait", {}, never)).rejects.toThrow(/odd/);
  });

  test("that does not exist is said to be missing", async () => {
    const server = create({ command: "/no/such/program" });
    await server.settled();
    expect(server.state()).toMatchObject({ status: "unreachable", fault: "not_found" });
    await expect(server.call("x", {}, never)).rejects.toThrow(/cannot be reached/);
  });

  test("ends with the service, and with it what it has started, whether they want or not", async () => {
    const server = create(programs.program("--with-child"));
    await server.settled();
    await programs.told((told) => "child" in told);
    await server.close();
    await programs.gone();
    await expect(server.call("grow", {}, never)).rejects.toThrow(ToolFault);
  });

  test("says things in the log for those who look for a fault, without its secrets", async () => {
    const said = Promise.withResolvers<void>();
    onLine = (message) => message === "an MCP server says" && said.resolve();
    const server = create(programs.program());
    await server.settled();
    await said.promise;
    expect(JSON.stringify(lines)).toContain("started with ********");
    expect(JSON.stringify(lines)).not.toContain("s3cret");
  });

  test("is asked no more than sixteen things at a time", async () => {
    const server = create(programs.program());
    await server.settled();
    const stop = new AbortController();
    const calls = Array.from({ length: 16 }, () => server.call("wait", {}, stop.signal));
    const called = () => programs.all.filter((told) => told["called"] === "wait").length;
    while (called() < 16) await programs.told(() => true, programs.all.length);
    const last = new AbortController();
    const late = server.call("grow", {}, last.signal);
    last.abort(new Error("left"));
    await expect(late).rejects.toThrow("left");
    const next = server.call("grow", {}, never);
    expect(programs.all.some((told) => told["called"] === "grow")).toBe(false);
    stop.abort(new Error("enough"));
    await Promise.allSettled(calls);
    expect((await next).content).toHaveLength(1);
  });
});

describe("what a tool gives", () => {
  const output = async (tool: string) => {
    const server = create(programs.program());
    await server.settled();
    return toolOutputOf(await server.call(tool, {}, never), 1_000);
  };

  test("is cut at a whole character, and says so", async () => {
    const { text } = await output("big");
    expect(text).toBe(`${"ä".repeat(500)}\n[cut: the first 1000 of 2097152 bytes]`);
  });

  test("is quoted where it has structure and no text", async () => {
    expect((await output("structured")).text).toBe('{"degrees":21}');
    expect((await output("nothing")).text).toBe("(no output)");
  });

  test.each([
    [{ type: "image", mimeType: "image/png", data: "AAAA" }, "data:image/png;base64,AAAA"],
    [{ type: "audio", mimeType: "audio/wav", data: "AAAA" }, "data:audio/wav;base64,AAAA"],
    [{ type: "image", mimeType: "text/html", data: "AAAA" }, undefined],
    [{ type: "image", mimeType: 'image/png" onload="x', data: "AAAA" }, undefined],
    [{ type: "image", mimeType: "image/png", data: "<script>" }, undefined],
  ] as const)("%j is shown as %s", (block, url) => {
    const { text, media } = toolOutputOf({ content: [block] }, 1_000);
    expect(media?.[0]?.url).toBe(url);
    expect(text).toContain(block.type);
    expect(text).not.toContain("AAAA");
  });

  test("has links and texts of resources in it", () => {
    const { text } = toolOutputOf(
      {
        content: [
          { type: "resource_link", uri: "file:///a", name: "a", description: "the first" },
          { type: "resource", resource: { uri: "file:///b", text: "words" } },
          { type: "resource", resource: { uri: "file:///c", blob: "AAAA", mimeType: "x/y" } },
        ],
      },
      1_000,
    );
    expect(text).toBe("[a](file:///a): the first\nwords\n[file:///c, x/y: not shown]");
  });
});
