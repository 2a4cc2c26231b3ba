import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { chatGptConversation } from "../support/foreign-exports.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Result {
  readonly success: boolean;
  readonly imported: number;
  readonly skipped: number;
  readonly conversations: { readonly session_id: string; readonly status: string }[];
  readonly error: { readonly type: string; readonly message: string };
}

describe("importing a file", () => {
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    service = await startService({ env: { LIMITS_MAX_IMPORT_SIZE: "300KB" } });
    client = createClient(service.url);
  });
  afterAll(() => service.stop());

  const file = (number: number, turns = 2) =>
    JSON.stringify([chatGptConversation({ number, turns })]);
  const post = async (
    user: string,
    body: NonNullable<RequestInit["body"]>,
    headers: Record<string, string> = {},
  ) => {
    const answer = await fetch(`${service.url}/import?user_id=${user}`, {
      method: "POST",
      headers,
      body,
      ...(body instanceof ReadableStream && { duplex: "half" }),
    });
    return { status: answer.status, body: (await answer.json()) as Result };
  };
  const form = (text: string) => {
    const fields = new FormData();
    fields.append("file", new Blob([text]), "conversations.json");
    return fields;
  };

  it("takes a form or the file itself, is found by search, and goes out and in again", async () => {
    const { status, body } = await post("ann", form(file(1)));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      imported: 1,
      conversations: [{ status: "imported", source: "chatgpt", source_id: "1-chat", messages: 6 }],
    });
    const again = await post("ann", file(1), { "content-type": "application/json" });
    expect(again.body).toMatchObject({ imported: 0, skipped: 1 });
    await expect
      .poll(async () => (await client.get("/chat/search?user_id=ann&q=question")).body)
      .toMatchObject({ hits: [{}, {}] });
    const all = await (await fetch(`${service.url}/export?user_id=ann`)).text();
    const moved = await post("berta", all, { "content-type": "application/jsonl" });
    expect(moved.body).toMatchObject({ imported: 1, conversations: [{ source: "chat-service" }] });
    const path = `/chat/history/${moved.body.conversations[0]?.session_id}?user_id=berta`;
    expect((await client.get<{ messages: unknown[] }>(path)).body.messages).toHaveLength(4);
  });

  it("answers a repeat with the same key as at first, and refuses another file with it", async () => {
    const key = { "idempotency-key": "once" };
    const first = await post("carla", form(file(2)), key);
    expect(first.body).toMatchObject({ imported: 1 });
    expect(await post("carla", form(file(2)), key)).toEqual(first);
    const other = await post("carla", form(file(3)), key);
    expect(other).toMatchObject({ status: 409, body: { error: { type: "idempotency_conflict" } } });
  });

  it("refuses what is broken, too large, or no file, and stores nothing of it", async () => {
    const broken = await post("dora", form(file(4).slice(0, -9)), { "accept-language": "zh" });
    expect(broken).toMatchObject({
      status: 422,
      body: {
        error: { type: "import_failed", message: expect.stringContaining("未导入任何内容") },
      },
    });
    const large = file(5, 1_000);
    expect(await post("dora", form(large))).toMatchObject({ status: 413 });
    // Of a size that nobody was told.
    const pieces = new Blob([large]).stream();
    expect(await post("dora", pieces)).toMatchObject({ status: 413 });
    expect(await post("dora", new FormData())).toMatchObject({ status: 422 });
    expect(await post("dora", "")).toMatchObject({ status: 422 });
    const { body } = await client.get<{ sessions: unknown[] }>("/sessions?user_id=dora");
    expect(body.sessions).toEqual([]);
  });
});
