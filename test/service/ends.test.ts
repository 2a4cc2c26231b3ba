import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

const postgres = await startPostgres();

/** What the database refuses, as a condition on the row that is to be stored. */
const refusals: { what: string; refused: string; how?: string; status: string }[] = [
  { what: "usage", refused: "NEW.usage IS NOT NULL", status: "complete" },
  { what: "the text", refused: "NEW.content <> ''", status: "failed" },
  {
    what: "usage, by never coming to an end with it",
    refused: "NEW.usage IS NOT NULL",
    how: "PERFORM pg_sleep(60)",
    status: "complete",
  },
  ...["22001", "22P05", "23514", "40P01", "54000", "57014", "XX000"].map((state) => ({
    what: `usage with SQLSTATE ${state}`,
    refused: "NEW.usage IS NOT NULL",
    how: `RAISE EXCEPTION 'refused' USING ERRCODE = '${state}'`,
    status: "complete",
  })),
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
      env: {
        OPENAI_BASE_URL: model.url,
        DATABASE_URL: url,
        DATABASE_STATEMENT_TIMEOUT_MS: "1000",
        STREAMS_LEASE_SECONDS: "5",
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
    await postgres?.stop();
  });

  /** Statements that store such a row fail: with an error of this SQLSTATE, or because they take too long. */
  const refuse = async (condition: string, how = "RAISE EXCEPTION 'refused'") => {
    await postgres?.query(
      `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN ${how}; RETURN NEW; END $$`,
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

  it.each(refusals)("$what", async ({ refused, status, how }) => {
    await refuse(refused, how);
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

describe("a reply ends whatever its text is", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const checksum = (line: number) => createHash("sha256").update(String(line)).digest("hex");

  it.each([
    {
      what: "20,000 checksums",
      tokens: Array.from({ length: 200 }, (_, part) =>
        Array.from({ length: 100 }, (_line, line) => `${checksum(part * 100 + line)}\n`).join(""),
      ),
    },
    {
      what: "one run of Chinese without a space",
      tokens: Array<string>(2_500).fill("哈".repeat(1_000)),
    },
    {
      what: "one word as long as a reply may be",
      tokens: Array<string>(4_200).fill("x".repeat(1_000)),
    },
    {
      what: "characters that PostgreSQL does not take",
      tokens: ["a\u0000b", "\ud800", "\udc00c", "\uffff"],
    },
    { what: "Thai without a space", tokens: Array<string>(1_000).fill("สวัสดีชาวโลก".repeat(50)) },
  ])("$what", async ({ tokens }) => {
    const sessionId = await client.session("alice");
    model.enqueue({ tokens });
    const stream = await client.stream({ session_id: sessionId, message: "go" });
    const end = (await stream.all()).at(-1);
    expect(end?.type).toBe("conversation_complete");
    const { body } = await client.get<{ content: string; status: string }>(
      `/chat/message/${String(end?.["message_id"])}`,
    );
    expect(body.status).toBe("complete");
    expect(body.content).toBe(end?.["full_response"]);
    expect(body.content.length).toBeGreaterThan(2);
    const next = await client.stream({ session_id: sessionId, message: "two" });
    expect((await next.all()).at(-1)?.type).toBe("conversation_complete");
  });
});
