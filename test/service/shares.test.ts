import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Made {
  readonly share_id: string;
  readonly url: string;
  readonly expires_at: string;
}
interface Shared {
  readonly title: string | null;
  readonly expires_at: string;
  readonly messages: {
    readonly role: string;
    readonly content: string;
    readonly attachments?: { readonly name: string; readonly url: string }[];
  }[];
}
interface Failure {
  readonly error: { readonly type: string };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());
const publicUrl = "https://chat.example.com/api/";
const gone = { status: 404, type: "share_not_found" };

describe.each(postgres === null ? ["embedded"] : ["embedded", "postgres"])(
  "shared conversations, on %s",
  (kind) => {
    let model: OpenAiServer;
    let service: TestService;
    let client: Client;

    beforeAll(async () => {
      model = await startOpenAiServer();
      const database = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
      service = await startService({
        env: {
          OPENAI_BASE_URL: model.url,
          ...(database && { DATABASE_URL: database, SERVER_PUBLIC_URL: publicUrl }),
        },
      });
      client = createClient(service.url);
    });
    afterAll(async () => {
      await service.stop();
      await model.close();
    });

    const say = async (sessionId: string, message: string, answer: string, more: object = {}) => {
      model.enqueue({ tokens: [answer] });
      const { status, body } = await client.send<{ user_message_id: string; message_id: string }>(
        "POST",
        "/chat/message",
        { session_id: sessionId, message, ...more },
      );
      expect(status).toBe(200);
      return body;
    };
    const talk = async (question = "q1", user = "ann-the-owner") => {
      const sessionId = await client.session(user);
      return { sessionId, ...(await say(sessionId, question, "a1")) };
    };
    const share = async (sessionId: string, body: object = {}) => {
      const made = await client.send<Made>("POST", `/sessions/${sessionId}/share`, body);
      expect(made.status).toBe(200);
      const { share_id, url, expires_at } = made.body;
      return { share_id, url, expires_at };
    };
    const read = (id: string) => client.get<Shared & Failure>(`/share/${id}`);
    const texts = async (id: string) => (await read(id)).body.messages.map((m) => m.content);
    const expectGone = async (id: string) => {
      const { status, body } = await read(id);
      expect({ status, type: body.error.type }).toEqual(gone);
    };
    const page = (id: string, language = "en", path = `/share/${id}`) =>
      fetch(service.url + path, {
        headers: { accept: "text/html,application/xhtml+xml", "accept-language": language },
      });

    it("shows the path as it was when it was shared, and nothing of whose it is", async () => {
      const { sessionId, message_id: replyId } = await talk();
      const made = await share(sessionId);
      expect(made.share_id).toMatch(/^[\w-]{32}$/);
      const path = `/share/${made.share_id}`;
      expect(made.url).toBe(kind === "postgres" ? `https://chat.example.com/api${path}` : path);
      const week = (Date.parse(made.expires_at) - Date.now()) / 86_400_000;
      expect(week).toBeGreaterThan(6.9);
      expect(week).toBeLessThan(7.1);

      model.enqueue({ tokens: ["beside"] });
      const asked = await client.send(
        "POST",
        `/chat/message/${replyId}/regenerate`,
        {},
        { accept: "application/json" },
      );
      expect(asked.status).toBe(200);
      await say(sessionId, "q2", "a2");
      await client.send("PATCH", `/sessions/${sessionId}`, { title: "said later" });
      const { status, body, headers } = await read(made.share_id);
      expect(status).toBe(200);
      expect(body.messages.map(({ role, content }) => [role, content])).toEqual([
        ["user", "q1"],
        ["assistant", "a1"],
      ]);
      const text = JSON.stringify(body);
      for (const hidden of ["ann-the-owner", sessionId, replyId, "said later", "metadata"]) {
        expect(text).not.toContain(hidden);
      }
      expect(headers.get("cache-control")).toBe("private, no-store");
      expect(headers.get("x-robots-tag")).toContain("noindex");
      expect(await texts((await share(sessionId)).share_id)).toEqual(["q1", "beside", "q2", "a2"]);
    });

    it("is a page without scripts for browsers, in their language, and says in it what is gone", async () => {
      const hostile = `<script>alert(1)</script> "'&</p>`;
      const { sessionId } = await talk(hostile);
      await client.send("PATCH", `/sessions/${sessionId}`, { title: "</title><b>&" });
      const { share_id: id } = await share(sessionId);
      const shown = await page(id);
      expect(shown.status).toBe(200);
      expect(shown.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(shown.headers.get("content-security-policy")).toMatch(
        /^default-src 'none'; style-src 'sha256-/,
      );
      expect(shown.headers.get("cache-control")).toBe("private, no-store");
      const html = await shown.text();
      expect(html).toContain('<meta name="robots" content="noindex,nofollow">');
      expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&#39;&amp;&lt;/p&gt;");
      expect(html).not.toMatch(/<script|<\/title><b>|ann-the-owner/);
      expect(await (await page(id, "zh-CN")).text()).toContain("链接有效期至");
      expect((await page(id, "en", `/api/share/${id}`)).status).toBe(200);

      await client.send("DELETE", `/sessions/${sessionId}/share/${id}`);
      const over = await page(id, "zh");
      expect(over.status).toBe(404);
      expect(await over.text()).toContain("此链接无效或已失效");
    });

    it("keeps what is deleted to itself: a message, all of them, the session", async () => {
      const { sessionId, user_message_id: first } = await talk();
      const { user_message_id: second } = await say(sessionId, "q2", "a2");
      const { share_id: id } = await share(sessionId);
      await client.send("DELETE", `/chat/message/${second}`);
      await say(sessionId, "q3", "a3");
      expect(await texts(id)).toEqual(["q1", "a1"]);
      await client.send("DELETE", `/chat/message/${first}`);
      await say(sessionId, "q4", "a4");
      await expectGone(id);

      const { share_id: other } = await share(sessionId);
      expect(await texts(other)).toEqual(["q4", "a4"]);
      await client.send("DELETE", `/sessions/${sessionId}`);
      await expectGone(other);
    });

    it("reads a path of several pages", async () => {
      const messages = Array.from({ length: 450 }, (_, index) => ({
        id: `m${index}`,
        parentId: index === 0 ? null : `m${index - 1}`,
        childrenIds: index === 449 ? [] : [`m${index + 1}`],
        role: index % 2 === 0 ? "user" : "assistant",
        content: `text ${index}`,
      }));
      const imported = await client.send<{ conversations: { session_id: string }[] }>(
        "POST",
        "/import?user_id=ann",
        {
          id: `long ${kind}`,
          chat: {
            history: {
              currentId: "m449",
              messages: Object.fromEntries(messages.map((each) => [each.id, each])),
            },
          },
        },
      );
      const { share_id: id } = await share(imported.body.conversations[0]?.session_id ?? "");
      expect(await texts(id)).toEqual(messages.map(({ content }) => content));
    });

    it("shows files when that was asked for, and no others", async () => {
      const sessionId = await client.session("ann");
      const file = (name: string) => ({
        attachments: [{ name, media_type: "text/plain", data: btoa(`in ${name}`) }],
      });
      await say(sessionId, "q1", "a1", file("a.txt"));
      const without = await read((await share(sessionId)).share_id);
      expect(JSON.stringify(without.body)).not.toContain("a.txt");
      const { share_id: id } = await share(sessionId, { include_files: true });
      await say(sessionId, "q2", "a2", file("b.txt"));
      const attachment = (await read(id)).body.messages[0]?.attachments?.[0];
      expect(attachment?.name).toBe("a.txt");
      const path = (attachment?.url ?? "").replace("https://chat.example.com/api", "");
      const sent = await fetch(service.url + path);
      expect(await sent.text()).toBe("in a.txt");
      expect(sent.headers.get("cache-control")).toBe("private, no-store");
      expect(sent.headers.get("content-security-policy")).toContain("sandbox");
      expect(await (await page(id)).text()).toContain(`href=".${path.replace("/share", "")}"`);

      const { body } = await client.get<{
        messages: { attachments?: { attachment_id: string }[] }[];
      }>(`/chat/history/${sessionId}`);
      const later = body.messages[2]?.attachments?.[0]?.attachment_id ?? "";
      const earlier = path.split("/").at(-1) ?? "";
      const nobodys = (await share((await talk()).sessionId, { include_files: true })).share_id;
      const refused = [
        `/share/${id}/files/${later}`,
        `/share/${(await share(sessionId)).share_id}/files/${earlier}`,
        `/share/${nobodys}/files/${earlier}`,
        `/share/${id}/files/nothing`,
        `/share/nothing/files/${earlier}`,
      ];
      for (const each of refused) {
        const { status, body: problem } = await client.get<Failure>(each);
        expect({ status, type: problem.error.type }, each).toEqual(gone);
      }
    });

    it("is listed and ended by its owner alone, and ends by itself", async () => {
      const { sessionId } = await talk();
      const path = `/sessions/${sessionId}/share`;
      const first = await share(sessionId);
      const second = await share(sessionId, { include_files: true, expires_in: 60 });
      const list = async () =>
        (await client.get<{ shares: (Made & { include_files: boolean })[] }>(path)).body.shares;
      expect(await list()).toMatchObject([
        { ...second, include_files: true },
        { ...first, include_files: false },
      ]);
      expect((await client.get(`${path}?user_id=bob`)).status).toBe(404);
      const others = await client.send("DELETE", `${path}/${first.share_id}?user_id=bob`);
      expect(others.status).toBe(404);
      const elsewhere = `/sessions/${(await talk()).sessionId}/share/${first.share_id}`;
      expect((await client.send("DELETE", elsewhere)).status).toBe(404);
      expect((await client.send("DELETE", `${path}/${first.share_id}`)).status).toBe(200);
      await expectGone(first.share_id);
      expect((await client.send("DELETE", `${path}/${first.share_id}`)).status).toBe(404);

      const { share_id: short } = await share(sessionId, { expires_in: 1 });
      await expect.poll(async () => (await read(short)).status, { timeout: 5_000 }).toBe(404);
      await expectGone(short);
      expect(await list()).toMatchObject([second]);
    });

    it("is made once for an Idempotency-Key, and never again when it has ended", async () => {
      const { sessionId } = await talk();
      const make = (body: object, key = `share of ${kind}`) =>
        client.send<Made & Failure>("POST", `/sessions/${sessionId}/share`, body, {
          "idempotency-key": key,
        });
      const [one, two] = await Promise.all([make({}), make({})]);
      expect(two.body).toEqual(one.body);
      expect((await make({ include_files: true })).body.error.type).toBe("idempotency_conflict");
      await client.send("DELETE", `/sessions/${sessionId}/share/${one.body.share_id}`);
      expect((await make({})).body.error.type).toBe("share_not_found");
    });

    it("is made of what is finished, without a body too, and at most a hundred times", async () => {
      const { sessionId } = await talk();
      const bare = await fetch(`${service.url}/sessions/${sessionId}/share`, { method: "POST" });
      expect(bare.status).toBe(200);
      for (const body of [{ expires_in: 0 }, { expires_in: "soon" }, { unknown: 1 }]) {
        const { status } = await client.send("POST", `/sessions/${sessionId}/share`, body);
        expect(status).toBe(422);
      }
      for (let made = 1; made < 100; made += 1) await share(sessionId);
      const over = await client.send<Failure>("POST", `/sessions/${sessionId}/share`, {});
      expect(over.body.error.type).toBe("validation_failed");

      const running = await client.session("ann");
      const gate = Promise.withResolvers<void>();
      model.enqueue({ tokens: ["so ", "far"], pace: (n) => (n === 0 ? undefined : gate.promise) });
      const stream = await client.stream({ session_id: running, message: "q" });
      await stream.next((event) => event.type === "assistant_chunk");
      const refused = await client.send<Failure>("POST", `/sessions/${running}/share`, {});
      expect(refused.body.error.type).toBe("message_running");
      gate.resolve();
      await stream.next((event) => event.type === "conversation_complete");
      expect(await texts((await share(running)).share_id)).toEqual(["q", "so far"]);
    });

    it("keeps its address out of the log", async () => {
      const { share_id: id } = await share((await talk()).sessionId);
      await read(id);
      await page(id);
      expect(service.output()).toContain("/share/:share_id");
      expect(service.output()).not.toContain(id);
    });
  },
);
