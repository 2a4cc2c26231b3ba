import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../database/database.ts";
import { createEmbeddedDatabase } from "../database/embedded.ts";
import { migrate } from "../database/migrate.ts";
import { newId } from "../lib/ids.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createAudioStore, maxStoredAudioBytes, type NewAudio } from "./audio-store.ts";

let database: Database;

beforeAll(async () => {
  database = await createEmbeddedDatabase({ dataDir: null, log: silentLogger });
  await migrate(database);
});

afterAll(() => database.close());

function sound(more: Partial<NewAudio> = {}): NewAudio {
  return {
    sessionId: newId(),
    userId: "alice",
    messageId: newId(),
    format: "wav",
    mediaType: "audio/wav",
    durationMs: 1_234,
    bytes: Uint8Array.from({ length: 70_000 }, (_, index) => index % 256),
    ...more,
  };
}

async function expire(audioId: string): Promise<void> {
  await database.query("UPDATE audio SET expires_at = now() - interval '1 s' WHERE audio_id = $1", [
    audioId,
  ]);
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
  await store.purgeExpired();
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
  expect(await store.purgeExpired()).toBe(520);
  expect(await store.purgeExpired()).toBe(0);
  expect(await store.find(kept)).not.toBeNull();
});

test("a session's sound goes with it; others' stays", async () => {
  const store = createAudioStore(database, 24);
  const mine = sound();
  const [first, second, other] = [
    await store.save(mine),
    await store.save(mine),
    await store.save(sound()),
  ];
  await store.deleteOfSession(mine.sessionId!);
  expect(await store.find(first)).toBeNull();
  expect(await store.find(second)).toBeNull();
  expect(await store.find(other)).not.toBeNull();
});

test("a recording is given to the session that was made for it, and to its owner", async () => {
  const store = createAudioStore(database, 24);
  const [sessionId, messageId] = [newId(), newId()];
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'bob', 'general-chat')",
    [sessionId],
  );
  const audioId = await store.save(sound({ sessionId: null, userId: "", messageId: null }));
  await store.attach(audioId, sessionId, messageId);
  expect(await store.find(audioId)).toMatchObject({ sessionId, userId: "bob", messageId });
});

test("more than a mebibyte is refused", async () => {
  const store = createAudioStore(database, 24);
  const bytes = new Uint8Array(maxStoredAudioBytes + 1);
  await expect(store.save(sound({ bytes }))).rejects.toThrow("too large");
});
