import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { maxPageBytes } from "../database/select-page.ts";
import { newId } from "../lib/ids.ts";
import { createSearchIndex } from "../search/search-index.ts";
import { createSearchStore } from "../search/search-store.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { everything, pathTo, readTree, storeTree, withMessages } from "../tree/tree.ts";
import {
  createMessageStore,
  type HistoryFilter,
  type HistoryRange,
  type MessageStore,
} from "./message-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("messages on $kind", ({ open }) => {
  let database: Database;
  let store: MessageStore;
  beforeAll(async () => {
    database = await open();
    const index = createSearchIndex({ database, logger: silentLogger });
    store = createMessageStore(
      database,
      createSearchStore(database, (userId) => index.catchUp(userId)),
    );
  });
  afterAll(() => database.close());

  interface NewMessage {
    readonly content?: string;
    readonly role?: string;
    readonly agentId?: string;
    readonly at?: string;
    readonly status?: string;
    readonly metadata?: object;
    readonly toolCalls?: object[];
    readonly reasoning?: string;
  }

  /** A session of these messages, numbered from 1; their ids. */
  async function createSession(
    messages: readonly NewMessage[],
    userId = "ann",
  ): Promise<{ sessionId: string; ids: string[] }> {
    const sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, $2, 'a')",
      [sessionId, userId],
    );
    const ids: string[] = [];
    for (const [index, message] of messages.entries()) {
      const content = message.content ?? `message ${index + 1}`;
      const messageId = newId();
      ids.push(messageId);
      await database.query(
        `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, metadata,
           tool_calls, reasoning, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, coalesce($11::timestamptz, now()))`,
        [
          sessionId,
          messageId,
          index + 1,
          message.role ?? "user",
          message.status ?? "complete",
          message.agentId ?? "a",
          content,
          JSON.stringify(message.metadata ?? {}),
          message.toolCalls === undefined ? null : JSON.stringify(message.toolCalls),
          message.reasoning ?? null,
          message.at ?? null,
        ],
      );
    }
    return { sessionId, ids };
  }

  /** A session whose messages follow one another, and their path. */
  const lineOf = async (sessionId: string) => {
    const { rows } = await database.query<{ last: number }>(
      "SELECT max(seq) AS last FROM messages WHERE session_id = $1",
      [sessionId],
    );
    const tree = readTree({ lastSeq: rows[0]?.last ?? 0, tree: null });
    return { session: { sessionId, tree }, path: everything(tree) };
  };

  const read = async (
    sessionId: string,
    range: HistoryRange,
    limit: number,
    filter: HistoryFilter = {},
  ) => {
    const { session, path } = await lineOf(sessionId);
    const { messages, hasMore } = await store.history(session, path, filter, range, limit);
    return { seqs: messages.map(({ seq }) => seq), hasMore };
  };

  describe("a page of ten messages", () => {
    let sessionId: string;
    beforeAll(async () => {
      ({ sessionId } = await createSession(Array.from({ length: 10 }, () => ({}))));
    });

    test.each<{ range: HistoryRange; limit: number; seqs: number[]; hasMore: boolean }>([
      { range: { kind: "offset", offset: 0 }, limit: 3, seqs: [1, 2, 3], hasMore: true },
      { range: { kind: "offset", offset: 7 }, limit: 3, seqs: [8, 9, 10], hasMore: false },
      { range: { kind: "offset", offset: 10 }, limit: 3, seqs: [], hasMore: false },
      {
        range: { kind: "after", seq: 0 },
        limit: 10,
        seqs: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        hasMore: false,
      },
      { range: { kind: "after", seq: 4 }, limit: 2, seqs: [5, 6], hasMore: true },
      { range: { kind: "after", seq: 8 }, limit: 2, seqs: [9, 10], hasMore: false },
      { range: { kind: "before", seq: 4 }, limit: 2, seqs: [2, 3], hasMore: true },
      { range: { kind: "before", seq: 3 }, limit: 2, seqs: [1, 2], hasMore: false },
      { range: { kind: "before", seq: 1 }, limit: 2, seqs: [], hasMore: false },
      { range: { kind: "around", seq: 5 }, limit: 4, seqs: [3, 4, 5, 6], hasMore: true },
      { range: { kind: "around", seq: 5 }, limit: 1, seqs: [5], hasMore: true },
      { range: { kind: "around", seq: 9 }, limit: 4, seqs: [7, 8, 9, 10], hasMore: false },
      { range: { kind: "around", seq: 1 }, limit: 4, seqs: [1, 2], hasMore: true },
    ])("$range.kind, at most $limit: $seqs", async ({ range, limit, seqs, hasMore }) => {
      expect(await read(sessionId, range, limit)).toEqual({ seqs, hasMore });
    });
  });

  describe("a conversation with branches", () => {
    let sessionId: string;
    let ids: string[];
    // 1 2 3 4 | 5 6 instead of 3 | 7 8 below 4 | 9: another 8 | 10 11 begin anew; 4 was edited away from view.
    const branches: [number, number][] = [
      [2, 2],
      [4, 2],
      [7, 1],
      [0, 2],
    ];
    let tree = readTree({ lastSeq: 4, tree: null });
    beforeAll(async () => {
      const roles = [..."uauauauaaua"].map((letter) => (letter === "u" ? "user" : "assistant"));
      ({ sessionId, ids } = await createSession(roles.map((role) => ({ role }))));
      for (const [parent, many] of branches) tree = withMessages(tree, parent, many);
      await database.query(
        "UPDATE sessions SET last_seq = 11, tree = $2::jsonb WHERE session_id = $1",
        [sessionId, JSON.stringify(storeTree(tree))],
      );
    });
    const idOf = (seq: number) => ids[seq - 1];
    const page = async (to: number, range: HistoryRange, limit: number, filter = {}) =>
      store.history({ sessionId, tree }, pathTo(tree, to), filter, range, limit);

    test.each<{ to: number; range: HistoryRange; limit: number; seqs: number[]; hasMore: boolean }>(
      [
        {
          to: 9,
          range: { kind: "offset", offset: 0 },
          limit: 9,
          seqs: [1, 2, 3, 4, 7, 9],
          hasMore: false,
        },
        { to: 9, range: { kind: "offset", offset: 3 }, limit: 2, seqs: [4, 7], hasMore: true },
        { to: 6, range: { kind: "after", seq: 1 }, limit: 2, seqs: [2, 5], hasMore: true },
        { to: 9, range: { kind: "before", seq: 9 }, limit: 2, seqs: [4, 7], hasMore: true },
        { to: 9, range: { kind: "around", seq: 7 }, limit: 4, seqs: [3, 4, 7, 9], hasMore: false },
        { to: 11, range: { kind: "after", seq: 0 }, limit: 9, seqs: [10, 11], hasMore: false },
      ],
    )("the path to $to, $range.kind: $seqs", async ({ to, range, limit, seqs, hasMore }) => {
      const found = await page(to, range, limit);
      expect(found.messages.map(({ seq }) => seq)).toEqual(seqs);
      expect(found.hasMore).toBe(hasMore);
      // A filter that takes all of them finds the same.
      const filtered = await page(to, range, limit, { since: "2000-01-01T00:00:00Z" });
      expect(filtered).toEqual(found);
    });

    test("each message names its parent and those beside it, on a page and alone", async () => {
      const parents = [0, 1, 2, 3, 2, 5, 4, 7, 7, 0, 10];
      const beside: Record<number, number[]> = { 1: [1, 10], 10: [1, 10] };
      for (const seq of [3, 5]) beside[seq] = [3, 5];
      for (const seq of [8, 9]) beside[seq] = [8, 9];
      const all = await store.history(
        { sessionId, tree },
        everything(tree),
        {},
        { kind: "after", seq: 0 },
        99,
      );
      expect(all.messages).toHaveLength(11);
      for (const message of all.messages) {
        const { seq } = message;
        expect(message.parentId).toBe(idOf(parents[seq - 1] ?? 0) ?? null);
        expect(message.siblings).toEqual(beside[seq]?.map(idOf));
        expect(await store.find(message.messageId)).toEqual({ ...message, userId: "ann" });
      }
      const filter = { since: "2000-01-01T00:00:00Z" };
      expect(await store.count(sessionId, pathTo(tree, 9), filter)).toBe(6);
    });
  });

  test("a page asks for summaries once, and of its own session, however many others have", async () => {
    const { sessionId } = await createSession(Array.from({ length: 60 }, () => ({})));
    const { sessionId: other } = await createSession([]);
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, created_at)
       SELECT $1, gen_random_uuid(), n, 'user', 'complete', 'a', 'x', now() FROM generate_series(1, 3000) n`,
      [other],
    );
    await database.query(
      `INSERT INTO summaries (session_id, first_seq, last_seq, message_id, agent_id, content)
       SELECT $1, 1, n, gen_random_uuid(), 'a', 'x' FROM generate_series(1, 3000) n`,
      [other],
    );
    await database.execute("ANALYZE messages; ANALYZE summaries");
    const plans: string[][] = [];
    const watched: Database = {
      ...database,
      async query<R>(text: string, params?: readonly unknown[]) {
        const { rows } = await database.query(`EXPLAIN (ANALYZE) ${text}`, params);
        plans.push(rows.map((row) => String(row["QUERY PLAN"])));
        return database.query<R>(text, params);
      },
    };
    const { session, path } = await lineOf(sessionId);
    await createMessageStore(watched, {
      inSession: () => Promise.reject(new Error("nothing is searched for")),
    }).history(session, path, {}, { kind: "after", seq: 0 }, 50);
    // Without branches and summaries it is one statement.
    const [plan = []] = plans;
    expect(plans).toHaveLength(1);
    expect(plan.filter((line) => line.includes(" summaries "))).toEqual([
      expect.stringMatching(/Index .* loops=1\)/),
    ]);
    expect(plan.join("\n")).not.toContain("Seq Scan");
  });

  describe("a filter", () => {
    let sessionId: string;
    beforeAll(async () => {
      ({ sessionId } = await createSession([
        { role: "user", content: "The quick brown fox", at: "2026-01-01T00:00:00Z" },
        { role: "assistant", agentId: "b", content: "jumps over it", at: "2026-01-02T00:00:00Z" },
        { role: "user", content: "我们在北京吃饭", at: "2026-01-03T00:00:00Z" },
        {
          role: "system",
          content: "brown quick foxes 在北 北京 京吃",
          at: "2026-01-04T00:00:00.000001Z",
        },
        { role: "assistant", agentId: "b", content: "", at: "2026-01-05T00:00:00Z" },
      ]));
      // Somebody else's, that every filter would find.
      await createSession([{ content: "quick brown fox 北京", agentId: "b" }], "bob");
    });

    const words = (q: string) => ({ q, userId: "ann" });
    test.each<{ filter: HistoryFilter; seqs: number[] }>([
      { filter: {}, seqs: [1, 2, 3, 4, 5] },
      { filter: { role: "user" }, seqs: [1, 3] },
      { filter: { agentId: "b" }, seqs: [2, 5] },
      { filter: { since: "2026-01-02T00:00:00Z" }, seqs: [2, 3, 4, 5] },
      { filter: { until: "2026-01-04T00:00:00Z" }, seqs: [1, 2, 3] },
      { filter: { since: "2026-01-02T00:00:00Z", until: "2026-01-03T00:00:00Z" }, seqs: [2, 3] },
      { filter: { words: words("QUICK") }, seqs: [1, 4] },
      { filter: { words: words("quick over") }, seqs: [] },
      { filter: { words: words("quick fox") }, seqs: [1, 4] },
      { filter: { words: words("北京") }, seqs: [3, 4] },
      // All pairs of it occur in both, all of it in one.
      { filter: { words: words("在北京吃") }, seqs: [3] },
      { filter: { words: words("  ") }, seqs: [] },
      { filter: { words: words("quick"), role: "system", agentId: "a" }, seqs: [4] },
      { filter: { words: words("'; DROP TABLE messages; --") }, seqs: [] },
    ])("$filter finds $seqs, and counts them", async ({ filter, seqs }) => {
      const range = { kind: "offset", offset: 0 } as const;
      expect((await read(sessionId, range, 10, filter)).seqs).toEqual(seqs);
      expect(await store.count(sessionId, (await lineOf(sessionId)).path, filter)).toBe(
        seqs.length,
      );
      if (seqs.length < 2) return;
      expect(await read(sessionId, range, 1, filter)).toEqual({ seqs: [seqs[0]], hasMore: true });
      expect(await read(sessionId, { kind: "before", seq: 99 }, 1, filter)).toEqual({
        seqs: [seqs.at(-1)],
        hasMore: true,
      });
    });
  });

  describe("what is very long", () => {
    const long = "x".repeat(maxPageBytes / 8);

    test.each<{ where: string; message: NewMessage }>([
      { where: "text", message: { content: long } },
      { where: "reasoning", message: { reasoning: long } },
      // Compressed in the table, a hundred to one.
      { where: "metadata", message: { metadata: { a: long } } },
      { where: "tool calls", message: { toolCalls: [{ result: long }] } },
    ])("in $where: a page ends before 1 MiB, and the next goes on", async ({ message }) => {
      const { sessionId } = await createSession(Array.from({ length: 10 }, () => message));
      // Search entries of such texts are nobody's business here.
      expect(await read(sessionId, { kind: "after", seq: 0 }, 50)).toEqual({
        seqs: [1, 2, 3, 4, 5, 6, 7],
        hasMore: true,
      });
      expect(await read(sessionId, { kind: "after", seq: 7 }, 50)).toEqual({
        seqs: [8, 9, 10],
        hasMore: false,
      });
      expect(await read(sessionId, { kind: "before", seq: 11 }, 50)).toEqual({
        seqs: [4, 5, 6, 7, 8, 9, 10],
        hasMore: true,
      });
      expect((await read(sessionId, { kind: "around", seq: 5 }, 50)).seqs).toEqual([
        2, 3, 4, 5, 6, 7,
      ]);
    });

    test("longer than a page by itself: it comes alone", async () => {
      const huge = { metadata: { a: "y".repeat(maxPageBytes + 1) } };
      const { sessionId } = await createSession([{}, huge, {}, {}]);
      expect(await read(sessionId, { kind: "after", seq: 0 }, 50)).toEqual({
        seqs: [1],
        hasMore: true,
      });
      expect(await read(sessionId, { kind: "after", seq: 1 }, 50)).toEqual({
        seqs: [2],
        hasMore: true,
      });
      expect(await read(sessionId, { kind: "after", seq: 2 }, 50)).toEqual({
        seqs: [3, 4],
        hasMore: false,
      });
    });
  });

  test("a message is found with its owner, and is all that was stored", async () => {
    const { sessionId, ids } = await createSession([
      { content: "é🙂", metadata: { a: [1] }, at: "2026-01-02T03:04:05Z" },
    ]);
    const [messageId = ""] = ids;
    const found = await store.find(messageId);
    expect(found).toEqual({
      messageId,
      sessionId,
      userId: "ann",
      seq: 1,
      role: "user",
      status: "complete",
      agentId: "a",
      content: "é🙂",
      replyTo: null,
      parentId: null,
      outputFormat: null,
      feedback: null,
      answers: null,
      metadata: { a: [1] },
      createdAt: new Date("2026-01-02T03:04:05Z"),
      usage: null,
      finishReason: null,
      error: null,
      reasoning: null,
      toolCalls: null,
      media: null,
      extras: null,
      audio: null,
      requirements: null,
      attachments: null,
      unspoken: null,
      context: null,
    });
    const { userId: _, ...stored } = found ?? { userId: "" };
    const { session, path } = await lineOf(sessionId);
    const page = await store.history(session, path, {}, { kind: "after", seq: 0 }, 1);
    expect(page).toEqual({ messages: [stored], hasMore: false, last: 1 });
    expect(await store.find(newId())).toBeNull();
    expect(await store.seqOf(sessionId, messageId)).toBe(1);
    expect(await store.seqOf(newId(), messageId)).toBeNull();
  });

  test("waiting messages are counted over all sessions", async () => {
    const { queued: before } = await store.countQueued();
    await createSession([{}, { role: "assistant", status: "queued" }]);
    await createSession([{}, { role: "assistant", status: "queued" }]);
    const { queued, oldestSeconds } = await store.countQueued();
    expect(queued).toBe(before + 2);
    expect(oldestSeconds).toBeGreaterThan(0);
  });
});
