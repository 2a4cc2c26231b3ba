import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AgentBackend, AgentEvent, Decision } from "../../src/agents/agent-backend.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createClient } from "../support/client.ts";
import { openService } from "../support/open-service.ts";
import { pythonWith } from "../support/python.ts";
import { createDataDir } from "../support/start-service.ts";

const end: AgentEvent = { type: "finish", reason: "stop" };
const decided: (readonly Decision[])[] = [];
/** What is said, in the order in which agents were asked. */
const asked: string[] = [];
/** Replies to `slow NAME` go on when theirs is called. */
const gates = new Map<string, PromiseWithResolvers<void>>();
const gateOf = (name: string) => {
  const gate = gates.get(name) ?? Promise.withResolvers<void>();
  gates.set(name, gate);
  return gate;
};

const actor: AgentBackend = {
  source: "actor",
  list: async () => [
    {
      agentId: "actor",
      name: { en: "Actor", zh: "演员" },
      description: "Does what it is told",
      type: "agent",
      model: null,
      tools: ["look"],
      metadata: {},
    },
  ],
  async *run({ message }, signal) {
    asked.push(message);
    const [what, name = ""] = message.split(" ");
    if (what === "slow") {
      yield { type: "text", text: "Begun. " };
      const gone = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => gone.resolve(), { once: true });
      await Promise.race([gateOf(name).promise, gone.promise]);
      yield { type: "text", text: "Ended." };
    } else if (what === "look") {
      yield { type: "tool", toolCallId: "1", name: "look", status: "started" };
      yield { type: "tool", toolCallId: "1", name: "look", status: "completed", result: "x" };
      yield { type: "text", text: "Seen." };
    } else if (what === "long") {
      yield { type: "text", text: "😀".repeat(40_000) };
    } else if (what === "confirm") {
      yield { type: "text", text: "May I? " };
      const tool = {
        id: "r1",
        kind: "confirm",
        tool: "erase",
        arguments: { what: "all" },
      } as const;
      const form = { fields: [{ name: "age", type: "int" }] };
      const input = { id: "r2", kind: "input", tool: "form", arguments: form } as const;
      const requirements = name === "both" ? [tool, input] : [tool];
      yield { type: "paused", state: {}, requirements };
      return;
    } else if (what === "fail") {
      yield { type: "text", text: "Half of it" };
      throw new Error("a fault of the agent's");
    } else yield { type: "text", text: `You said: ${message}` };
    yield end;
  },
  async *continue(_request, _state, decisions) {
    decided.push(decisions);
    yield { type: "text", text: "Done." };
    yield end;
  },
  probe: async () => ({ status: "healthy", details: {} }),
  close: async () => {},
};

interface Opened {
  readonly url: string;
  close(): Promise<void>;
}

async function open(environment: Record<string, string> = {}): Promise<Opened> {
  const dataDir = await createDataDir();
  const loaded = loadConfig({
    environment: {
      SERVICE_DATA_DIR: dataDir,
      LOGGING_LEVEL: "ERROR",
      SESSIONS_TITLES: "first_words",
      LIMITS_READ_RATE_LIMIT: "0",
      LIMITS_MESSAGE_RATE_LIMIT: "0",
      SERVER_HEARTBEAT_SECONDS: "0.5",
      ...environment,
    },
    cwd: dataDir,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  const { app, close } = await openService(loaded.config, [
    { source: "actor", create: () => actor },
  ]);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let service: Opened;
beforeAll(async () => {
  service = await open();
});
afterAll(() => service.close());

let user: string;
beforeEach(() => {
  user = randomUUID();
});

type Mode = "auto" | "legacy";
const modes = ["auto", "legacy"] as const;

async function connected(
  mode: Mode,
  more: { as?: string; url?: string; token?: string; capabilities?: object } = {},
) {
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode }, capabilities: more.capabilities ?? {} },
  );
  const transport = new StreamableHTTPClientTransport(new URL(`${more.url ?? service.url}/mcp`), {
    requestInit: {
      headers: {
        "x-user-id": more.as ?? user,
        ...(more.token !== undefined && { authorization: `Bearer ${more.token}` }),
      },
    },
  });
  await client.connect(transport);
  return client;
}

