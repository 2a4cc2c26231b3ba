import { randomUUID } from "node:crypto";
import { accessTable } from "../security/access-table.ts";
import { callId, createStates, statesEnv } from "../security/fuzz-states.ts";
import { nobodys, type SecurityStage } from "../security/stage.ts";
import { lastUserText, type RecordedRequest, type Turn } from "./openai-server.ts";
import { chatGptConversation } from "./foreign-exports.ts";
import type { ReplyStream } from "./reply-stream.ts";

/** What the service of `useEverything` is started with. */
export const everythingEnv: Readonly<Record<string, string>> = {
  MODELS_AGENTS: JSON.stringify([
    ...(JSON.parse(statesEnv["MODELS_AGENTS"] ?? "[]") as object[]),
    { id: "worker", name: "Worker", tools: ["calculator"] },
  ]),
  MODELS_CONTEXT_TOKENS: "4000",
  SESSIONS_TITLES: "model",
  SESSIONS_LONG_CONVERSATIONS: "summarise",
  SESSIONS_RETENTION_DAYS: "1",
  STREAMS_LEASE_SECONDS: "3",
  // Nobody takes them there.
  EVENTS_URL: "http://127.0.0.1:9",
  LIMITS_BUDGETS: JSON.stringify([{ scope: "user", period: "day", tokens: 1_000_000_000 }]),
  LIMITS_MAX_STORED_BYTES_PER_USER: "3000000",
  LIMITS_MAX_CONCURRENT_SESSIONS: "5000",
};

interface Sent {
  readonly session_id: string;
  readonly message_id: string;
  readonly user_message_id: string;
}

const text = { name: "a.txt", media_type: "text/plain", data: "YQ==" };

