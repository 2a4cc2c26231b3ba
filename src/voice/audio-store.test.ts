import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { createAudioStore, maxStoredAudioBytes, type NewAudio } from "./audio-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("on $kind", ({ kind, open }) => {
  let database: Database;
  let sessionId: string;

  beforeAll(async () => {
    database = await open();
    sessionId = await createSession("alice");
  });
  afterAll(() => database.close());

  async function createSession(userId: string): Promise<string> {
    const id = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, $2, 'general-chat')",
      [id, userId],
    );
    return id;
  }
  const deleteSession = (id: string) =>
    database.query("DELETE FROM sessions WHERE session_id = $1", [id]);
  const countAll = async () => (await database.query("SELECT 1 FROM audio")).rowCount;

  function sound(more: Partial<NewAudio> = {}): NewAudio {
    return {
      sessionId,
      userId: "alice",
      messageId: newId(),
      format: "wav",
      mediaType: "audio/wav",
      durationMs: 1_234,
      bytes: Uint8Array.from({ length: 70_000 }, (_, index) => index % 256),
      ...more,
    };
  }
  const recording = () => sound({ sessionId: null, userId: "", messageId: null });

  async function expire(audioId: string): Promise<void> {
    await database.query(
      "UPDATE audio SET expires_at = now() - interval '1 s' WHERE audio_id = $1",
      [audioId],
    );
  }

  test("what was saved is found byte for byte, for its time", async () => {
    const store = createAudioStore(database, 24);
    const audio = sound();
    const audioId = await store.save(audio);
    const found = await store.find(audioId);
    expect(found).toMatchObject({ ...audio, audioId, bytes: expect.anything() });
    expect(Buffer.from(found!.bytes).equals(audio.bytes)).toBe(true);
    expect(found?.createdAt).toBeInstanceOf(Date);
    const { rows } = await database.query<{ hours: number }>(
      `SELECT extract(epoch FROM expires_at - created_at)::float8 / 3600 AS hours FROM audio
     WHERE audio_id = $1`,
      [audioId],
    );
    expect(rows[0]?.hours).toBeCloseTo(24, 3);
    await expire(audioId);
    expect(await store.find(audioId)).toBeNull();
  });

  test("without a retention it is kept as long as its session", async () => {
    const store = createAudioStore(database, 0);
    const audioId = await store.save(sound());
    await store.purge();
    expect(await store.find(audioId)).not.toBeNull();
  });

  test("what is past its time is purged, all of it, and nothing else", async () => {
    const store = createAudioStore(database, 24);
    const kept = await store.save(sound());
    const bytes = new Uint8Array(4);
    const old = await Promise.all(Array.from({ length: 520 }, () => store.save(sound({ bytes }))));
    await database.query(
      "UPDATE audio SET expires_at = now() - interval '1 s' WHERE audio_id = ANY($1)",
      [old],
    );
    expect(await store.purge()).toBe(520);
    expect(await store.purge()).toBe(0);
    expect(await store.find(kept)).not.toBeNull();
  });

  test("a session's sound goes with it, whoever deletes it; others' stays", async () => {
    const store = createAudioStore(database, 0);
    const mine = { sessionId: await createSession("alice") };
    const [first, second, other] = [
      await store.save(sound(mine)),
      await store.save(recording()),
      await store.save(sound()),
    ];
    await store.attach(second, mine.sessionId, newId());
    await deleteSession(mine.sessionId);
    expect(await store.find(first)).toBeNull();
    expect(await store.find(second)).toBeNull();
    expect(await store.find(other)).not.toBeNull();
  });

  test("a recording is given to the session that was made for it, and to its owner", async () => {
    const store = createAudioStore(database, 24);
    const [bobs, messageId] = [await createSession("bob"), newId()];
    const audioId = await store.save(recording());
    await store.attach(audioId, bobs, messageId);
    expect(await store.find(audioId)).toMatchObject({ sessionId: bobs, userId: "bob", messageId });
    expect(await store.countOf("bob")).toBe(1);
    expect(await store.countOf("nobody")).toBe(0);
  });

  test("of a session that is gone nothing is kept", async () => {
    const store = createAudioStore(database, 0);
    const gone = newId();
    const before = await countAll();
    await expect(store.save(sound({ sessionId: gone }))).rejects.toMatchObject({
      type: "session_not_found",
    });
    await store.attach(await store.save(recording()), gone, null);
    expect(await countAll()).toBe(before);
  });

  // The embedded database has a single connection.
  test.skipIf(kind === "embedded")("nor of one that is being deleted at this moment", async () => {
    const store = createAudioStore(database, 0);
    const going = await createSession("alice");
    const audioId = await store.save(recording());
    const before = await countAll();
    let saving: Promise<unknown> | undefined;
    let attaching: Promise<unknown> | undefined;
    await database.transaction(async (tx) => {
      await tx.query("DELETE FROM sessions WHERE session_id = $1", [going]);
      saving = expect(store.save(sound({ sessionId: going }))).rejects.toMatchObject({
        type: "session_not_found",
      });
      attaching = store.attach(audioId, going, null);
      const waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
      while ((await database.query(waiting)).rowCount < 2);
    });
    await Promise.all([saving, attaching]);
    expect(await countAll()).toBe(before - 1);
  });

  test("a recording that no message has taken goes after an hour", async () => {
    const store = createAudioStore(database, 0);
    const [fresh, old, taken] = [
      await store.save(recording()),
      await store.save(recording()),
      await store.save(sound()),
    ];
    await database.query(
      "UPDATE audio SET created_at = now() - interval '61 minutes' WHERE audio_id = ANY($1)",
      [[old, taken]],
    );
    expect(await store.purge()).toBe(1);
    expect(await store.find(old)).toBeNull();
    expect(await store.find(fresh)).not.toBeNull();
    expect(await store.find(taken)).not.toBeNull();
  });

  test("more than a mebibyte is refused", async () => {
    const store = createAudioStore(database, 24);
    const bytes = new Uint8Array(maxStoredAudioBytes + 1);
    await expect(store.save(sound({ bytes }))).rejects.toThrow("too large");
  });
});
