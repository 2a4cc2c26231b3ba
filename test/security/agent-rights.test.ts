import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { connectSocket } from "../support/web-socket-client.ts";
import { recordingForm, startSecurityStage, users, type SecurityStage } from "./stage.ts";

interface Told {
  readonly status: number;
  readonly body: unknown;
}

/** Somebody's client, with a conversation of his: a complete reply, a message that waits behind one that runs. */
interface Scene {
  readonly client: Client;
  readonly headers: Readonly<Record<string, string>>;
  readonly sessionId: string;
  readonly messageId: string;
  readonly replyId: string;
  readonly waitingId: string;
  readonly busyId: string;
}

const body = async (answer: Promise<{ status: number; body: unknown }>): Promise<Told> => {
  const { status, body: told } = await answer;
  return { status, body: told };
};

/** Every way to name an agent, over HTTP by method and pattern. A route that takes one and is not in here fails the test. */
const ways: Readonly<
  Record<string, (scene: Scene, agentId: string, stage: SecurityStage) => Promise<Told>>
> = {
  "POST /chat/session": ({ client }, agent_id) =>
    body(client.send("POST", "/chat/session", { agent_id })),
  "PATCH /sessions/:session_id": ({ client, sessionId }, agent_id) =>
    body(client.send("PATCH", `/sessions/${sessionId}`, { agent_id })),
  "POST /chat/message": ({ client }, agent_id) =>
    body(client.send("POST", "/chat/message", { message: "hi", agent_id })),
  "POST /chat/message, in a session": ({ client, sessionId }, agent_id) =>
    body(client.send("POST", "/chat/message", { session_id: sessionId, message: "hi", agent_id })),
  "POST /chat/message/stream": ({ client }, agent_id) =>
    body(client.send("POST", "/chat/message/stream", { message: "hi", agent_id })),
  "POST /chat/message/:message_id/regenerate": ({ client, replyId }, agent_id) =>
    body(client.send("POST", `/chat/message/${replyId}/regenerate`, { agent_id })),
  "POST /chat/message/:message_id/edit": ({ client, messageId }, agent_id) =>
    body(client.send("POST", `/chat/message/${messageId}/edit`, { message: "ho", agent_id })),
  "PATCH /chat/message/:message_id": ({ client, waitingId }, agent_id) =>
    body(client.send("PATCH", `/chat/message/${waitingId}`, { message: "ho", agent_id })),
  "WebSocket chat": (scene, agent_id) => said(scene, { type: "chat", message: "hi", agent_id }),
  "WebSocket regenerate": (scene, agent_id) =>
    said(scene, { type: "regenerate", message_id: scene.replyId, agent_id }),
  "WebSocket edit": (scene, agent_id) =>
    said(scene, { type: "edit", message_id: scene.messageId, message: "ho", agent_id }),
  "POST /chat/voice": async ({ client, headers }, agent_id, { recording }) => {
    const form = recordingForm(recording, { agent_id, enable_tts: "false" });
    const answer = await fetch(`${client.url}/chat/voice`, { method: "POST", headers, body: form });
    return { status: answer.status, body: await answer.json() };
  },
  "GET /v1/models/:model": ({ client }, agentId) => body(client.get(`/v1/models/${agentId}`)),
  "POST /v1/chat/completions": ({ client }, model) =>
    body(
      client.send("POST", "/v1/chat/completions", {
        model,
        messages: [{ role: "user", content: "hi" }],
      }),
    ),
  "POST /v1/responses": ({ client }, model) =>
    body(client.send("POST", "/v1/responses", { model, input: "hi" })),
  "POST /ai/:agent_id": ({ client }, agentId) =>
    body(
      client.send("POST", `/ai/${agentId}`, {
        id: crypto.randomUUID(),
        messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "hi" }] }],
      }),
    ),
  "GET /ai/:agent_id/:chat_id/stream": ({ client }, agentId) =>
    body(client.get(`/ai/${agentId}/a-chat/stream`)),
  "GET /ai/:agent_id/:chat_id/messages": ({ client }, agentId) =>
    body(client.get(`/ai/${agentId}/a-chat/messages`)),
  "POST /ai/:agent_id/:chat_id/stop": ({ client }, agentId) =>
    body(client.send("POST", `/ai/${agentId}/a-chat/stop`)),
  "POST /a2a/:agent_id": async ({ client }, agentId) => {
    const message = { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text: "hi" }] };
    const call = { jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message } };
    const { body: told } = await client.send<{ error?: object }>("POST", `/a2a/${agentId}`, call);
    // The answer to a call says inside what is not there.
    return { status: told.error === undefined ? 200 : 404, body: told };
  },
  "POST /a2a/:agent_id/v1/:call": ({ client }, agentId) => {
    const message = { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text: "hi" }] };
    const call = { jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message } };
    return body(client.send("POST", `/a2a/${agentId}/v1/message:send`, call));
  },
  "GET /a2a/:agent_id/.well-known/agent-card.json": ({ client }, agentId) =>
    body(client.get(`/a2a/${agentId}/.well-known/agent-card.json`)),
  "POST /agui/:agent_id": ({ client }, agentId) => agUi(client, `/agui/${agentId}`),
  "POST /copilotkit/agent/:agent_id/run": ({ client }, agentId) =>
    agUi(client, `/copilotkit/agent/${agentId}/run`),
};