interface Told {
  readonly session_id: string;
  readonly message_id: string;
  readonly status: string;
  readonly text: string;
  readonly next_offset: number | null;
  readonly requirements?: { id: string }[];
  readonly waits_for?: string;
}

async function call<T = Told>(client: Client, name: string, args: object, options = {}) {
  const result = await client.callTool({ name, arguments: { ...args } }, options);
  const texts = (result.content as { text: string }[]).map(({ text }) => text);
  return { ...result, texts, told: result.structuredContent as T };
}

const statusOf = async (messageId: string) => {
  const { body } = await createClient(service.url).get<{ status: string }>(
    `/chat/message/${messageId}`,
  );
  return body.status;
};
const timesAsked = (message: string) => asked.filter((each) => each === message).length;

describe.each(modes)("a client that negotiates %s", (mode) => {
  it("finds the tools, with what they do and what they give", async () => {
    const client = await connected(mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(
      mode === "auto" ? "2026-07-28" : "2025-11-25",
    );
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      "list_agents",
      "ask_agent",
      "read_reply",
      "decide",
      "stop_reply",
      "search_history",
      "list_sessions",
      "read_session",
    ]);
    for (const tool of tools) {
      expect(tool.inputSchema).toMatchObject({ type: "object", additionalProperties: false });
      expect(tool.outputSchema).toMatchObject({ type: "object" });
      const reads = !["ask_agent", "decide", "stop_reply"].includes(tool.name);
      expect(tool.annotations?.readOnlyHint, tool.name).toBe(reads);
    }
    const { told } = await call<{ agents: object[] }>(client, "list_agents", {});
    expect(told.agents).toEqual([
      expect.objectContaining({ agent_id: "actor", name: "Actor", status: "available" }),
    ]);
  });

  it("asks an agent, is told of its progress, and goes on in the conversation", async () => {
    const client = await connected(mode);
    const notices: (string | undefined)[] = [];
    const numbers: number[] = [];
    const first = await call(
      client,
      "ask_agent",
      { agent_id: "actor", message: "look" },
      {
        onprogress: ({ progress, message }: { progress: number; message?: string }) => {
          numbers.push(progress);
          notices.push(message);
        },
      },
    );
    expect(first.told).toMatchObject({ status: "completed", text: "Seen.", agent_id: "actor" });
    expect(first.texts[0]).toBe("Seen.");
    expect(first.texts[1]).toContain(first.told.session_id);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(notices.at(-1)).toBe("has used look");
    const more = { message: "again", session_id: first.told.session_id };
    const second = await call(client, "ask_agent", more);
    expect(second.told).toMatchObject({ text: "You said: again", session_id: more.session_id });
    const read = await call<{ messages: { text: string }[]; next_cursor: string }>(
      client,
      "read_session",
      { session_id: more.session_id, limit: 3 },
    );
    expect(read.told.messages.map(({ text }) => text)).toEqual([
      "Seen.",
      "again",
      "You said: again",
    ]);
    const before = { session_id: more.session_id, limit: 3, cursor: read.told.next_cursor };
    const rest = await call<typeof read.told>(client, "read_session", before);
    expect(rest.told.messages.map(({ text }) => text)).toEqual(["look"]);
    expect(rest.told.next_cursor).toBeNull();
  });

  it("pauses with what it waits for, which is decided by another tool", async () => {
    const client = await connected(mode);
    const { told, texts } = await call(client, "ask_agent", { message: "confirm" });
    expect(told).toMatchObject({ status: "paused", text: "May I? " });
    expect(told.requirements).toEqual([expect.objectContaining({ id: "r1", tool: "erase" })]);
    expect(texts.at(-1)).toContain(`Call decide with message_id ${told.message_id}`);
    // What comes meanwhile does not wait for ever, and says for what.
    const behind = await call(client, "ask_agent", { message: "hi", session_id: told.session_id });
    expect(behind.told).toMatchObject({ status: "queued", waits_for: told.message_id });
    const message_id = told.message_id;
    const wrong = await call(client, "decide", {
      message_id,
      decisions: [{ id: "x", approved: true }],
    });
    expect(wrong.isError).toBe(true);
    expect(wrong.texts[0]).toContain("r1 is not decided");
    const decisions = [{ id: "r1", approved: true, note: "gladly" }];
    const done = await call(client, "decide", { message_id, decisions });
    expect(done.told).toMatchObject({ status: "completed", text: "Done." });
    expect(decided.at(-1)).toEqual(decisions);
    const read = await call(client, "read_reply", { message_id: behind.told.message_id });
    expect(read.told).toMatchObject({ status: "completed", text: "You said: hi" });
    expect((await call(client, "read_reply", { message_id })).told.text).toBe("May I? Done.");
  });

  it("reads long replies in parts, without half of a character", async () => {
    const client = await connected(mode);
    const { told } = await call(client, "ask_agent", { message: "long" });
    const { message_id, next_offset: offset } = told;
    expect(offset).toBe(50_000);
    const rest = await call(client, "read_reply", { message_id, offset });
    expect(told.text + rest.told.text).toBe("😀".repeat(40_000));
    expect(rest.told.next_offset).toBeNull();
    const odd = await call(client, "read_reply", { message_id, offset: 1 });
    expect(odd.told.next_offset).toBe(50_000);
  });

  it("is told what is wrong, and what to do", async () => {
    const client = await connected(mode);
    const failing = async (name: string, args: object) => {
      const { isError, texts } = await call(client, name, args);
      expect(isError).toBe(true);
      return texts.join("\n");
    };
    const none = randomUUID();
    expect(await failing("ask_agent", { message: "x", agent_id: "nobody" })).toContain(
      "list_agents",
    );
    expect(await failing("ask_agent", { message: "x", session_id: none })).toContain(
      "list_sessions",
    );
    expect(await failing("ask_agent", { massage: "x" })).toContain("massage: is not known");
    expect(await failing("ask_agent", { message: " " })).toContain("validation_failed");
    expect(await failing("read_session", { session_id: "no id" })).toContain("session_not_found");
    expect(await failing("read_reply", { message_id: none })).toContain("message_not_found");
    expect(await failing("list_sessions", { cursor: "made up" })).toContain("cursor");
    expect(await failing("search_history", { q: "x", since: "yesterday" })).toContain("since");
    const failed = await failing("ask_agent", { message: "fail" });
    expect(failed).toContain("internal_error");
    expect(failed).toContain("Half of it");
    expect(failed).not.toContain("a fault of the agent's");
    await expect(client.callTool({ name: "erase_all", arguments: {} })).rejects.toThrow(
      "erase_all",
    );
  });

  it("sees nothing of what is another's", async () => {
    const mine = await connected(mode);
    const { told } = await call(mine, "ask_agent", { message: "confirm secretly" });
    const { session_id, message_id } = told;
    const other = await connected(mode, { as: randomUUID() });
    const decisions = [{ id: "r1", approved: true }];
    for (const [name, args] of [
      ["read_session", { session_id }],
      ["ask_agent", { session_id, message: "x" }],
      ["read_reply", { message_id }],
      ["decide", { message_id, decisions }],
      ["stop_reply", { message_id }],
    ] as const) {
      const theirs = await call(other, name, args);
      expect(theirs.isError, name).toBe(true);
      // As what was never there.
      const ids = { session_id: randomUUID(), message_id: randomUUID() };
      const named = Object.fromEntries(
        Object.entries(args).map(([key, value]) => [key, ids[key as keyof typeof ids] ?? value]),
      );
      const missing = await call(other, name, named);
      const plain = (text: string) => text.replaceAll(/[0-9a-f-]{36}/g, "ID");
      expect(theirs.texts.map(plain), name).toEqual(missing.texts.map(plain));
    }
    const found = await call<{ hits: object[] }>(other, "search_history", { q: "secretly" });
    expect(found.told.hits).toEqual([]);
    const listed = await call<{ sessions: object[] }>(other, "list_sessions", {});
    expect(listed.told.sessions).toEqual([]);
    expect(await statusOf(message_id)).toBe("paused");
    const own = await call<{ hits: object[] }>(mine, "search_history", { q: "secretly" });
    expect(own.told.hits).not.toEqual([]);
  });
});