/** Has two nodes of a service do each thing that it can do for somebody, once or more. The second one is killed at last. */
export async function useEverything(stage: SecurityStage, second: SecurityStage): Promise<void> {
  const { owner, admin } = stage.clients;
  const gate = Promise.withResolvers<void>();
  const createBatch = createStates(stage, (request) => scripted(request, gate.promise));
  const mine = await stage.belongings();
  const states = await createBatch(0, mine.sessionId);

  /** Says something and waits for the answer. */
  const say = async (body: object, headers: Record<string, string> = {}): Promise<Sent> => {
    const { status, body: sent } = await owner.send<Sent>("POST", "/chat/message", body, headers);
    if (status !== 200) throw new Error(`no reply: ${status} ${JSON.stringify(sent)}`);
    return sent;
  };
  const sessionOf = async (messageId: string) =>
    (await owner.get<{ session_id: string }>(`/chat/message/${messageId}`)).body.session_id;

  await callEveryRoute(stage, mine);

  // What waits: told of, changed, taken out, answered together.
  const [queuedReply, queuedQuestion] = states.queuedIds as [string, string];
  const busyId = await sessionOf(queuedReply);
  await owner.get(`/sessions/${busyId}/queue`);
  await owner.send("PATCH", `/chat/message/${queuedQuestion}`, {
    message: "later still",
    attachments: [text],
  });
  const merging = async (message: string, more: object = {}) => {
    const stream = await owner.stream({ session_id: busyId, message, on_busy: "merge", ...more });
    await stream.next(({ type }) => type === "user_message");
    return stream;
  };
  const merged: ReplyStream[] = [
    await merging("one"),
    await merging("two", { attachments: [text] }),
  ];
  merged.push(await merging("three"));
  const joined = await owner.get<{ messages: { message_id: string; content: string }[] }>(
    `/sessions/${busyId}/queue`,
  );
  const two = joined.body.messages.find(({ content }) => content === "two");
  await owner.send("DELETE", `/chat/message/${two?.message_id}`);
  await owner.send("POST", `/chat/message/${queuedReply}/cancel`);
  states.release();
  await Promise.all(merged.map((stream) => stream.all()));
  await owner.send(
    "POST",
    `/chat/message/${merged[0]?.headers.get("x-message-id")}/regenerate`,
    {},
  );

  // A decision, and one in words.
  const [first, other] = states.pausedIds as [string, string];
  await owner.send(
    "POST",
    "/chat/message",
    {
      session_id: await sessionOf(first),
      message: "and what is this?",
    },
    { prefer: "respond-async" },
  );
  await owner.send("POST", `/chat/message/${first}/continue`, {
    decisions: [{ id: callId, approved: true }],
  });
  await say({ session_id: await sessionOf(other), message: "yes" });

  // A message that steers the reply that runs.
  const working = await owner.stream({ message: "add", agent_id: "worker" });
  const workingId = working.headers.get("x-message-id") ?? "";
  const steering = await owner.stream({
    session_id: await sessionOf(workingId),
    message: "in short",
    on_busy: "steer",
    attachments: [text],
  });
  gate.resolve();
  await Promise.all([working.all(), steering.all()]);

  // A long conversation, of which there is a summary; a title by a model; usage that comes near its budget.
  const { session_id: longId } = await say({ message: `0 ${"word ".repeat(800)}` });
  for (const turn of [1, 2, 3, 4, 5]) {
    await say({ session_id: longId, message: `${turn} ${"word ".repeat(800)}` });
  }
  await until(async () => {
    const { body } = await owner.get<{ messages: { message_id: string; role: string }[] }>(
      `/chat/history/${longId}`,
    );
    const summary = body.messages.find(({ role }) => role === "system");
    if (summary === undefined) return false;
    await owner.get(`/chat/message/${summary.message_id}`);
    return true;
  });
  await stage.clients.other.send("POST", "/chat/message", { message: "dear" });
  await stage.clients.other.send("POST", "/chat/message", { message: "and once more" });

  // Branches, files of theirs, copies.
  const withFile = await say({ message: "look", attachments: [text] });
  await owner.send("POST", `/chat/message/${withFile.user_message_id}/edit`, {
    message: "look again",
  });
  await owner.send("POST", `/chat/message/${withFile.message_id}/regenerate`, {});
  await owner.get(`/chat/history/${withFile.session_id}`);
  await owner.get(`/chat/message/${withFile.message_id}`);
  await owner.send("PATCH", `/sessions/${withFile.session_id}`, {
    head_message_id: withFile.message_id,
  });
  await owner.send("POST", `/sessions/${withFile.session_id}/fork`, {
    message_id: withFile.message_id,
  });
  await owner.send("PUT", `/chat/message/${withFile.message_id}/feedback`, { rating: "up" });
  await owner.send("PUT", `/chat/message/${withFile.message_id}/feedback`, { rating: null });
  await owner.send("PUT", `/chat/message/${withFile.message_id}/feedback`, { rating: "down" });

  // Every way of looking.
  const history = `/chat/history/${withFile.session_id}`;
  const since = "2020-01-01T00:00:00Z";
  for (const query of [
    "role=user",
    "agent_id=general-chat",
    `since=${since}`,
    `until=${since}`,
    "offset=1",
    "q=look",
    "limit=1",
    `q=look&role=user&since=${since}`,
  ])
    await owner.get(`${history}?${query}`);
  for (const query of [
    "status=active",
    "agent_id=worker",
    "pinned=true",
    "pinned=false",
    "tag=work",
    "pinned_first=true",
    "pinned_first=true&limit=1",
    "offset=2",
    "status=archived&agent_id=worker",
  ]) {
    const { body } = await owner.get<{ pagination?: { next_cursor?: string } }>(
      `/sessions?${query}`,
    );
    const cursor = body.pagination?.next_cursor;
    if (cursor !== undefined) await owner.get(`/sessions?${query}&cursor=${cursor}`);
  }
  for (const group of ["day", "agent", "model", "kind"]) {
    await owner.get(`/usage?group_by=${group}`);
    await owner.get(`/usage?group_by=${group}&session_id=${longId}`);
    await admin.get(`/usage?all_users=true&group_by=${group}&since=${since}`);
  }
  for (const query of [
    "actor=root",
    "subject=alice",
    "action=read_session",
    `since=${since}`,
    "limit=1",
    `until=${since}`,
    "key_name=carol",
    "outcome=done",
    "request_id=r",
  ]) {
    const { body } = await admin.get<{ next_cursor?: string | null }>(`/audit?${query}`);
    if (body.next_cursor) await admin.get(`/audit?${query}&cursor=${body.next_cursor}`);
  }
  for (const query of [
    "rating=up",
    "agent_id=general-chat",
    "agent_id=general-chat&rating=down",
    `since=${since}`,
    "limit=1",
    "rating=down&limit=1",
  ]) {
    const { body } = await admin.get<{ pagination?: { next_cursor?: string } }>(
      `/feedback?${query}`,
    );
    const cursor = body.pagination?.next_cursor;
    if (cursor !== undefined) await admin.get(`/feedback?${query}&cursor=${cursor}`);
  }
  await until(async () => {
    const { body } = await owner.get<{ results: object[] }>("/chat/search?q=look");
    return JSON.stringify(body).includes(withFile.session_id);
  });
  for (const query of [
    "q=look&role=user",
    `q=look&since=${since}`,
    "q=look&agent_id=worker",
    "q=look&status=active",
    "q=nowhere",
    `q=%22look again%22&session_id=${withFile.session_id}`,
  ]) {
    await owner.get(`/chat/search?${query}`);
  }

  // Conversations from files, twice: the second time they are there.
  const rated = await owner.get<object>(`/sessions/${withFile.session_id}/export`);
  for (const file of [
    ...states.files,
    ...states.files,
    JSON.stringify(rated.body),
    JSON.stringify(rated.body),
  ]) {
    await owner.send("POST", "/import", file);
  }
  for (const turns of [1, 3]) {
    const grown = [chatGptConversation({ number: 77, turns })];
    await owner.send("POST", "/import", grown);
  }
  await stage.clients.other.send("POST", "/import", JSON.stringify(rated.body));

  // The same request again.
  for (const [path, body] of [
    ["/chat/message", { message: "once" }],
    ["/chat/session", {}],
    ["/import", JSON.parse(states.files[1] ?? "[]")],
    [`/sessions/${withFile.session_id}/fork`, { message_id: withFile.message_id }],
  ] as const) {
    const headers = { "idempotency-key": `key of ${path}` };
    await owner.send("POST", path, body, headers);
    await owner.send("POST", path, body, headers);
  }

  // Other protocols, in conversations that have begun.
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello." },
    { role: "user", content: "Well?" },
  ];
  for (const headers of [{}, { "x-conversation-id": "a name" }] as Record<string, string>[]) {
    await owner.send("POST", "/v1/chat/completions", { model: "general-chat", messages }, headers);
    await owner.send(
      "POST",
      "/v1/chat/completions",
      {
        model: "general-chat",
        messages: [
          ...messages,
          { role: "assistant", content: "You said: Well?" },
          { role: "user", content: "So" },
        ],
      },
      headers,
    );
  }
  const rpc = (path: string, method: string, params: object, headers = {}) =>
    owner.send<{ result?: { task?: { id: string; contextId: string } } }>(
      "POST",
      path,
      { jsonrpc: "2.0", id: 1, method, params },
      { "a2a-version": "1.0", ...headers },
    );
  const message = { messageId: randomUUID(), role: "ROLE_USER", parts: [{ text: "Hi" }] };
  const task = await rpc("/a2a/general-chat", "SendMessage", { message });
  await rpc("/a2a/general-chat", "SendMessage", { message });
  await rpc("/a2a/general-chat", "GetTask", { id: task.body.result?.task?.id });
  await rpc("/a2a/general-chat", "ListTasks", { pageSize: 1 });
  await rpc("/a2a/general-chat", "ListTasks", {
    contextId: task.body.result?.task?.contextId,
    status: "TASK_STATE_COMPLETED",
  });
  const chat = {
    id: "a chat of ours",
    messages: [{ id: "q1", role: "user", parts: [{ type: "text", text: "Hi" }] }],
  };
  await owner.send("POST", "/ai/general-chat", chat);
  await owner.send("POST", "/ai/general-chat", { ...chat, trigger: "regenerate-message" });
  await owner.get("/ai/general-chat/a%20chat%20of%20ours/messages");

  await owner.send(
    "POST",
    "/v1/chat/completions",
    {
      model: "general-chat",
      messages: [
        { role: "user", content: "Something else" },
        { role: "assistant", content: "You said: So" },
        { role: "user", content: "Back there" },
      ],
    },
    { "x-conversation-id": "a name" },
  );
  const run = {
    threadId: "a thread of ours",
    runId: randomUUID(),
    messages: [{ id: randomUUID(), role: "user", content: "Hi" }],
  };
  await owner.send("POST", "/copilotkit/agent/general-chat/run", run);
  await owner.send("POST", "/copilotkit/agent/general-chat/connect", run);

  // Gone while its reply is made.
  const going = await owner.stream({ message: "for ever" });
  await going.next(({ type }) => type === "assistant_chunk");
  await owner.send(
    "DELETE",
    `/sessions/${await sessionOf(going.headers.get("x-message-id") ?? "")}`,
  );
  await going.all();

  // Keys of the service's own.
  const key = await admin.send<{
    api_key: { key_id: string };
    key: string;
  }>("POST", "/api-keys", {
    name: "short-lived",
    user_id: "alice",
  });
  await fetch(`${stage.service.url}/sessions`, { headers: { "x-api-key": key.body.key } });
  await admin.send("DELETE", `/api-keys/${key.body.api_key.key_id}`);

  // More than a user may keep.
  await owner.send("POST", "/chat/message", {
    message: "too much",
    attachments: [
      {
        name: "b.txt",
        media_type: "text/plain",
        data: Buffer.alloc(3_000_000, "a").toString("base64"),
      },
    ],
  });

  // Devices that follow, and come back.
  await followDevices(stage);

  // A reply of the other node: followed from here, cancelled from here, and one that its node is killed with.
  second.model.setRespond((request) => scripted(request, gate.promise) ?? { tokens: ["well"] });
  const [theirs, lost] = [
    await second.clients.owner.stream({ message: "for ever" }),
    await second.clients.owner.stream({ message: "for ever" }),
  ];
  await Promise.all(
    [theirs, lost].map((stream) => stream.next(({ type }) => type === "assistant_chunk")),
  );
  const theirId = theirs.headers.get("x-message-id") ?? "";
  const watched = await owner.follow(theirId);
  await watched.next(({ type }) => type === "assistant_chunk");
  await owner.send("POST", `/chat/message/${theirId}/cancel`);
  await watched.all();
  await until(async () => {
    const { body } = await owner.get(`/chat/message/${lost.headers.get("x-message-id")}`);
    return JSON.stringify(body).includes('"content":"a b ');
  });
  await second.service.kill();
  await until(async () => {
    const { body } = await owner.get(`/chat/message/${lost.headers.get("x-message-id")}`);
    return JSON.stringify(body).includes('"interrupted"');
  });
  await owner.send("DELETE", `/chat/message/${nobodys().messageId}`);
  await admin.get("/metrics");
}