/** Of these, what is no agent gives nothing. */
const filters = [
  "/sessions?",
  "/chat/search?q=hi&",
  "/usage?group_by=agent&",
  "/chat/history/SESSION?",
  "/chat/memories?",
];

/** Read or stop what there is in a thread, whoever has answered there. */
const ofThreads = /^POST \/copilotkit\/agent\/:agent_id\/(?:connect|stop)/;

const agUi = (client: Client, path: string) =>
  body(
    client.send("POST", path, {
      threadId: crypto.randomUUID(),
      runId: crypto.randomUUID(),
      state: {},
      messages: [{ id: "m", role: "user", content: "hi" }],
      tools: [],
      context: [],
      forwardedProps: {},
    }),
  );

async function said({ client, headers }: Scene, message: object): Promise<Told> {
  const socket = connectSocket(`${client.url}/chat/ws`, { ...headers });
  await socket.next(({ type }) => type === "connection_established");
  socket.send(message);
  const told = await socket.next(
    ({ type }) => type === "error" || type === "conversation_complete",
  );
  socket.socket.close();
  return { status: told.type === "error" ? (told["code"] as number) : 200, body: told };
}

/** But for which request it was, when, and the name that was asked for. */
function particulars({ status, body: told }: Told, agentId: string): string {
  return `${status} ${JSON.stringify(told)}`
    .replaceAll(/"(request_id|timestamp)":"[^"]*"/g, "")
    .replaceAll(agentId, "AGENT");
}

