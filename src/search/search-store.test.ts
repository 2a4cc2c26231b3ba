import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createSearchIndex, type SearchIndex } from "./search-index.ts";
import {
  createSearchStore,
  type SearchFilter,
  type SearchPage,
  type SearchPosition,
  type SearchStore,
} from "./search-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

/** A text, what finds it with the parts that are marked, and what does not. */
const cases: readonly {
  readonly text: string;
  readonly found: Readonly<Record<string, readonly string[]>>;
  readonly notFound: readonly string[];
}[] = [
  {
    text: "The quick brown fox",
    found: {
      quick: ["quick"],
      QUICK: ["quick"],
      "fox quick": ["quick", "fox"],
      ｆｏｘ: ["fox"],
      bro: ["brown"], // the whole word is marked
      '"quick brown"': ["quick brown"],
      '"brown fo': ["brown fox"],
      "  quick, fox!": ["quick", "fox"],
    },
    notFound: ["qui fox", "uick", '"brown quick"', '"brown fo"', "quick dog", "b", "quick b"],
  },
  { text: "ＡＢＣ ｶﾞﾗｽ", found: { abc: ["ＡＢＣ"], ガラス: ["ｶﾞﾗｽ"] }, notFound: ["カラス"] },
  {
    text: "un café à Zürich, Łódź, Straße, smørrebrød",
    found: {
      cafe: ["café"],
      "CAFE\u0301": ["café"],
      zurich: ["Zürich"],
      lodz: ["Łódź"],
      STRASSE: ["Straße"],
      smorrebrod: ["smørrebrød"],
    },
    notFound: ["caffe"],
  },
  {
    text: "İSTANBUL ve ıspanak",
    found: { istanbul: ["İSTANBUL"], ISPANAK: ["ıspanak"] },
    notFound: [],
  },
  { text: "Ο ΣΊΣΥΦΟΣ", found: { σίσυφος: ["ΣΊΣΥΦΟΣ"], σισυφος: ["ΣΊΣΥΦΟΣ"] }, notFound: [] },
  { text: "Ещё ёлка, Київ", found: { еще: ["Ещё"], ЁЛКА: ["ёлка"], київ: ["Київ"] }, notFound: [] },
  { text: "Việt Nam đẹp", found: { "viet nam": ["Việt", "Nam"], dep: ["đẹp"] }, notFound: [] },
  {
    text: "我们在北京吃饭",
    found: { 北京: ["北京"], 在北京吃: ["在北京吃"], 京: ["京"], "吃饭 我们": ["我们", "吃饭"] },
    notFound: ["北吃", "京北", "上海"],
  },
  { text: "brown 在北 北京 京吃", found: { 北京: ["北京"] }, notFound: ["在北京吃"] },
  {
    text: "東京の天気はどうですか",
    found: { ですか: ["ですか"], 東京: ["東京"] },
    notFound: ["東の"],
  },
  { text: "오늘 날씨가 좋네요", found: { 날씨: ["날씨"], 좋: ["좋"] }, notFound: ["씨날"] },
  { text: "\u1112\u1161\u11ab국어", found: { 한국: ["\u1112\u1161\u11ab국"] }, notFound: ["하국"] },
  { text: "在𠮷野家吃", found: { 𠮷野家: ["𠮷野家"], 𠮷: ["𠮷"] }, notFound: [] },
  {
    text: "ทดสอบภาษาไทยในข้อความนี้",
    found: { ภาษาไทย: ["ภาษาไทย"], ข้อความ: ["ข้อความ"] },
    notFound: ["ไทยภาษา"],
  },
  { text: "ຂ້ອຍຮຽນພາສາລາວ", found: { ລາວ: ["ລາວ"] }, notFound: ["ວລາ"] },
  { text: "ខ្ញុំនិយាយ\u200Bភាសាខ្មែរ", found: { ភាសា: ["ភាសា"], យភា: ["យ\u200Bភា"] }, notFound: [] },
  { text: "မြန်မာဘာသာစကား", found: { ဘာသာ: ["ဘာသာ"] }, notFound: ["သာဘာ"] },
  {
    text: "كتب بالعالم وللكتاب السَّلام",
    found: { العالم: ["بالعالم"], عالم: ["بالعالم"], كتاب: ["وللكتاب"], السلام: ["السَّلام"] },
    notFound: ["لعالم"],
  },
  { text: "הלכתי אל הבית ובספר", found: { בית: ["הבית"], ספר: ["ובספר"] }, notFound: ["יתה"] },
  { text: "मैं हिन्दी पढ़ता हूँ", found: { हिन्दी: ["हिन्दी"] }, notFound: ["हनद"] },
  {
    text: "well done 😀👍🏽 👩‍👩‍👧 🇹🇭 ❤️",
    found: {
      "😀": ["😀"],
      "👍": ["👍"],
      "👩‍👩‍👧": ["👩‍👩‍👧"],
      "🇹🇭": ["🇹🇭"],
      "❤": ["❤️"],
      "well 😀": ["well", "😀"],
    },
    notFound: ["🇭🇹", "😁"],
  },
  {
    text: "let fooBarBaz = parseHTTPResponse(user_name); count++",
    found: {
      foo: ["foo"],
      Bar: ["Bar"],
      baz: ["Baz"],
      BarBaz: ["BarBaz"],
      foobarbaz: ["fooBarBaz"],
      fooBa: ["fooBar"],
      http: ["HTTP"],
      name: ["name"],
      user_name: ["user_name"],
      "user name": ["user", "name"],
      count: ["count++"],
      "count++": ["count++"],
    },
    notFound: ["arBaz", "BazBar", "c++"],
  },
  { text: "I like cats and C", found: { c: ["C"], ca: ["cats"] }, notFound: ["C++", "C#"] },
  {
    text: "I like C++, C# and F#.",
    found: { "C++": ["C++"], "c#": ["C#"], "F#": ["F#"] },
    notFound: ["c", "G#"],
  },
  {
    text: "mail ann@example.com, see https://a.example/x-y?z=1 or 10.0.0.1",
    found: {
      "ann@example.com": ["ann@example.com"],
      example: ["example", "example"],
      "10.0.0.1": ["10.0.0.1"],
    },
    notFound: ["bob@example.com", "10.0.1.0"],
  },
  {
    text: "don't O'Brien l’été",
    found: { "don't": ["don't"], ete: ["été"], "l'ete": ["l’été"] },
    notFound: [],
  },
  { text: "½ №5 ﬁne ﷺ", found: { fine: ["ﬁne"], no5: ["№5"] }, notFound: [] },
];