/** Writers of titles and summaries ask the same model: what it says follows from what it is asked. */
function scripted(request: RecordedRequest, released: Promise<void>): Turn | null {
  const said = lastUserText(request);
  const { messages = [] } = request.body as { messages?: readonly { role: string }[] };
  const isFirst = messages.filter(({ role }) => role === "tool").length === 0;
  if (said === "add" && isFirst) {
    const call = { id: "sum", name: "calculator", arguments: { expression: "2+3" } };
    return { tokens: ["Let me see."], toolCalls: [call], pace: () => released };
  }
  if (said === "dear") {
    return { tokens: ["dear"], usage: { prompt_tokens: 850_000_000, completion_tokens: 1 } };
  }
  if (said === "for ever") return { tokens: ["a ", "b "], delayMs: 20, fault: { kind: "hang" } };
  return null;
}

async function followDevices(stage: SecurityStage): Promise<void> {
  const open = (after?: string) =>
    fetch(`${stage.service.url}/sessions/events`, {
      headers: { ...stage.headers.owner, ...(after !== undefined && { "last-event-id": after }) },
    });
  // One who has nothing yet.
  const none = await fetch(`${stage.service.url}/sessions/events`, { headers: stage.headers.key });
  await none.body?.cancel();
  const seen = await open();
  await stage.clients.owner.send("POST", "/chat/message", { message: "tell my devices" });
  const reader = seen.body?.getReader();
  let text = "";
  while (!text.includes("reply_ended")) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) break;
    text += Buffer.from(piece.value).toString();
  }
  await reader?.cancel();
  const ids = [...text.matchAll(/^id: ?(\S+)$/gm)].map(([, id]) => id ?? "");
  const again = await open(ids[1]);
  await again.body?.getReader().read();
  await again.body?.cancel().catch(() => undefined);
}

/** As the owner, or as an administrator what the owner may not. */
async function callEveryRoute(
  stage: SecurityStage,
  mine: Awaited<ReturnType<SecurityStage["belongings"]>>,
): Promise<void> {
  for (const access of accessTable) {
    const isOf = (caller: "owner" | "admin") =>
      access.expected[caller] < 300 && access.expected[caller] > 0;
    const caller = (["owner", "admin"] as const).find(isOf);
    if (caller === undefined) continue;
    const call = access.call(access.consumes === true ? await stage.belongings() : mine, stage);
    const response = await fetch(stage.service.url + call.path, {
      method: access.route.split(" ")[0] ?? "",
      headers: {
        ...stage.headers[caller],
        ...call.headers,
        ...(call.body !== undefined && { "content-type": "application/json" }),
      },
      body: call.form ?? (call.body !== undefined ? JSON.stringify(call.body) : null),
    });
    if (access.isEndless === true) await response.body?.cancel();
    else await response.text();
  }
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 300; look += 1) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it has not come about");
}
