import type { Client } from "../support/client.ts";
import type { TestPostgres } from "../support/postgres.ts";

/** Everything that is stored, as one text. */
export type Dump = () => Promise<string>;

/**
 * Every row of every table. Left out is what owners of running replies renew all the time, and what is made of messages
 * for search behind their being stored, and what the service does, notes and tidies up by itself.
 */
export function createTableDump(postgres: TestPostgres, databaseUrl: string): Dump {
  let statement: string | undefined;
  return async () => {
    statement ??= await dumpStatement(postgres, databaseUrl);
    const rows = await postgres.query<{ row: string }>(statement, [], databaseUrl);
    return rows.map(({ row }) => row).join("\n");
  };
}

async function dumpStatement(postgres: TestPostgres, databaseUrl: string): Promise<string> {
  const tables = await postgres.query<{ name: string; members: string }>(
    `SELECT table_name AS name,
       string_agg(format(CASE data_type WHEN 'bytea' THEN 'md5(%I)' ELSE '%I' END, column_name), ',')
         AS members
     FROM information_schema.columns
     WHERE table_schema = 'public' AND column_name NOT IN ('lease_until', 'last_used_at')
       AND table_name NOT LIKE '%search%' AND table_name NOT IN ('rounds', 'stored_bytes', 'session_counts', 'jobs', 'audit_log') GROUP BY 1 ORDER BY 1`,
    [],
    databaseUrl,
  );
  const all = tables.map(
    ({ name, members }) => `SELECT '${name} ' || ROW(${members}) FROM "${name}"`,
  );
  return `SELECT * FROM (${all.join(" UNION ALL ")}) every (row) ORDER BY 1`;
}

/** Where there is no PostgreSQL: what these users can see of their sessions and messages. */
export function createVisibleDump(clients: readonly Client[]): Dump {
  return async () => {
    const seen: unknown[] = [];
    for (const client of clients) {
      const { body } = await client.get<{ sessions: { session_id: string }[] }>(
        "/sessions?limit=100",
      );
      seen.push(body.sessions);
      for (const { session_id: sessionId } of body.sessions) {
        const history = await client.get<object>(`/chat/history/${sessionId}?limit=200`);
        seen.push(history.body);
      }
    }
    return JSON.stringify(seen);
  };
}
