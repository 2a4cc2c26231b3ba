import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Usage {
  rows: Record<string, unknown>[];
  total: Record<string, unknown>;
}

const prices = { "test-model": { input: 2, output: 10, cached: 1 } };

describe.each([
  ["embedded", async () => ({})],
  ["postgres", async () => ({ DATABASE_URL: (await postgres?.freshDatabase()) ?? "" })],
] as const)("what replies have used, on %s", (kind, database) => {
  if (kind === "postgres" && postgres === null) return;
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        MODELS_PRICES: JSON.stringify(prices),
        ...(await database()),
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const usageOf = async (userId: string, query = "") =>
    (await client.get<Usage>(`/usage?user_id=${userId}${query}`)).body;

  const say = async (body: object, input: number, output: number, more: object = {}) => {
    model.enqueue({
      tokens: ["well"],
      usage: { prompt_tokens: input, completion_tokens: output, ...more },
    });
    const { body: answer } = await client.send<{ session_id: string }>(
      "POST",
      "/chat/message",
      body,
    );
    return answer.session_id;
  };

  const none = {
    replies: 0,
    input_tokens: 0,
    output_tokens: 0,
    cached_tokens: 0,
    reasoning_tokens: 0,
    cost: null,
  };

  it("is told by day, agent and model, with its cost, and outlives what was deleted", async () => {
    expect(await usageOf("ann")).toEqual({ success: true, rows: [], total: none });
    const before = new Date().toISOString();
    const first = await say({ user_id: "ann", message: "a" }, 1000, 100, {
      prompt_tokens_details: { cached_tokens: 400 },
      completion_tokens_details: { reasoning_tokens: 30 },
    });
    await say(
      { user_id: "ann", message: "b", agent_id: "analyst", session_config: { model: "other" } },
      5,
      7,
    );
    await say({ user_id: "bob", message: "c" }, 9, 9);
    const today = new Date().toISOString().slice(0, 10);
    const total = {
      replies: 2,
      input_tokens: 1005,
      output_tokens: 107,
      cached_tokens: 400,
      reasoning_tokens: 30,
    };
    // 600 at 2, 400 at 1, 100 at 10, of a million.
    const cost = 0.0026;
    expect(await usageOf("ann")).toMatchObject({
      rows: [{ day: today, ...total, cost }],
      total: { ...total, cost },
    });
    expect(await usageOf("ann", "&group_by=agent")).toMatchObject({
      rows: [
        { agent_id: "analyst", replies: 1, input_tokens: 5, cost: null },
        { agent_id: "general-chat", replies: 1, input_tokens: 1000, cost },
      ],
    });
    expect(await usageOf("ann", "&group_by=model")).toMatchObject({
      rows: [
        { model: "other", output_tokens: 7 },
        { model: "test-model", output_tokens: 100 },
      ],
    });
    for (const [query, input] of [
      ["&agent_id=analyst", 5],
      ["&model=test-model", 1000],
      [`&since=${before}`, 1005],
      [`&until=${before}`, 0],
      ["&since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z", 1005],
    ] as const) {
      expect((await usageOf("ann", query)).total, query).toMatchObject({ input_tokens: input });
    }
    await client.send("DELETE", `/sessions/${first}`);
    expect((await usageOf("ann")).total).toMatchObject(total);
  });

  it("counts every reply once, also those that failed or told nothing", async () => {
    model.enqueue({ tokens: ["quiet"], usage: null });
    await client.send("POST", "/chat/message", { user_id: "cleo", message: "a" });
    model.enqueue({ tokens: ["half"], fault: { kind: "die" } });
    await client.send("POST", "/chat/message", { user_id: "cleo", message: "b" });
    const { rows, total } = await usageOf("cleo", "&group_by=model");
    expect(rows).toMatchObject([
      { model: null, replies: 1 },
      { model: "test-model", replies: 1, cost: null },
    ]);
    expect(total).toMatchObject({ replies: 2 });
  });

  it("is told of all users together", async () => {
    const before = (await client.get<Usage>("/usage?all_users=true&group_by=model")).body;
    await say({ user_id: "fred", message: "a" }, 3, 4);
    await say({ user_id: "gina", message: "a" }, 5, 6);
    const { rows, total } = (await client.get<Usage>("/usage?all_users=true&group_by=model")).body;
    expect(total["replies"]).toBe(Number(before.total["replies"]) + 2);
    expect(total["input_tokens"]).toBe(Number(before.total["input_tokens"]) + 8);
    expect(rows.map((row) => row["model"])).toContain("test-model");
  });

  it("says which model a rating is of, whatever the session says by then", async () => {
    model.enqueue({ tokens: ["well"], usage: null });
    const { body: asked } = await client.send<{ session_id: string; message_id: string }>(
      "POST",
      "/chat/message",
      { user_id: "rita", message: "a", session_config: { model: "first-model" } },
    );
    await client.send("PATCH", `/sessions/${asked.session_id}`, { config: { model: "other" } });
    const path = `/chat/message/${asked.message_id}/feedback`;
    expect((await client.send("PUT", path, { rating: "up" })).status).toBe(200);
    const { body } = await client.get<{ feedback: object[] }>("/feedback");
    expect(body.feedback).toMatchObject([{ user_id: "rita", model: "first-model" }]);
    expect((await client.get<string>("/metrics")).body).toMatch(
      /^chat_feedback_total\{[^}]*model="first-model",rating="up"/m,
    );
  });

  it("is told of one conversation, also of what was deleted of it, and to nobody else", async () => {
    const session = await say({ user_id: "hanna", message: "a" }, 10, 1);
    await say({ user_id: "hanna", session_id: session, message: "b" }, 20, 2);
    await say({ user_id: "hanna", message: "elsewhere" }, 500, 500);
    const path = `&session_id=${session}`;
    const used = { replies: 2, input_tokens: 30, output_tokens: 3 };
    expect(await usageOf("hanna", `${path}&group_by=model`)).toMatchObject({
      rows: [{ model: "test-model", ...used }],
      total: used,
    });
    expect((await usageOf("ida", path)).total).toEqual(none);
    const all = await client.get<Usage>(`/usage?all_users=true${path}`);
    expect(all.body.total).toMatchObject(used);
    const { body } = await client.get<{ messages: { message_id: string }[] }>(
      `/chat/history/${session}`,
    );
    await client.send("DELETE", `/chat/message/${body.messages[2]?.message_id ?? ""}`);
    expect((await usageOf("hanna", path)).total).toMatchObject(used);
    await client.send("DELETE", `/sessions/${session}`);
    expect((await usageOf("hanna", path)).total).toMatchObject(used);
  });

  it("is erased with the user, and only then", async () => {
    await say({ user_id: "dora", message: "a" }, 3, 4);
    await say({ user_id: "emil", message: "a" }, 3, 4);
    const { body } = await client.send("DELETE", "/usage?user_id=dora");
    expect(body).toEqual({ success: true, deleted: 1 });
    expect((await usageOf("dora")).total).toEqual(none);
    expect((await usageOf("emil")).total).toMatchObject({ replies: 1 });
  });

  it("refuses what it does not know", async () => {
    for (const query of ["group_by=week", "since=yesterday", "session_id=7"]) {
      const { status } = await client.get(`/usage?user_id=ann&${query}`);
      expect(status, query).toBe(422);
    }
  });
});
