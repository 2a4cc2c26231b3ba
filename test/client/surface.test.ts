import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as package_ from "../../packages/client/src/index.ts";
import { others, type ApiDocument } from "../../scripts/client-types.ts";
import { pythonEnvironment, pythonForClient, startPythonDriver } from "../support/python-client.ts";
import { startService } from "../support/start-service.ts";

const python = await pythonForClient();
const run = promisify(execFile);
const source = join(import.meta.dirname, "../../packages/client/src");
const { createChatClient } = package_;

/** What is asked of a method in TypeScript and in Python, and the operations that it leads to. */
interface Use {
  readonly ts: readonly unknown[];
  readonly py: readonly [args: readonly unknown[], named?: object];
  readonly operations: readonly string[];
}

const use = (operations: string, ts: Use["ts"], ...py: Use["py"]): Use => ({
  ts,
  py,
  operations: operations.split(", ").filter((each) => each !== ""),
});
const message = "/chat/message/{message_id}";
const session = "/sessions/{session_id}";
const decisions = [{ id: "r", approved: true }];
const sound = { $file: ["a.wav", ""] };
const file = { name: "a.txt", media_type: "text/plain", data: "" };

/** Each method of the clients. */
const uses: Readonly<Record<string, Use>> = {
  agents: use("GET /chat/agents", [], []),
  models: use("GET /chat/models", [], []),
  usage: use("GET /usage", [], []),
  health: use("GET /health", [], []),
  config: use("GET /health/config", [], []),
  request: use("GET /info", [{ method: "GET", path: "/info" }], ["GET", "/info"]),
  url: use("", ["/x"], ["/x"]),
  send: use("POST /chat/message/stream", [{ message: "x" }], ["x"]),
  search: use("GET /chat/search", [{ q: "x" }], ["x"]),
  "messages.send": use("POST /chat/message/stream", [{ message: "x" }], ["x"]),
  "messages.post": use("POST /chat/message", [{ message: "x" }], ["x"]),
  "messages.follow": use(`GET ${message}/stream`, ["x"], ["x"]),
  "messages.get": use(`GET ${message}`, ["x"], ["x"]),
  "messages.cancel": use(`POST ${message}/cancel`, ["x"], ["x"]),
  "messages.continue": use(`POST ${message}/continue`, ["x", decisions], ["x", decisions]),
  "messages.regenerate": use(`POST ${message}/regenerate`, ["x"], ["x"]),
  "messages.edit": use(`POST ${message}/edit`, ["x", { message: "y" }], ["x", "y"]),
  "messages.amend": use(`PATCH ${message}`, ["x", { message: "y" }], ["x"], { message: "y" }),
  "messages.delete": use(`DELETE ${message}`, ["x"], ["x"]),
  "messages.rate": use(`PUT ${message}/feedback`, ["x", { rating: "up" }], ["x", "up"]),
  "messages.history": use("GET /chat/history/{session_id}", ["x"], ["x"]),
  "messages.all": use("GET /chat/history/{session_id}", ["x"], ["x"]),
  "messages.search": use("GET /chat/search", [{ q: "x" }], ["x"]),
  "messages.attachment": use("GET /chat/attachments/{attachment_id}", ["x"], ["x"]),
  "sessions.create": use("POST /chat/session", [], []),
  "sessions.list": use("GET /sessions", [], []),
  "sessions.all": use("GET /sessions", [], []),
  "sessions.get": use(`GET ${session}`, ["x"], ["x"]),
  "sessions.update": use(`PATCH ${session}`, ["x", { pinned: true }], ["x"], { pinned: true }),
  "sessions.rename": use(`PATCH ${session}`, ["x", "y"], ["x", "y"]),
  "sessions.delete": use(`DELETE ${session}`, ["x"], ["x"]),
  "sessions.batch": use(
    "POST /sessions/batch",
    [{ session_ids: ["x"], operation: "archive" }],
    [["x"], "archive"],
  ),
  "sessions.fork": use(`POST ${session}/fork`, ["x", "y"], ["x", "y"]),
  "sessions.queue": use(`GET ${session}/queue`, ["x"], ["x"]),
  "sessions.stats": use("GET /sessions/user/{user_id}/stats", ["x"], ["x"]),
  "sessions.share": use(`POST ${session}/share`, ["x"], ["x"]),
  "sessions.shares": use(`GET ${session}/share`, ["x"], ["x"]),
  "sessions.endShare": use(`DELETE ${session}/share/{share_id}`, ["x", "y"], ["x", "y"]),
  "sessions.export": use(`GET ${session}/export`, ["x"], ["x"]),
  "sessions.export of all": use("GET /export", [null], []),
  "sessions.import": use("POST /import", [new Blob(["x"])], [sound]),
  "sessions.events": use("GET /sessions/events", [], []),
  "voice.send": use("POST /chat/voice", [{ audio: new Blob(["x"]) }], [sound]),
  "voice.transcribe": use("POST /chat/voice/transcribe", [new Blob(["x"])], [sound]),
  "voice.synthesize": use("POST /chat/voice/synthesize", [{ text: "x" }], ["x"]),
  "voice.audio": use("GET /chat/audio/{audio_id}", ["x"], ["x"]),
  "voice.voices": use("GET /chat/voices", [], []),
  // talk.test.ts: over the WebSocket.
  "voice.talk": use("", [], []),
  "memories.list": use("GET /chat/memories", [], []),
  "memories.forget": use("DELETE /chat/memories/{memory_id}", ["x"], ["x"]),
  "memories.forgetAll": use("DELETE /chat/memories", [], []),
  "knowledge.list": use("GET /chat/knowledge", [], []),
  "knowledge.add": use("POST /chat/knowledge/{knowledge_id}/documents", ["x", file], ["x", file]),
  "knowledge.remove": use(
    "DELETE /chat/knowledge/{knowledge_id}/documents/{document_id}",
    ["x", "y"],
    ["x", "y"],
  ),
};

