import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  Role,
  StreamResponse,
  TaskState,
  type Message,
  type Part,
  type SendMessageConfiguration,
  type Task,
} from "@a2a-js/sdk";
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  type Client,
} from "@a2a-js/sdk/client";
import { TaskNotCancelableError, TaskNotFoundError } from "@a2a-js/sdk/errors";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { pythonWith } from "../support/python.ts";

/** Replies to `slow` go on when this is resolved. */
let gate = Promise.withResolvers<void>();
let acted: ActedService;
beforeAll(async () => {
  acted = await startActedService(
    {
      ...scripts,
      slow: async function* () {
        yield { type: "text", text: "Begun. " };
        await gate.promise;
        yield { type: "text", text: "Ended." };
        yield { type: "finish", reason: "stop" };
      },
    },
    { SERVER_HEARTBEAT_SECONDS: "0.2" },
  );
});
afterAll(() => acted.close());

let user: string;
beforeEach(() => {
  user = randomUUID();
  gate = Promise.withResolvers<void>();
});

const versions = ["1.0", "0.3"] as const;
type Version = (typeof versions)[number];

/** Each request as this user, of that version only. */
function asUser(version: Version, as = user): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set("x-user-id", as);
    if (version === "0.3") headers.delete("a2a-version");
    return fetch(input, { ...init, headers });
  };
}

async function clientOf(version: Version, path = "/a2a/actor/"): Promise<Client> {
  const fetchImpl = asUser(version);
  const legacyCompat = { enabled: version === "0.3" };
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [new JsonRpcTransportFactory({ fetchImpl, legacyCompat })],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl, legacyCompat }),
    }),
  );
  if (version === "1.0") return factory.createFromUrl(`${acted.url}${path}`);
  // As servers of 0.3 alone say it.
  const card = await new DefaultAgentCardResolver({ fetchImpl }).resolve(`${acted.url}${path}`);
  const interfaces = card.supportedInterfaces.filter((each) => each.protocolVersion === version);
  return factory.createFromAgentCard({ ...card, supportedInterfaces: interfaces });
}

function saying(said: string | Part[], more: Partial<Message> = {}): Message {
  return {
    messageId: randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts:
      typeof said === "string" ? [{ ...emptyPart, content: { $case: "text", value: said } }] : said,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  };
}

const emptyPart = { metadata: undefined, filename: "", mediaType: "" };

function asking(message: Message, more: Partial<SendMessageConfiguration> = {}) {
  const configuration = {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    returnImmediately: false,
    ...more,
  };
  return { tenant: "", message, configuration, metadata: undefined };
}

const send = async (client: Client, message: Message, more = {}): Promise<Task> => {
  const answer = await client.sendMessage(asking(message, more));
  if (!("status" in answer)) throw new Error("a message came instead of a task");
  return answer;
};

const textOf = (task: Pick<Task, "artifacts">, id = "text") =>
  task.artifacts
    .filter(({ artifactId }) => artifactId === id)
    .flatMap(({ parts }) => parts)
    .map(({ content }) => (content?.$case === "text" ? content.value : ""))
    .join("");

/** What a client has that has taken in all of a stream. */
function gathered(events: readonly StreamResponse[]) {
  const artifacts = new Map<string, Task["artifacts"][number]>();
  const states: TaskState[] = [];
  let first: Task | undefined;
  for (const { payload } of events) {
    if (payload?.$case === "task") {
      first = payload.value;
      for (const each of payload.value.artifacts) artifacts.set(each.artifactId, each);
      if (payload.value.status) states.push(payload.value.status.state);
    } else if (payload?.$case === "statusUpdate") {
      if (payload.value.status) states.push(payload.value.status.state);
    } else if (payload?.$case === "artifactUpdate" && payload.value.artifact) {
      const { artifact, append } = payload.value;
      const before = append ? (artifacts.get(artifact.artifactId)?.parts ?? []) : [];
      artifacts.set(artifact.artifactId, { ...artifact, parts: [...before, ...artifact.parts] });
    }
  }
  const last = events.at(-1)?.payload;
  return { first, states, last, text: textOf({ artifacts: [...artifacts.values()] }), artifacts };
}