it("pages of conversations and of hits follow one another", async () => {
  const client = await connected("auto");
  const sessions: string[] = [];
  for (const message of ["北京 one", "北京 two", "北京 three"]) {
    sessions.unshift((await call(client, "ask_agent", { message })).told.session_id);
  }
  const pages = async (name: string, args: object, key: string) => {
    const all: { session_id: string }[] = [];
    let cursor: string | null = null;
    do {
      const page: { told: Record<string, unknown> } = await call<Record<string, unknown>>(
        client,
        name,
        { ...args, limit: 2, ...(cursor !== null && { cursor }) },
      );
      all.push(...(page.told[key] as typeof all));
      cursor = page.told["next_cursor"] as string | null;
    } while (cursor !== null);
    return all.map(({ session_id }) => session_id);
  };
  expect(await pages("list_sessions", {}, "sessions")).toEqual(sessions);
  const hits = await pages("search_history", { q: "北京", role: "user" }, "hits");
  expect(hits).toEqual(sessions);
  const { told } = await call<{ hits: { message_id: string; session_id: string }[] }>(
    client,
    "search_history",
    { q: "two", role: "user" },
  );
  const [hit] = told.hits;
  const around = { session_id: hit?.session_id, around: hit?.message_id };
  const read = await call<{ messages: { message_id: string }[] }>(client, "read_session", around);
  expect(read.told.messages.map(({ message_id }) => message_id)).toContain(hit?.message_id);
});