describe("an agent that one may not use does not exist", () => {
  let stage: SecurityStage;
  let everything: Scene;
  let limited: Scene;

  beforeAll(async () => {
    const agent = (id: string) => ({ id, name: id, description: id, instructions: id });
    stage = await startSecurityStage({
      MODELS_AGENTS: JSON.stringify(["secret", "open", "open-too"].map(agent)),
      MODELS_DEFAULT_AGENTS: "false",
      SESSIONS_DEFAULT_AGENT: "secret",
    });
    const scene = async (permissions?: string[]): Promise<Scene> => {
      const claims = { sub: users.owner, ...(permissions && { permissions }) };
      const headers = { authorization: `Bearer ${await stage.signToken(claims, 86_400)}` };
      const client = createClient(stage.service.url, headers);
      const { body: sent } = await client.send<Record<string, string>>("POST", "/chat/message", {
        message: "hi",
        agent_id: "open",
      });
      stage.model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
      const busy = await client.send<Record<string, string>>(
        "POST",
        "/chat/message",
        { message: "wait", agent_id: "open" },
        { prefer: "respond-async" },
      );
      const waiting = await client.send<Record<string, string>>(
        "POST",
        "/chat/message",
        { session_id: busy.body["session_id"], message: "then", agent_id: "open" },
        { prefer: "respond-async" },
      );
      return {
        client,
        headers,
        sessionId: sent["session_id"] ?? "",
        replyId: sent["message_id"] ?? "",
        messageId: sent["user_message_id"] ?? "",
        waitingId: waiting.body["user_message_id"] ?? "",
        busyId: busy.body["message_id"] ?? "",
      };
    };
    everything = await scene();
    limited = await scene(["agents:open*:run", "send_message"]);
  });
  afterAll(async () => {
    // What hangs would keep the service from ending.
    for (const { client, busyId, waitingId } of [everything, limited]) {
      await client.send("DELETE", `/chat/message/${waitingId}`);
      await client.send("POST", `/chat/message/${busyId}/cancel`);
    }
    await stage.stop();
  });

  it("every way to name one is in here", async () => {
    interface Operation {
      readonly requestBody?: object;
      readonly parameters?: readonly { readonly name: string; readonly in: string }[];
    }
    const { body: document } = await everything.client.get<{
      paths: Record<string, Record<string, Operation>>;
    }>("/openapi.json");
    const missing: string[] = [];
    for (const [path, operations] of Object.entries(document.paths)) {
      const pattern = path.replaceAll(/{(\w+)}/g, ":$1");
      for (const [method, { requestBody, parameters = [] }] of Object.entries(operations)) {
        const named =
          JSON.stringify(requestBody ?? {}) + (path.includes("{agent_id}") ? '"agent_id":' : "");
        const takes =
          // What speaks and listens is no agent.
          named.includes('"agent_id":') || /^\/v1\/(?!conv|audio).*"model":/.test(path + named);
        const way = `${method.toUpperCase()} ${pattern}`;
        if (takes && !(way in ways) && !ofThreads.test(way)) missing.push(way);
        const isFilter = parameters.some(
          ({ name, in: where }) => name === "agent_id" && where === "query",
        );
        const isKnown = filters.some(
          (filter) => filter.split("?")[0] === path.replace(/{\w+}/, "SESSION"),
        );
        if (isFilter && !isKnown && path !== "/feedback") missing.push(`filter ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it.each(Object.keys(ways))("%s", async (name) => {
    const way = ways[name]!;
    const [known, other] = [
      await way(limited, "secret", stage),
      await way(limited, "nobody", stage),
    ];
    expect(known.status).toBe(404);
    expect(JSON.stringify(known.body)).toMatch(/agent_not_found|model_not_found/);
    expect(particulars(known, "secret")).toBe(particulars(other, "nobody"));
    // The way is one, and the limit is what closes it.
    expect((await way(limited, "open-too", stage)).status).toBeLessThan(300);
    expect((await way(everything, "secret", stage)).status).toBeLessThan(300);
  });

  it("no list has it", async () => {
    for (const path of ["/chat/agents", "/v1/models"]) {
      const all = JSON.stringify((await everything.client.get(path)).body);
      const seen = JSON.stringify((await limited.client.get(path)).body);
      expect(all).toContain('"secret"');
      expect(seen).not.toContain("secret");
      expect(seen).toContain('"open-too"');
    }
    const tools = async ({ client }: Scene) => {
      const params = { name: "list_agents", arguments: {} };
      const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
      const accept = { accept: "application/json, text/event-stream" };
      return JSON.stringify((await client.send("POST", "/mcp", body, accept)).body);
    };
    expect(await tools(everything)).toContain("secret");
    expect(await tools(limited)).not.toContain("secret");
    expect(await tools(limited)).toContain("open-too");
  });

  it("the default is one of those that there are", async () => {
    const made = async ({ client }: Scene) => {
      const { body: answer } = await client.send<{ session_info: { agent_id: string } }>(
        "POST",
        "/chat/session",
        {},
      );
      return answer.session_info.agent_id;
    };
    expect(await made(everything)).toBe("secret");
    expect(await made(limited)).toBe("open");
    const claims = { sub: users.owner, permissions: ["agents:gone:run"] };
    const authorization = `Bearer ${await stage.signToken(claims, 86_400)}`;
    const none = await everything.client.send("POST", "/chat/session", {}, { authorization });
    expect(none.status).toBe(404);
    expect(JSON.stringify(none.body)).not.toContain("secret");
  });

  it("what is imported with it goes to the default", async () => {
    const { body: sent } = await everything.client.send<{ session_id: string }>(
      "POST",
      "/chat/message",
      { message: "hi", agent_id: "open" },
    );
    const exported = await everything.client.get(`/sessions/${sent.session_id}/export`);
    const text = JSON.stringify(exported.body);
    const imported = async (agentId: string) => {
      const other = text
        .replaceAll('"open"', `"${agentId}"`)
        .replaceAll(sent.session_id, crypto.randomUUID());
      const { body: result } = await limited.client.send<{
        conversations: { session_id: string }[];
      }>("POST", "/import", other);
      const id = result.conversations[0]?.session_id;
      return (await limited.client.get<{ agent_id: string }>(`/sessions/${id}`)).body.agent_id;
    };
    expect(await imported("open-too")).toBe("open-too");
    expect(await imported("secret")).toBe(await imported("nobody"));
  });

  it("a conversation with it can be read, and not gone on with", async () => {
    const { body: sent } = await everything.client.send<Record<string, string>>(
      "POST",
      "/chat/message",
      { message: "hi", agent_id: "secret" },
    );
    const { session_id: sessionId, message_id: replyId, user_message_id: messageId } = sent;
    const { body: made } = await everything.client.send<{ session_id: string }>(
      "POST",
      "/chat/session",
      { agent_id: "secret" },
    );
    expect((await limited.client.get(`/chat/history/${sessionId}`)).status).toBe(200);
    const refused = [
      await limited.client.send("POST", "/chat/message", {
        session_id: made.session_id,
        message: "more",
      }),
      await limited.client.send("POST", `/chat/message/${replyId}/regenerate`, {
        agent_id: "secret",
      }),
      await limited.client.send("POST", `/chat/message/${messageId}/edit`, {
        message: "ho",
        agent_id: "secret",
      }),
    ];
    for (const { status, body: told } of refused) {
      expect(status).toBe(404);
      expect(told).toMatchObject({ error: { type: "agent_not_found" } });
    }
    // Another agent may go on with it.
    const again = await limited.client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "more",
      agent_id: "open",
    });
    expect(again.status).toBe(200);
  });

  it.each(filters)("as a filter of %s it finds what an unknown one finds", async (path) => {
    const at = (scene: Scene, agentId: string) =>
      scene.client.get(`${path.replace("SESSION", scene.sessionId)}agent_id=${agentId}`);
    await everything.client.send("POST", "/chat/message", { message: "hi", agent_id: "secret" });
    const [known, other] = [await at(limited, "secret"), await at(limited, "nobody")];
    expect(known.status).toBe(200);
    expect(particulars(known, "secret")).toBe(particulars(other, "nobody"));
  });

  it("a reply goes on when the right for its agent is taken away", async () => {
    stage.model.enqueue({ tokens: ["a", "b"] });
    const stream = await everything.client.stream({ message: "hi", agent_id: "secret" });
    const first = await stream.next((event) => event.type === "assistant_chunk");
    const replyId = first["message_id"] as string;
    // Whoever has lost the right reads on, and may stop it.
    const viewer = await limited.client.follow(replyId);
    expect((await viewer.all()).at(-1)).toMatchObject({ type: "conversation_complete" });
  });
});