async function all(stream: AsyncIterable<StreamResponse>): Promise<StreamResponse[]> {
  const events: StreamResponse[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function rpc(
  body: unknown,
  { path = "/a2a/actor", ...headers }: Record<string, string> & { path?: string } = {},
) {
  const response = await fetch(`${acted.url}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-User-Id": user, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { response, text };
}

interface RpcError {
  readonly jsonrpc: string;
  readonly id: unknown;
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly data?: { metadata?: { type?: string } }[];
  };
}

const call = (method: string, params: unknown, id: unknown = 7) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

describe.each(versions)("the official client of version %s", (version) => {
  it("asks an agent, goes on in its conversation, and asks for the task again", async () => {
    const client = await clientOf(version);
    const task = await send(client, saying("everything"));
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(textOf(task)).toBe("First. 你好, world.");
    expect(task.metadata).toEqual({
      chat_service: {
        agent_id: "actor",
        finish_reason: "stop",
        usage: { input_tokens: 7, output_tokens: 11 },
      },
    });
    const next = await send(client, saying("replaced", { contextId: task.contextId }));
    expect(next.contextId).toBe(task.contextId);
    expect(textOf(next)).toBe("Right words and more");
    const { body } = await acted.native.get<{ messages: { content: string }[] }>(
      `/chat/history/${task.contextId}`,
    );
    expect(body.messages.map(({ content }) => content)).toEqual([
      "everything",
      "First. 你好, world.",
      "replaced",
      "Right words and more",
    ]);
    const again = await client.getTask({ tenant: "", id: task.id });
    expect(again).toEqual(task);
    const short = await client.getTask({ tenant: "", id: task.id, historyLength: 0 });
    expect(short.history).toEqual([]);
  });

  it("follows a reply to its end", async () => {
    const client = await clientOf(version);
    for (const [word, text] of [
      ["everything", "First. 你好, world."],
      ["replaced", "Right words and more"],
      ["extended", "Right words"],
    ] as const) {
      const events = await all(client.sendMessageStream(asking(saying(word))));
      const { states, text: told, last } = gathered(events);
      expect(told).toBe(text);
      expect(states).toContain(TaskState.TASK_STATE_WORKING);
      expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(last?.$case).toBe("statusUpdate");
    }
  });

  it("has conversations under its own names", async () => {
    const client = await clientOf(version);
    const contextId = `trip to Oslo ${randomUUID()}`;
    const task = await send(client, saying("extended", { contextId }));
    expect(task.contextId).toBe(contextId);
    const next = await send(client, saying("everything", { contextId }));
    expect(next.contextId).toBe(contextId);
    expect((await client.getTask({ tenant: "", id: next.id })).contextId).toBe(contextId);
    const { body } = await acted.native.get<{ sessions: { message_count: number }[] }>(
      `/sessions?user_id=${user}`,
    );
    expect(body.sessions.map(({ message_count: count }) => count)).toEqual([4]);
  });

  it("is asked back, and answers with the task's id", async () => {
    const client = await clientOf(version);
    const task = await send(client, saying("confirm"));
    expect(task.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    expect(textOf(task)).toBe("May I? ");
    const asked = task.status?.message?.parts ?? [];
    expect(asked.map(({ content }) => content)).toEqual([
      { $case: "text", value: 'actor wants to use erase with {"what":"all"}. May it?' },
      {
        $case: "data",
        value: {
          requirements: [{ id: "r1", kind: "confirm", tool: "erase", arguments: { what: "all" } }],
        },
      },
    ]);
    await expect(
      client.sendMessage(asking(saying("I do not know", { taskId: task.id }))),
    ).rejects.toThrow(/yes or no/);
    const answer = saying("No.", { taskId: task.id, contextId: task.contextId });
    const done = await send(client, answer);
    expect(acted.decided.at(-1)).toEqual([{ id: "r1", approved: false }]);
    expect(done.id).toBe(task.id);
    expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(textOf(done)).toBe("May I? Done.");
    // The same answer once more has long been taken.
    const decided = acted.decided.length;
    expect(textOf(await send(client, answer))).toBe("May I? Done.");
    expect(acted.decided).toHaveLength(decided);
    await expect(client.sendMessage(asking(saying("yes", { taskId: task.id })))).rejects.toThrow(
      /has ended/,
    );
  });

  it("gives what is asked for as values, and follows what comes of it", async () => {
    const client = await clientOf(version);
    const asked = gathered(await all(client.sendMessageStream(asking(saying("external")))));
    expect(asked.states.at(-1)).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    const taskId = asked.last?.$case === "statusUpdate" ? asked.last.value.taskId : "";
    const decisions = [
      { id: "e1", approved: true, result: "open" },
      { id: "i1", approved: true, result: { age: 7 } },
    ];
    const part: Part = { ...emptyPart, content: { $case: "data", value: { decisions } } };
    const { states, text, first } = gathered(
      await all(client.sendMessageStream(asking(saying([part], { taskId })))),
    );
    expect(acted.decided.at(-1)).toEqual(decisions);
    expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(text).toBe("Your turn. Done.");
    expect(first?.id ?? taskId).toBe(taskId);
  });

  it("stops a task, and is told what cannot be stopped", async () => {
    const client = await clientOf(version);
    const task = await send(client, saying("waits"), { returnImmediately: true });
    expect([TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING]).toContain(
      task.status?.state,
    );
    const stopped = await client.cancelTask({ tenant: "", id: task.id, metadata: undefined });
    expect(stopped.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    await expect(
      client.cancelTask({ tenant: "", id: task.id, metadata: undefined }),
    ).rejects.toThrow(TaskNotCancelableError);
    await expect(client.getTask({ tenant: "", id: randomUUID() })).rejects.toThrow(
      TaskNotFoundError,
    );
    await expect(client.getTask({ tenant: "", id: "x" })).rejects.toThrow(TaskNotFoundError);
  });

  it("comes back to a task that runs: with its text so far, and then the rest", async () => {
    const client = await clientOf(version);
    const stream = client.sendMessageStream(asking(saying("slow")));
    let taskId = "";
    const seen: StreamResponse[] = [];
    for await (const event of stream) {
      seen.push(event);
      const { payload } = event;
      if (payload?.$case === "task") taskId = payload.value.id;
      if (payload?.$case === "statusUpdate") taskId = payload.value.taskId;
      if (gathered(seen).text !== "") break;
    }
    const events = client.resubscribeTask({ tenant: "", id: taskId });
    const first = await events.next();
    const begun = first.value as StreamResponse;
    expect(gathered([begun])).toMatchObject({
      first: { id: taskId },
      text: "Begun. ",
      states: [TaskState.TASK_STATE_WORKING],
    });
    // A while in which nothing is said but that it lives.
    setTimeout(() => gate.resolve(), 500);
    const { text, states } = gathered([begun, ...(await all(events))]);
    expect(text).toBe("Begun. Ended.");
    expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
    await expect(client.resubscribeTask({ tenant: "", id: taskId }).next()).rejects.toThrow(
      /has ended/,
    );
  });

  it("sends files, and is told what agents have made", async () => {
    const client = await clientOf(version);
    const file: Part = {
      content: { $case: "raw", value: Buffer.from("hello") },
      metadata: undefined,
      filename: "a.txt",
      mediaType: "text/plain",
    };
    const said: Part = { ...emptyPart, content: { $case: "text", value: "members" } };
    const task = await send(client, saying([said, file]));
    const media = task.artifacts.filter(({ artifactId }) => artifactId !== "text");
    expect(media.map(({ parts }) => parts[0]?.content)).toEqual([
      { $case: "url", value: "https://example.com/a.png" },
    ]);
    const { body } = await acted.native.get<{
      messages: { attachments?: { name: string; size: number }[] }[];
    }>(`/chat/history/${task.contextId}`);
    expect(body.messages[0]?.attachments).toMatchObject([{ name: "a.txt", size: 5 }]);
    const remote: Part = { ...emptyPart, content: { $case: "url", value: "http://x/y.png" } };
    await expect(client.sendMessage(asking(saying([remote])))).rejects.toThrow(/not fetched/);
  });

  it("is told of faults", async () => {
    const client = await clientOf(version);
    const task = await send(client, saying("fails"));
    expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(textOf(task)).toBe("Half ");
    expect(task.status?.message?.parts[1]?.content).toMatchObject({
      value: { error: { type: "internal_error" } },
    });
    const push = { tenant: "", id: "", taskId: task.id, url: "https://x", token: "" };
    await expect(
      client.sendMessage(
        asking(saying("x"), {
          taskPushNotificationConfig: { ...push, authentication: undefined },
        }),
      ),
    ).rejects.toThrow(/subscribe/);
  });

  it("asks once, however often the same message comes", async () => {
    const client = await clientOf(version);
    const before = acted.runs();
    const message = saying("everything");
    const tasks = await Promise.all([send(client, message), send(client, message)]);
    const { text } = gathered(await all(client.sendMessageStream(asking(message))));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1);
    expect(text).toBe("First. 你好, world.");
    expect(acted.runs()).toBe(before + 1);
    await expect(
      client.sendMessage(asking({ ...message, parts: saying("members").parts })),
    ).rejects.toThrow(/Idempotency/i);
  });
});

describe("of 1.0", () => {
  it("lists the tasks of a user, newest first", async () => {
    const client = await clientOf("1.0");
    const one = await send(client, saying("extended one"));
    const two = await send(client, saying("fails", { contextId: one.contextId }));
    const three = await send(client, saying("extended three"));
    const list = (more: object) =>
      client.listTasks({
        tenant: "",
        contextId: "",
        status: TaskState.TASK_STATE_UNSPECIFIED,
        pageToken: "",
        statusTimestampAfter: undefined,
        ...more,
      });
    const page = await list({ includeArtifacts: true });
    expect(page.tasks.map(({ id }) => id)).toEqual([three.id, two.id, one.id]);
    expect(page).toMatchObject({ totalSize: 3, pageSize: 3, nextPageToken: "" });
    expect(page.tasks[0]).toEqual(three);
    expect((await list({})).tasks[0]?.artifacts).toEqual([]);
    const first = await list({ pageSize: 2 });
    const rest = await list({ pageSize: 2, pageToken: first.nextPageToken });
    expect([...first.tasks, ...rest.tasks].map(({ id }) => id)).toEqual([three.id, two.id, one.id]);
    expect(rest.nextPageToken).toBe("");
    expect((await list({ contextId: one.contextId })).tasks).toHaveLength(2);
    expect((await list({ contextId: "nowhere" })).tasks).toEqual([]);
    const failed = await list({ status: TaskState.TASK_STATE_FAILED });
    expect(failed.tasks.map(({ id }) => id)).toEqual([two.id]);
    const later = new Date(Date.now() + 60_000).toISOString();
    expect((await list({ statusTimestampAfter: later })).tasks).toEqual([]);
    await expect(list({ pageSize: 101 })).rejects.toThrow(/1 to 100/);
    await expect(list({ pageToken: "x" })).rejects.toThrow(/cursor/);
    user = randomUUID();
    const other = await clientOf("1.0");
    await expect(other.getTask({ tenant: "", id: one.id })).rejects.toThrow(TaskNotFoundError);
  });

  it("tells each event in the shape of the protocol", async () => {
    for (const word of Object.keys(scripts)) {
      if (word === "waits") continue;
      const message = { messageId: randomUUID(), role: "ROLE_USER", parts: [{ text: word }] };
      const { text, response } = await rpc(call("SendStreamingMessage", { message }));
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      expect(text).not.toContain("[DONE]");
      const frames = text.split("\n\n").filter((frame) => frame !== "");
      for (const frame of frames) {
        const { result, ...envelope } = JSON.parse(frame.replace("data: ", "")) as {
          result: object;
        };
        expect(envelope).toEqual({ jsonrpc: "2.0", id: 7 });
        // Nothing is in it that the protocol does not know.
        expect(StreamResponse.toJSON(StreamResponse.fromJSON(result))).toEqual(result);
      }
    }
  });
});

describe("cards", () => {
  const cardAt = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${acted.url}${path}`, { headers });
    return { status: response.status, card: (await response.json()) as Record<string, unknown> };
  };

  it("are read by clients of both versions", async () => {
    const path = "/a2a/actor/.well-known/agent-card.json";
    const { card } = await cardAt(path);
    expect(card).toMatchObject({
      name: "Actor",
      url: `${acted.url}/a2a/actor`,
      protocolVersion: "0.3",
      preferredTransport: "JSONRPC",
      supportedInterfaces: [
        { url: `${acted.url}/a2a/actor`, protocolBinding: "JSONRPC", protocolVersion: "1.0" },
        { url: `${acted.url}/a2a/actor`, protocolBinding: "JSONRPC", protocolVersion: "0.3" },
      ],
      capabilities: { streaming: true },
      skills: [{ id: "actor", name: "Actor", description: "Does what the script says" }],
    });
    const current = await cardAt(path, { "A2A-Version": "1.0" });
    expect(current.card).not.toHaveProperty("protocolVersion");
    expect(current.card["supportedInterfaces"]).toEqual(card["supportedInterfaces"]);
    expect((await cardAt("/.well-known/agent-card.json")).card).toMatchObject({
      name: "Actor",
      url: `${acted.url}/a2a`,
    });
    const unknown = await cardAt("/a2a/nobody/.well-known/agent-card.json");
    expect(unknown).toMatchObject({
      status: 404,
      card: { error: { data: [{ metadata: { type: "agent_not_found" } }] } },
    });
  });
});

