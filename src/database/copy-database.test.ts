import { afterAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import { newId } from "../lib/ids.ts";
import { copyDatabase } from "./copy-database.ts";
import type { Database } from "./database.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const tables = [
  "sessions",
  "messages",
  "attachments",
  "audio",
  "feedback",
  "idempotency_keys",
  "outbox",
  "jobs",
];

async function all(database: Database) {
  const found: Record<string, unknown> = {};
  for (const table of tables) {
    const { rows } = await database.query(`SELECT t::text AS row FROM ${table} t ORDER BY 1`);
    found[table] = rows;
  }
  return found;
}

/** Something of everything, as columns of every type have it. */
async function fill(database: Database) {
  const [session, message] = [newId(), newId()];
  await database.query(
    `INSERT INTO sessions (session_id, user_id, agent_id, title, metadata)
     VALUES ($1, 'ann', 'a', E'q"\\\\\\n你好 😀', '{"a": [1, null, {"b": "\\u0001"}]}')`,
    [session],
  );
  for (let seq = 1; seq <= 120; seq++) {
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, search, created_at)
       VALUES ($1, $2, $3, 'user', 'complete', 'a', 'x', array_to_tsvector(ARRAY['x', 'a''b']), now())`,
      [session, seq === 1 ? message : newId(), seq],
    );
  }
  for (let position = 0; position < 9; position++) {
    await database.query(
      `INSERT INTO attachments (attachment_id, session_id, message_id, position, name, media_type, size, bytes)
       VALUES ($1, $2, $3, $4, 'n', 'a/b', 3, '\\x00ff5c')`,
      [newId(), session, message, position],
    );
  }
  await database.query(
    `INSERT INTO feedback (session_id, message_id, user_id, agent_id, rating, created_at)
     VALUES ($1, $2, 'ann', 'a', 'up', now())`,
    [session, message],
  );
  await database.query(
    `INSERT INTO audio (audio_id, session_id, user_id, format, media_type, bytes)
     VALUES ($1, $2, 'ann', 'wav', 'audio/wav', '\\x')`,
    [newId(), session],
  );
}

describe.each(databases.kinds)("to $kind", ({ open }) => {
  test("everything is copied as it is, into an empty one only", async () => {
    const from = (await databases.kinds[0]?.open()) as Database;
    const [to, other] = [await open(), await open()];
    await fill(from);
    const before = await all(from);
    const copied = await copyDatabase(from, to);
    expect(copied).toMatchObject({ sessions: 1, messages: 120, attachments: 9, audio: 1 });
    expect(await all(to)).toEqual(before);
    expect(await all(from)).toEqual(before);
    await expect(copyDatabase(from, to)).rejects.toThrow("empty");
    await other.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'b', 'a')",
      [newId()],
    );
    await expect(copyDatabase(from, other)).rejects.toThrow("empty");
    await Promise.all([from.close(), to.close(), other.close()]);
  });
});
