import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Hit {
  message_id: string | null;
  session_id: string;
  session_title: string | null;
  role: string | null;
  snippet: string;
  matches: [number, number][];
}

interface Found {
  hits: Hit[];
  pagination: {
    limit: number;
    has_more: boolean;
    next_cursor: string | null;
    total?: number | string;
  };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

const stores = [
  { store: "embedded storage", url: () => Promise.resolve(undefined) },
  ...(postgres === null ? [] : [{ store: "PostgreSQL", url: () => postgres.freshDatabase() }]),
];

describe.each(stores)("search over everything on $store", ({ url }) => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;
  let sessionId: string;

  const send = async (userId: string, message: string, session?: string, more: object = {}) => {
    const whose = session === undefined ? { user_id: userId } : { session_id: session };
    const { status, body } = await client.send<{ session_id: string; message_id: string }>(
      "POST",
      "/chat/message",
      { message, ...whose, ...more },
    );
    expect(status).toBe(200);
    return body;
  };
  const find = async (q: string, more = "", user = "ann") => {
    const { status, body } = await client.get<Found>(
      `/chat/search?user_id=${user}&q=${encodeURIComponent(q)}${more}`,
    );
    expect(status).toBe(200);
    return body;
  };
  const snippets = async (q: string, more?: string, user?: string) =>
    (await find(q, more, user)).hits.map(({ snippet }) => snippet);

  beforeAll(async () => {
    model = await startOpenAiServer({ respond: () => ({ tokens: ["the ", "answer"] }) });
    const databaseUrl = await url();
    service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
      },
    });
    client = createClient(service.url);
    sessionId = (await send("ann", "Where is the café?")).session_id;
    await send("ann", "ทดสอบภาษาไทย and 北京", sessionId);
    await send("bob", "the secret of bob");
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it("finds what was said and answered, and the title, newest first", async () => {
    const { hits, pagination } = await find("the", "&total=true");
    expect(hits.map(({ role, snippet }) => [role, snippet])).toEqual([
      ["assistant", "the answer"],
      ["assistant", "the answer"],
      ["user", "Where is the café?"],
      [null, "Where is the café?"],
    ]);
    expect(pagination).toEqual({ limit: 20, has_more: false, next_cursor: null, total: 4 });
    expect(hits[2]).toMatchObject({
      session_id: sessionId,
      session_title: "Where is the café?",
      session_status: "active",
      agent_id: "general-chat",
      in_active_path: true,
      matches: [[9, 12]],
    });
    expect(hits[3]?.message_id).toBeNull();
    const message = await client.get<{ content: string }>(`/chat/message/${hits[2]?.message_id}`);
    expect(message.status).toBe(200);
  });

  it("finds a message whatever its sender keeps with it", async () => {
    await send("carl", "a zebra", undefined, { metadata: { kind: "summary" } });
    expect(await snippets("zebra", "&role=user", "carl")).toEqual(["a zebra"]);
  });

  it("finds any language, by the rule of histories and titles", async () => {
    const [cafe] = (await find("CAFE", "&role=user")).hits;
    expect(cafe?.snippet.slice(...(cafe.matches[0] ?? []))).toBe("café");
    expect(await snippets("ภาษา")).toEqual(["ทดสอบภาษาไทย and 北京"]);
    expect(await snippets("京")).toEqual(["ทดสอบภาษาไทย and 北京"]);
    expect(await snippets('"café the"')).toEqual([]);
    expect(await snippets("+ - ()")).toEqual([]);
    const history = await client.get<{ messages: unknown[] }>(
      `/chat/history/${sessionId}?q=${encodeURIComponent("ภาษา")}`,
    );
    expect(history.body.messages).toHaveLength(1);
    const list = await client.get<{ sessions: { session_id: string }[] }>(
      "/sessions?user_id=ann&q=CAFE",
    );
    expect(list.body.sessions.map((session) => session.session_id)).toEqual([sessionId]);
  });

  it("comes in pages, each behind the last", async () => {
    const seen: (string | null)[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { hits, pagination }: Found = await find(
        "the",
        `&limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      expect(hits).toHaveLength(1);
      seen.push(...hits.map((hit) => hit.message_id));
      cursor = pagination.next_cursor;
      expect(pagination.has_more).toBe(cursor !== null);
    }
    expect(seen).toEqual((await find("the")).hits.map((hit) => hit.message_id));
  });

  it("keeps to its filters, and refuses what it does not know", async () => {
    expect(await snippets("the", "&role=user")).toEqual(["Where is the café?"]);
    expect(await snippets("the", "&agent_id=creative")).toEqual([]);
    expect(await snippets("the", "&since=2200-01-01T00:00:00Z")).toEqual([]);
    expect(await snippets("the", "&until=2200-01-01T00:00:00%2B23:59")).toHaveLength(3);
    expect(await snippets("the", "&status=archived")).toEqual([]);
    expect(await snippets("the", `&session_id=${sessionId}`)).toHaveLength(4);
    expect(await snippets("the", "&session_id=nonsense")).toEqual([]);
    for (const wrong of [
      "q=a&limit=101",
      "q=a&role=robot",
      "q=a&cursor=e30",
      "q=a&since=yesterday",
      "q=a&until=0000-01-01T00:00:00Z",
      "",
    ]) {
      expect((await client.get(`/chat/search?user_id=ann&${wrong}`)).status, wrong).toBe(422);
    }
    expect((await client.get("/chat/search?q=a")).status).toBe(422);
  });

  it("is of one user alone, and forgets what is deleted", async () => {
    expect(await snippets("secret")).toEqual([]);
    expect(await snippets("secret", "", "bob")).toHaveLength(2);
    const gone = (await send("ann", "to be forgotten")).session_id;
    expect(await snippets("forgotten")).toHaveLength(2);
    await client.send("PATCH", `/sessions/${gone}`, { title: "Renamed", status: "archived" });
    expect(await snippets("forgotten")).toEqual(["to be forgotten"]);
    expect(await snippets("renamed", "&status=archived")).toEqual(["Renamed"]);
    expect((await client.send("DELETE", `/sessions/${gone}`)).status).toBe(200);
    expect([...(await snippets("forgotten")), ...(await snippets("renamed"))]).toEqual([]);
  });
});