it("asks the person in the course of the call where the client can", async () => {
  const client = await connected("auto", { capabilities: { elicitation: {} } });
  const questions: string[] = [];
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    questions.push(params.message);
    return {
      action: "accept",
      content: params.message.includes("erase") ? { approve: true } : { age: 7 },
    };
  });
  const { told } = await call(client, "ask_agent", { message: "confirm both" });
  expect(told).toMatchObject({ status: "completed", text: "Done." });
  expect(questions.toSorted()).toEqual([
    expect.stringContaining("actor needs to know this for form"),
    expect.stringContaining('actor wants to use erase with {"what":"all"}'),
  ]);
  expect(decided.at(-1)).toEqual([
    { id: "r1", approved: true },
    { id: "r2", approved: true, result: { age: 7 } },
  ]);
  // Who says nothing leaves it open.
  client.setRequestHandler("elicitation/create", async () => ({ action: "cancel" }));
  const open = await call(client, "ask_agent", { message: "confirm" });
  expect(open.told).toMatchObject({ status: "paused" });
  client.setRequestHandler("elicitation/create", async () => ({ action: "decline" }));
  const { message_id } = open.told;
  const refused = await call(client, "read_reply", { message_id });
  expect(refused.told).toMatchObject({ status: "completed" });
  expect(decided.at(-1)).toEqual([{ id: "r1", approved: false }]);
});

it("says after a while that a reply goes on, which is then read and stopped", async () => {
  const quick = await open({ PROTOCOLS_MCP_WAIT_SECONDS: "0.1" });
  try {
    const client = await connected("auto", { url: quick.url });
    const { told, texts } = await call(client, "ask_agent", { message: "slow wait" });
    expect(told.status).toBe("running");
    expect(texts.at(-1)).toContain(`Call read_reply with message_id ${told.message_id}`);
    const { message_id } = told;
    expect((await call(client, "read_reply", { message_id })).told.status).toBe("running");
    expect((await call(client, "stop_reply", { message_id })).told.status).toBe("cancelled");
    const stopped = await call(client, "read_reply", { message_id });
    expect(stopped.told).toMatchObject({ status: "cancelled" });
    expect((await call(client, "stop_reply", { message_id })).isError).toBeFalsy();
  } finally {
    await quick.close();
  }
});

