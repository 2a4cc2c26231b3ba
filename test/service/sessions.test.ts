import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface List {
  sessions: { session_id: string; title: string | null; status: string }[];
  pagination: { total: number; has_more: boolean; next_cursor: string | null };
}

describe("sessions", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it("makes a session with what it was given", async () => {
    const { status, body } = await client.send<{
      session_id: string;
      session_info: { created_at: string };
    }>("POST", "/chat/session", {
      user_id: "alice",
      agent_id: "analyst",
      session_config: { title: "Figures", temperature: 0.1, mine: [1, { two: "zwei" }] },
      metadata: { tenant: "acme" },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      session_info: {
        session_id: body.session_id,
        user_id: "alice",
        agent_id: "analyst",
        title: "Figures",
        status: "active",
        message_count: 0,
        config: { title: "Figures", temperature: 0.1, mine: [1, { two: "zwei" }] },
        metadata: { tenant: "acme" },
        active_message_id: null,
      },
    });
    expect(body.session_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(body.session_info.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const state = await client.get(`/chat/session/${body.session_id}/status`);
    expect(state.body).toMatchObject({ status: "active", agent_id: "analyst", user_id: "alice" });
  });

  it("lists by page and by cursor, newest activity first, each once", async () => {
    const ids: string[] = [];
    for (let index = 0; index < 25; index += 1) {
      ids.unshift(await client.session("pager", { session_config: { title: `Plan ${index}` } }));
    }
    const first = await client.get<List>("/sessions?user_id=pager&limit=10");
    expect(first.body.pagination).toMatchObject({
      total: 25,
      limit: 10,
      offset: 0,
      has_more: true,
    });
    const second = await client.get<List>("/sessions?user_id=pager&limit=10&offset=10");
    const byCursor = await client.get<List>(
      `/sessions?user_id=pager&limit=10&cursor=${first.body.pagination.next_cursor}`,
    );
    expect(byCursor.body.sessions).toEqual(second.body.sessions);
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { body }: { body: List } = await client.get<List>(
        `/sessions?user_id=pager&limit=7${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      seen.push(...body.sessions.map((session) => session.session_id));
      cursor = body.pagination.next_cursor;
    }
    expect(seen).toEqual(ids);
    const found = await client.get<List>("/sessions?user_id=pager&q=plan%2024");
    expect(found.body.sessions.map((session) => session.title)).toEqual(["Plan 24"]);
    const percent = await client.get<List>("/sessions?user_id=pager&q=%25");
    expect(percent.body.sessions).toEqual([]);
    const bad = await client.get("/sessions?user_id=pager&cursor=nonsense");
    expect(bad.status).toBe(422);
  });

  it("changes title, status, agent, config and metadata", async () => {
    const sessionId = await client.session("alice", {
      session_config: { temperature: 0.5, keep: true },
    });
    const { status, body } = await client.send("PATCH", `/sessions/${sessionId}`, {
      title: "Renamed",
      agent_id: "creative",
      config: { temperature: null, voice: { voice: "slt" } },
      metadata: { a: 1 },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      title: "Renamed",
      agent_id: "creative",
      config: { keep: true, voice: { voice: "slt" } },
      metadata: { a: 1 },
    });
    expect(body).not.toHaveProperty("config.temperature");
    const unknown = await client.send("PATCH", `/sessions/${sessionId}`, { agent_id: "nobody" });
    expect(unknown.status).toBe(404);
    await client.send("PATCH", `/sessions/${sessionId}`, { status: "archived" });
    const refused = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "hello?",
    });
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ error: { type: "session_archived" } });
  });

  it("works on batches item by item", async () => {
    const mine = [await client.session("batch"), await client.session("batch")];
    const theirs = await client.session("other");
    const archive = await client.send("POST", "/sessions/batch", {
      user_id: "batch",
      session_ids: [...mine, theirs, "not-an-id"],
      operation: "archive",
    });
    expect(archive.status).toBe(200);
    expect(archive.body).toMatchObject({ success: false, processed_count: 2, failed_count: 2 });
    const { body } = await client.get<List>("/sessions?user_id=batch&status=archived");
    expect(body.pagination.total).toBe(2);
    expect((await client.get(`/sessions/${theirs}`)).body).toMatchObject({ status: "active" });
    const gone = await client.send("POST", "/sessions/batch", {
      session_ids: mine,
      operation: "delete",
    });
    expect(gone.body).toMatchObject({ success: true, processed_count: 2, errors: [] });
    const unknown = await client.send("POST", "/sessions/batch", {
      session_ids: mine,
      operation: "explode",
    });
    expect(unknown.status).toBe(422);
  });

  it("counts exactly", async () => {
    const first = await client.session("counter");
    await client.session("counter", { agent_id: "analyst" });
    await client.send("POST", "/chat/message", { session_id: first, message: "one" });
    await client.send("POST", "/chat/message", { session_id: first, message: "two" });
    const { body } = await client.get("/sessions/user/counter/stats");
    expect(body).toMatchObject({
      user_id: "counter",
      total_sessions: 2,
      active_sessions: 2,
      archived_sessions: 0,
      total_messages: 4,
      total_audio: 0,
      average_messages_per_session: 2,
      agent_usage: {
        analyst: { session_count: 1, message_count: 0 },
        "general-chat": { session_count: 1, message_count: 4 },
      },
    });
    const nobody = await client.get("/sessions/user/nobody/stats");
    expect(nobody.body).toMatchObject({ total_sessions: 0, average_messages_per_session: 0 });
  });

  it("finds nothing to clean up among fresh sessions, and says what it would do", async () => {
    const { status, body } = await client.send("POST", "/sessions/cleanup?days_threshold=30");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      dry_run: true,
      found_inactive: 0,
      would_delete: 0,
      inactive_sessions: [],
    });
  });

  it("takes what cleaning up needs from the body before the query, and refuses nonsense in either", async () => {
    const path = "/sessions/cleanup?days_threshold=30&dry_run=true";
    const { status, body } = await client.send("POST", path, { dry_run: false });
    expect(status).toBe(200);
    expect(body).toMatchObject({ dry_run: false, found_inactive: 0, deleted_count: 0 });
    expect((await client.send("POST", path, { days_threshold: 0 })).status).toBe(422);
    expect((await client.send("POST", path, { dry_run: "false" })).status).toBe(422);
  });

  it("does not exist for a user who is named and is somebody else", async () => {
    const sessionId = await client.session("owner");
    expect((await client.get(`/sessions/${sessionId}?user_id=owner`)).status).toBe(200);
    for (const [method, path] of [
      ["GET", `/sessions/${sessionId}?user_id=thief`],
      ["GET", `/chat/history/${sessionId}?user_id=thief`],
      ["DELETE", `/sessions/${sessionId}?user_id=thief`],
    ] as const) {
      const { status, body } = await client.send(method, path);
      expect(status).toBe(404);
      expect(body).toMatchObject({ error: { type: "session_not_found" } });
    }
    const sent = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      user_id: "thief",
      message: "mine now",
    });
    expect(sent.status).toBe(404);
  });
});
