import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface History {
  messages: { message_id: string; role: string; content: string }[];
  pagination: { total: number; has_more: boolean; next_cursor: string | null; offset: number };
}

describe("the history of a session", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;
  let sessionId: string;
  const texts = [
    "The quick brown fox",
    "数据库连接失败怎么办",
    "東京の天気はどうですか",
    "오늘 날씨가 좋네요",
    "Résumé of the FOXTROT plan",
    "我爱北京天安门",
  ];

  beforeAll(async () => {
    model = await startOpenAiServer({ respond: () => ({ tokens: ["ok"] }) });
    service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
    sessionId = await client.session("alice");
    for (const message of texts) {
      await client.send("POST", "/chat/message", { session_id: sessionId, message });
    }
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const history = (query = "") => client.get<History>(`/chat/history/${sessionId}?${query}`);

  it("comes oldest first, by offset, by cursor, and around a message", async () => {
    const all = (await history()).body;
    expect(all.messages.map((message) => message.role)).toEqual(
      texts.flatMap(() => ["user", "assistant"]),
    );
    expect(all.pagination).toMatchObject({ total: 12, has_more: false, next_cursor: null });

    const page = (await history("limit=5&offset=3")).body;
    expect(page.messages).toEqual(all.messages.slice(3, 8));
    expect(page.pagination).toMatchObject({ total: 12, offset: 3, has_more: true });

    const seen = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { body }: { body: History } = await history(
        `limit=5${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      seen.push(...body.messages);
      cursor = body.pagination.next_cursor;
    }
    expect(seen).toEqual(all.messages);

    const middle = all.messages[6]?.message_id;
    expect((await history(`limit=3&before=${middle}`)).body.messages).toEqual(
      all.messages.slice(3, 6),
    );
    expect((await history(`limit=3&after=${middle}`)).body.messages).toEqual(
      all.messages.slice(7, 10),
    );
    expect((await history(`limit=4&around=${middle}`)).body.messages).toEqual(
      all.messages.slice(4, 8),
    );
    const older = (await history(`limit=4&before=${middle}`)).body.pagination.next_cursor;
    expect((await history(`limit=4&cursor=${older}`)).body.messages).toEqual(
      all.messages.slice(0, 2),
    );
    expect((await history("around=01a2033f-f554-7027-a6ed-64cdc29e409a")).status).toBe(404);
  });

  it("filters by role, agent and time", async () => {
    const { body } = await history("role=user");
    expect(body.messages.map((message) => message.content)).toEqual(texts);
    expect(body.pagination.total).toBe(6);
    expect((await history("agent_id=creative")).body.messages).toEqual([]);
    expect((await history("since=2200-01-01T00:00:00Z")).body.messages).toEqual([]);
    expect((await history("until=2200-01-01T00:00:00Z&role=assistant")).body.messages).toHaveLength(
      6,
    );
    expect((await history("since=yesterday")).status).toBe(422);
    expect((await history("until=0000-01-01T00:00:00Z")).status).toBe(422);
    expect((await history("until=2200-01-01T00:00:00%2B23:59")).body.messages).not.toEqual([]);
    expect((await history("limit=201")).status).toBe(422);
  });

  it.each([
    ["fox", ["The quick brown fox", "Résumé of the FOXTROT plan"]],
    ["QUICK fox", ["The quick brown fox"]],
    ["résumé", ["Résumé of the FOXTROT plan"]],
    ["数", ["数据库连接失败怎么办"]],
    ["数据库", ["数据库连接失败怎么办"]],
    ["失败 数据", ["数据库连接失败怎么办"]],
    ["据数", []],
    ["天", ["東京の天気はどうですか", "我爱北京天安门"]],
    ["北京", ["我爱北京天安门"]],
    ["東京", ["東京の天気はどうですか"]],
    ["ですか", ["東京の天気はどうですか"]],
    ["날씨", ["오늘 날씨가 좋네요"]],
    ["좋", ["오늘 날씨가 좋네요"]],
    ["ｆｏｘ", ["The quick brown fox", "Résumé of the FOXTROT plan"]],
    ["' & | ! :*", []],
    ["fox'); DROP TABLE messages; --", []],
  ])("finds %s", async (q, expected) => {
    const { status, body } = await history(`role=user&q=${encodeURIComponent(q)}`);
    expect(status).toBe(200);
    expect(body.messages.map((message) => message.content)).toEqual(expected);
  });
});