describe("a request", () => {
  it("of no version follows its method, and of an unknown one is refused", async () => {
    const v1 = { messageId: randomUUID(), role: "ROLE_USER", parts: [{ text: "extended" }] };
    const v0 = { ...v1, role: "user", parts: [{ kind: "text", text: "extended" }] };
    const of = async (method: string, said: object, headers: Record<string, string> = {}) => {
      const message = { ...said, messageId: randomUUID() };
      const { text } = await rpc(call(method, { message }), headers);
      return JSON.parse(text) as RpcError & { result: Record<string, unknown> };
    };
    expect((await of("SendMessage", v1)).result).toHaveProperty("task");
    expect((await of("message/send", v0)).result).toMatchObject({ kind: "task" });
    expect((await of("SendMessage", v1, { "A2A-Version": "1.0.0" })).result).toHaveProperty("task");
    expect((await of("SendMessage", v1, { "A2A-Version": "2.0" })).error.code).toBe(-32_009);
    expect((await of("message/send", v0, { "A2A-Version": "1.0" })).error.code).toBe(-32_601);
    expect((await of("SendMessage", v1, { path: "/a2a" })).result).toHaveProperty("task");
    expect((await of("SendMessage", v1, { path: "/a2a/actor/" })).result).toHaveProperty("task");
  });

  it("of any other shape is refused in the protocol's own", async () => {
    const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "x" }] };
    const wrong: [unknown, number, string][] = [
      [call("SendMessage", {}), -32_602, "message"],
      [call("SendMessage", { message: { ...message, messageId: "" } }), -32_602, "messageId"],
      [call("SendMessage", { message: { ...message, messageId: "\u0001" } }), -32_602, "messageId"],
      [
        call("SendMessage", { message: { ...message, contextId: "x".repeat(257) } }),
        -32_602,
        "contextId",
      ],
      [call("SendMessage", { message: { ...message, role: "ROLE_AGENT" } }), -32_602, "role"],
      [call("SendMessage", { message: { ...message, parts: [] } }), -32_602, "say something"],
      [call("SendMessage", { message: { ...message, parts: [{}] } }), -32_602, "parts/0"],
      [
        call("SendMessage", { message: { ...message, parts: [{ text: "x".repeat(200_000) }] } }),
        -32_602,
        "characters",
      ],
      [call("SendMessage", { message: { ...message, taskId: "x" } }), -32_001, ""],
      [call("SendMessage", { message: { ...message, parts: [{ raw: "" }] } }), -32_602, "Base64"],
      [call("message/send", { message: 7 }), -32_602, ""],
      [
        call("message/send", { message: { ...message, role: "user", parts: [{ kind: "file" }] } }),
        -32_602,
        "",
      ],
      [call("SendMessage", []), -32_602, ""],
      [call("NoSuchMethod", {}), -32_601, ""],
      [call("CreateTaskPushNotificationConfig", { taskId: "x", url: "https://x" }), -32_003, ""],
      [{ jsonrpc: "1.0", method: "GetTask" }, -32_602, ""],
      [[], -32_602, ""],
      ["{", -32_700, ""],
    ];
    for (const [body, code, told] of wrong) {
      const { text } = await rpc(body);
      const answer = JSON.parse(text) as RpcError;
      expect(answer.jsonrpc, text).toBe("2.0");
      expect([code, -32_600], `${JSON.stringify(body).slice(0, 200)} ${text}`).toContain(
        answer.error.code,
      );
      expect(answer.error.message).toContain(told);
    }
    const unknown = await rpc(call("SendMessage", { message }), { path: "/a2a/nobody" });
    expect(JSON.parse(unknown.text)).toMatchObject({
      id: 7,
      error: { code: -32_000, data: [{ metadata: { type: "agent_not_found" } }] },
    });
    const get = await fetch(`${acted.url}/a2a/actor`);
    expect(get.status).toBe(405);
    expect(await get.json()).toMatchObject({ jsonrpc: "2.0", error: { message: /POST/ } });
  });
});

