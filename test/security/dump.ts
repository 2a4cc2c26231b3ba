import type { Client } from "../support/client.ts";
import type { TestPostgres } from "../support/postgres.ts";

/** Everything that is stored, as one text. */
export type Dump = () => Promise<string>;

/** Every row of every table; only what owners of running replies renew all the time is left out. */
export function createTableDump(postgres: TestPostgres, databaseUrl: string): Dump {
  return async () => {
    const tables = await postgres.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
      [],
      databaseUrl,
    );
    const all = tables
      .map(
        ({ name }) =>
          `SELECT '${name}' AS name, to_jsonb(t) - 'lease_until' AS stored FROM "${name}" t`,
      )
      .join(" UNION ALL ");
    const rows = await postgres.query<{ row: string }>(
      `SELECT name || ' ' || stored::text AS row FROM (${all}) every ORDER BY 1`,
      [],
      databaseUrl,
    );
    return rows.map(({ row }) => row).join("\n");
  };
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
