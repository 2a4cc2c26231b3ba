import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Exported {
  readonly format: string;
  readonly version: number;
  readonly session: Readonly<Record<string, unknown>>;
  readonly messages: readonly (Readonly<Record<string, unknown>> & {
    readonly message_id: string;
    readonly content: string;
    readonly attachments?: readonly { readonly name: string; readonly data: string }[];
  })[];
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());
const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, at) => at % 251));

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "conversations as files, on %s",
  (kind) => {
    let model: OpenAiServer;
    let service: TestService;
    let client: Client;

    beforeAll(async () => {
      model = await startOpenAiServer({ respond: () => ({ tokens: ["an answer"] }) });
      const database = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
      service = await startService({
        env: { OPENAI_BASE_URL: model.url, ...(database && { DATABASE_URL: database }) },
      });
      client = createClient(service.url);
    });
    afterAll(async () => {
      await service.stop();
      await model.close();
    });

    const send = async (sessionId: string, message: string, more: object = {}) =>
      (
        await client.send<{ message_id: string; user_message_id: string }>(
          "POST",
          "/chat/message",
          { session_id: sessionId, message, ...more },
        )
      ).body;
    /** q1 with a file, a1, q2, a2; another a2; q2 said otherwise. The first a2 is shown. */
    const talk = async (userId: string) => {
      const sessionId = await client.session(userId);
      const attachments = [
        { name: "计划.bin", media_type: "text/plain", data: bytes.toString("base64") },
      ];
      await send(sessionId, "q1 你好 😀", { attachments, metadata: { a: [1, null] } });
      const second = await send(sessionId, "q2 </script> & \u2028");
      const accept = { accept: "application/json" };
      await client.send("POST", `/chat/message/${second.message_id}/regenerate`, {}, accept);
      await client.send(
        "POST",
        `/chat/message/${second.user_message_id}/edit`,
        { message: "q2 otherwise" },
        accept,
      );
      await client.send("PUT", `/chat/message/${second.message_id}/feedback`, {
        rating: "up",
        tags: ["good"],
      });
      await client.send("PATCH", `/sessions/${sessionId}`, {
        title: "Plans: a/b",
        pinned: true,
        tags: ["garden"],
        head_message_id: second.message_id,
      });
      return { sessionId, second };
    };
    const everything = async (sessionId: string) =>
      (
        await client.get<{ messages: Record<string, unknown>[]; session_info: object }>(
          `/chat/history/${sessionId}?path=all&limit=200`,
        )
      ).body;

    it("hold the whole tree with its files, as the API shows it", async () => {
      const { sessionId } = await talk("ann");
      const answer = await client.get<Exported>(`/sessions/${sessionId}/export`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-disposition")).toBe(
        "attachment; filename*=UTF-8''Plans%20a%20b.json",
      );
      const { format, version, session, messages } = answer.body;
      const { messages: shown, session_info: info } = await everything(sessionId);
      expect({ format, version, session }).toEqual({
        format: "chat-service",
        version: 1,
        session: info,
      });
      expect(shown).toHaveLength(7);
      const withoutFiles = ({ attachments: _, ...rest }: Record<string, unknown>) => rest;
      expect(messages.map(withoutFiles)).toEqual(shown.map(withoutFiles));
      expect(messages.flatMap(({ attachments = [] }) => attachments)).toEqual([
        {
          attachment_id: expect.any(String),
          name: "计划.bin",
          media_type: "text/plain",
          size: bytes.length,
          data: bytes.toString("base64"),
        },
      ]);
      expect(messages.filter(({ feedback }) => feedback !== undefined)).toHaveLength(1);
    });

    it("are the active path for people to read as Markdown, in their language", async () => {
      const { sessionId } = await talk("berta");
      const path = `/sessions/${sessionId}/export?format=markdown`;
      const { body: text, headers } = await client.get<string>(path);
      expect(headers.get("content-type")).toBe("text/markdown; charset=utf-8");
      expect(text).toMatch(/^# Plans: a\/b\n/);
      expect(text.match(/^## /gm)).toHaveLength(4);
      expect(text).toContain("- File: 计划.bin (text/plain)");
      expect(text.indexOf("q1 你好 😀")).toBeLessThan(text.indexOf("q2 </script>"));
      expect(text).not.toContain("q2 otherwise");
      const zh = await client.get<string>(path, { "accept-language": "zh-CN" });
      expect(zh.body).toContain("## 用户 · ");
    });

    it("are all of a user, one a line, and nobody else's", async () => {
      const first = await talk("carla");
      const second = await talk("carla");
      await talk("dora");
      const answer = await fetch(`${service.url}/export?user_id=carla`);
      expect(answer.headers.get("content-type")).toBe("application/jsonl");
      const lines = (await answer.text()).trimEnd().split("\n");
      const documents = lines.map((line) => JSON.parse(line) as Exported);
      expect(documents.map(({ session }) => session["session_id"])).toEqual([
        first.sessionId,
        second.sessionId,
      ]);
      expect(await (await fetch(`${service.url}/export?user_id=nobody`)).text()).toBe("");
      const missing = await client.get(`/sessions/${first.sessionId}/export?user_id=dora`);
      expect(missing).toMatchObject({
        status: 404,
        body: { error: { type: "session_not_found" } },
      });
    });
  },
);
