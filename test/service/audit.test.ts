import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const secretKey = "a secret for tests, 32 bytes or more";
const planted = "what alice wrote to nobody else";
const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Entry {
  readonly entry_id: string;
  readonly actor: string | null;
  readonly action: string;
  readonly subject: string | null;
  readonly target: Readonly<Record<string, string>>;
  readonly outcome: string;
}

describe.each([
  ["embedded", async (): Promise<string | null> => null],
  ["postgres", async (): Promise<string | null> => (await postgres?.freshDatabase()) ?? null],
] as const)("the audit log, on %s", (kind, database) => {
  if (kind === "postgres" && postgres === null) return;
  let service: TestService;
  let url: string | null;
  let client: Client;
  let alice: Record<string, string>;
  let root: Record<string, string>;

  const bearer = async (sub: string, roles: string[] = []) => ({
    authorization: `Bearer ${await new SignJWT({ sub, roles })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(secretKey))}`,
  });

  beforeAll(async () => {
    url = await database();
    service = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_SECRET_KEY: secretKey,
        ...(url !== null && { DATABASE_URL: url }),
      },
    });
    client = createClient(service.url);
    alice = await bearer("alice");
    root = await bearer("root", ["admin"]);
  });
  afterAll(() => service.stop());

  /** What `act` has left, oldest first; of reading it, which is noted too, nothing. */
  const notedBy = async (act: () => Promise<unknown>): Promise<Entry[]> => {
    const before = await entries("limit=1");
    await act();
    const after = await entries("limit=500");
    const from = before[0]?.entry_id ?? "";
    return after
      .filter(({ entry_id: id, action }) => id > from && action !== "GET /audit")
      .toReversed();
  };
  const entries = async (query: string) =>
    (await client.get<{ entries: Entry[] }>(`/audit?${query}`, root)).body.entries;
  const conversation = async () => {
    const { body } = await client.send<Record<string, string>>(
      "POST",
      "/chat/message",
      { message: planted, agent_id: "guide" },
      alice,
    );
    return { sessionId: body["session_id"] ?? "", replyId: body["message_id"] ?? "" };
  };

  it.each([
    ["GET", "/sessions/SESSION", undefined, "/sessions/:session_id"],
    ["PATCH", "/sessions/SESSION", { title: planted }, "/sessions/:session_id"],
    ["GET", "/chat/history/SESSION", undefined, "/chat/history/:session_id"],
    ["GET", "/sessions/SESSION/export", undefined, "/sessions/:session_id/export"],
    ["GET", "/chat/message/REPLY", undefined, "/chat/message/:message_id"],
    ["GET", "/chat/message/REPLY/stream", undefined, "/chat/message/:message_id/stream"],
    ["GET", "/sessions?user_id=alice", undefined, "/sessions"],
    ["GET", "/export?user_id=alice", undefined, "/export"],
    ["GET", "/chat/search?user_id=alice&q=wrote", undefined, "/chat/search"],
    ["GET", "/sessions/user/alice/stats", undefined, "/sessions/user/:user_id/stats"],
    ["GET", "/usage?user_id=alice", undefined, "/usage"],
    ["GET", "/chat/memories?user_id=alice", undefined, "/chat/memories"],
    ["POST", "/chat/message", { user_id: "alice", message: planted }, "/chat/message"],
    ["POST", "/sessions/SESSION/share", {}, "/sessions/:session_id/share"],
    ["DELETE", "/chat/message/REPLY", undefined, "/chat/message/:message_id"],
    ["DELETE", "/sessions/SESSION", undefined, "/sessions/:session_id"],
    ["DELETE", "/usage?user_id=alice", undefined, "/usage"],
    [
      "POST",
      "/sessions/batch",
      { session_ids: ["SESSION"], operation: "delete" },
      "/sessions/batch",
    ],
  ])("%s %s of another user's", async (method, path, body, route) => {
    const { sessionId, replyId } = await conversation();
    const fill = (text: string) => text.replace("SESSION", sessionId).replace("REPLY", replyId);
    const noted = await notedBy(async () => {
      const given = body && (JSON.parse(fill(JSON.stringify(body))) as object);
      const answer = await client.send(method, fill(path), given, {
        ...root,
        "x-request-id": "r1",
      });
      expect(answer.status).toBe(200);
    });
    const about = noted.filter(({ subject }) => subject === "alice");
    expect(about.length).toBeGreaterThan(0);
    for (const entry of noted) {
      expect(entry).toMatchObject({
        actor: "root",
        action: `${method} ${route}`,
        outcome: "allowed",
        request_id: "r1",
        address: expect.stringMatching(/127\.0\.0\.1|::1/),
      });
      expect(JSON.stringify(entry)).not.toContain(planted);
    }
    if (JSON.stringify([path, body]).includes("SESSION")) {
      expect(JSON.stringify(about)).toContain(sessionId);
    }
    // What is one's own is nobody's business, and neither is what is refused.
    const none = await notedBy(async () => {
      const own = await conversation();
      await client.get(`/sessions/${own.sessionId}`, alice);
      await client.get(`/sessions/${own.sessionId}`, await bearer("bob"));
      await client.get("/sessions?user_id=alice", await bearer("bob"));
      await client.get("/sessions", root);
    });
    expect(none).toEqual([]);
  });

  it.each([
    ["GET", "/usage?all_users=true", "/usage", 200],
    ["GET", "/feedback", "/feedback", 200],
    ["POST", "/sessions/cleanup", "/sessions/cleanup", 200],
    ["GET", "/api-keys", "/api-keys", 200],
    [
      "DELETE",
      "/chat/knowledge/k/documents/d",
      "/chat/knowledge/:knowledge_id/documents/:document_id",
      404,
    ],
  ])("%s %s is an administrator's", async (method, path, route, status) => {
    const outcomes = status === 200 ? ["allowed"] : ["allowed", "failed"];
    const noted = await notedBy(async () => {
      const headers = { ...root, "x-request-id": `r ${path}`.replaceAll(/\W/g, "-") };
      expect((await client.send(method, path, undefined, headers)).status).toBe(status);
      expect((await client.send(method, path, undefined, alice)).status).toBe(403);
      // That something failed is noted when it has been answered.
      const own = `request_id=${headers["x-request-id"]}`;
      while ((await entries(own)).length < outcomes.length) continue;
    });
    expect(noted.map(({ outcome }) => outcome)).toEqual(outcomes);
    for (const entry of noted) {
      expect(entry).toMatchObject({ actor: "root", subject: null, action: `${method} ${route}` });
    }
  });

  it("who may change what agents look things up in is told so, which is nothing to note", async () => {
    const noted = await notedBy(async () => {
      for (const [headers, mayChange] of [
        [root, true],
        [alice, false],
      ] as const) {
        const { body } = await client.get("/chat/knowledge", headers);
        expect(body).toMatchObject({ success: true, may_change: mayChange });
      }
    });
    expect(noted).toEqual([]);
  });

  it("over a WebSocket too", async () => {
    const { sessionId, replyId } = await conversation();
    const noted = await notedBy(async () => {
      const socket = connectSocket(`${service.url}/chat/ws`, root);
      await socket.next(({ type }) => type === "connection_established");
      socket.send({ type: "resume", message_id: replyId });
      await socket.next(({ type }) => type === "conversation_complete");
      socket.send({ type: "chat", user_id: "alice", session_id: sessionId, message: planted });
      await socket.next(({ type }) => type === "conversation_complete", socket.messages.length);
      socket.socket.close();
    });
    expect(noted).toMatchObject([
      { action: "GET /chat/ws", subject: "alice", target: { message_id: replyId } },
      { action: "GET /chat/ws", subject: "alice", target: {} },
    ]);
  });

  it("keys that are made and revoked are noted with them; who acts for users is not", async () => {
    let id = "";
    const noted = await notedBy(async () => {
      const made = await client.send<{ key: string; api_key: { key_id: string } }>(
        "POST",
        "/api-keys",
        { name: "front", acts_for_users: true },
        root,
      );
      id = made.body.api_key.key_id;
      const acting = { "x-api-key": made.body.key, "x-user-id": "alice" };
      expect((await client.send("POST", "/chat/session", {}, acting)).status).toBe(200);
      await client.send("DELETE", `/api-keys/${id}`, undefined, root);
    });
    expect(noted).toMatchObject([
      { action: "POST /api-keys", subject: "front", target: { key_id: id, name: "front" } },
      { action: "DELETE /api-keys/:key_id", subject: "front", target: { key_id: id } },
    ]);
  });

  it("is read by administrators, in pages, by what one looks for, and as lines", async () => {
    const all = await entries("limit=500");
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await client.get<{
        entries: Entry[];
        pagination: { next_cursor: string | null };
      }>(`/audit?limit=7&until=2100-01-01T00:00:00Z${cursor}`, root);
      seen.push(...body.entries.map(({ entry_id: entryId }) => entryId));
      cursor = body.pagination.next_cursor === null ? "" : `&cursor=${body.pagination.next_cursor}`;
    } while (cursor !== "");
    expect(seen).toEqual([...new Set(seen)].sort().toReversed());
    for (const { entry_id: entryId } of all) expect(seen).toContain(entryId);
    for (const [query, fits] of [
      ["subject=alice", ({ subject }: Entry) => subject === "alice"],
      ["actor=root&outcome=failed", ({ outcome }: Entry) => outcome === "failed"],
      ["action=POST%20/api-keys", ({ action }: Entry) => action === "POST /api-keys"],
    ] as const) {
      const found = await entries(`${query}&limit=500`);
      expect(found.length).toBeGreaterThan(0);
      expect(found.every(fits)).toBe(true);
    }
    expect(await entries("actor=nobody")).toEqual([]);
    expect(await entries("until=2000-01-01T00:00:00Z")).toEqual([]);
    const lines = await client.get<string>("/audit", { ...root, accept: "application/jsonl" });
    const read = lines.body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Entry);
    expect(read.length).toBeGreaterThanOrEqual(seen.length);
    expect(lines.body).not.toContain(planted);
    expect((await client.get("/audit", alice)).status).toBe(403);
    expect((await client.get("/audit?cursor=abc", root)).status).toBe(422);
    for (const method of ["DELETE", "PATCH", "PUT", "POST"]) {
      expect((await client.send(method, "/audit", undefined, root)).status).toBe(405);
    }
  });

  it.runIf(kind === "postgres")("what cannot be noted is not done", async () => {
    const { sessionId } = await conversation();
    const { Client: PgClient } = await import("pg");
    const direct = new PgClient({ connectionString: url ?? "" });
    await direct.connect();
    await direct.query("ALTER TABLE audit_log RENAME TO away");
    for (const [method, path, body] of [
      ["GET", `/sessions/${sessionId}`],
      ["DELETE", `/sessions/${sessionId}`],
      ["DELETE", "/usage?user_id=alice"],
      ["POST", "/api-keys", { name: "unnoted" }],
    ] as const) {
      const answer = await client.send(method, path, body, root);
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(JSON.stringify(answer.body)).not.toContain("csk_");
    }
    // Nobody else is concerned.
    expect((await client.get(`/sessions/${sessionId}`, alice)).status).toBe(200);
    const { rows } = await direct.query("SELECT 1 FROM api_keys WHERE name = 'unnoted'");
    expect(rows).toEqual([]);
    await direct.query("ALTER TABLE away RENAME TO audit_log");
    await direct.end();
    expect((await client.get(`/sessions/${sessionId}`, root)).status).toBe(200);
  });
});