describe.each(databases.kinds)("search on $kind", ({ open }) => {
  let database: Database;
  let index: SearchIndex;
  let store: SearchStore;
  beforeAll(async () => {
    database = await open();
    index = createSearchIndex({ database, logger: silentLogger, pollMs: 1, ringMs: 1 });
    store = createSearchStore(database, (userId) => index.catchUp(userId));
  });
  afterAll(async () => {
    await index.stop();
    await database.close();
  });

  const makeSession = async (userId: string, title: string | null = null, at?: string) => {
    const sessionId = newId();
    await database.query(
      `INSERT INTO sessions (session_id, user_id, agent_id, title, created_at)
       VALUES ($1, $2, 'a', $3, coalesce($4::timestamptz, now()))`,
      [sessionId, userId, title, at ?? null],
    );
    return sessionId;
  };
  const say = async (
    sessionId: string,
    seq: number,
    content: string,
    more: { role?: string; agentId?: string; at?: string; metadata?: object; status?: string } = {},
  ) => {
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, metadata, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, coalesce($9::timestamptz, now()))`,
      [
        sessionId,
        newId(),
        seq,
        more.role ?? "user",
        more.status ?? "complete",
        more.agentId ?? "a",
        content,
        JSON.stringify(more.metadata ?? {}),
        more.at ?? null,
      ],
    );
  };
  const find = async (q: string, filter: SearchFilter, limit = 100) => {
    const { hits } = await store.find(q, filter, null, limit);
    return hits.map(({ messageId, snippet }) =>
      messageId === null ? `title ${snippet}` : snippet,
    );
  };

  test.each(cases.map((each, number) => ({ ...each, number })))(
    "$text",
    async ({ text, found, notFound, number }) => {
      const userId = `user ${number}`;
      const sessionId = await makeSession(userId, text);
      await say(sessionId, 1, text);
      for (const [q, parts] of Object.entries(found)) {
        const { hits } = await store.find(q, { userId }, null, 10);
        // The message and the title, by one rule; and so in the history of the session, and in the list of sessions.
        expect(
          hits.map(({ seq }) => seq),
          q,
        ).toEqual([1, 0]);
        for (const { snippet, matches } of hits) {
          expect(
            matches.map(([start, end]) => snippet.slice(start, end)),
            q,
          ).toEqual(parts);
        }
        const inSession = { userId, sessionId };
        const range = { from: 0, direction: "ASC" } as const;
        expect((await store.inSession(q, inSession, range, 5)).seqs, q).toEqual([1]);
        expect(await store.titled(q, userId), q).toEqual([sessionId]);
        expect(await store.count(q, { userId }), q).toEqual({ count: 2, isMore: false });
      }
      for (const q of notFound) {
        expect(await find(q, { userId }), q).toEqual([]);
        expect(await store.titled(q, userId), q).toEqual([]);
        expect(await store.count(q, { userId }), q).toEqual({ count: 0, isMore: false });
      }
      expect(await find(Object.keys(found)[0] ?? "", { userId: "somebody else" })).toEqual([]);
    },
  );

  test.each(["", "  ", "& | ! :*", "'", '""', "___", "\u0301", "\u200D"])(
    "nothing to look for: %j",
    async (q) => {
      const userId = newId();
      await say(await makeSession(userId, "a ' title"), 1, "all & of ' it");
      expect(await find(q, { userId })).toEqual([]);
    },
  );

  test("says what is on the path that a session shows, and reads its branches once", async () => {
    const userId = newId();
    const sessionId = await makeSession(userId);
    for (let seq = 1; seq <= 30; seq += 1) await say(sessionId, seq, `word ${seq}`);
    // 11 to 20 and 21 to 30 follow 10; the last is shown.
    const segments = [
      [1, 0, 10, 0],
      [11, 10, 20, 1],
      [21, 10, null, 2],
    ];
    await database.query(
      "UPDATE sessions SET last_seq = 30, tree = $2::jsonb WHERE session_id = $1",
      [sessionId, JSON.stringify({ segments, threads: 2, removed: 0 })],
    );
    await store.find("word", { userId }, null, 1);
    const trees: unknown[] = [];
    const watching: Database = {
      ...database,
      query: async <R>(sql: string, params: readonly unknown[] = []) => {
        const result = await database.query<R>(sql, params);
        for (const row of result.rows) {
          if (Object.hasOwn(row as object, "tree")) trees.push(row);
        }
        return result;
      },
    };
    const watched = createSearchStore(watching, () => Promise.resolve());
    const { hits } = await watched.find("word", { userId }, null, 100);
    expect(hits.map(({ isInActivePath }) => isInActivePath)).toEqual(
      hits.map(({ seq }) => seq <= 10 || seq > 20),
    );
    expect(hits).toHaveLength(30);
    expect(trees).toHaveLength(1);
  });

  describe("what is filtered", () => {
    const userId = "filters";
    let first: string;
    let second: string;
    beforeAll(async () => {
      first = await makeSession(userId, "word of the first", "2026-01-01T00:00:00Z");
      second = await makeSession(userId, "word of the second", "2026-01-03T00:00:00Z");
      await database.query(
        "UPDATE sessions SET status = 'archived', agent_id = 'b' WHERE session_id = $1",
        [second],
      );
      await say(first, 1, "word one", { at: "2026-01-01T00:00:00Z" });
      await say(first, 2, "word two", { at: "2026-01-01T00:00:00Z", role: "assistant" });
      await say(second, 1, "word three", { at: "2026-01-03T00:00:00.000001Z", agentId: "b" });
      await say(first, 3, "word four", { at: "2026-01-05T00:00:00Z" });
    });

    const [one, two, three, four] = ["word one", "word two", "word three", "word four"];
    const [titleOne, titleTwo] = ["title word of the first", "title word of the second"];
    test.each<{
      filter: Omit<SearchFilter, "userId" | "sessionId"> & { session?: "first" };
      found: string[];
    }>([
      { filter: {}, found: [four, three, titleTwo, two, one, titleOne] },
      { filter: { role: "assistant" }, found: [two] },
      { filter: { agentId: "b" }, found: [three, titleTwo] },
      { filter: { status: "active" }, found: [four, two, one, titleOne] },
      { filter: { status: "archived" }, found: [three, titleTwo] },
      { filter: { session: "first" }, found: [four, two, one, titleOne] },
      { filter: { since: "2026-01-03T00:00:00.000Z" }, found: [four, three] },
      { filter: { until: "2026-01-03T00:00:00.000Z" }, found: [two, one] },
      { filter: { until: "2026-01-03T00:00:00.001Z" }, found: [three, two, one] },
      { filter: { since: "2026-01-02T00:00:00.000Z", role: "user", agentId: "a" }, found: [four] },
    ])("$filter", async ({ filter: { session, ...rest }, found }) => {
      const filter = { ...rest, userId, ...(session !== undefined && { sessionId: first }) };
      expect(await find("word", filter)).toEqual(found);
      expect(await store.count("word", filter)).toEqual({ count: found.length, isMore: false });
      const seen: string[] = [];
      let after: SearchPosition | null = null;
      for (let pages = 0; pages < 20; pages += 1) {
        const page: SearchPage = await store.find("word", filter, after, 1);
        for (const hit of page.hits)
          seen.push(hit.messageId === null ? `title ${hit.snippet}` : hit.snippet);
        if (page.next === null) break;
        after = page.next;
      }
      expect(seen).toEqual(found);
    });
  });

  test("the words are found wherever in a user's past they are, one page after the other", async () => {
    const userId = newId();
    const sessionId = await makeSession(userId);
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, created_at)
       SELECT $1, gen_random_uuid(), n, 'user', 'complete', 'a',
         'common' || CASE WHEN n <= 50 THEN ' early number' ELSE '' END || CASE WHEN n = 7 THEN ' rare' ELSE '' END,
         now() + n * interval '1 second'
       FROM generate_series(1, 1200) AS n`,
      [sessionId],
    );
    for (let round = 0; round < 12; round += 1) await index.catchUp(userId);
    const numbers = async (q: string) => {
      const seen: number[] = [];
      for (let after: SearchPosition | null = null; ;) {
        const { hits, next }: SearchPage = await store.find(q, { userId }, after, 20);
        seen.push(...hits.map(({ seq }) => seq));
        if (next === null) return seen;
        after = next;
      }
    };
    const down = (from: number) => Array.from({ length: from }, (_, at) => from - at);
    expect(await numbers("early")).toEqual(down(50));
    expect(await numbers('"early number"')).toEqual(down(50));
    expect(await numbers("rare")).toEqual([7]);
    expect(await numbers('"number early"')).toEqual([]);
    expect(await store.count("common", { userId })).toEqual({ count: 1_000, isMore: true });
    expect(await store.count('"common early"', { userId })).toEqual({ count: 50, isMore: false });
    const { hits } = await store.find("common", { userId }, null, 100);
    expect(hits.map(({ seq }) => seq)).toEqual(down(1_200).slice(0, 100));
    const range = { from: 0, direction: "ASC" } as const;
    expect(await store.inSession("early", { userId, sessionId }, range, 3)).toEqual({
      seqs: [1, 2, 3],
      next: 3,
    });
    expect(
      await store.inSession(
        '"common early"',
        { userId, sessionId },
        { from: 1_300, direction: "DESC" },
        2,
      ),
    ).toEqual({ seqs: [50, 49], next: 49 });
    // Of what would have to be read to know, only so much is read at once; a later page goes on.
    const ends: (number | undefined)[] = [];
    for (let after: SearchPosition | null = null; ends.length < 9;) {
      const page: SearchPage = await store.find('"common common"', { userId }, after, 5);
      expect(page.hits).toEqual([]);
      ends.push(page.next?.seq);
      if ((after = page.next) === null) break;
    }
    expect(ends).toEqual([701, 201, undefined]);
  });

  describe("what is written, by whatever version of the service,", () => {
    const words = async (userId: string, q: string) => (await find(q, { userId })).length;

    test("is found once it has ended, as it is then", async () => {
      const userId = newId();
      const sessionId = await makeSession(userId);
      await say(sessionId, 1, "", { status: "streaming", role: "assistant" });
      const set = (content: string, status: string) =>
        database.query("UPDATE messages SET content = $2, status = $3 WHERE session_id = $1", [
          sessionId,
          content,
          status,
        ]);
      await set("begun", "streaming");
      expect(await words(userId, "begun")).toBe(0);
      await set("begun and ended", "complete");
      expect(await words(userId, "ended")).toBe(1);
      await set("begun", "complete");
      expect([await words(userId, "ended"), await words(userId, "begun")]).toEqual([0, 1]);
      await database.query("UPDATE sessions SET title = 'Called begun' WHERE session_id = $1", [
        sessionId,
      ]);
      expect(await find("begun", { userId })).toEqual(["begun", "title Called begun"]);
      await database.query("UPDATE sessions SET title = NULL WHERE session_id = $1", [sessionId]);
      expect(await words(userId, "called")).toBe(0);
    });

    test("is gone with its message and with its session, and nothing of it stays", async () => {
      const userId = newId();
      const sessionId = await makeSession(userId, "word");
      await say(sessionId, 1, "word");
      await say(sessionId, 2, "word");
      expect(await words(userId, "word")).toBe(3);
      await database.query("DELETE FROM messages WHERE session_id = $1 AND seq = 1", [sessionId]);
      expect(await words(userId, "word")).toBe(2);
      await say(sessionId, 3, "word"); // noted down, and no more than that
      await database.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]);
      const { rows } = await database.query(
        `SELECT 'entry' FROM message_search WHERE user_id = $1 UNION ALL
         SELECT 'title' FROM session_search WHERE user_id = $1 UNION ALL
         SELECT 'note' FROM search_queue WHERE user_id = $1`,
        [userId],
      );
      expect(rows).toEqual([]);
      expect(await words(userId, "word")).toBe(0);
    });

    test("is found where it is older than search, the rest of the work being nobody's but the nodes'", async () => {
      const userId = newId();
      const sessionId = await makeSession(userId, "old title");
      for (let seq = 1; seq <= 3; seq += 1) await say(sessionId, seq, "old words");
      // As it was before there was anything to note it down.
      await database.query("DELETE FROM search_queue WHERE user_id = $1", [userId]);
      expect(await words(userId, "old")).toBe(0);
      const left = async () => (await database.query("SELECT 1 FROM search_backfill")).rowCount;
      expect(await left()).toBe(2);
      index.start();
      await expect.poll(left, { timeout: 20_000 }).toBe(0);
      await expect.poll(() => words(userId, "old")).toBe(4);
    });

    test("is found in the form it had last, whoever was slower", async () => {
      const userId = newId();
      const sessionId = await makeSession(userId);
      await say(sessionId, 1, "first");
      await words(userId, "first");
      await database.query("UPDATE message_search SET version = 1000000000 WHERE user_id = $1", [
        userId,
      ]);
      await database.query("UPDATE messages SET content = 'late' WHERE session_id = $1", [
        sessionId,
      ]);
      await words(userId, "late");
      const entry = async (q: string) =>
        (await store.inSession(q, { userId, sessionId }, { from: 0, direction: "ASC" }, 1)).seqs;
      expect([await entry("first"), await entry("late")]).toEqual([[1], []]);
      // What an entry says that its text does not is not shown.
      expect(await words(userId, "first")).toBe(0);
    });
  });
});
