import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ZipFile } from "yazl";
import { startDatabases } from "../../../test/support/databases.ts";
import {
  chatGptConversation,
  libreChatConversation,
  openWebUiChat,
} from "../../../test/support/foreign-exports.ts";
import { createAttachmentStore } from "../../attachments/attachment-store.ts";
import { createStorageQuota } from "../../attachments/storage-quota.ts";
import { createMessageStore } from "../../chat/message-store.ts";
import type { Database } from "../../database/database.ts";
import { createActiveLimit } from "../../sessions/active-limit.ts";
import { createInsertSession } from "../../sessions/insert-session.ts";
import { createSessionStore, type FoundSession } from "../../sessions/session-store.ts";
import { everything, headOf, pathTo } from "../../tree/tree.ts";
import { messagesOf } from "../export/messages-of.ts";
import { sessionDocument } from "../export/session-document.ts";
import { importFile, type ImportedConversation } from "./import-file.ts";

const databases = await startDatabases();
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "import-test-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await databases.stop();
});

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

const png = Buffer.from("\u0089PNG\r\n\u001a\n and so on", "latin1");

describe.each(databases.kinds)("importing on $kind", ({ open }) => {
  let database: Database;
  let count = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const sessions = () => createSessionStore(database);
  const messages = () =>
    createMessageStore(database, { inSession: async () => ({ seqs: [], next: null }) });
  const attachments = () => createAttachmentStore(database, createStorageQuota(0));

  /** A user of its own, and what became of the file. */
  const importBytes = async (
    bytes: string | Uint8Array | ZipFile,
    user?: string,
    maxActive = 0,
  ) => {
    count += 1;
    const own = await mkdtemp(join(directory, "one-"));
    const path = join(own, "file");
    if (bytes instanceof ZipFile) {
      bytes.end();
      await pipeline(bytes.outputStream, createWriteStream(path));
    } else await writeFile(path, bytes);
    const userId = user ?? `user-${count}`;
    const parts = {
      database,
      attachments: attachments(),
      insertSession: createInsertSession(
        sessions(),
        createActiveLimit(sessions(), maxActive),
        async () => {},
      ),
      agents: async () => (agentId: string | null) => (agentId === "known" ? "known" : "default"),
      limits: { maxImportBytes: 64 * 1024 * 1024, maxFileBytes: 1024 * 1024 },
    };
    const found: ImportedConversation[] = [];
    const file = { path, directory: own };
    const { signal } = new AbortController();
    for await (const each of importFile(parts, userId, file, signal)) found.push(each);
    return { userId, found };
  };
  const sessionOf = async (each: ImportedConversation | undefined) =>
    (await sessions().find(each?.sessionId ?? "")) as FoundSession;
  const read = async (session: FoundSession, which = pathTo(session.tree, headOf(session.tree))) =>
    all(messagesOf(messages(), session, which));
  const isEmpty = async (userId: string) => (await sessions().idsOf(userId)).length === 0;
  const json = JSON.stringify;

  test("ChatGPT: the tree with what is shown, tools folded away, times and files from the archive", async () => {
    const archive = new ZipFile();
    const chats = [1, 2].map((number) =>
      chatGptConversation({ number, turns: 2, file: "file_12ab" }),
    );
    archive.addBuffer(Buffer.from(json(chats)), "conversations.json");
    archive.addBuffer(png, "file_12ab-picture.png");
    archive.addBuffer(Buffer.from('{"id": "me"}'), "user.json");
    const { found } = await importBytes(archive);
    expect(found.map(({ status, messages: many, source }) => ({ status, many, source }))).toEqual(
      Array.from({ length: 2 }, () => ({ status: "imported", many: 6, source: "chatgpt" })),
    );
    const session = await sessionOf(found[0]);
    expect(session).toMatchObject({ title: "Chat 1", agentId: "default", status: "active" });
    expect(session.createdAt.getTime()).toBe((1_700_000_000 + 10_000) * 1000);
    expect(session.lastActivity.getTime()).toBeLessThan((1_700_000_000 + 10_100) * 1000);
    const path = await read(session);
    expect(path.map(({ role, content }) => [role, content])).toEqual([
      ["user", "question 0"],
      ["assistant", "answer 0"],
      ["user", "question 1"],
      ["assistant", "answer 1"],
    ]);
    expect(path[1]?.metadata).toEqual({
      model: "gpt-4o",
      folded: [
        { role: "assistant", kind: "code", text: "print(1)" },
        { role: "tool", kind: "execution_output", text: "1" },
      ],
    });
    expect(path[1]?.replyTo).toBe(path[0]?.messageId);
    expect(path[0]?.siblings).toHaveLength(2);
    expect(path[0]?.attachments).toMatchObject([
      { name: "file_12ab-picture.png", media_type: "image/png", size: png.length },
    ]);
    const stored = await attachments().find(path[0]?.attachments?.[0]?.attachment_id ?? "");
    expect(Buffer.from(stored?.bytes ?? [])).toEqual(png);
    const { rows } = await database.query(
      "SELECT 1 FROM search_queue WHERE session_id = $1 AND seq IS NOT NULL",
      [session.sessionId],
    );
    expect(rows).toHaveLength(6);
  });

  test("a second time adds what is new, below what is there, and shows where it goes on", async () => {
    const first = await importBytes(json([chatGptConversation({ number: 3, turns: 1 })]));
    const again = (turns: number) =>
      importBytes(json([chatGptConversation({ number: 3, turns })]), first.userId);
    expect((await again(1)).found).toMatchObject([{ status: "skipped", messages: 0 }]);
    const second = await again(3);
    expect(second.found).toMatchObject([
      { status: "updated", messages: 4, sessionId: first.found[0]?.sessionId },
    ]);
    const path = await read(await sessionOf(second.found[0]));
    expect(path.map(({ content }) => content)).toEqual([
      "question 0",
      "answer 0",
      "question 1",
      "answer 1",
      "question 2",
      "answer 2",
    ]);
    // Another user's is another conversation.
    const other = await importBytes(json([chatGptConversation({ number: 3, turns: 1 })]));
    expect(other.found[0]?.sessionId).not.toBe(first.found[0]?.sessionId);
  });

  test.each([true, false])("LibreChat, as a tree: %s", async (isTree) => {
    const { found } = await importBytes(
      json(libreChatConversation({ number: 4, turns: 2 }, isTree)),
    );
    const session = await sessionOf(found[0]);
    expect(session).toMatchObject({ title: "Chat 4", messageCount: 4, totalMessageCount: 6 });
    const path = await read(session);
    expect(path.map(({ content }) => content)).toEqual([
      "question 0",
      "answer 0",
      "question 1",
      "answer 1",
    ]);
    expect(path[1]).toMatchObject({ reasoning: "hm", metadata: { model: "gpt-4o" } });
  });

  test("Open WebUI, with marks and pictures, also large ones", async () => {
    const large = Buffer.concat([png, Buffer.alloc(400 * 1024, 7)]);
    const file = `data:image/png;base64,${large.toString("base64")}`;
    const { found } = await importBytes(json([openWebUiChat({ number: 5, turns: 2, file })]));
    const session = await sessionOf(found[0]);
    expect(session).toMatchObject({ pinned: true, tags: ["garden"], messageCount: 4 });
    const path = await read(session);
    expect(path[1]).toMatchObject({ content: "answer 0", reasoning: "hm" });
    const stored = await attachments().find(path[0]?.attachments?.[0]?.attachment_id ?? "");
    expect(Buffer.from(stored?.bytes ?? [])).toEqual(large);
  });

  test("our own export comes back as it was, to another user too; to its own there is nothing new", async () => {
    const chat = openWebUiChat({
      number: 6,
      turns: 3,
      file: `data:;base64,${png.toString("base64")}`,
    });
    const { userId, found } = await importBytes(json([chat]));
    const session = await sessionOf(found[0]);
    const own = (await read(session, everything(session.tree)))[1]?.messageId ?? "";
    await database.query(
      `UPDATE messages SET usage = '{"input_tokens": 1, "output_tokens": 2}', tool_calls = '[{"id": "a"}]',
         extras = '{"sources": [{"title": "A", "url": "https://a.test/"}, {"excerpt": "b"}], "suggestions": ["c"],
           "tasks": [{"id": "1", "title": "t", "status": "failed", "assignee": "m"}],
           "customEvents": [{"name": "n", "data": {"x": [1]}, "agent_id": "a"}, {"name": "o", "agent_id": "a"}]}',
         feedback = '{"rating": "up", "tags": [], "comment": null, "timestamp": "2026-01-02T03:04:05.000Z"}'
       WHERE session_id = $1 AND message_id = $2`,
      [session.sessionId, own],
    );
    const exported = async (one: FoundSession) => {
      const sources = { messages: messages(), attachments: attachments() };
      return (await all(sessionDocument(one, sources))).join("");
    };
    const document = await exported(session);
    expect((await importBytes(`${document}\n`, userId)).found).toMatchObject([
      { status: "skipped", sessionId: session.sessionId },
    ]);
    expect(document).toContain("https://a.test/");
    const copy = await importBytes(`${document}\n${document}`);
    expect(copy.found.map(({ status }) => status)).toEqual(["imported", "skipped"]);
    /** Without ids, which are others, and the moment of the export. */
    const plain = (text: string) => {
      const ids = new Map<string, string>();
      return text
        .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
          if (!ids.has(id)) ids.set(id, `id ${ids.size}`);
          return ids.get(id) ?? "";
        })
        .replace(/"exported_at":"[^"]*"/, "")
        .replace(/"user_id":"[^"]*"/, "");
    };
    expect(plain(await exported(await sessionOf(copy.found[0])))).toBe(plain(document));
  });

  test("a summary in our own export is no message of the conversation", async () => {
    const { userId, found } = await importBytes(json([openWebUiChat({ number: 7, turns: 2 })]));
    const session = await sessionOf(found[0]);
    const before = await read(session, everything(session.tree));
    await database.query(
      `INSERT INTO summaries (session_id, first_seq, last_seq, message_id, agent_id, content)
       VALUES ($1, 1, 2, gen_random_uuid(), 'default', 'in few words')`,
      [session.sessionId],
    );
    const sources = { messages: messages(), attachments: attachments() };
    const document = (await all(sessionDocument(session, sources))).join("");
    expect(document).toContain("in few words");
    expect((await importBytes(document, userId)).found).toMatchObject([{ status: "skipped" }]);
    const copy = await sessionOf((await importBytes(document)).found[0]);
    const said = await read(copy, everything(copy.tree));
    expect(said.map(({ content }) => content)).toEqual(before.map(({ content }) => content));
  });

  test("what cannot be a conversation is told, and the others come in", async () => {
    const good = chatGptConversation({ number: 7, turns: 1 });
    const withNode = (id: string, node: object) => ({
      ...good,
      conversation_id: id,
      mapping: { ...good.mapping, ...node },
    });
    const said = { author: { role: "user" }, content: { content_type: "text", parts: ["hi"] } };
    const { found } = await importBytes(
      json([
        withNode("circle", {
          x: { id: "x", parent: "y", message: said },
          y: { id: "y", parent: "x", message: said },
        }),
        withNode("missing", { x: { id: "x", parent: "nowhere", message: said } }),
        {
          ...libreChatConversation({ number: 8, turns: 1 }, false),
          messages: [{ messageId: "a" }, { messageId: "a" }],
        },
        { something: "else" },
        good,
      ]),
    );
    expect(found.map(({ status }) => status)).toEqual([
      "failed",
      "failed",
      "failed",
      "failed",
      "imported",
    ]);
    expect(found.map(({ error }) => error?.en ?? "")).toEqual([
      expect.stringContaining("circle"),
      expect.stringContaining("not in the file"),
      expect.stringContaining("same id"),
      expect.stringContaining("no conversation of ChatGPT"),
      "",
    ]);
  });

  const whole = json([chatGptConversation({ number: 9, turns: 1 })]);
  test.each<[string, string | Uint8Array]>([
    ["cut off", whole.slice(0, -20)],
    ["wrong at its end", `${whole.slice(0, -1)}, nonsense]`],
    ["followed by more", `${whole} []`],
    ["deep", "[".repeat(100_000)],
    ["deep within", `[{"mapping":${'{"a":'.repeat(5_000)}1`],
    ["empty", ""],
    ["no list of conversations", "[]"],
    ["no JSON", "hello"],
    ["no archive", Buffer.from("PK\u0003\u0004 and nothing more")],
    ["nothing that is known", '{"a": 1}'],
  ])("a file that is %s: a clear error, and nothing is stored", async (_name, bytes) => {
    const userId = `hostile-${(count += 1)}`;
    await expect(importBytes(bytes, userId)).rejects.toMatchObject({ type: "import_failed" });
    expect(await isEmpty(userId)).toBe(true);
  });

  test("an archive that becomes too large, or is not what it says, is refused", async () => {
    const bomb = new ZipFile();
    bomb.addBuffer(Buffer.alloc(70 * 1024 * 1024, 0x20), "conversations.json");
    const userId = "bomber";
    await expect(importBytes(bomb, userId)).rejects.toMatchObject({
      type: "import_failed",
      message: expect.stringContaining("limits.max_import_size"),
    });
    expect(await isEmpty(userId)).toBe(true);
  });

  test("10,000 messages behind one another, NUL, half of a pair, `__proto__` and long texts are stored", async () => {
    const mapping: Record<string, object> = {};
    for (let at = 0; at < 10_000; at += 1) {
      const parts = [
        at === 5 ? "a\u0000b\ud800 __proto__" : at === 6 ? "x".repeat(1_000_000) : "hi",
      ];
      const message = {
        author: { role: at % 2 ? "assistant" : "user" },
        content: { content_type: "text", parts },
      };
      mapping[`n${at}`] = { id: `n${at}`, parent: at === 0 ? null : `n${at - 1}`, message };
    }
    const chat = { id: "deep", title: "a\u0000b", mapping, current_node: "n9999" };
    const { found } = await importBytes(json([chat]).replace("{", '{"__proto__": {"a": 1},'));
    expect(found).toMatchObject([{ status: "imported", messages: 10_000, error: null }]);
    const session = await sessionOf(found[0]);
    expect(session).toMatchObject({ title: "a\ufffdb", messageCount: 10_000 });
    const { rows } = await database.query(
      "SELECT content, octet_length(content) AS bytes FROM messages WHERE session_id = $1 AND seq IN (6, 7) ORDER BY seq",
      [session.sessionId],
    );
    expect(rows).toMatchObject([{ content: "a\ufffdb\ufffd __proto__" }, { bytes: 1_000_000 }]);
  }, 120_000);

  test("imported conversations are idle from their import on, and beyond what is active they are archived", async () => {
    const chats = [10, 11].map((number) => chatGptConversation({ number, turns: 1 }));
    const { found, userId } = await importBytes(json(chats), undefined, 1);
    expect((await sessionOf(found[0])).status).toBe("active");
    expect((await sessionOf(found[1])).status).toBe("archived");
    const idle = async () =>
      (await sessions().inactive(30, 1_000)).filter((each) => each.userId === userId).length;
    expect(await idle()).toBe(0);
    await database.query(
      "UPDATE sessions SET imported_at = now() - interval '31 days' WHERE user_id = $1",
      [userId],
    );
    expect(await idle()).toBe(2);
  });
});
