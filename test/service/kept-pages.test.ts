import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../security/random.ts";
import { createClient, type Client } from "../support/client.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { startService, type TestService } from "../support/start-service.ts";

const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

interface Message {
  readonly message_id: string;
  readonly role: string;
  readonly status: string;
  readonly content: string;
  readonly feedback?: object;
}
interface Page {
  readonly messages: Message[];
}

const kinds = [
  { kind: "one node, embedded", nodes: 1, hasRedis: false, isThere: true },
  { kind: "two nodes on PostgreSQL", nodes: 2, hasRedis: false, isThere: postgres !== null },
  {
    kind: "two nodes on PostgreSQL and Redis",
    nodes: 2,
    hasRedis: true,
    isThere: postgres !== null && redis !== null,
  },
].filter(({ isThere }) => isThere);
const steps = process.env["FAULTS"] === "long" ? 1_000 : 50;
const seed = 20_261_129;

describe.each(kinds)("pages that are kept, on $kind", ({ nodes, hasRedis }) => {
  let model: OpenAiServer;
  let services: TestService[];
  let clients: Client[];
  let url: string | undefined;

  beforeAll(async () => {
    model = await startOpenAiServer();
    url = nodes > 1 ? await postgres?.freshDatabase() : undefined;
    const env = {
      OPENAI_BASE_URL: model.url,
      ...(url !== undefined && { DATABASE_URL: url }),
      ...(hasRedis && redis !== null && { REDIS_URL: redis.url }),
    };
    services = [];
    for (let node = 0; node < nodes; node += 1) services.push(await startService({ env }));
    clients = services.map((service) => createClient(service.url));
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await model.close();
  });

  const pageOf = async (client: Client, sessionId: string, query = "") =>
    (await client.get<Page>(`/chat/history/${sessionId}?limit=200${query}`)).body.messages;

  it("are never older than a write that was answered, whichever node it was sent to", async () => {
    const random = createRandom(seed);
    const [first] = clients as [Client];
    const sessionId = await first.session("ann");
    await first.send("POST", "/chat/message", { session_id: sessionId, message: "begin" });
    let gate = Promise.withResolvers<void>();
    model.setRespond((request) => {
      const text = lastUserText(request);
      const { promise } = gate;
      return {
        tokens: ["You said ", text],
        pace: (index) => (index === 1 && text === "slow" ? promise : Promise.resolve()),
      };
    });
    for (let step = 0; step < steps; step += 1) {
      const on = random.pick(clients);
      const messages = await pageOf(on, sessionId);
      const ended = messages.filter(({ status }) => status !== "streaming" && status !== "queued");
      const replies = ended.filter(({ role }) => role === "assistant");
      const reply = replies.length > 0 ? random.pick(replies).message_id : "";
      const question = ended.find(({ role }) => role === "user")?.message_id ?? "";
      const say = (message: string, headers = {}) =>
        on.send("POST", "/chat/message", { session_id: sessionId, message }, headers);
      const [name, write] = random.pick<readonly [string, () => Promise<unknown>]>([
        ["say", () => say(`step ${step}`)],
        ["say", () => say(`step ${step}`)],
        [
          "rate",
          () =>
            on.send("PUT", `/chat/message/${reply}/feedback`, {
              rating: random.pick(["up", "down"]),
            }),
        ],
        ["unrate", () => on.send("PUT", `/chat/message/${reply}/feedback`, { rating: null })],
        ["regenerate", () => on.send("POST", `/chat/message/${reply}/regenerate`, {})],
        [
          "edit",
          () => on.send("POST", `/chat/message/${question}/edit`, { message: `edit ${step}` }),
        ],
        ["choose", () => on.send("PATCH", `/sessions/${sessionId}`, { head_message_id: reply })],
        ["delete", () => on.send("DELETE", `/chat/message/${reply}`)],
        ["title", () => on.send("PATCH", `/sessions/${sessionId}`, { title: `t ${step}` })],
        [
          "run and stop",
          async () => {
            const stream = await on.stream({ session_id: sessionId, message: "slow" });
            await stream.next(({ type }) => type === "assistant_chunk");
            await Promise.all(clients.map((client) => pageOf(client, sessionId)));
            const later = await say("waits", { prefer: "respond-async" });
            const { user_message_id: waiting } = later.body as unknown as Record<string, string>;
            await Promise.all(clients.map((client) => pageOf(client, sessionId)));
            await random
              .pick(clients)
              .send("PATCH", `/chat/message/${waiting}`, { message: "said otherwise" });
            await random.pick(clients).send("DELETE", `/chat/message/${waiting}`);
            const id = stream.headers.get("x-message-id");
            await random.pick(clients).send("POST", `/chat/message/${id}/cancel`);
            gate.resolve();
            await stream.all();
            gate = Promise.withResolvers<void>();
          },
        ],
      ]);
      await write();
      for (const client of clients) {
        const page = await pageOf(client, sessionId);
        expect(await pageOf(client, sessionId), name).toEqual(page);
        // Asked for by its id a message is never a copy.
        for (const message of page.filter(() => random.chance(4 / page.length))) {
          const { body } = await first.get<Message>(`/chat/message/${message.message_id}`);
          expect([message.content, message.feedback], `${step}: ${name}`).toEqual([
            body.content,
            body.feedback,
          ]);
        }
        const all = await pageOf(client, sessionId, "&role=user");
        expect(
          page.filter(({ role }) => role === "user"),
          `${step}: ${name}`,
        ).toEqual(all);
        const told = await pageOf(client, sessionId, "&role=assistant");
        expect(
          page.filter(({ role }) => role === "assistant"),
          `${step}: ${name}`,
        ).toEqual(told);
      }
    }
    expect(await hits(first)).toBeGreaterThan(steps / 2);
  }, 300_000);

  it("are nobody's any more who may not see the session, and gone with it", async () => {
    const [first] = clients as [Client];
    const last = clients.at(-1) as Client;
    const sessionId = await first.session("ann");
    await first.send("POST", "/chat/message", { session_id: sessionId, message: "mine" });
    for (const client of clients) expect(await pageOf(client, sessionId)).toHaveLength(2);
    expect((await last.get(`/chat/history/${sessionId}?user_id=bob`)).status).toBe(404);
    await first.send("DELETE", `/sessions/${sessionId}`);
    for (const client of clients) {
      expect((await client.get(`/chat/history/${sessionId}?limit=200`)).status).toBe(404);
    }
  });

  it("are read anew when a summary has come to stand in for a part, or words turn out to be unheard", async () => {
    if (url === undefined || postgres === null) return;
    const [first] = clients as [Client];
    const sessionId = await first.session("ann");
    await first.send("POST", "/chat/message", { session_id: sessionId, message: "long" });
    for (const client of clients) expect(await pageOf(client, sessionId)).toHaveLength(2);
    await postgres.query(
      `INSERT INTO summaries (session_id, first_seq, last_seq, message_id, agent_id, content)
       VALUES ($1, 1, 2, gen_random_uuid(), 'general-chat', 'In short')`,
      [sessionId],
      url,
    );
    for (const client of clients) expect(await pageOf(client, sessionId)).toHaveLength(3);
    await postgres.query(
      "UPDATE messages SET content = 'You', unspoken = ' said' WHERE session_id = $1 AND seq = 2",
      [sessionId],
      url,
    );
    for (const client of clients) {
      expect((await pageOf(client, sessionId))[1]).toMatchObject({
        content: "You",
        unspoken: " said",
      });
    }
  });

  async function hits(client: Client): Promise<number> {
    const { body } = await client.get<string>("/metrics");
    const line =
      /^chat_cache_operation_duration_seconds_count\{operation="read",outcome="hit"\} (\d+)$/m;
    return Number(line.exec(body)?.[1] ?? 0);
  }
});