/** A call as its first progress shows that it runs, and what takes it back. */
async function running(mode: Mode, message: string) {
  const client = await connected(mode);
  const begun = Promise.withResolvers<void>();
  const taking = new AbortController();
  const result = call(
    client,
    "ask_agent",
    { message },
    {
      signal: taking.signal,
      onprogress: () => begun.resolve(),
      timeout: 60_000,
    },
  );
  result.catch(() => begun.resolve());
  await begun.promise;
  const { told } = await call<{ sessions: { session_id: string }[] }>(client, "list_sessions", {});
  const session_id = told.sessions[0]?.session_id;
  const read = await call<{ messages: { message_id: string; status: string }[] }>(
    client,
    "read_session",
    { session_id },
  );
  const messageId = read.told.messages.at(-1)?.message_id ?? "";
  return { client, result, taking, messageId };
}

it.each(modes)("a call that is taken back stops its reply (%s)", async (mode) => {
  const { client, result, taking, messageId } = await running(mode, `slow ${randomUUID()}`);
  expect(await statusOf(messageId)).toBe("streaming");
  taking.abort();
  await expect(result).rejects.toThrow();
  await expect.poll(() => statusOf(messageId), { timeout: 60_000 }).toBe("cancelled");
  await client.close();
});

const rpc = (id: number, name: string, args: object) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });
const post = (body: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${service.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "x-user-id": user,
      ...headers,
    },
    body,
    ...(signal && { signal }),
  });
const resultIn = (text: string) =>
  JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text) as {
    result: { structuredContent: Told; isError?: boolean };
    error?: { code: number };
  };

it("a call whose connection breaks runs once, however often it comes again", async () => {
  const hello = await post(
    JSON.stringify({
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "raw", version: "1" },
      },
    }),
  );
  const name = hello.headers.get("mcp-session-id") ?? "";
  await hello.text();
  for (const headers of [{ "mcp-session-id": name }, { "idempotency-key": randomUUID() }]) {
    const id = randomUUID();
    const message = `slow ${id}`;
    const body = rpc(1, "ask_agent", { message });
    const cut = new AbortController();
    const first = post(body, headers, cut.signal).then((response) => response.text());
    first.catch(() => {});
    await expect.poll(() => timesAsked(message)).toBe(1);
    cut.abort();
    await expect(first).rejects.toThrow();
    const again = post(body, headers).then((response) => response.text());
    gateOf(id).resolve();
    const { result } = resultIn(await again);
    expect(result.structuredContent).toMatchObject({ status: "completed", text: "Begun. Ended." });
    const third = resultIn(await (await post(body, headers)).text());
    expect(third.result.structuredContent.message_id).toBe(result.structuredContent.message_id);
    expect(timesAsked(message)).toBe(1);
    // The same name for something else is told.
    const other = rpc(1, "ask_agent", { message: "something else" });
    expect(resultIn(await (await post(other, headers)).text()).result.isError).toBe(true);
  }
});

it("refuses at the door in the shape of the protocol", async () => {
  const refusal = async (response: Response) => {
    const { jsonrpc, error } = (await response.json()) as {
      jsonrpc: string;
      error: { code: number };
    };
    expect(jsonrpc).toBe("2.0");
    return [response.status, error.code];
  };
  expect(await refusal(await post("{"))).toEqual([400, -32_700]);
  expect(await refusal(await fetch(`${service.url}/mcp`))).toEqual([405, -32_000]);
  expect(await refusal(await fetch(`${service.url}/mcp`, { method: "DELETE" }))).toEqual([
    405, -32_000,
  ]);
  expect(
    await refusal(await post(rpc(1, "list_agents", {}), { origin: "https://evil.example" })),
  ).toEqual([403, -32_000]);
  expect(await refusal(await post("[]"))).toEqual([400, expect.any(Number)]);
  expect(await refusal(await post('"x"'))).toEqual([400, expect.any(Number)]);
  expect((await post(rpc(1, "list_agents", {}), { accept: "text/html" })).status).toBe(406);
  expect((await post("x", { "content-type": "text/plain" })).status).toBe(415);
});

