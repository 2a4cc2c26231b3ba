import { randomUUID } from "node:crypto";
import { recordingForm, users, type Belongings, type Caller, type SecurityStage } from "./stage.ts";

export interface Call {
  readonly path: string;
  readonly body?: object;
  readonly form?: FormData;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One way of calling a route, and what each caller gets. */
export interface Access {
  /** Method and pattern as the service registers them. */
  readonly route: string;
  readonly note?: string;
  readonly call: (mine: Belongings, stage: SecurityStage) => Call;
  readonly expected: Readonly<Record<Caller, number>>;
  /** The call changes what it is about: whoever may do it gets belongings of their own. */
  readonly consumes?: boolean;
  /** Nothing of anybody's: keys without any scope may read it too. */
  readonly needsNoAction?: boolean;
  /** Its answer has no end, where there is one. */
  readonly isEndless?: boolean;
  /** Those beside the owner who may do it do it for themselves: rows of theirs may appear. */
  readonly isForThemselves?: boolean;
}

const strangers = { anonymous: 401, expired: 401 } as const;
/** What belongs to the owner, and an administrator may look at. */
const owned = { ...strangers, owner: 200, other: 404, admin: 200, key: 404 } as const;
/** Sending is done in one's own name, by administrators too unless they name somebody. */
const ownedAlone = { ...owned, admin: 404 } as const;
const ownName = { ...strangers, owner: 200, other: 403, admin: 200, key: 403 } as const;
const signedIn = { ...strangers, owner: 200, other: 200, admin: 200, key: 200 } as const;
const refused = (status: number) => ({
  ...strangers,
  owner: status,
  other: status,
  admin: status,
  key: status,
});
const everybody = (status: number) => ({
  owner: status,
  other: status,
  anonymous: status,
  expired: status,
  admin: status,
  key: status,
});

const open = (path: string, status = 200, route = path): Access => ({
  route: `GET ${route}`,
  call: () => ({ path }),
  expected: everybody(status),
  needsNoAction: true,
});

const decisions = { decisions: [{ id: "call_1", approved: true }] };

const runOf = (threadId: string) => ({
  threadId,
  runId: randomUUID(),
  messages: [{ id: randomUUID(), role: "user", content: "Hi" }],
});

const chatOf = (id: string) => ({
  id,
  messages: [{ id: randomUUID(), role: "user", parts: [{ type: "text", text: "Hi" }] }],
});

const openWebUiChat = {
  id: "chat",
  chat: { history: { currentId: "a", messages: { a: { id: "a", role: "user", content: "Hi" } } } },
};

/** Every route of the service. A route that is not in here fails the test. HEAD is what GET is. */
export const accessTable: readonly Access[] = [
  open("/"),
  open("/info"),
  open("/health"),
  open("/health/liveness"),
  open("/health/readiness"),
  open("/health/detailed"),
  open("/health/metrics"),
  open("/health/config"),
  open("/metrics"),
  open("/openapi.json"),
  open("/docs"),
  open("/docs/json"),
  open("/docs/yaml"),
  open("/docs/static/index.html", 302),
  open("/docs/static/swagger-initializer.js"),
  open("/docs/static/theme/icon.svg"),
  open("/docs/static/swagger-ui.css", 200, "/docs/static/*"),
  open("/docs/static/../../package.json", 404, "/docs/static/*"),
  open("/assets/..%2f..%2f..%2fpackage.json", 404, "/assets/*"),
  open("/chat/ws/info"),
  open("/.well-known/agent-card.json"),
  // Who is calling is told in the handshake or after it; `websocket.test.ts` has what follows.
  open("/chat/ws", 404),
  // Without the built page it says so.
  { ...open("/status"), expected: everybody(0) },

  {
    route: "POST /chat/session",
    call: () => ({ path: "/chat/session", body: {} }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "POST /chat/session",
    note: "in the owner's name",
    call: () => ({ path: "/chat/session", body: { user_id: users.owner } }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "GET /chat/session/:session_id/status",
    call: ({ sessionId }) => ({ path: `/chat/session/${sessionId}/status` }),
    expected: owned,
  },
  {
    route: "GET /chat/session/:session_id/status",
    note: "in the owner's name",
    call: ({ sessionId }) => ({
      path: `/chat/session/${sessionId}/status?user_id=${users.owner}`,
    }),
    expected: ownName,
  },
  {
    route: "GET /sessions/events",
    call: () => ({ path: "/sessions/events" }),
    expected: signedIn,
    isEndless: true,
    // Where nothing was told yet, what is to come gets its number.
    isForThemselves: true,
  },
  {
    route: "GET /sessions/events",
    note: "in the owner's name",
    call: () => ({ path: `/sessions/events?user_id=${users.owner}` }),
    expected: ownName,
    isEndless: true,
  },
  {
    route: "GET /sessions",
    call: () => ({ path: "/sessions" }),
    expected: signedIn,
  },
  {
    route: "GET /sessions",
    note: "in the owner's name",
    call: () => ({ path: `/sessions?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "GET /sessions",
    note: "with the position of another session",
    call: ({ sessionId }) => {
      const position = { lastActivity: "2099-01-01T00:00:00.000000Z", sessionId };
      const cursor = Buffer.from(JSON.stringify(position)).toString("base64url");
      return { path: `/sessions?cursor=${cursor}` };
    },
    expected: signedIn,
  },
  {
    route: "GET /usage",
    call: () => ({ path: "/usage" }),
    expected: signedIn,
  },
  {
    route: "GET /usage",
    note: "in the owner's name",
    call: () => ({ path: `/usage?user_id=${users.owner}&group_by=model` }),
    expected: ownName,
  },
  {
    route: "GET /usage",
    note: "of a conversation, in the owner's name",
    call: ({ sessionId }) => ({
      path: `/usage?user_id=${users.owner}&session_id=${sessionId}`,
    }),
    expected: ownName,
  },
  {
    route: "GET /usage",
    note: "of all users",
    call: () => ({ path: "/usage?all_users=true" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
  },
  {
    route: "DELETE /usage",
    call: () => ({ path: `/usage?user_id=${users.owner}` }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
    consumes: true,
  },
  {
    route: "POST /api-keys",
    call: () => ({ path: "/api-keys", body: { name: "made-in-the-matrix" } }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
    consumes: true,
  },
  {
    route: "GET /audit",
    call: () => ({ path: "/audit" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
  },
  {
    route: "GET /api-keys",
    call: () => ({ path: "/api-keys" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
  },
  {
    route: "DELETE /api-keys/:key_id",
    call: ({ sessionId }) => ({ path: `/api-keys/${sessionId}` }),
    expected: { ...strangers, owner: 403, other: 403, admin: 404, key: 403 },
  },
  {
    route: "GET /chat/memories",
    call: () => ({ path: "/chat/memories" }),
    expected: signedIn,
  },
  {
    route: "GET /chat/memories",
    note: "in the owner's name",
    call: () => ({ path: `/chat/memories?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "DELETE /chat/memories/:memory_id",
    note: "that nobody has",
    call: () => ({ path: "/chat/memories/none.such" }),
    expected: refused(404),
  },
  {
    route: "DELETE /chat/memories/:memory_id",
    note: "in the owner's name",
    call: () => ({ path: `/chat/memories/none.such?user_id=${users.owner}` }),
    expected: { ...strangers, owner: 404, other: 403, admin: 404, key: 403 },
  },
  {
    route: "DELETE /chat/memories",
    call: () => ({ path: "/chat/memories" }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "DELETE /chat/memories",
    note: "in the owner's name",
    call: () => ({ path: `/chat/memories?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "GET /chat/knowledge",
    call: () => ({ path: "/chat/knowledge" }),
    expected: signedIn,
  },
  {
    route: "POST /chat/knowledge/:knowledge_id/documents",
    note: "that nobody has",
    call: () => ({
      path: "/chat/knowledge/none.such/documents",
      body: { name: "a.txt", media_type: "text/plain", data: "YQ==" },
    }),
    expected: { ...strangers, owner: 403, other: 403, admin: 404, key: 403 },
  },
  {
    route: "DELETE /chat/knowledge/:knowledge_id/documents/:document_id",
    note: "that nobody has",
    call: () => ({ path: "/chat/knowledge/none.such/documents/none" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 404, key: 403 },
  },
  {
    route: "GET /chat/search",
    call: () => ({ path: "/chat/search?q=a" }),
    expected: signedIn,
  },
  {
    route: "GET /chat/search",
    note: "in the owner's name, in a session",
    call: ({ sessionId }) => ({
      path: `/chat/search?q=a&user_id=${users.owner}&session_id=${sessionId}`,
    }),
    expected: ownName,
  },
  {
    route: "GET /sessions/:session_id",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}` }),
    expected: owned,
  },
  {
    route: "GET /sessions/:session_id",
    note: "in the owner's name",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "PATCH /sessions/:session_id",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}`, body: { title: "changed" } }),
    expected: owned,
    consumes: true,
  },
  {
    route: "PATCH /sessions/:session_id",
    note: "in the owner's name",
    call: ({ sessionId }) => ({
      path: `/sessions/${sessionId}?user_id=${users.owner}`,
      body: { status: "archived", metadata: { a: 1 } },
    }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "DELETE /sessions/:session_id",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}` }),
    expected: owned,
    consumes: true,
  },
  {
    route: "DELETE /chat/session/:session_id",
    call: ({ sessionId }) => ({ path: `/chat/session/${sessionId}` }),
    expected: owned,
    consumes: true,
  },
  ...(["delete", "archive", "activate"] as const).map((operation) => ({
    route: "POST /sessions/batch",
    note: `${operation}; the answer says for each whether it was found`,
    call: ({ sessionId }: Belongings) => ({
      path: "/sessions/batch",
      body: { session_ids: [sessionId], operation },
    }),
    expected: signedIn,
    consumes: true,
  })),
  {
    route: "POST /sessions/batch",
    note: "in the owner's name",
    call: ({ sessionId }) => ({
      path: "/sessions/batch",
      body: { session_ids: [sessionId], operation: "delete", user_id: users.owner },
    }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "GET /sessions/user/:user_id/stats",
    call: () => ({ path: `/sessions/user/${users.owner}/stats` }),
    expected: ownName,
  },
  {
    route: "POST /sessions/cleanup",
    call: () => ({ path: "/sessions/cleanup?dry_run=false&days_threshold=1" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
  },

  ...["/chat/message", "/chat/message/stream"].flatMap((path): Access[] => [
    {
      route: `POST ${path}`,
      call: ({ sessionId }) => ({ path, body: { session_id: sessionId, message: "hi" } }),
      expected: ownedAlone,
      consumes: true,
    },
    {
      route: `POST ${path}`,
      note: "in the owner's name",
      call: ({ sessionId }) => ({
        path,
        body: { session_id: sessionId, user_id: users.owner, message: "hi" },
      }),
      expected: ownName,
      consumes: true,
    },
    {
      route: `POST ${path}`,
      note: "without a session",
      call: () => ({ path, body: { message: "hi" } }),
      expected: signedIn,
      isForThemselves: true,
    },
  ]),
  {
    route: "GET /chat/message/:message_id",
    note: "a reply",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}` }),
    expected: owned,
  },
  {
    route: "GET /chat/message/:message_id",
    note: "a question",
    call: ({ messageId }) => ({ path: `/chat/message/${messageId}` }),
    expected: owned,
  },
  {
    route: "GET /chat/message/:message_id",
    note: "in the owner's name",
    call: ({ messageId }) => ({ path: `/chat/message/${messageId}?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "GET /chat/message/:message_id/stream",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}/stream` }),
    expected: owned,
  },
  {
    route: "GET /chat/message/:message_id/stream",
    note: "resumed",
    call: ({ replyId }) => ({
      path: `/chat/message/${replyId}/stream`,
      headers: { "last-event-id": "2" },
    }),
    expected: owned,
  },
  {
    route: "POST /v1/chat/completions",
    note: "in a session of the owner's, or one that others have under that name",
    call: ({ sessionId }) => ({
      path: "/v1/chat/completions",
      body: { model: "general-chat", messages: [{ role: "user", content: "Hi" }] },
      headers: { "x-session-id": sessionId, "x-user-id": users.owner },
    }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /v1/chat/completions",
    note: "answers for a reply that waits for nobody",
    call: ({ replyId }) => ({
      path: "/v1/chat/completions",
      body: {
        messages: [
          {
            role: "tool",
            tool_call_id: `call_${replyId.replaceAll("-", "")}_call_1`,
            content: "ok",
          },
        ],
      },
    }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  ...["POST /a2a", "POST /a2a/:agent_id", "POST /a2a/:agent_id/v1/:call"].map((route) => ({
    route,
    note: "the card for those who are let in; whose tasks are whose is in test/protocols/a2a.test.ts",
    call: () => ({
      path: route
        .slice("POST ".length)
        .replace(":agent_id", "general-chat")
        .replace(":call", "message:send"),
      body: { jsonrpc: "2.0", id: 1, method: "GetExtendedAgentCard" },
    }),
    expected: signedIn,
    needsNoAction: true,
  })),
  {
    route: "GET /a2a/:agent_id/.well-known/agent-card.json",
    call: () => ({ path: "/a2a/general-chat/.well-known/agent-card.json" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /ai/:agent_id",
    note: "in a chat of the owner's, or one that others have under that name",
    call: ({ sessionId }) => ({ path: "/ai/chat", body: chatOf(sessionId) }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /ai/:agent_id",
    note: "answers to a reply that waits for nobody",
    call: ({ replyId }) => ({
      path: "/ai/general-chat",
      body: {
        id: "a chat",
        messages: [
          {
            id: replyId,
            role: "assistant",
            parts: [
              {
                type: "dynamic-tool",
                toolCallId: `${replyId}_r1`,
                state: "approval-responded",
                approval: { id: `${replyId}_r1`, approved: true },
              },
            ],
          },
        ],
      },
    }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "GET /ai/:agent_id/:chat_id/stream",
    note: "to others the owner's chat is one that has not begun",
    call: ({ sessionId }) => ({ path: `/ai/general-chat/${sessionId}/stream` }),
    expected: { ...strangers, owner: 204, other: 204, admin: 204, key: 204 },
    isForThemselves: true,
  },
  {
    route: "GET /ai/:agent_id/:chat_id/stream",
    note: "a reply that is over",
    call: ({ sessionId, replyId }) => ({
      path: `/ai/general-chat/${sessionId}/stream?message_id=${replyId}`,
    }),
    expected: ownedAlone,
  },
  {
    route: "GET /ai/:agent_id/:chat_id/messages",
    note: "to others the owner's chat is one that has not begun",
    call: ({ sessionId }) => ({ path: `/ai/general-chat/${sessionId}/messages` }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "POST /ai/:agent_id/:chat_id/stop",
    note: "to others the owner's chat is one that has not begun",
    call: ({ sessionId }) => ({ path: `/ai/general-chat/${sessionId}/stop` }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "POST /agui/:agent_id",
    call: () => ({ path: "/agui/general-chat", body: runOf("a thread") }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /agui/:agent_id",
    note: "answers to a reply that waits for nobody",
    call: ({ replyId }) => ({
      path: "/agui/general-chat",
      body: {
        ...runOf("a thread"),
        resume: [{ interruptId: `${replyId}_r1`, status: "resolved", payload: true }],
      },
    }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "GET /copilotkit/info",
    call: () => ({ path: "/copilotkit/info" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /copilotkit/agent/:agent_id/run",
    call: () => ({ path: "/copilotkit/agent/general-chat/run", body: runOf("another thread") }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /copilotkit/agent/:agent_id/connect",
    note: "to others the owner's thread is one that has not begun",
    call: ({ sessionId }) => ({
      path: "/copilotkit/agent/general-chat/connect",
      body: runOf(sessionId),
    }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "POST /copilotkit/agent/:agent_id/stop/:thread_id",
    call: ({ sessionId }) => ({
      path: `/copilotkit/agent/general-chat/stop/${sessionId}`,
      body: {},
    }),
    expected: ownedAlone,
  },
  {
    route: "GET /copilotkit/threads",
    call: () => ({ path: "/copilotkit/threads" }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "PATCH /copilotkit/threads/:thread_id",
    call: ({ sessionId }) => ({
      path: `/copilotkit/threads/${sessionId}`,
      body: { name: "Renamed" },
    }),
    expected: ownedAlone,
  },
  {
    route: "POST /copilotkit/threads/:thread_id/archive",
    call: ({ sessionId }) => ({
      path: `/copilotkit/threads/${sessionId}/archive`,
      body: {},
    }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "DELETE /copilotkit/threads/:thread_id",
    call: ({ sessionId }) => ({ path: `/copilotkit/threads/${sessionId}` }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "POST /v1/responses",
    call: () => ({ path: "/v1/responses", body: { input: "Hi" } }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /v1/responses",
    note: "after a reply of the owner's",
    call: ({ replyId }) => ({
      path: "/v1/responses",
      body: { input: "Hi", previous_response_id: `resp_${replyId}` },
    }),
    // As elsewhere: one sends in one's own name.
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "POST /v1/responses",
    note: "in a conversation of the owner's",
    call: ({ sessionId }) => ({
      path: "/v1/responses",
      body: { input: "Hi", conversation: `conv_${sessionId}` },
    }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "POST /v1/responses",
    note: "decisions for a reply that waits for nobody",
    call: ({ replyId }) => ({
      path: "/v1/responses",
      body: {
        previous_response_id: `resp_${replyId}`,
        input: [{ type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: true }],
      },
    }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "GET /v1/responses/:response_id",
    call: ({ replyId }) => ({ path: `/v1/responses/resp_${replyId}` }),
    expected: owned,
  },
  {
    route: "GET /v1/responses/:response_id",
    note: "as a stream",
    call: ({ replyId }) => ({ path: `/v1/responses/resp_${replyId}?stream=true` }),
    expected: owned,
  },
  {
    route: "GET /v1/responses/:response_id/input_items",
    call: ({ replyId }) => ({ path: `/v1/responses/resp_${replyId}/input_items` }),
    expected: owned,
  },
  {
    route: "POST /v1/responses/:response_id/cancel",
    call: ({ replyId }) => ({ path: `/v1/responses/resp_${replyId}/cancel` }),
    expected: owned,
  },
  {
    route: "DELETE /v1/responses/:response_id",
    call: ({ replyId }) => ({ path: `/v1/responses/resp_${replyId}` }),
    expected: owned,
    consumes: true,
  },
  {
    route: "POST /v1/conversations",
    call: () => ({ path: "/v1/conversations", body: {} }),
    expected: signedIn,
    isForThemselves: true,
  },
  {
    route: "GET /v1/conversations/:conversation_id",
    call: ({ sessionId }) => ({ path: `/v1/conversations/conv_${sessionId}` }),
    expected: ownedAlone,
  },
  {
    route: "POST /v1/conversations/:conversation_id",
    call: ({ sessionId }) => ({
      path: `/v1/conversations/conv_${sessionId}`,
      body: { metadata: { topic: "x" } },
    }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "GET /v1/conversations/:conversation_id/items",
    call: ({ sessionId }) => ({ path: `/v1/conversations/conv_${sessionId}/items` }),
    expected: ownedAlone,
  },
  {
    route: "POST /v1/conversations/:conversation_id/items",
    call: ({ sessionId }) => ({
      path: `/v1/conversations/conv_${sessionId}/items`,
      body: { items: [{ type: "message", role: "user", content: "Said before." }] },
    }),
    expected: ownedAlone,
  },
  {
    route: "GET /v1/conversations/:conversation_id/items/:item_id",
    call: ({ sessionId, replyId }) => ({
      path: `/v1/conversations/conv_${sessionId}/items/msg_${replyId}`,
    }),
    expected: ownedAlone,
  },
  {
    route: "DELETE /v1/conversations/:conversation_id/items/:item_id",
    call: ({ sessionId, replyId }) => ({
      path: `/v1/conversations/conv_${sessionId}/items/msg_${replyId}`,
    }),
    expected: ownedAlone,
    consumes: true,
  },
  ...["POST /v1/responses/compact", "POST /v1/responses/input_tokens"].map((route) => ({
    route,
    call: () => ({ path: route.slice("POST ".length), body: {} }),
    expected: refused(400),
    needsNoAction: true,
  })),
  {
    route: "DELETE /v1/conversations/:conversation_id",
    call: ({ sessionId }) => ({ path: `/v1/conversations/conv_${sessionId}` }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "GET /v1/models",
    call: () => ({ path: "/v1/models" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "GET /v1/models/:model",
    call: () => ({ path: "/v1/models/general-chat" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /mcp",
    note: "the tools there are; what each gives to whom is in test/protocols/mcp.test.ts",
    call: () => ({
      path: "/mcp",
      body: { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
      headers: { accept: "application/json, text/event-stream" },
    }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /chat/message/:message_id/cancel",
    note: "a reply that is over",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}/cancel` }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "POST /chat/message/:message_id/continue",
    note: "a reply that waits for nobody",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}/continue`, body: decisions }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "POST /chat/message/:message_id/regenerate",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}/regenerate`, body: {} }),
    expected: owned,
    consumes: true,
  },
  {
    route: "POST /chat/message/:message_id/edit",
    call: ({ messageId }) => ({ path: `/chat/message/${messageId}/edit`, body: { message: "Hi" } }),
    expected: owned,
    consumes: true,
  },
  {
    route: "PATCH /chat/message/:message_id",
    note: "a message that does not wait",
    call: ({ messageId }) => ({ path: `/chat/message/${messageId}`, body: { message: "Hi" } }),
    expected: { ...owned, owner: 409, admin: 409 },
  },
  {
    route: "GET /sessions/:session_id/queue",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}/queue` }),
    expected: owned,
  },
  {
    route: "DELETE /chat/message/:message_id",
    call: ({ replyId }) => ({ path: `/chat/message/${replyId}` }),
    expected: owned,
    consumes: true,
  },
  {
    route: "POST /sessions/:session_id/fork",
    call: ({ sessionId, replyId }) => ({
      path: `/sessions/${sessionId}/fork`,
      body: { message_id: replyId },
    }),
    expected: owned,
    consumes: true,
  },
  {
    route: "POST /sessions/:session_id/share",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}/share`, body: {} }),
    expected: owned,
    consumes: true,
  },
  {
    route: "GET /sessions/:session_id/share",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}/share` }),
    expected: owned,
  },
  {
    route: "DELETE /sessions/:session_id/share/:share_id",
    call: ({ sessionId, shareId }) => ({ path: `/sessions/${sessionId}/share/${shareId}` }),
    expected: owned,
    consumes: true,
  },
  // Deliberately open: whoever knows an address that nobody can guess may read what its owner has shared under it.
  {
    route: "GET /share/:share_id",
    call: ({ shareId }) => ({ path: `/share/${shareId}` }),
    expected: everybody(200),
    needsNoAction: true,
  },
  {
    route: "GET /share/:share_id",
    note: "in the owner's name",
    call: ({ shareId }) => ({ path: `/share/${shareId}?user_id=${users.owner}` }),
    expected: everybody(200),
    needsNoAction: true,
  },
  {
    route: "GET /share/:share_id/files/:attachment_id",
    call: ({ shareId, attachmentId }) => ({ path: `/share/${shareId}/files/${attachmentId}` }),
    expected: everybody(200),
    needsNoAction: true,
  },
  {
    route: "GET /share/:share_id/files/:attachment_id",
    note: "shared without its files",
    call: ({ bareShareId, attachmentId }) => ({
      path: `/share/${bareShareId}/files/${attachmentId}`,
    }),
    expected: everybody(404),
    needsNoAction: true,
  },
  {
    route: "GET /sessions/:session_id/export",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}/export` }),
    expected: owned,
  },
  {
    route: "GET /sessions/:session_id/export",
    note: "as Markdown",
    call: ({ sessionId }) => ({ path: `/sessions/${sessionId}/export?format=markdown` }),
    expected: owned,
  },
  {
    route: "GET /export",
    call: () => ({ path: "/export" }),
    expected: signedIn,
  },
  {
    route: "GET /export",
    note: "of a user who is named",
    call: () => ({ path: `/export?user_id=${users.owner}` }),
    expected: ownName,
  },
  {
    route: "POST /import",
    call: () => ({ path: "/import", body: openWebUiChat }),
    expected: signedIn,
    consumes: true,
    isForThemselves: true,
  },
  {
    route: "POST /import",
    note: "in the owner's name",
    call: () => ({ path: `/import?user_id=${users.owner}`, body: openWebUiChat }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "PUT /chat/message/:message_id/feedback",
    call: ({ replyId }) => ({
      path: `/chat/message/${replyId}/feedback`,
      body: { rating: "up", comment: "mine" },
    }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "PUT /chat/message/:message_id/feedback",
    note: "in the owner's name",
    call: ({ replyId }) => ({
      path: `/chat/message/${replyId}/feedback?user_id=${users.owner}`,
      body: { rating: "down" },
    }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "GET /feedback",
    call: () => ({ path: "/feedback" }),
    expected: { ...strangers, owner: 403, other: 403, admin: 200, key: 403 },
  },
  {
    route: "GET /chat/history/:session_id",
    call: ({ sessionId }) => ({ path: `/chat/history/${sessionId}` }),
    expected: owned,
  },
  {
    route: "GET /chat/history/:session_id",
    note: "with a cursor",
    call: ({ sessionId, cursor }) => ({ path: `/chat/history/${sessionId}?cursor=${cursor}` }),
    expected: owned,
  },
  ...(["before", "after", "around"] as const).map((position) => ({
    route: "GET /chat/history/:session_id",
    note: `${position} a message`,
    call: ({ sessionId, messageId }: Belongings) => ({
      path: `/chat/history/${sessionId}?${position}=${messageId}`,
    }),
    expected: owned,
  })),
  {
    route: "GET /chat/history/:session_id",
    note: "searched",
    call: ({ sessionId }) => ({ path: `/chat/history/${sessionId}?q=recording&limit=1` }),
    expected: owned,
  },
  {
    route: "GET /chat/audio/:audio_id",
    call: ({ audioId }) => ({ path: `/chat/audio/${audioId}` }),
    expected: owned,
  },
  {
    route: "GET /chat/audio/:audio_id",
    note: "a part",
    call: ({ audioId }) => ({
      path: `/chat/audio/${audioId}`,
      headers: { range: "bytes=0-99" },
    }),
    expected: { ...owned, owner: 206, admin: 206 },
  },
  {
    route: "GET /chat/attachments/:attachment_id",
    call: ({ attachmentId }) => ({ path: `/chat/attachments/${attachmentId}` }),
    expected: owned,
  },

  {
    route: "GET /chat/agents",
    call: () => ({ path: "/chat/agents" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "GET /chat/models",
    call: () => ({ path: "/chat/models" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "GET /chat/voices",
    call: () => ({ path: "/chat/voices" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /chat/voice",
    call: ({ sessionId }, { recording }) => ({
      path: "/chat/voice",
      form: recordingForm(recording, { session_id: sessionId, enable_tts: "false" }),
    }),
    expected: ownedAlone,
    consumes: true,
  },
  {
    route: "POST /chat/voice",
    note: "in the owner's name",
    call: ({ sessionId }, { recording }) => ({
      path: "/chat/voice",
      form: recordingForm(recording, {
        session_id: sessionId,
        user_id: users.owner,
        enable_tts: "false",
      }),
    }),
    expected: ownName,
    consumes: true,
  },
  {
    route: "POST /chat/voice/transcribe",
    call: (_mine, { recording }) => ({
      path: "/chat/voice/transcribe",
      form: recordingForm(recording, {}),
    }),
    expected: signedIn,
  },
  {
    route: "POST /v1/audio/transcriptions",
    call: (_mine, { recording }) => {
      const form = new FormData();
      form.set("file", recordingForm(recording, {}).get("audio_file"));
      return { path: "/v1/audio/transcriptions", form };
    },
    expected: signedIn,
  },
  {
    route: "POST /copilotkit/transcribe",
    call: (_mine, { recording }) => {
      const form = new FormData();
      form.set("audio", recordingForm(recording, {}).get("audio_file"));
      return { path: "/copilotkit/transcribe", form };
    },
    expected: signedIn,
  },
  {
    route: "POST /v1/audio/speech",
    call: () => ({ path: "/v1/audio/speech", body: { input: "Yes.", voice: "alloy" } }),
    expected: signedIn,
  },
  {
    route: "GET /v1/audio/voices",
    call: () => ({ path: "/v1/audio/voices" }),
    expected: signedIn,
    needsNoAction: true,
  },
  {
    route: "POST /chat/voice/synthesize",
    call: () => ({ path: "/chat/voice/synthesize", body: { text: "Yes." } }),
    expected: signedIn,
  },
  {
    route: "POST /chat/voice/synthesize",
    note: "nothing",
    call: () => ({ path: "/chat/voice/synthesize", body: { text: " " } }),
    expected: refused(422),
  },
];