const isRequired = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("python");

describe.each([
  ["a2a-python", ["a2a-sdk[http-server]==1.3.0"], "a2a_client.py"],
  ["a2a-python-0.3", ["a2a-sdk==0.3.26", "httpx"], "a2a_client_0_3.py"],
])("the official Python client: %s", async (name, packages, program) => {
  const made = await pythonWith(name, packages, packages.join());
  if ("missing" in made) {
    if (isRequired) throw new Error(`the Python client: ${made.missing}`);
    console.warn(`SKIPPED: the Python client: ${made.missing}`);
  }

  it.skipIf("missing" in made)(
    "asks, decides and reads, with streams and without",
    async () => {
      if ("missing" in made) return;
      const path = join(import.meta.dirname, program);
      const { stdout } = await promisify(execFile)(made.python, [path, acted.url]);
      const isNew = name === "a2a-python";
      const text = "First. 你好, world.";
      const state = (word: string) =>
        isNew ? `TASK_STATE_${word.toUpperCase().replace("-", "_")}` : word;
      const seen = {
        everything: text,
        asked: state("input-required"),
        decided: [state("completed"), "May I? Done."],
        ...(isNew && { stored: text, ended: state("completed") }),
      };
      expect(JSON.parse(stdout)).toEqual({
        name: "Actor",
        ...(isNew ? { refused: "UnsupportedOperationError" } : { version: "0.3" }),
        streaming: seen,
        whole: seen,
      });
    },
    120_000,
  );
});

it("nothing of it is there where it is switched off", async () => {
  const elsewhere = await startActedService(scripts, { PROTOCOLS_A2A: "false" });
  for (const path of ["/a2a/actor/.well-known/agent-card.json", "/.well-known/agent-card.json"]) {
    const { status } = await elsewhere.native.get(path);
    expect(status, path).toBe(404);
  }
  const { status } = await elsewhere.native.send("POST", "/a2a/actor", {});
  expect(status).toBe(404);
  await elsewhere.close();
});