it("is not there where it is switched off, and says where tokens are to be had where they are needed", async () => {
  const off = await open({ PROTOCOLS_MCP: "false" });
  try {
    const answer = await fetch(`${off.url}/mcp`, { method: "POST" });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { type: "not_found" } });
  } finally {
    await off.close();
  }
  const proven = await open({
    AUTH_MODE: "jwt",
    SECURITY_SECRET_KEY: "a secret of more than thirty-two characters",
    SECURITY_ISSUER: "https://login.example.com",
  });
  try {
    const refused = await fetch(`${proven.url}/api/mcp`, { method: "POST" });
    expect(refused.status).toBe(401);
    const [, where = ""] =
      /^Bearer resource_metadata="(.+)"$/.exec(refused.headers.get("www-authenticate") ?? "") ?? [];
    expect(where).toBe(`${proven.url}/api/.well-known/oauth-protected-resource/mcp`);
    expect(await (await fetch(where)).json()).toMatchObject({
      resource: `${proven.url}/api/mcp`,
      authorization_servers: ["https://login.example.com"],
    });
    const secret = new TextEncoder().encode("a secret of more than thirty-two characters");
    const as = async (sub: string, roles: string[]) => {
      const token = await new SignJWT({ sub, roles })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer("https://login.example.com")
        .setExpirationTime("1h")
        .sign(secret);
      return connected("auto", { url: proven.url, token });
    };
    const { told } = await call(await as("alice", []), "ask_agent", { message: "hi" });
    // What administrators may look at elsewhere is nothing that a model of theirs should find.
    const admin = await as("root", ["admin"]);
    const { session_id, message_id } = told;
    for (const [name, args] of [
      ["read_reply", { message_id }],
      ["stop_reply", { message_id }],
      ["read_session", { session_id }],
      ["ask_agent", { session_id, message: "hi" }],
    ] as const) {
      expect((await call(admin, name, args)).texts[0], name).toContain("_not_found");
    }
  } finally {
    await proven.close();
  }
});

/** Those of the suite's scenarios that are about what every server has. The others call tools, prompts and resources that only a server made for the suite has. */
const scenarios = [
  "server-initialize",
  "ping",
  "tools-list",
  "server-sse-multiple-streams",
  "dns-rebinding-protection",
];

it.each(scenarios)(
  "conforms: %s",
  async (scenario) => {
    const program = fileURLToPath(
      import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"),
    );
    const url = `${service.url.replace("127.0.0.1", "localhost")}/mcp`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      "server",
      "--url",
      url,
      "--scenario",
      scenario,
    ]);
    expect(stdout).toMatch(/Passed: [1-9]\d*\/\d+, 0 failed/);
  },
  60_000,
);

const packages = ["mcp==2.3.0"];
const made = await pythonWith("mcp-python", packages, packages.join());
const isRequired = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("python");
if ("missing" in made) {
  if (isRequired) throw new Error(`the Python client: ${made.missing}`);
  console.warn(`SKIPPED: the Python client: ${made.missing}`);
}

it.skipIf("missing" in made)(
  "the official Python client asks and searches",
  async () => {
    if ("missing" in made) return;
    const program = join(import.meta.dirname, "mcp_client.py");
    const { stdout } = await promisify(execFile)(made.python, [program, service.url]);
    const seen = {
      tools: 8,
      text: "Seen.",
      notices: expect.arrayContaining(["has used look"]) as string[],
      wrong: true,
      finds: true,
    };
    expect(JSON.parse(stdout)).toEqual([
      { ...seen, version: "2025-11-25" },
      { ...seen, version: "2026-07-28" },
    ]);
  },
  120_000,
);
