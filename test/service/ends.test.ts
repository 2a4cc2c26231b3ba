import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

const postgres = await startPostgres();

/** What the database refuses, as a condition on the row that is to be stored. */
const refusals = [
  { what: "search entries", refused: "NEW.search <> ''::tsvector", status: "complete" },
  { what: "usage", refused: "NEW.usage IS NOT NULL", status: "complete" },
  { what: "the text", refused: "NEW.content <> ''", status: "failed" },
  { what: "that it is complete", refused: "NEW.status = 'complete'", status: "failed" },
];

describe.skipIf(postgres === null)("a reply ends although the database refuses", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;
  let url: string;

  beforeAll(async () => {
    model = await startOpenAiServer();
    url = (await postgres?.freshDatabase()) ?? "";
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, DATABASE_URL: url, STREAMS_LEASE_SECONDS: "5" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
    await postgres?.stop();
  });

  const refuse = async (condition: string) => {
    await postgres?.query(
      `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
         AS 'BEGIN RAISE EXCEPTION ''refused''; END'`,
      [],
      url,
    );
    await postgres?.query("DROP TRIGGER IF EXISTS refuse ON messages", [], url);
    await postgres?.query(
      `CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW
         WHEN (NEW.role = 'assistant' AND ${condition}) EXECUTE FUNCTION refuse()`,
      [],
      url,
    );
  };

  it.each(refusals)("$what", async ({ refused, status }) => {
    await refuse(refused);
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["some ", "words"] });
    const stream = await client.stream({ session_id: sessionId, message: "one" });
    const end = (await stream.all()).at(-1);
    expect(stream.isDone()).toBe(true);
    expect(end).toMatchObject(
      status === "complete"
        ? { type: "conversation_complete", full_response: "some words" }
        : { type: "error", error_type: "internal_error" },
    );
    await refuse("false");
    const messageId = String(end?.["message_id"]);
    expect((await client.get(`/chat/message/${messageId}`)).body).toMatchObject({ status });
    const next = await client.stream({ session_id: sessionId, message: "two" });
    expect((await next.all()).at(-1)?.type).toBe("conversation_complete");
  });

  it("anything for a while: what waits behind it is answered afterwards", async () => {
    await refuse("NEW.status <> 'streaming'");
    const sessionId = await client.session("alice");
    const first = await client.stream({ session_id: sessionId, message: "one" });
    await first.next((event) => event["finished"] === true);
    const second = await client.stream({ session_id: sessionId, message: "two" });
    await second.next((event) => event.type === "queued");
    const messageId = String(first.headers.get("x-message-id"));
    const cancelled = client.send("POST", `/chat/message/${messageId}/cancel`);
    await refuse("false");
    expect((await cancelled).status).toBe(200);
    expect(["cancelled", "error"]).toContain((await first.all()).at(-1)?.type);
    expect((await second.all()).at(-1)?.type).toBe("conversation_complete");
  });
});
