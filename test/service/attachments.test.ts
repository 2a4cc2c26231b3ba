import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe("files with a message", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer({ respond: () => ({ tokens: ["a dot"] }) });
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, LIMITS_MAX_UPLOAD_SIZE: "2MB" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  it("reach the agent, stand in the history, and can be fetched by their owner only", async () => {
    const sessionId = await client.session("alice");
    const before = model.requests.length;
    const answer = await client.send<{ user_message_id: string }>("POST", "/chat/message", {
      session_id: sessionId,
      message: "What is this?",
      attachments: [
        { name: "../../图.png", media_type: "image/png", data: png.toString("base64") },
        { name: "page.html", media_type: "text/html", data: btoa("<script>alert(1)</script>") },
      ],
    });
    expect(answer.status).toBe(200);
    const { body } = await model.request(before);
    const asked = (body["messages"] as { content: unknown }[]).at(-1)?.content;
    expect(JSON.stringify(asked)).toContain(`data:image/png;base64,${png.toString("base64")}`);

    const { body: message } = await client.get<{
      attachments: { name: string; media_type: string; size: number; url: string }[];
    }>(`/chat/message/${answer.body.user_message_id}`);
    expect(message.attachments).toMatchObject([
      { name: "图.png", media_type: "image/png", size: png.length },
      { name: "page.html", media_type: "text/html" },
    ]);
    const [image, page] = message.attachments;
    const fetched = await fetch(service.url + image?.url);
    expect(fetched.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await fetched.arrayBuffer())).toEqual(png);
    // A browser may keep it, and asks each time whether this caller may still see it.
    expect(fetched.headers.get("cache-control")).toBe("private, no-cache");
    expect(fetched.headers.get("vary")).toContain("Authorization, X-API-Key");
    const known = { headers: { "if-none-match": fetched.headers.get("etag") ?? "" } };
    expect((await fetch(service.url + image?.url, known)).status).toBe(304);
    expect((await fetch(`${service.url}${image?.url}?user_id=mallory`, known)).status).toBe(404);
    const html = await fetch(service.url + page?.url);
    expect(html.headers.get("content-type")).toBe("application/octet-stream");
    expect(html.headers.get("content-disposition")).toMatch(/^attachment;/);
    expect((await fetch(`${service.url}${image?.url}?user_id=mallory`)).status).toBe(404);

    await client.send("DELETE", `/sessions/${sessionId}`);
    const gone = await client.get(image?.url ?? "");
    expect(gone.status).toBe(404);
    expect(gone.body).toMatchObject({ error: { type: "attachment_not_found" } });
  });

  it("are refused at once when its agent takes no such images, also in a session that has one", async () => {
    const heic = Buffer.from("\0\0\0\u0018ftypheic\0\0\0\0", "latin1").toString("base64");
    const attachments = [{ name: "a.jpg", media_type: "image/jpeg", data: heic }];
    const sessionId = await client.session("alice");
    const before = model.requests.length;
    for (const where of [{ session_id: sessionId }, { user_id: "alice" }]) {
      for (const path of ["/chat/message", "/chat/message/stream"]) {
        const answer = await client.send("POST", path, { ...where, message: "x", attachments });
        expect(answer).toMatchObject({
          status: 415,
          body: { error: { type: "unsupported_media_type" } },
        });
        expect(JSON.stringify(answer.body)).toMatch(
          /image\/heic \(a.jpg\).*image\/png, image\/jpeg/,
        );
      }
    }
    expect(model.requests).toHaveLength(before);
    const history = await client.get<{ messages: unknown[] }>(`/chat/history/${sessionId}`);
    expect(history.body.messages).toEqual([]);
  });

  it("are refused when they are too large, no Base64, or too many; the message is not stored", async () => {
    const sessionId = await client.session("alice");
    const send = (attachments: unknown) =>
      client.send("POST", "/chat/message", { session_id: sessionId, message: "x", attachments });
    const file = (data: string) => [{ name: "a", media_type: "text/plain", data }];
    const large = await send(file(Buffer.alloc(2 * 1024 * 1024 + 1).toString("base64")));
    expect(large.status).toBe(413);
    expect((await send(file("not base64!"))).status).toBe(422);
    expect((await send(file(""))).status).toBe(422);
    expect((await send(Array.from({ length: 11 }, () => file("QQ==")[0]))).status).toBe(422);
    expect((await send([{ name: "a", media_type: "text", data: "QQ==" }])).status).toBe(422);
    expect((await client.get(`/sessions/${sessionId}`)).body).toMatchObject({ message_count: 0 });
  });
});
