import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket as connect } from "../support/web-socket-client.ts";

const postgres: TestPostgres | null = await startPostgres();

describe.skipIf(postgres === null)("many messages on one WebSocket", () => {
  let service: TestService;
  beforeAll(async () => {
    const url = (await postgres?.freshDatabase()) ?? "";
    service = await startService({ env: { DATABASE_URL: url, BUILTIN_AGENTS: "always" } });
  });
  afterAll(async () => {
    await service?.stop();
    await postgres?.stop();
  });

  it("are stored and answered in the order in which they were sent", async () => {
    const client = createClient(service.url);
    const talk = async (): Promise<string[]> => {
      const sessionId = await client.session("alice", { agent_id: "calculator" });
      const chat = connect(`${service.url}/chat/ws?session_id=${sessionId}`);
      await chat.next(({ type }) => type === "connection_established");
      for (let each = 0; each < 6; each++) chat.send({ type: "chat", message: `${each} + 0` });
      const ended = () => chat.messages.filter(({ type }) => type === "conversation_complete");
      await chat.next(() => ended().length === 6);
      chat.socket.close();
      const { body } = await client.get<{ messages: { role: string; content: string }[] }>(
        `/chat/history/${sessionId}`,
      );
      return body.messages.filter(({ role }) => role === "user").map(({ content }) => content);
    };
    const stored = await Promise.all(Array.from({ length: 40 }, talk));
    const sent = Array.from({ length: 6 }, (_, index) => `${index} + 0`);
    expect(stored).toEqual(Array.from({ length: 40 }, () => sent));
  });

  it("leave room for everybody else", async () => {
    const client = createClient(service.url);
    const flood = connect(`${service.url}/chat/ws?user_id=mallory`);
    await flood.next(({ type }) => type === "connection_established");
    const unknown = { type: "resume", message_id: "01a2200b-9490-77f7-927b-43c24043ce26" };
    for (let each = 0; each < 20_000; each++) flood.send(unknown);
    await flood.next(({ type }) => type === "error");
    expect((await client.get("/sessions?user_id=alice")).status).toBe(200);
    // Nothing is lost: the rest waits for its turn, with who sends it.
    expect(flood.messages.length).toBeLessThan(5_000);
    flood.socket.terminate();
  });
});
