import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface List {
  sessions: { session_id: string; pinned: boolean; tags: string[] }[];
  pagination: { total: number; has_more: boolean; next_cursor: string | null };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(["embedded", ...(postgres === null ? [] : ["postgres"])])("on %s", (kind) => {
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    const url = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
    service = await startService({ env: url === undefined ? {} : { DATABASE_URL: url } });
    client = createClient(service.url);
  });
  afterAll(() => service.stop());

  const list = async (query: string) => (await client.get<List>(`/sessions?${query}`)).body;
  const ids = async (query: string) =>
    (await list(query)).sessions.map(({ session_id }) => session_id);
  const change = (sessionId: string, change: object) =>
    client.send<Record<string, unknown>>("PATCH", `/sessions/${sessionId}`, change);

  describe("pins and tags", () => {
    it("are set, trimmed, each once, and change neither activity nor order", async () => {
      const [older, newer] = [await client.session("ann"), await client.session("ann")];
      const before = (await client.get<Record<string, unknown>>(`/sessions/${older}`)).body;
      expect(before).toMatchObject({ pinned: false, tags: [] });
      const tags = [" Work ", "work", "Work", "\u3000工作\u3000"];
      const { status, body } = await change(older, { pinned: true, tags });
      expect(status).toBe(200);
      expect(body).toEqual({ ...before, pinned: true, tags: ["Work", "work", "工作"] });
      expect(await ids("user_id=ann")).toEqual([newer, older]);
      expect(await ids("user_id=ann&order=pinned")).toEqual([older, newer]);
      expect(await ids("user_id=ann&pinned=true")).toEqual([older]);
      expect(await ids("user_id=ann&pinned=false")).toEqual([newer]);
      expect(await ids("user_id=ann&tag=Work&tag=%E5%B7%A5%E4%BD%9C")).toEqual([older]);
      expect(await ids("user_id=ann&tag=%20Work%20")).toEqual([older]);
      expect(await ids("user_id=ann&tag=WORK")).toEqual([]);
      expect((await list("user_id=ann&tag=Work")).pagination.total).toBe(1);
      expect((await change(older, { tags: [], pinned: false })).body).toEqual(before);
    });

    it("go on by cursor, which belongs to its order", async () => {
      const made = [];
      for (let index = 0; index < 5; index += 1) made.unshift(await client.session("bob"));
      await change(made[3] ?? "", { pinned: true });
      const found: string[] = [];
      for (let cursor = ""; ;) {
        const { sessions, pagination } = await list(`user_id=bob&order=pinned&limit=2${cursor}`);
        found.push(...sessions.map(({ session_id }) => session_id));
        if (pagination.next_cursor === null) break;
        cursor = `&cursor=${pagination.next_cursor}`;
        const other = await client.get(`/sessions?user_id=bob${cursor}`);
        expect(other.status).toBe(422);
      }
      expect(found).toEqual([made[3], made[0], made[1], made[2], made[4]]);
    });

    it.each([
      { pinned: null },
      { pinned: "yes" },
      { tags: null },
      { tags: ["  "] },
      { tags: [1] },
      { tags: ["x".repeat(41)] },
      { tags: Array.from({ length: 21 }, (_, index) => `t${index}`) },
    ])("%j is refused", async (wrong) => {
      const sessionId = await client.session("carl");
      expect((await change(sessionId, wrong)).status).toBe(422);
    });
  });

  describe("feedback", () => {
    interface Given {
      message_id: string;
      agent_id: string;
      rating: string;
      question: string;
      answer: string;
    }
    interface Page {
      feedback: Given[];
      pagination: { has_more: boolean; next_cursor: string | null };
    }
    const ask = async (user: string, message: string, more: object = {}) =>
      (
        await client.send<{ message_id: string; user_message_id: string; session_id: string }>(
          "POST",
          "/chat/message",
          { user_id: user, agent_id: "calculator", message, ...more },
        )
      ).body;
    const rate = (messageId: string, body: object, query = "") =>
      client.send<Record<string, unknown>>(
        "PUT",
        `/chat/message/${messageId}/feedback${query}`,
        body,
      );
    const all = async (query = "") => (await client.get<Page>(`/feedback${query}`)).body;
    const stats = async (user: string) =>
      (await client.get<Record<string, unknown>>(`/sessions/user/${user}/stats`)).body["feedback"];
    const counted = async () =>
      ((await client.get<string>("/metrics")).body.match(/^chat_feedback_total\{.*$/gm) ?? []).map(
        (line) => line.replace(/,?instance="[^"]*"/, ""),
      );

    it("stands in the message, in figures, and in the list, until it is taken back", async () => {
      const { message_id: replyId, session_id: sessionId } = await ask("rater", "2 + 2");
      const before = (await client.get<Record<string, unknown>>(`/chat/message/${replyId}`)).body;
      const { body: session } = await client.get(`/sessions/${sessionId}`);
      expect(before).not.toHaveProperty("feedback");
      const tags = [" wrong ", "wrong", "慢"];
      const { status, body } = await rate(replyId, { rating: "down", tags, comment: "5!" });
      expect(status).toBe(200);
      const feedback = {
        rating: "down",
        tags: ["wrong", "慢"],
        comment: "5!",
        timestamp: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) as string,
      };
      expect(body).toEqual({ ...before, feedback });
      expect((await client.get(`/chat/message/${replyId}`)).body).toEqual(body);
      const history = await client.get<{ messages: object[] }>(`/chat/history/${sessionId}`);
      expect(history.body.messages[1]).toEqual(body);
      expect((await client.get(`/sessions/${sessionId}`)).body).toEqual(session);
      expect(await stats("rater")).toEqual({ up: 0, down: 1 });
      expect((await all()).feedback).toEqual([
        {
          message_id: replyId,
          session_id: sessionId,
          user_id: "rater",
          agent_id: "calculator",
          model: null,
          ...feedback,
          question: "2 + 2",
          answer: before["content"],
        },
      ]);
      expect((await rate(replyId, { rating: "up" })).body["feedback"]).toMatchObject({
        rating: "up",
        tags: [],
        comment: null,
      });
      expect(await stats("rater")).toEqual({ up: 1, down: 0 });
      expect(await counted()).toEqual([
        'chat_feedback_total{agent="calculator",model="",rating="down"} 1',
        'chat_feedback_total{agent="calculator",model="",rating="up"} 1',
      ]);
      expect((await rate(replyId, { rating: null })).body).toEqual(before);
      expect((await rate(replyId, { rating: null })).body).toEqual(before);
      expect((await client.get(`/chat/message/${replyId}`)).body).toEqual(before);
      expect(await all()).toMatchObject({ feedback: [], pagination: { next_cursor: null } });
      expect(await stats("rater")).toEqual({ up: 0, down: 0 });
    });

    it("is about replies, and the owner's alone", async () => {
      const { message_id: replyId, user_message_id: questionId } = await ask("owner", "1 + 1");
      const refused = await rate(questionId, { rating: "up" });
      expect(refused.status).toBe(422);
      expect(refused.body).toMatchObject({ error: { details: [{ path: "/message_id" }] } });
      expect((await rate(replyId, { rating: "up" }, "?user_id=somebody")).status).toBe(404);
      expect((await rate("nothing", { rating: "up" })).status).toBe(404);
      for (const wrong of [{}, { rating: "meh" }, { rating: "up", tags: [""] }, { rating: 1 }]) {
        expect((await rate(replyId, wrong)).status, JSON.stringify(wrong)).toBe(422);
      }
    });

    it("is listed newest first, by page and as lines, and goes with its session", async () => {
      const replies: string[] = [];
      let sessionId = "";
      for (let index = 0; index < 5; index += 1) {
        const asked = await ask("lister", `${index} + 1`);
        sessionId = asked.session_id;
        await rate(asked.message_id, { rating: index % 2 === 0 ? "up" : "down" });
        replies.unshift(asked.message_id);
      }
      const found: string[] = [];
      let cursor = "";
      do {
        const { feedback, pagination } = await all(`?limit=2${cursor}`);
        found.push(...feedback.map(({ message_id: id }) => id));
        cursor = pagination.next_cursor === null ? "" : `&cursor=${pagination.next_cursor}`;
      } while (cursor !== "");
      expect(found).toEqual(replies);
      const response = await fetch(`${service.url}/feedback?rating=down&agent_id=calculator`, {
        headers: { accept: "application/jsonl" },
      });
      expect(response.headers.get("content-type")).toContain("application/jsonl");
      const text = await response.text();
      expect(text.endsWith("\n")).toBe(true);
      const given = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Given);
      expect(given.map(({ question }) => question)).toEqual(["3 + 1", "1 + 1"]);
      expect(given).toEqual((await all("?rating=down")).feedback);
      expect((await all("?agent_id=nobody")).feedback).toEqual([]);
      expect((await all("?since=2999-01-01T00:00:00Z")).feedback).toEqual([]);
      expect((await all("?since=2020-01-01T00:00:00Z")).feedback).toHaveLength(5);
      expect((await client.get("/feedback?cursor=eA")).status).toBe(422);
      await client.send("DELETE", `/sessions/${sessionId}`);
      expect((await all()).feedback.map(({ message_id: id }) => id)).toEqual(replies.slice(1));
      expect(await stats("lister")).toEqual({ up: 2, down: 2 });
    });
  });
});