const byRequest = "for administrators and their tools, by `request`";
const again = "an older name of what `sessions` does";
const monitoring = "for what watches over the service, not for programs of its users";
/** Operations that no method stands for, and why. */
const without: Readonly<Record<string, string>> = {
  "GET /chat/session/{session_id}/status": again,
  "DELETE /chat/session/{session_id}": again,
  "GET /chat/ws/info": "`voice.talk` knows what it says",
  "GET /audit": byRequest,
  "POST /api-keys": byRequest,
  "GET /api-keys": byRequest,
  "DELETE /api-keys/{key_id}": byRequest,
  "DELETE /usage": byRequest,
  "GET /feedback": byRequest,
  "POST /sessions/cleanup": byRequest,
  "GET /health/liveness": monitoring,
  "GET /health/readiness": monitoring,
  "GET /health/detailed": monitoring,
  "GET /health/metrics": monitoring,
};

/** Answers everything, and writes down what it was asked. */
async function startRecorder(templates: readonly string[]) {
  const asked: string[] = [];
  const patterns = templates.map((template) => {
    const [method = "", path = ""] = template.split(" ");
    // Names without braces stand in front of those that take any.
    return { template, test: new RegExp(`^${method} ${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`) };
  });
  patterns.sort(
    (left, right) => Number(left.template.includes("{")) - Number(right.template.includes("{")),
  );
  const server: Server = createServer((request, response) => {
    request.resume();
    const path = new URL(request.url ?? "", "http://x").pathname;
    const line = `${request.method} ${path}`;
    asked.push(patterns.find(({ test }) => test.test(line))?.template ?? line);
    const isStream = request.headers.accept === "text/event-stream";
    response.setHeader("Content-Type", isStream ? "text/event-stream" : "application/json");
    response.setHeader("X-Message-ID", "x");
    const page = { sessions: [], messages: [], pagination: { has_more: false } };
    const answer = { ...page, shares: [], agents: [], models: [], session_info: {} };
    response.end(
      isStream ? 'id: 1\ndata: {"type":"ready"}\n\ndata: [DONE]\n\n' : JSON.stringify(answer),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    take: () => asked.splice(0),
    close: () => server.close(),
  };
}

/** The methods of a client and of what hangs on it, by their names there. */
function methodsOf(client: object): string[] {
  return Object.entries(client).flatMap(([name, value]) =>
    typeof value === "function"
      ? [name]
      : Object.keys(value as object).map((inner) => `${name}.${inner}`),
  );
}

const nameOf = (key: string) => key.split(" ")[0] ?? "";
const methodNames = [...new Set(Object.keys(uses).map(nameOf))].toSorted();

/** As Python calls it. */
function pythonic(name: string): string {
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return /(^|\.)(import|continue)$/.test(snake) ? `${snake}_` : snake;
}

describe("what the clients can do", () => {
  let operations: string[];
  let recorder: Awaited<ReturnType<typeof startRecorder>>;

  beforeAll(async () => {
    const service = await startService();
    const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as ApiDocument;
    await service.stop();
    operations = Object.entries(document.paths)
      .filter(([path]) => !others.test(path))
      .flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
    recorder = await startRecorder(operations);
  });
  afterAll(() => recorder.close());

  it("is every operation of the API, but for those that are no matter of a user's program", () => {
    const reached = Object.values(uses).flatMap((each) => each.operations);
    expect([...new Set([...reached, ...Object.keys(without)])].toSorted()).toEqual(
      operations.toSorted(),
    );
    expect(reached.filter((operation) => operation in without)).toEqual([]);
  });

  it("is done by these methods of the TypeScript client", async () => {
    const client = createChatClient({ baseUrl: recorder.url });
    expect(methodsOf(client).toSorted()).toEqual(methodNames);
    for (const [key, { ts, operations: wanted }] of Object.entries(uses)) {
      if (key === "voice.talk") continue;
      const [group = "", inner] = nameOf(key).split(".");
      let method: unknown = (client as unknown as Record<string, unknown>)[group];
      if (inner !== undefined) method = (method as Record<string, unknown>)[inner];
      const made = (method as (...args: readonly unknown[]) => unknown)(...ts);
      if (Symbol.asyncIterator in Object(made)) {
        await (made as AsyncIterable<unknown>)[Symbol.asyncIterator]().next();
      } else await made;
      expect([key, recorder.take()]).toEqual([key, wanted]);
    }
  });

  it.skipIf(python === null).each(["async", "sync"] as const)(
    "is done by methods of the same names in Python, %s",
    async (mode) => {
      const py = await startPythonDriver(python as string, mode);
      await py.connect("x", recorder.url);
      for (const [key, { py: given, operations: wanted }] of Object.entries(uses)) {
        const name = pythonic(nameOf(key));
        if (key === "voice.talk") continue;
        if (key === "sessions.events") await py.listen("x", "ready", () => {});
        else await py.call("x", name, ...given);
        expect([key, recorder.take()]).toEqual([key, wanted]);
      }
      await py.close();
    },
  );
});

/** Members of a named interface and of those that it extends, as the source has them. */
async function membersOf(name: string, ...files: string[]): Promise<string[]> {
  const texts = await Promise.all(files.map((each) => readFile(join(source, each), "utf8")));
  const found = new RegExp(
    `interface ${name}\\b([^{]*)\\{([^]*?)\\n\\}|interface ${name}\\b([^{]*)\\{\\}`,
  ).exec(texts.join("\n"));
  const parents = (found?.[1] ?? found?.[3] ?? "").match(/[A-Z]\w+/g) ?? [];
  const own = [...(found?.[2] ?? "").matchAll(/^ {2}readonly (\w+)/gm)].map(
    ([, each = ""]) => each,
  );
  return [...own, ...(await Promise.all(parents.map((each) => membersOf(each, ...files)))).flat()];
}

describe.skipIf(python === null)("the Python client has what the TypeScript client has", () => {
  let surface: {
    readonly all: string[];
    readonly client: string[];
    readonly reply: string[];
    readonly talk: string[];
    readonly errors: Record<string, string[]>;
    readonly options: Record<string, string[]>;
  };

  beforeAll(async () => {
    const program = `
import inspect, json
import chat_service
from chat_service import _call, _talking

def public(of):
    return [name for name in dir(of) if not name.startswith("_")]

client = chat_service.ChatClient("http://x")
methods = []
for name in public(client):
    at = getattr(client, name)
    methods += [name] if callable(at) else [f"{name}.{inner}" for inner in public(at)]

def attributes(kind, made):
    return sorted(set(vars(made)) | set(public(kind)) - set(public(Exception)))

event = {"error": "", "error_type": "", "code": 1, "message_id": "", "full_response": ""}
print(json.dumps({
    "all": chat_service.__all__,
    "client": methods,
    "reply": public(chat_service.Reply),
    "talk": public(chat_service.Talk),
    "errors": {
        "ApiError": sorted(vars(chat_service.ApiError("", status=1))),
        "ReplyError": sorted(vars(chat_service.ReplyError(event))),
    },
    "options": {
        "ClientOptions": list(inspect.signature(chat_service.ChatClient).parameters),
        "SendOptions": [*_call.SendOptions.__annotations__],
        "TalkOptions": [*_talking.TalkOptions.__annotations__],
        "Pause": [*chat_service.Pause.__dataclass_fields__],
    },
}))`;
    const { stdout } = await run(python as string, ["-c", program], { env: pythonEnvironment });
    surface = JSON.parse(stdout) as typeof surface;
  });

  /** What is called otherwise, or there alone: with its reason. */
  const differs = (names: readonly string[], renamed: Readonly<Record<string, string | null>>) =>
    names
      .flatMap((name) => {
        const other = renamed[name];
        return other === null ? [] : [other ?? pythonic(name).replace(/_ms$/, "")];
      })
      .toSorted();

  it("methods of a client, a reply and a spoken conversation", () => {
    // Files and connections are closed there by hand.
    expect(surface.client.toSorted()).toEqual(differs([...methodNames, "close"], {}));
    const reply = [...Object.getOwnPropertyNames(package_.Reply.prototype), "accepted"].filter(
      (name) => name !== "constructor",
    );
    // A reply is there when it is accepted, and it is a loop itself.
    const accepted = ["sessionId", "messageId", "after"];
    expect(surface.reply.toSorted()).toEqual(
      differs([...reply, ...accepted], { accepted: null, events: null }),
    );
    const client = createChatClient({ baseUrl: "http://127.0.0.1:9" });
    const talk = client.voice.talk({ signal: AbortSignal.abort() });
    expect(surface.talk.toSorted()).toEqual(differs(Object.keys(talk), {}));
  });

  it("options", async () => {
    // Python's HTTP client is given whole, with all that may stand around its requests.
    const options = { around: null, fetch: "http_client", WebSocket: "websocket" };
    expect(surface.options["ClientOptions"]?.toSorted()).toEqual(
      differs(await membersOf("ClientOptions", "transport.ts"), options),
    );
    // Tasks are cancelled, and no page is left. The user may be another one for each call.
    const call = { signal: null, keepalive: null };
    const files = ["messages.ts", "reply.ts", "calls.ts", "transport.ts"];
    const send = [...new Set([...(await membersOf("SendOptions", ...files)), "userId"])];
    expect(surface.options["SendOptions"]?.toSorted()).toEqual(differs(send, call));
    expect(surface.options["TalkOptions"]?.toSorted()).toEqual(
      differs(await membersOf("TalkOptions", "talk.ts"), { ...call, silence_ms: "silence_ms" }),
    );
    expect(surface.options["Pause"]?.toSorted()).toEqual(
      differs(await membersOf("Pause", "retry.ts"), {}),
    );
  });

  it("errors", () => {
    const fault = { status: 1, type: "x", details: [], requestId: null, retryAfterSeconds: null };
    const api = Object.keys(new package_.ApiError("", fault));
    const event = { error: "", error_type: "", code: 1, message_id: "", full_response: "" };
    const reply = Object.keys(new package_.ReplyError(event));
    const renamed = { name: null };
    expect(surface.errors).toEqual({
      ApiError: differs([...api, "message"], renamed),
      ReplyError: differs([...reply, "message"], renamed),
    });
  });

  it("names of the package", async () => {
    const index = await readFile(join(source, "index.ts"), "utf8");
    const names = [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) =>
      list
        .split(",")
        .map((each) =>
          each
            .trim()
            .replace(/^type /, "")
            .replace(/^.* as /, ""),
        )
        .filter((each) => each !== ""),
    );
    // What a call is given and gives stands in its signature, or in api_types; a reply knows where it has led.
    const inSignatures = new Set(
      `Again Amendment Edit NewMessage Requirement SendOptions AcceptedReply StreamOptions Call
       CallOptions ClientOptions Recording NumberedReplyEvent NumberedSessionEvent`.split(/\s+/),
    );
    const wanted = names.flatMap((name) => {
      if (inSignatures.has(name)) return [];
      if (name === "createChatClient") return ["ChatClient"];
      return [/^[a-z]/.test(name) ? pythonic(name) : name];
    });
    const own =
      "Async.*|ChatServiceError|Detail|Download|File|Message|(Reply|Session)Event|SessionInfo|api_types";
    const theirs = surface.all.filter((name) => !new RegExp(`^(${own})$`).test(name));
    expect(theirs.toSorted()).toEqual([...new Set(wanted)].toSorted());
  });
});
