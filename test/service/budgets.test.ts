import { createHash } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startJsonServer, type JsonServer } from "../support/json-server.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

const keys = ["reports", "shop"];

describe.each([
  ["embedded", 1, async () => ({})],
  [
    "two nodes on postgres",
    2,
    async () => ({ DATABASE_URL: (await postgres?.freshDatabase()) ?? "" }),
  ],
] as const)("budgets, on %s", (_kind, nodes, database) => {
  if (nodes > 1 && postgres === null) return;
  let model: OpenAiServer;
  let receiver: JsonServer;
  const services: TestService[] = [];
  let client: Client;
  /** Another node, where there is one. */
  let other: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    receiver = await startJsonServer(() => ({ status: 204 }));
    const env = {
      OPENAI_BASE_URL: model.url,
      EVENTS_URL: receiver.url,
      LIMITS_BUDGETS: JSON.stringify([
        { scope: "user", period: "day", tokens: 100 },
        { scope: "key", period: "month", money: 0.5 },
        { scope: "all", period: "month", tokens: 10_000 },
      ]),
      MODELS_PRICES: JSON.stringify({ "test-model": { input: 0, output: 10_000 } }),
      AUTH_API_KEYS: JSON.stringify(
        keys.map((name) => ({
          name,
          sha256: createHash("sha256").update(`key of ${name}`).digest("hex"),
          user_id: name,
          roles: ["admin"],
        })),
      ),
      ...(await database()),
    };
    for (let node = 0; node < nodes; node += 1) services.push(await startService({ env }));
    client = createClient(services[0]?.url ?? "");
    other = createClient(services.at(-1)?.url ?? "");
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await model.close();
    await receiver.stop();
  });

  const use = (tokens: number) =>
    model.enqueue({ tokens: ["ok"], usage: { prompt_tokens: tokens - 10, completion_tokens: 10 } });
  const send = (at: Client, body: object, headers: Record<string, string> = {}) =>
    at.send<{ session_id: string; error: { type: string; message: string } }>(
      "POST",
      "/chat/message",
      { message: "hi", ...body },
      headers,
    );

  const warnings = () =>
    receiver.requests
      .map(({ body }) => body as { event_type: string; data: Record<string, unknown> })
      .filter(({ event_type: type }) => type === "budget.warning")
      .map(({ data }) => data);

  it("of a user is warned of once, and refused when it is used up, by whatever door", async () => {
    const warned = receiver.nextRequest(
      ({ body }) => (body as { event_type: string }).event_type === "budget.warning",
    );
    use(85);
    const key = { "idempotency-key": "first" };
    const first = await send(client, { user_id: "ann" }, key);
    expect(first.status).toBe(200);
    await warned;
    use(85);
    const sessionId = first.body.session_id;
    expect((await send(other, { session_id: sessionId })).status).toBe(200);
    const requestsBefore = model.requests.length;

    const doors = [
      send(other, { user_id: "ann" }),
      send(client, { session_id: sessionId }),
      send(client, { user_id: "ann" }, { prefer: "respond-async" }),
      send(client, { user_id: "ann" }, { "idempotency-key": "another" }),
      client.send<{ error: { type: string; message: string } }>("POST", "/chat/message/stream", {
        message: "hi",
        user_id: "ann",
      }),
    ];
    for (const { status, headers, body } of await Promise.all(doors)) {
      expect([status, body]).toMatchObject([429, { error: { type: "budget_exceeded" } }]);
      const seconds = Number(headers.get("retry-after"));
      expect(seconds > 0 && seconds <= 86_400).toBe(true);
      const tomorrow = new Date(Date.now() + seconds * 1000).toISOString().slice(0, 10);
      expect(body.error.message).toContain(`${tomorrow}T00:00:00.000Z`);
    }
    const socket = connectSocket(`${client.url}/chat/ws?user_id=ann`);
    await once(socket.socket, "open");
    socket.send({ type: "chat", message: "hi" });
    expect(await socket.next(({ type }) => type === "error")).toMatchObject({
      error_type: "budget_exceeded",
    });
    socket.socket.close();
    // A repeat gets its first answer.
    expect((await send(client, { user_id: "ann" }, key)).body).toMatchObject({
      session_id: sessionId,
    });
    expect(model.requests.length).toBe(requestsBefore);
    // Nothing of what was refused is stored.
    const { body: list } = await client.get<{ sessions: unknown[] }>("/sessions?user_id=ann");
    expect(list.sessions).toHaveLength(1);
    // Others have their own, and what is deleted gives nothing back.
    use(20);
    expect((await send(client, { user_id: "bob" })).status).toBe(200);
    await client.send("DELETE", `/sessions/${sessionId}`);
    expect((await send(client, { user_id: "ann" })).status).toBe(429);
    expect(warnings()).toEqual([
      expect.objectContaining({
        scope: "user",
        user_id: "ann",
        unit: "tokens",
        used: 85,
        limit: 100,
      }),
    ]);
  });

  it("of an API key is its own, whoever it sends for", async () => {
    const shop = { "x-api-key": "key of shop" };
    // Ten tokens at 10,000 a million are 0.1.
    for (const user of ["u1", "u2", "u3", "u4", "u5"]) {
      use(11);
      expect((await send(client, { user_id: user }, shop)).status).toBe(200);
    }
    const refused = await send(other, { user_id: "u6" }, shop);
    expect([refused.status, refused.body]).toMatchObject([
      429,
      { error: { type: "budget_exceeded" } },
    ]);
    use(11);
    const reports = { "x-api-key": "key of reports" };
    expect((await send(other, { user_id: "u6" }, reports)).status).toBe(200);
  });
});
