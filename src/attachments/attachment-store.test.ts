import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { createAudioStore } from "../voice/audio-store.ts";
import { newId } from "../lib/ids.ts";
import { createAttachmentStore as createStore, describeAttachment } from "./attachment-store.ts";
import { createStorageQuota, settleStoredBytes } from "./storage-quota.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const file = (name: string, bytes: Uint8Array) => ({ name, mediaType: "image/png", bytes });
const createAttachmentStore = (database: Database, maxBytes = 0) =>
  createStore(database, createStorageQuota(maxBytes));
const everyByte = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);

describe.each(databases.kinds)("attachments on $kind", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const createSession = async (userId: string): Promise<string> => {
    const sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, $2, 'a')",
      [sessionId, userId],
    );
    return sessionId;
  };

  test("what a reply has produced is kept once, and counts like what was sent", async () => {
    const reply = { sessionId: await createSession("gus"), messageId: newId() };
    const store = createAttachmentStore(database, 100_000);
    const kept = await store.keep(reply, file("cat.png", everyByte));
    expect(kept).toMatchObject({ name: "cat.png", size: 70_000, media_type: "image/png" });
    expect(kept.url).toBe(`/chat/attachments/${kept.attachment_id}`);
    // Told again by a run that was taken up.
    expect(await store.keep(reply, file("cat.png", everyByte))).toEqual(kept);
    expect((await store.ofMessages([reply.messageId])).length).toBe(1);
    const found = await store.find(kept.attachment_id);
    expect(found?.userId).toBe("gus");
    expect(Buffer.from(found?.bytes ?? []).equals(everyByte)).toBe(true);
    await expect(store.keep(reply, file("dog.png", everyByte.subarray(1)))).rejects.toMatchObject({
      type: "storage_quota_exceeded",
    });
    expect((await store.ofMessages([reply.messageId])).length).toBe(1);
    // The same bytes of another reply are another file.
    const other = { sessionId: reply.sessionId, messageId: newId() };
    const small = file("dot.png", new Uint8Array([1]));
    const two = [await store.keep(reply, small), await store.keep(other, small)];
    expect(two[0]?.attachment_id).not.toBe(two[1]?.attachment_id);
  });

  test("come back byte for byte, in their order, to their message and to who owns it", async () => {
    const store = createAttachmentStore(database);
    const message = { sessionId: await createSession("ann"), messageId: newId() };
    const files = [
      file("z.png", everyByte),
      file("a 你好.png", new Uint8Array([0])),
      file("m.png", everyByte.subarray(10, 20)),
    ].map((each) => ({ info: describeAttachment(each), bytes: each.bytes }));
    await store.insert(database, message, files);
    const other = { sessionId: await createSession("bob"), messageId: newId() };
    const bobs = file("b.png", new Uint8Array([7]));
    await store.insert(database, other, [{ info: describeAttachment(bobs), bytes: bobs.bytes }]);

    const found = await store.ofMessages([message.messageId]);
    expect(found.map(({ name }) => name)).toEqual(["z.png", "a 你好.png", "m.png"]);
    for (const [index, { bytes }] of files.entries()) {
      expect(Buffer.from(found[index]?.bytes ?? []).equals(bytes)).toBe(true);
    }
    expect(await store.find(files[1]?.info.attachment_id ?? "")).toEqual({
      name: "a 你好.png",
      mediaType: "image/png",
      userId: "ann",
      bytes: Buffer.from([0]),
    });
    expect(await store.find(newId())).toBeNull();
    expect(await store.ofMessages([newId()])).toEqual([]);
  });

  test("a user has room for so many bytes in all sessions, however many come at once", async () => {
    const user = newId();
    const store = createAttachmentStore(database, 150_000);
    const { bytes } = file("x", everyByte);
    const info = describeAttachment(file("x", everyByte));
    const send = async (userId: string) => {
      const message = { sessionId: await createSession(userId), messageId: newId() };
      const attachment_id = newId();
      await database.transaction((tx) =>
        store.insert(tx, message, [{ info: { ...info, attachment_id }, bytes }]),
      );
    };
    const sent = await Promise.allSettled(Array.from({ length: 4 }, () => send(user)));
    const refused = sent.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(refused).toEqual(
      Array.from({ length: 2 }, () =>
        expect.objectContaining({ type: "storage_quota_exceeded", status: 413 }),
      ),
    );
    await send(newId());
    // So do files of a message that is written anew, or goes into another session.
    const { rows } = await database.query<{ messageId: string; id: string }>(
      `SELECT message_id AS "messageId", attachment_id AS id FROM attachments a
       JOIN sessions s USING (session_id) WHERE s.user_id = $1`,
      [user],
    );
    const to = { sessionId: await createSession(user), messageId: newId() };
    const of = { ...info, attachment_id: rows[0]?.id ?? "" };
    await expect(
      database.transaction((tx) => store.copy(tx, rows[0]?.messageId ?? "", to, [of])),
    ).rejects.toMatchObject({ type: "storage_quota_exceeded" });
    // Sound counts too, and gets no more room than files.
    const sound = createAudioStore(database, 24, createStorageQuota(150_000));
    const kept = { messageId: null, format: "wav", mediaType: "audio/wav", durationMs: 1 };
    const sessionId = await createSession(user);
    const save = (length: number) =>
      sound.save({ ...kept, sessionId, userId: user, bytes: everyByte.subarray(0, length) });
    await expect(save(10_001)).rejects.toMatchObject({ type: "storage_quota_exceeded" });
    await save(10_000);
    await expect(save(1)).rejects.toMatchObject({ type: "storage_quota_exceeded" });
    const recording = { ...kept, sessionId: null, userId: "", bytes: everyByte };
    const audioId = await sound.save(recording);
    await sound.attach(audioId, sessionId, null);
    expect(await sound.find(audioId)).toBeNull();
    await database.query("DELETE FROM sessions WHERE user_id = $1", [user]);
    await send(user);
  });

  const settle = async (userId: string): Promise<number> => {
    const { rows } = await database.query<{ used: number }>(
      "SELECT settle_stored_bytes($1)::float8 AS used",
      [userId],
    );
    return rows[0]?.used ?? -1;
  };
  const counted = async (userId: string): Promise<number> => {
    const { rows } = await database.query<{ used: number }>(
      `SELECT coalesce(sum(stored_bytes_of_session(session_id)), 0)::float8 AS used FROM sessions
       WHERE user_id = $1`,
      [userId],
    );
    return rows[0]?.used ?? -1;
  };
  const notes = async (userId: string): Promise<number> => {
    const { rows } = await database.query("SELECT 1 FROM stored_bytes WHERE user_id = $1", [
      userId,
    ]);
    return rows.length;
  };
  /** Stores a file and a sound in a new session; what takes things away again, each its own way. */
  const fill = async (userId: string) => {
    const store = createAttachmentStore(database);
    const sound = createAudioStore(database, 24);
    const kept = { messageId: null, format: "wav", mediaType: "audio/wav", durationMs: 1, userId };
    const sessionId = await createSession(userId);
    const messageId = newId();
    const info = describeAttachment(file("x", everyByte));
    await database.transaction((tx) =>
      store.insert(tx, { sessionId, messageId }, [{ info, bytes: everyByte }]),
    );
    const copied = { sessionId, messageId: newId() };
    await database.transaction((tx) => store.copy(tx, messageId, copied, [info]));
    const audioId = await sound.save({ ...kept, sessionId, bytes: everyByte.subarray(0, 7) });
    const given = await sound.save({ ...kept, sessionId: null, bytes: everyByte.subarray(0, 11) });
    await sound.attach(given, sessionId, null);
    return [
      () => database.query("DELETE FROM attachments WHERE message_id = $1", [messageId]),
      () => database.query("UPDATE audio SET expires_at = now() WHERE audio_id = $1", [audioId]),
      () => sound.purge(),
      () => database.query("DELETE FROM sessions WHERE session_id = $1", [sessionId]),
    ];
  };

  test("the total of a user is what there is, whatever comes, goes, or was there before", async () => {
    const user = newId();
    expect(await settle(user)).toBe(0);
    const takings = [...(await fill(user)), ...(await fill(user))];
    expect(await settle(user)).toBe(2 * (2 * everyByte.length + 18));
    for (const [index, take] of takings.entries()) {
      // As of an earlier version: nobody has noted what there is.
      if (index === 2) await database.query("DELETE FROM stored_bytes WHERE user_id = $1", [user]);
      await take();
      expect([index, await settle(user)]).toEqual([index, await counted(user)]);
      expect(await notes(user)).toBeLessThan(2);
    }
    expect([await counted(user), await notes(user)]).toEqual([0, 0]);
  });

  test("so it is when many change it at a time", async () => {
    const user = newId();
    const rounds = Array.from({ length: 6 }, async (_, index) => {
      const takings = await fill(user);
      await settle(user);
      for (const take of takings.slice(index % 4)) await take();
    });
    await Promise.all(rounds);
    expect(await settle(user)).toBe(await counted(user));
  });

  test("the total is asked, not what it is made of", async () => {
    const user = newId();
    await fill(user);
    await settle(user);
    await database.query("UPDATE stored_bytes SET bytes = 150000 WHERE user_id = $1", [user]);
    const store = createAttachmentStore(database, 150_000);
    const message = { sessionId: await createSession(user), messageId: newId() };
    const info = describeAttachment(file("x", new Uint8Array(1)));
    await expect(
      database.transaction((tx) => store.insert(tx, message, [{ info, bytes: new Uint8Array(1) }])),
    ).rejects.toMatchObject({ type: "storage_quota_exceeded" });
  });

  test("notes that nobody asks for become one a user, and none of who has nothing", async () => {
    const [one, other] = [newId(), newId()];
    await fill(one);
    for (const take of await fill(other)) await take();
    expect(await notes(other)).toBeGreaterThan(0);
    await settleStoredBytes(database);
    expect([await notes(one), await notes(other)]).toEqual([1, 0]);
  });

  test("go with their session, and with a transaction that is rolled back", async () => {
    const store = createAttachmentStore(database);
    const message = { sessionId: await createSession("ann"), messageId: newId() };
    const one = file("x", everyByte);
    const info = describeAttachment(one);
    const failing = database.transaction(async (tx) => {
      await store.insert(tx, message, [{ info, bytes: one.bytes }]);
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await store.find(info.attachment_id)).toBeNull();
    await store.insert(database, message, [{ info, bytes: one.bytes }]);
    await database.query("DELETE FROM sessions WHERE session_id = $1", [message.sessionId]);
    expect(await store.find(info.attachment_id)).toBeNull();
    expect(await store.ofMessages([message.messageId])).toEqual([]);
  });
});

test("a description says what and where", () => {
  const described = describeAttachment(file("a.png", everyByte));
  expect(described).toEqual({
    attachment_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: "a.png",
    media_type: "image/png",
    size: 70_000,
    url: `/chat/attachments/${described.attachment_id}`,
  });
});
