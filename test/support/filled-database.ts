import type { Database } from "../../src/database/database.ts";
import { newId } from "../../src/lib/ids.ts";

const tables = [
  "sessions",
  "messages",
  "attachments",
  "audio",
  "feedback",
  "idempotency_keys",
  "outbox",
  "jobs",
  "usage",
];

/** What users have, as the database has it. */
export async function contentOf(database: Database) {
  const found: Record<string, unknown> = {};
  for (const table of tables) {
    const { rows } = await database.query(`SELECT t::text AS row FROM ${table} t ORDER BY 1`);
    found[table] = rows;
  }
  return found;
}

/** Something of everything, as columns of every type have it: 1 session, 120 messages, 9 files, 1 sound. */
export async function fillDatabase(database: Database) {
  const [session, message] = [newId(), newId()];
  await database.query(
    `INSERT INTO sessions (session_id, user_id, agent_id, title, metadata)
     VALUES ($1, 'ann', 'a', E'q"\\\\\\n你好 😀\\u2028', '{"a": [1, null, {"b": "\\u0001"}]}')`,
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
  await database.query(
    `INSERT INTO usage (message_id, model, user_id, agent_id, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost)
     VALUES ($1, '', 'ann', 'a', 9007199254740993, 1, 0, 0, 0.1234567890123456789012345)`,
    [message],
  );
}
