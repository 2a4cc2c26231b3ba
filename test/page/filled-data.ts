import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { createDataDir } from "../support/start-service.ts";

/** What a page is given of a message, as it is stored. */
export interface StoredRow {
  readonly role: "user" | "assistant";
  readonly content: string;
  readonly status?: "complete" | "failed" | "interrupted";
  readonly agent_id?: string;
  readonly reasoning?: string;
  readonly tool_calls?: readonly object[];
  readonly media?: readonly object[];
  readonly attachments?: readonly object[];
  readonly error?: object;
}

export const filledSession = "019aab3e-0000-7000-8000-000000000000";

/** A data directory with one session in it: thousands of messages are there at once. Its user removes it. */
export async function createFilledDataDir(
  user: string,
  rows: readonly StoredRow[],
): Promise<string> {
  const dataDir = await createDataDir();
  const database = new PGlite(join(dataDir, "pgdata"));
  await database.query(
    `INSERT INTO sessions (session_id, user_id, agent_id, title, last_seq, message_count)
     VALUES ($1, $2, 'general-chat', 'Long', $3, $3)`,
    [filledSession, user, rows.length],
  );
  // Databases take no NUL.
  const json = JSON.stringify(rows).replaceAll(String.raw`\u0000`, "");
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reasoning,
       tool_calls, media, attachments, error, reply_to)
     SELECT $1, ('019aab3e-0000-7000-8000-' || lpad(to_hex(seq), 12, '0'))::uuid, seq, role,
       coalesce(status, 'complete'), coalesce(agent_id, 'general-chat'), content, reasoning,
       tool_calls, media, attachments, error,
       CASE WHEN role = 'assistant' AND seq > 1
         THEN ('019aab3e-0000-7000-8000-' || lpad(to_hex(seq - 1), 12, '0'))::uuid END
     FROM ROWS FROM (jsonb_to_recordset($2::jsonb) AS (role text, status text, agent_id text,
       content text, reasoning text, tool_calls jsonb, media jsonb, attachments jsonb, error jsonb))
       WITH ORDINALITY AS given (role, status, agent_id, content, reasoning, tool_calls, media,
       attachments, error, seq)`,
    [filledSession, json],
  );
  await database.close();
  return dataDir;
}
